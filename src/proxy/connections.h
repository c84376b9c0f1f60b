// All sender connections of one worker: accepts within the caps, lends workspaces, writes the turn's answers together, drains.
// Owner: the worker; one thread. Nothing is destroyed inside a callback of its own: closed connections are taken apart at the
// end of the turn.
//
// Limits: limits.connections (all workers together, in SharedMemory), limits.connections_per_client (all workers
// together too; peers in trusted_proxies stand for many senders and are not counted), limits.memory (buffers of all workers
// together). Over a limit the sender gets 503 with Retry-After and the connection closes; the request, if one had begun, is in
// the books as failed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/id.h"
#include "event/loop.h"
#include "event/stream.h"
#include "event/tls.h"
#include "pipeline/module.h"
#include "proxy/client_address.h"
#include "proxy/connection.h"
#include "proxy/measures.h"
#include "proxy/workspace.h"

namespace belay::proxy {

// What a listener lends to the connections it accepts.
struct Entrance {
  const event::ServerTls* tls = nullptr;
  bool proxy_protocol = false;
};

class Connections {
 public:
  static constexpr int kRetryAfterSeconds = 1;
  static constexpr size_t kSpareWorkspaces = 256;
  static constexpr size_t kSpareConnections = 1024;
  static constexpr size_t kTurnedAwayAtOnce = 1024;  // connections over the cap that are still being told so
  static constexpr int kRoundsPerTurn = 16;          // pipelined requests of a connection answered in one turn
  static constexpr Duration kDrainGrace{2'000};      // a draining worker waits so long for a request on an idle connection

  // `worker` is this worker's row in services.shared; everything outlives the Connections.
  Connections(event::Loop& loop, const pipeline::Ruleset& ruleset, pipeline::Services& services, const TrustedProxies& trusted,
              size_t worker);
  ~Connections();

  // Takes over the descriptor. `entrance` outlives the connection.
  void accept(int fd, const event::SocketAddress& peer, const Entrance& entrance);

  // From now on answers close their connections; `drained` is called once none is left.
  void drain(std::function<void()> drained);
  // Ends every connection; requests under way are put in the books as failed.
  void abandon();
  size_t count() const { return open_.size(); }
  uint64_t turned_away() const { return turned_away_total_; }
  const Measures& measures() const { return measures_; }

  // For Connection.
  event::Loop& loop() { return loop_; }
  const pipeline::Ruleset& ruleset() const { return ruleset_; }
  const conf::Limits& limits() const { return limits_; }
  const TrustedProxies& trusted() const { return trusted_; }
  pipeline::Services& services() { return services_; }
  bool draining() const { return draining_; }
  MessageId next_id() { return ids_.next(); }
  std::string_view date();
  Buffer& scratch() { return scratch_; }
  std::string_view busy_answer();  // whole 503 answer for who is turned away before a request
  void link_deadline(event::DeadlineList::Entry& entry, std::function<void()> expired);

  std::unique_ptr<Workspace> lend();  // null over limits.memory
  void give_back(std::unique_ptr<Workspace> workspace);
  bool memory_left(size_t more) const;
  void count_memory(Workspace& workspace);      // after it grew or shrank
  bool count_client(Connection& connection, const IpAddress& address);  // false: over connections_per_client
  void measure(const pipeline::Exchange& exchange) { measures_.add(exchange, services_.clock.monotonic()); }
  void count_request() { slot_.requests.fetch_add(1, std::memory_order_relaxed); }
  bool may_linger_turned_away() const { return lingering_turned_away_ < kTurnedAwayAtOnce; }
  void count_turned_away() {
    ++turned_away_total_;
    ++lingering_turned_away_;
  }

  void queue_answer(Connection& connection) { answers_.push_back(&connection); }
  void retire(Connection& connection) { retired_.push_back(&connection); }

 private:
  void end_of_turn();
  void take_apart(Connection& connection);
  void add_memory(int64_t bytes);

  event::Loop& loop_;
  const pipeline::Ruleset& ruleset_;
  pipeline::Services& services_;
  const TrustedProxies& trusted_;
  const size_t worker_;
  pipeline::SharedMemory::Worker& slot_;  // its row
  const conf::Limits& limits_;
  MemoryBudget memory_;
  http::HeadLimits head_limits_;
  IdGenerator ids_;
  event::DeadlineList deadlines_;

  std::vector<std::unique_ptr<Connection>> open_;   // each knows its place
  std::vector<std::unique_ptr<Connection>> spare_;
  std::vector<std::unique_ptr<Workspace>> workspaces_;
  std::vector<Connection*> answers_, writing_, retired_, taking_apart_;
  Buffer scratch_;
  std::string date_, busy_;
  int64_t date_second_ = -1;
  bool draining_ = false;
  std::function<void()> drained_;
  Measures measures_;
  uint64_t turned_away_total_ = 0;
  size_t lingering_turned_away_ = 0;
  event::Loop::TurnEnd turn_end_;
};

}  // namespace belay::proxy
