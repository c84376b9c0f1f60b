#include "admin/server.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "admin/responses.h"
#include "admin/routes.h"
#include "base/bytes.h"
#include "base/log.h"
#include "http/url.h"

namespace belay::admin {

bool authorized(const std::string* header, const conf::Secret& tokens, WallTime now) {
  constexpr std::string_view kScheme = "Bearer ";
  if (header == nullptr || header->size() <= kScheme.size()) return false;
  if (!ascii_iequals(std::string_view(*header).substr(0, kScheme.size()), kScheme)) return false;
  const std::string_view given = trim_ows(std::string_view(*header).substr(kScheme.size()));
  bool match = false;
  for (const conf::SecretValue& token : tokens) {
    const bool valid = !token.value.empty() && (!token.valid_from || *token.valid_from <= now) &&
                       (!token.valid_until || now < *token.valid_until);
    // No early end: how long this takes must not tell which token was nearly right.
    match = (constant_time_equals(given, token.value) && valid) || match;
  }
  return match;
}

AdminServer::AdminServer(event::Loop& loop, spool::Operations& operations, const Clock& clock, AdminOptions options)
    : operations_(operations),
      clock_(clock),
      options_(std::move(options)),
      started_(clock.monotonic()),
      gate_(loop),
      server_(loop, [this](const event::SimpleRequest& request, Respond respond) { handle(request, std::move(respond)); }) {}

AdminServer::~AdminServer() {
  for (auto& [ticket, respond] : pending_) {
    respond(error_response({503, "the spool is stopping", "ask again when it is back"}));
  }
}

Result<void> AdminServer::start() { return server_.listen(options_.listen); }

uint16_t AdminServer::port() const { return server_.port(); }

Duration AdminServer::uptime() const {
  return std::chrono::duration_cast<Duration>(clock_.monotonic() - started_);
}

std::optional<ApiError> AdminServer::admit(const event::SimpleRequest& request) {
  if (authorized(request.header("authorization"), options_.tokens, clock_.wall())) return std::nullopt;
  const MonotonicTime now = clock_.monotonic();
  if (!refusal_logged_ || now - *refusal_logged_ >= kRefusalLogInterval) {
    refusal_logged_ = now;
    log::warn("admin API: no valid token in {} {} from {}", printable(request.method, 20), printable(request.path, 100),
              request.peer);
  }
  const bool given = request.header("authorization") != nullptr;
  const std::string hint = options_.tokens.empty() ? "no token is configured: set admin.token in the main file"
                                                   : "send 'Authorization: Bearer TOKEN' with the value of admin.token";
  return ApiError{401, given ? "this token is not valid" : "a token is needed", hint};
}

void AdminServer::handle(const event::SimpleRequest& request, Respond respond) {
  if (request.method == "HEAD") {
    respond = [respond = std::move(respond)](event::SimpleResponse answer) {
      answer.body.clear();
      respond(std::move(answer));
    };
  }
  const Match match = match_route(request.method, request.path);
  const bool open = match.target == Target::health;
  if (!open) {
    // Before "no such path": without a token nobody learns what is here.
    if (const auto refused = admit(request)) return respond(error_response(*refused));
  }
  if (match.target == Target::none) {
    event::SimpleResponse answer = error_response(match.error);
    if (!match.allow.empty()) answer.headers.emplace_back("Allow", match.allow);
    return respond(std::move(answer));
  }
  Call call{request, std::move(respond), match.id, match.name, http::parse_form(request.query)};
  const bool stops = match.target == Target::pause || match.target == Target::disable;
  if (match.target != Target::events && !stops) {
    if (const auto wrong = refuse_parameters(call.parameters)) return call.respond(error_response(*wrong));
  }
  switch (match.target) {
    case Target::none: break;
    case Target::health: return health(call);
    case Target::metrics: return metrics(call);
    case Target::stats: return stats(call);
    case Target::events: return events(call);
    case Target::message: return message(call);
    case Target::raw_message: return raw_message(call);
    case Target::replay: return replay(call);
    case Target::pause: return stop(call, spool::StopKind::paused, true);
    case Target::resume: return stop(call, spool::StopKind::paused, false);
    case Target::disable: return stop(call, spool::StopKind::disabled, true);
    case Target::enable: return stop(call, spool::StopKind::disabled, false);
  }
}

std::optional<uint64_t> AdminServer::park(Call& call) {
  if (pending_.size() >= kMaxPending) {
    call.respond(error_response({503, fmt::format("{} calls are under way", kMaxPending), "ask again in a moment"}));
    return std::nullopt;
  }
  const uint64_t ticket = next_ticket_++;
  pending_.emplace(ticket, std::move(call.respond));
  return ticket;
}

void AdminServer::settle(uint64_t ticket, event::SimpleResponse response) {
  const auto found = pending_.find(ticket);
  BELAY_CHECK_NOTE(found != pending_.end(), "an operation answered twice");
  const Respond respond = std::move(found->second);
  pending_.erase(found);
  respond(std::move(response));
}

}  // namespace belay::admin
