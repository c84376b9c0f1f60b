// The admin API: what an operator's tools may ask of a running spool, as JSON over HTTP on loopback. Owned by the spool
// process, on the thread of its Loop; the Operations behind it may answer from any thread. Every call but GET /health needs
// `Authorization: Bearer TOKEN`; several tokens may be valid at once (rotation), none means nobody gets in.
// Limits: kMaxPending calls under way (then 503), bodies by kMaxReplayBody, pages by EventsCall::kMaxLimit. Failures are
// answered as {"error": …, "hint": …} and never end the process.
//
//   GET  /health                 no token; 503 while the spool refuses messages
//   GET  /metrics                Prometheus text
//   GET  /v1/stats
//   GET  /v1/events?source&destination&status&type&resource&since&until&text&limit&before
//   GET  /v1/messages/ID         with deliveries, attempts and the request; /raw: the request as raw HTTP
//   POST /v1/replay              {"ids": […]} or {"filter": {…}}, each with "dry_run"
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "admin/loop_gate.h"
#include "admin/parameters.h"
#include "base/clock.h"
#include "conf/section.h"
#include "event/simple_server.h"
#include "spool/operations.h"

namespace belay::admin {

struct AdminOptions {
  std::string listen;  // "127.0.0.1:9180", "unix:/path"
  conf::Secret tokens;
};

// True when `header` ("Bearer TOKEN") carries a token that is valid at `now`. Every token is compared, each in constant time.
bool authorized(const std::string* header, const conf::Secret& tokens, WallTime now);

class AdminServer {
 public:
  static constexpr size_t kMaxPending = 64;
  static constexpr std::string_view kTokenName = "admin";  // of admin.token: who did something, in the log and in what stays
  static constexpr size_t kMaxReplayBody = 256 << 10;
  static constexpr Duration kRefusalLogInterval{1'000};  // refused tokens: at most one log line in this time

  // `loop`, `operations` and `clock` must outlive the server, which is destroyed on the loop's thread. What `operations`
  // answers after that is dropped.
  AdminServer(event::Loop& loop, spool::Operations& operations, const Clock& clock, AdminOptions options);
  ~AdminServer();

  Result<void> start();
  uint16_t port() const;
  // After a reload.
  void set_tokens(conf::Secret tokens) { options_.tokens = std::move(tokens); }

 private:
  using Respond = event::SimpleServer::Respond;
  // One request with its path taken apart; `parameters` is the decoded query string.
  struct Call {
    const event::SimpleRequest& request;
    Respond respond;
    MessageId id;
    std::string name;
    Parameters parameters;
  };

  void handle(const event::SimpleRequest& request, Respond respond);
  std::optional<ApiError> admit(const event::SimpleRequest& request);

  void health(Call& call);
  void metrics(Call& call);
  void stats(Call& call);
  void events(Call& call);
  void message(Call& call);
  void raw_message(Call& call);
  void replay(Call& call);
  void stop(Call& call, spool::StopKind kind, bool on);
  void answer_not_stored(MessageId id, uint64_t ticket);

  // Keeps the call's answer until settle(ticket, …); none, and the call is answered, when too many wait.
  std::optional<uint64_t> park(Call& call);
  void settle(uint64_t ticket, event::SimpleResponse response);
  Duration uptime() const;

  spool::Operations& operations_;
  const Clock& clock_;
  AdminOptions options_;
  const MonotonicTime started_;
  std::optional<MonotonicTime> refusal_logged_;
  std::unordered_map<uint64_t, Respond> pending_;
  uint64_t next_ticket_ = 1;
  LoopGate gate_;
  event::SimpleServer server_;
};

}  // namespace belay::admin
