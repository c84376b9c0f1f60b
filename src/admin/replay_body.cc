#include "admin/replay_body.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "json/document.h"

namespace belay::admin {

namespace {

using json::Document;
using json::Ref;

constexpr json::Limits kLimits{.bytes = 256 << 10, .depth = 4, .values = 4 * spool::ReplayRequest::kMaxIds};
constexpr const char* kExample = R"(write {"ids": ["…"]} or {"filter": {"status": "dead"}}, with "dry_run": true to only count)";

ApiError wrong_type(std::string_view name, std::string_view wanted) {
  return {400, fmt::format("'{}' is not {}", name, wanted), kExample};
}

std::optional<ApiError> read_ids(const Document& document, Ref list, std::vector<MessageId>& into) {
  if (document.type(list) != json::Type::array) return wrong_type("ids", "a list of message ids");
  if (document.size(list) == 0) return ApiError{400, "'ids' is empty", kExample};
  if (document.size(list) > spool::ReplayRequest::kMaxIds) {
    return ApiError{400, fmt::format("'ids' has more than {} entries", spool::ReplayRequest::kMaxIds),
                    "send them in several calls, or replay by filter"};
  }
  std::string scratch;
  for (Ref entry = document.first(list); entry != json::kNone; entry = document.next(list, entry)) {
    const bool text = document.type(entry) == json::Type::string;
    const auto id = text ? MessageId::parse(document.string(entry, scratch)) : std::nullopt;
    if (!id) {
      return ApiError{400, fmt::format("not a message id: {}", printable(document.raw(entry), 60)),
                      "an id has 36 characters; GET /v1/events lists them"};
    }
    into.push_back(*id);
  }
  return std::nullopt;
}

std::optional<ApiError> read_filter(const Document& document, Ref filter, WallTime now,
                                    std::optional<spool::EventQuery>& into) {
  if (document.type(filter) != json::Type::object) return wrong_type("filter", "an object of conditions");
  if (document.size(filter) == 0) {
    return ApiError{400, "'filter' has no condition", R"(name at least one, for example {"status": "dead"})"};
  }
  into.emplace();
  std::string name_scratch, value_scratch;
  for (Ref name = document.first(filter); name != json::kNone; name = document.next(filter, name)) {
    const std::string_view condition = document.string(name, name_scratch);
    const Ref value = Document::value_of(name);
    if (document.type(value) != json::Type::string) {
      return wrong_type(fmt::format("filter.{}", printable(condition, 60)), "a string");
    }
    if (auto wrong = set_condition(condition, document.string(value, value_scratch), now, *into)) return wrong;
  }
  return check_period(*into);
}

}  // namespace

std::optional<ApiError> read_replay(std::string_view body, WallTime now, spool::ReplayRequest& into) {
  static const std::vector<std::string_view> known = {"ids", "filter", "dry_run"};
  if (trim_ows(body).empty()) return ApiError{400, "the body is empty", kExample};
  const auto parsed = Document::parse(body, kLimits);
  if (!parsed) return ApiError{400, "the body is not JSON: " + parsed.error().message, kExample};
  const Document& document = **parsed;
  if (document.type(document.root()) != json::Type::object) return wrong_type("body", "an object");
  std::string scratch;
  for (Ref name = document.first(document.root()); name != json::kNone; name = document.next(document.root(), name)) {
    const std::string_view member = document.string(name, scratch);
    const Ref value = Document::value_of(name);
    std::optional<ApiError> wrong;
    if (member == "ids") {
      wrong = read_ids(document, value, into.ids);
    } else if (member == "filter") {
      wrong = read_filter(document, value, now, into.filter);
    } else if (member == "dry_run") {
      if (document.type(value) != json::Type::boolean) return wrong_type("dry_run", "true or false");
      into.dry_run = document.boolean(value);
    } else {
      wrong = unknown_name("member", member, known);
    }
    if (wrong) return wrong;
  }
  if (into.ids.empty() == !into.filter.has_value()) {
    return ApiError{400, into.ids.empty() ? "neither 'ids' nor 'filter'" : "both 'ids' and 'filter'", kExample};
  }
  return std::nullopt;
}

}  // namespace belay::admin
