// The admin API's route table: which calls there are, who may make them, what they take and give. One table dispatches, checks
// parameters, and writes /v1/openapi.json, so that none of these can drift. A family of calls is a file of its own that gives its
// rows (`event_routes()`); routes.cc lists the families. Constant data and pure functions.
//
// To add a call: a row here or in a new family, with a handler that reads from the Call what the table has checked already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/parameters.h"

namespace belay::admin {

class Call;

// What a token allows. A call that anybody may make needs `nobody`.
enum class Role : uint8_t { nobody = 0, read = 1, operate = 2 };
std::string_view to_string(Role role);

struct Route {
  std::string_view method;  // GET (then HEAD, too), POST, DELETE
  // Segments in braces are taken from the path: {id} a message id, {name} a name, {number} a number. Each once.
  std::string_view path;
  Role role = Role::operate;
  std::string_view operation;  // OpenAPI's operationId: "listEvents"
  std::string_view help;       // one line
  std::span<const Parameter> parameters = {};  // of the query string
  std::string_view body = {};    // JSON Schema of the request's body; empty: it takes none
  size_t body_max = 0;           // bytes
  std::string_view answer = {};  // JSON Schema of a 200; empty: text of `type`. May refer to #/components/schemas/…
  std::string_view type = "application/json";
  void (*handle)(Call&) = nullptr;
};

std::span<const Route* const> routes();

std::span<const Route> description_routes();
std::span<const Route> state_routes();
std::span<const Route> event_routes();
std::span<const Route> stream_routes();
std::span<const Route> bulk_routes();
std::span<const Route> audit_routes();
std::span<const Route> destination_routes();

struct Match {
  const Route* route = nullptr;
  MessageId id;         // at {id}
  std::string name;     // at {name}, decoded: text of 1 to kMaxParameterBytes bytes
  uint64_t number = 0;  // at {number}
  ApiError error;       // without a route: 404 with the nearest path, 405, or 400 for what does not fit its place
  std::string allow;    // with 405
};

// HEAD is taken for GET.
Match match_route(std::string_view method, std::string_view path);

}  // namespace belay::admin
