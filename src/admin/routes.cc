#include "admin/routes.h"

#include <fmt/format.h>

#include <vector>

#include "base/bytes.h"
#include "conf/section.h"

namespace belay::admin {

namespace {

struct Route {
  std::string_view method;
  std::string_view path;  // "ID" stands for a message id, "NAME" for the name of a destination
  Target target;
};

constexpr Route kRoutes[] = {
    {"GET", "/health", Target::health},
    {"GET", "/metrics", Target::metrics},
    {"GET", "/v1/stats", Target::stats},
    {"GET", "/v1/events", Target::events},
    {"GET", "/v1/messages/ID", Target::message},
    {"GET", "/v1/messages/ID/raw", Target::raw_message},
    {"POST", "/v1/replay", Target::replay},
    {"POST", "/v1/destinations/NAME/pause", Target::pause},
    {"POST", "/v1/destinations/NAME/resume", Target::resume},
    {"POST", "/v1/destinations/NAME/disable", Target::disable},
    {"POST", "/v1/destinations/NAME/enable", Target::enable},
};

// Whether `path` has the form of the route; what stands at "ID" or "NAME" is set.
bool fits(std::string_view form, std::string_view path, std::string_view& id, std::string_view& name) {
  const bool has_name = form.find("NAME") != std::string_view::npos;
  const size_t at = form.find(has_name ? "NAME" : "ID");
  if (at == std::string_view::npos) return path == form;
  const std::string_view before = form.substr(0, at), behind = form.substr(at + (has_name ? 4 : 2));
  if (path.size() <= before.size() + behind.size() || !path.starts_with(before) || !path.ends_with(behind)) return false;
  const std::string_view found = path.substr(at, path.size() - before.size() - behind.size());
  if (found.find('/') != std::string_view::npos) return false;
  (has_name ? name : id) = found;
  return true;
}

ApiError no_such_path(std::string_view path) {
  std::vector<std::string_view> known;
  std::string all;
  for (const Route& route : kRoutes) {
    known.push_back(route.path);
    all += fmt::format("{}{} {}", all.empty() ? "" : ", ", route.method, route.path);
  }
  const std::string meant = conf::nearest(path, known);
  return {404, fmt::format("no such path: {}", printable(path, 100)),
          meant.empty() ? "there are: " + all : fmt::format("did you mean '{}'?", meant)};
}

}  // namespace

Match match_route(std::string_view method, std::string_view path) {
  Match match;
  if (method == "HEAD") method = "GET";
  std::string_view id, name;
  const Route* found = nullptr;
  for (const Route& route : kRoutes) {
    if (fits(route.path, path, id, name)) found = &route;
  }
  if (found == nullptr) {
    match.error = no_such_path(path);
    return match;
  }
  if (method != found->method) {
    match.allow = found->method == "GET" ? "GET, HEAD" : std::string(found->method);
    match.error = {405, fmt::format("{} does not take {}", found->path, printable(method, 20)),
                   fmt::format("use {}", found->method)};
    return match;
  }
  if (!id.empty()) {
    const std::optional<MessageId> parsed = MessageId::parse(id);
    if (!parsed) {
      match.error = {400, fmt::format("not a message id: '{}'", printable(id, 60)),
                     "an id has 36 characters; GET /v1/events lists them"};
      return match;
    }
    match.id = *parsed;
  }
  match.name = name;
  match.target = found->target;
  return match;
}

}  // namespace belay::admin
