// One call of the admin API as its handler sees it, and what all handlers share. The server has found the row of the table,
// admitted the caller and checked path, parameters and the size of the body; a handler answers at once (answer, refuse) or later
// (later, park). On the loop's thread. Limits: Api::kMaxPending answers that wait, then 503.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "admin/loop_gate.h"
#include "admin/responses.h"
#include "admin/route.h"
#include "admin/streams.h"
#include "admin/tokens.h"
#include "base/clock.h"
#include "event/simple_server.h"
#include "spool/operations.h"

namespace belay::admin {

// Owned by the server, which dies before loop, operations and clock do.
class Api {
 public:
  static constexpr size_t kMaxPending = 64;
  using Respond = event::SimpleServer::Respond;

  Api(event::Loop& event_loop, spool::Operations& the_operations, const Clock& the_clock)
      : loop(event_loop), operations(the_operations), clock(the_clock), gate(event_loop), streams(event_loop, the_operations, the_clock, tokens, gate), started_(the_clock.monotonic()) {}
  ~Api();

  Duration uptime() const { return std::chrono::duration_cast<Duration>(clock.monotonic() - started_); }

  // Keeps an answer until settle(); none: too many wait.
  std::optional<uint64_t> park(Respond respond);
  void settle(uint64_t ticket, event::SimpleResponse response);

  event::Loop& loop;
  spool::Operations& operations;
  const Clock& clock;
  Tokens tokens;
  // What operations answer after the server is gone is dropped here.
  LoopGate gate;
  Streams streams;

 private:
  const MonotonicTime started_;
  std::unordered_map<uint64_t, Respond> pending_;
  uint64_t next_ticket_ = 1;
};

class Call {
 public:
  Call(Api& the_api, Match match, const event::SimpleRequest& the_request, Caller who, Parameters query, Api::Respond respond)
      : api(the_api),
        request(the_request),
        caller(std::move(who)),
        id(match.id),
        name(std::move(match.name)),
        number(match.number),
        parameters(std::move(query)),
        respond_(std::move(respond)) {}

  Api& api;
  const event::SimpleRequest& request;  // while the handler runs
  const Caller caller;
  const MessageId id;       // at {id}
  const std::string name;   // at {name}
  const uint64_t number;    // at {number}
  const Parameters parameters;

  // Once, either of these.
  void answer(event::SimpleResponse response) { respond_(std::move(response)); }
  void refuse(const ApiError& error) { respond_(error_response(error)); }
  // For an answer that takes several steps, through api.gate and api.settle(). Nothing: too many wait, and the caller was told.
  std::optional<uint64_t> park();
  // What an operation is to call when it is done; `make` gives the answer on the loop's thread. Nothing: as for park().
  template <typename T>
  std::optional<spool::Done<T>> later(std::function<event::SimpleResponse(const Result<T>&)> make) {
    const std::optional<uint64_t> ticket = park();
    if (!ticket) return std::nullopt;
    return api.gate.pass<T>([&to = api, ticket = *ticket, make = std::move(make)](const Result<T>& result) { to.settle(ticket, make(result)); });
  }

 private:
  Api::Respond respond_;
};

}  // namespace belay::admin
