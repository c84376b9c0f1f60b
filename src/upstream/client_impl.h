// The client's working parts: pools of connections, and calls on their way to one. One per loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "upstream/call.h"
#include "upstream/client.h"
#include "upstream/connection.h"
#include "upstream/pool.h"
#include "upstream/tokens.h"

namespace belay::upstream {

struct Client::Impl final : ConnectionOwner {
  Impl(event::Loop& loop_in, event::Resolver& resolver_in, const ClientLimits& limits_in);
  ~Impl();

  std::unique_ptr<Call> send(std::shared_ptr<const Destination> to, const Outbound& request, Done done);
  void forget(CallState& call);  // destroyed by its owner before `done`
  size_t in_flight() const { return calls; }

 private:
  void link(CallState& call);
  Pool& pool_of(std::shared_ptr<const Destination> to);
  // The access token of auth.oauth2, if the destination has that; then dispatch().
  void authorize(CallState& call);
  bool renew_token(CallState& call);
  // The way to a connection.
  void dispatch(CallState& call);
  void send_on(CallState& call, Connection& connection);
  void open(CallState& call);
  void resolved(CallState& call, const Result<std::vector<IpAddress>>& found);
  void connect_next(CallState& call);
  void connect(CallState& call, const event::SocketAddress& to);
  void next_url(CallState& call, Outcome outcome, std::string error);
  MonotonicTime deadline_of(const CallState& call) const { return call.started + call.pool->to->timeout; }
  MonotonicTime connect_deadline(const CallState& call) const;
  MonotonicTime address_deadline(const CallState& call) const;
  // The end.
  void finish(CallState& call, Attempt& attempt);
  void learn(CallState& call, Attempt& attempt);
  void fail(CallState& call, Outcome outcome, std::string error, std::string peer = {});
  void fail_later(CallState& call, Outcome outcome, std::string error);
  void tell_failed();
  void keep(Connection& connection);
  void remove(Connection& connection);
  void drop_if_unused(Pool& pool);
  void sweep();

  void opened(Connection& connection) override;
  void answered(Connection& connection) override;
  void ended(Connection& connection, Outcome why, std::string error) override;
  void gathered(Connection& connection) override;
  void write_gathered();
  char* read_buffer() override { return buffer.get(); }

  event::Loop& loop;
  event::Resolver& resolver;
  const ClientLimits limits;
  event::DeadlineList deadlines;
  std::unique_ptr<char[]> buffer;
  std::unordered_map<const Destination*, std::unique_ptr<Pool>> pools;
  static constexpr size_t kSweepAt = 64;
  size_t sweep_at = kSweepAt;       // pools
  static constexpr size_t kWriteAtOnce = 64;
  std::vector<Connection*> to_write;  // at the end of the turn, or when there are kWriteAtOnce
  // Requests of a turn leave together: a backend is woken once for all of them. Made anew with the first of each turn, and
  // behind it for one that a later hook sends, so that it runs after every hook that sends.
  std::optional<event::Loop::TurnEnd> turn_end;
  CallState* first_call = nullptr;  // all that are under way
  size_t calls = 0;
  bool telling = false;             // tell_failed() is posted
  std::shared_ptr<Impl*> self;      // what posted tasks hold weakly
  std::unique_ptr<Tokens> tokens;   // made for the first destination that needs one; last: its calls go first
};

}  // namespace belay::upstream
