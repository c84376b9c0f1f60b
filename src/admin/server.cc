#include "admin/server.h"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>

#include "admin/responses.h"
#include "base/bytes.h"
#include "base/log.h"
#include "http/url.h"

namespace belay::admin {

namespace {

// What is wrong with a call that was found, by its row of the table.
std::optional<ApiError> check(const Route& route, const event::SimpleRequest& request, const Parameters& parameters, WallTime now) {
  if (auto wrong = check_parameters(parameters, route.parameters, now)) return wrong;
  if (route.body.empty() && !request.body.empty()) {
    return ApiError{400, fmt::format("{} {} takes no body", route.method, route.path), "send none"};
  }
  if (request.body.size() > route.body_max) {
    return ApiError{413, fmt::format("the body is larger than {} bytes", route.body_max), "send less, or in several calls"};
  }
  return std::nullopt;
}

}  // namespace

AdminServer::AdminServer(event::Loop& loop, spool::Operations& operations, const Clock& clock, AdminOptions options)
    : listen_(std::move(options.listen)),
      socket_mode_(options.socket_mode),
      server_(loop, [this](const event::SimpleRequest& request, Api::Respond respond) { handle(request, std::move(respond)); }),
      api_(loop, operations, clock) {
  set_tokens(options.tokens);
}

Result<void> AdminServer::start() {
  if (listen_.starts_with("unix:")) {
    std::error_code failure;  // listen() names what is wrong with the folder, if anything is
    std::filesystem::create_directories(std::filesystem::path(listen_.substr(5)).parent_path(), failure);
  }
  return server_.listen(listen_, socket_mode_);
}

ApiError AdminServer::unknown_caller(const event::SimpleRequest& request) {
  const MonotonicTime now = api_.clock.monotonic();
  if (!refusal_logged_ || now - *refusal_logged_ >= kRefusalLogInterval) {
    refusal_logged_ = now;
    log::warn("admin API: no valid token in {} {} from {}", printable(request.method, 20), printable(request.path, 100),
              request.peer);
  }
  const bool given = request.header("authorization") != nullptr;
  return {401, given ? "this token is not valid" : "a token is needed",
          api_.tokens.empty() ? "no token is configured: set admin.token in the main file"
                              : "send 'Authorization: Bearer TOKEN' with the value of admin.token or of one in admin.tokens"};
}

void AdminServer::handle(const event::SimpleRequest& request, Api::Respond respond) {
  if (request.method == "HEAD") {
    respond = [respond = std::move(respond)](event::SimpleResponse answer) {
      answer.body.clear();
      answer.opened = nullptr;
      respond(std::move(answer));
    };
  }
  Match match = match_route(request.method, request.path);
  Caller caller;
  if (match.route == nullptr || match.route->role != Role::nobody) {
    // Before "no such path": without a token nobody learns what is here.
    auto known = api_.tokens.caller(request.header("authorization"), api_.clock.wall());
    if (!known) return respond(error_response(unknown_caller(request)));
    caller = std::move(*known);
  }
  if (match.route == nullptr) {
    event::SimpleResponse answer = error_response(match.error);
    if (!match.allow.empty()) answer.headers.emplace_back("Allow", match.allow);
    return respond(std::move(answer));
  }
  const Route& route = *match.route;
  if (caller.role < route.role) {
    return respond(error_response({403, fmt::format("the token '{}' may only {}", caller.name, to_string(caller.role)),
                                   fmt::format("{} {} needs one with role: {}", route.method, route.path, to_string(route.role))}));
  }
  Parameters parameters = http::parse_form(request.query);
  if (const auto wrong = check(route, request, parameters, api_.clock.wall())) return respond(error_response(*wrong));
  Call call(api_, std::move(match), request, std::move(caller), std::move(parameters), std::move(respond));
  route.handle(call);
}

}  // namespace belay::admin
