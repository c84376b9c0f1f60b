// The admin API: what an operator's tools may ask of a running spool, as JSON over HTTP on loopback or a unix socket. Owned by
// the spool process, on the thread of its Loop; the Operations behind it may answer from any thread. Every call but GET /health
// needs `Authorization: Bearer TOKEN` with a token whose role allows it (tokens.h); no token in the main file means nobody gets in.
// What calls there are is the table of route.h, which GET /v1/openapi.json prints. Limits: Api::kMaxPending calls under way (then
// 503), bodies by the table. Failures are answered as {"error": …, "hint": …} and never end the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "admin/call.h"
#include "admin/tokens.h"
#include "base/clock.h"
#include "conf/configuration.h"
#include "event/simple_server.h"
#include "spool/operations.h"

namespace belay::admin {

struct AdminOptions {
  std::string listen;                    // "127.0.0.1:9180", "unix:/path"
  std::vector<conf::AdminToken> tokens;
  uint32_t socket_mode = 0600;           // of a unix socket
};

class AdminServer {
 public:
  static constexpr Duration kRefusalLogInterval{1'000};  // refused tokens: at most one log line in this time

  // `loop`, `operations` and `clock` must outlive the server, which is destroyed on the loop's thread. What `operations`
  // answers after that is dropped.
  AdminServer(event::Loop& loop, spool::Operations& operations, const Clock& clock, AdminOptions options);

  Result<void> start();
  uint16_t port() const { return server_.port(); }
  // After a reload.
  void set_tokens(const std::vector<conf::AdminToken>& tokens) { api_.tokens = Tokens(tokens); }

  // One request, whoever brought it; `respond` is called once.
  void handle(const event::SimpleRequest& request, Api::Respond respond);

 private:
  ApiError unknown_caller(const event::SimpleRequest& request);

  const std::string listen_;
  const uint32_t socket_mode_;
  std::optional<MonotonicTime> refusal_logged_;
  event::SimpleServer server_;
  Api api_;  // goes first: it answers what still waits
};

}  // namespace belay::admin
