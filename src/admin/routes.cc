#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "admin/route.h"
#include "base/bytes.h"
#include "conf/section.h"
#include "http/url.h"

namespace belay::admin {

namespace {

bool is_place(std::string_view segment) { return segment.starts_with('{'); }

// Whether `path` has the form of the route. A place takes any segment that is not empty: what does not fit is a 400, not a 404.
bool has_form(std::string_view form, std::string_view path) {
  const auto wanted = split(form, '/'), given = split(path, '/');
  if (wanted.size() != given.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (is_place(wanted[i]) ? given[i].empty() : wanted[i] != given[i]) return false;
  }
  return true;
}

std::optional<ApiError> read_place(std::string_view place, std::string_view segment, Match& into) {
  const auto text = http::percent_decode(segment);
  if (place == "{id}") {
    const auto id = text ? MessageId::parse(*text) : std::nullopt;
    if (!id) {
      return ApiError{400, fmt::format("not a message id: '{}'", printable(segment, 60)),
                      "an id has 36 characters; GET /v1/events lists them"};
    }
    into.id = *id;
  } else if (place == "{number}") {
    const auto number = text ? parse_u64(*text) : std::nullopt;
    if (!number) return ApiError{400, fmt::format("not a number: '{}'", printable(segment, 60)), "write decimal digits"};
    into.number = *number;
  } else {
    if (!text) return ApiError{400, fmt::format("not percent-encoded: '{}'", printable(segment, 60)), "write % as %25"};
    if (auto wrong = check_text("name", *text)) return wrong;
    into.name = *text;
  }
  return std::nullopt;
}

ApiError no_such_path(std::string_view path) {
  std::vector<std::string_view> known;
  std::string all;
  for (const Route* route : routes()) {
    known.push_back(route->path);
    all += fmt::format("{}{} {}", all.empty() ? "" : ", ", route->method, route->path);
  }
  const std::string meant = conf::nearest(path, known);
  return {404, fmt::format("no such path: {}", printable(path, 100)),
          meant.empty() ? "there are: " + all : fmt::format("did you mean '{}'?", meant)};
}

// The form that fits best: a written segment before a place.
std::string_view best_form(std::string_view path) {
  std::string_view best;
  for (const Route* route : routes()) {
    if (!has_form(route->path, path)) continue;
    if (best.empty() || std::count(route->path.begin(), route->path.end(), '{') < std::count(best.begin(), best.end(), '{')) best = route->path;
  }
  return best;
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::nobody: return "nobody";
    case Role::read: return "read";
    case Role::operate: return "operate";
  }
  return "operate";
}

std::span<const Route* const> routes() {
  static const std::vector<const Route*> all = [] {
    std::vector<const Route*> rows;
    for (const auto family : {state_routes(), event_routes(), stream_routes(), bulk_routes(), audit_routes(), destination_routes(), description_routes()}) {
      for (const Route& route : family) rows.push_back(&route);
    }
    return rows;
  }();
  return all;
}

Match match_route(std::string_view method, std::string_view path) {
  Match match;
  const std::string_view form = best_form(path);
  if (form.empty()) {
    match.error = no_such_path(path);
    return match;
  }
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  const Route* found = nullptr;
  std::string takes;
  for (const Route* route : routes()) {
    if (route->path != form) continue;
    if (route->method == wanted) found = route;
    takes += fmt::format("{}{}", takes.empty() ? "" : ", ", route->method == "GET" ? "GET, HEAD" : route->method);
  }
  if (found == nullptr) {
    match.allow = takes;
    match.error = {405, fmt::format("{} does not take {}", form, printable(method, 20)), "use " + takes};
    return match;
  }
  const auto places = split(form, '/'), segments = split(path, '/');
  for (size_t i = 0; i < places.size(); ++i) {
    if (!is_place(places[i])) continue;
    if (auto wrong = read_place(places[i], segments[i], match)) {
      match.error = std::move(*wrong);
      return match;
    }
  }
  match.route = found;
  return match;
}

}  // namespace belay::admin
