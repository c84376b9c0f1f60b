#include "admin/bulk_body.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "json/document.h"

namespace belay::admin {

namespace {

using json::Document;
using json::Ref;

constexpr json::Limits kLimits{.bytes = 256 << 10, .depth = 4, .values = 4 * spool::BulkRequest::kMaxIds};
constexpr const char* kExample = R"(write {"ids": ["…"]} or {"filter": {"status": "dead"}}, with "dry_run": true to only count)";

ApiError wrong_type(std::string_view name, std::string_view wanted) {
  return {400, fmt::format("'{}' is not {}", name, wanted), kExample};
}

bool of_quarantine(spool::Deed deed) { return deed == spool::Deed::release || deed == spool::Deed::drop; }

// Of the quarantine also names of damaged records, which have no id.
std::optional<ApiError> read_ids(const Document& document, Ref list, spool::BulkRequest& into) {
  if (document.type(list) != json::Type::array) return wrong_type("ids", "a list of message ids");
  if (document.size(list) == 0) return ApiError{400, "'ids' is empty", kExample};
  if (document.size(list) > spool::BulkRequest::kMaxIds) {
    return ApiError{400, fmt::format("'ids' has more than {} entries", spool::BulkRequest::kMaxIds),
                    "send them in several calls, or use a filter"};
  }
  std::string scratch;
  for (Ref entry = document.first(list); entry != json::kNone; entry = document.next(list, entry)) {
    const bool text = document.type(entry) == json::Type::string;
    const std::string_view written = text ? document.string(entry, scratch) : std::string_view();
    const auto id = MessageId::parse(written);
    const bool record = of_quarantine(into.deed) && written.size() > 2 && written[1] == '-' && written.size() <= 2 * kMaxParameterBytes;
    if (!id && !record) {
      return ApiError{400, fmt::format("not a message id: {}", printable(document.raw(entry), 60)),
                      of_quarantine(into.deed) ? "GET /v1/quarantine lists what there is" : "an id has 36 characters; GET /v1/events lists them"};
    }
    if (of_quarantine(into.deed)) into.keys.emplace_back(id ? id->to_string() : std::string(written));
    else into.ids.push_back(*id);
    into.what += (into.what.empty() ? "" : ", ") + printable(written, 2 * kMaxParameterBytes);
  }
  return std::nullopt;
}

std::optional<ApiError> set_kind(std::string_view value, spool::BulkRequest& into) {
  for (const auto kind : {spool::KeptKind::refused, spool::KeptKind::unmade, spool::KeptKind::damaged}) {
    if (to_string(kind) == value) into.kind = kind;
  }
  if (into.kind) return std::nullopt;
  return unknown_name("kind", value, {"refused", "unmade", "damaged"});
}

std::optional<ApiError> read_filter(const Document& document, Ref filter, WallTime now, spool::BulkRequest& into) {
  if (document.type(filter) != json::Type::object) return wrong_type("filter", "an object of conditions");
  if (document.size(filter) == 0) {
    return ApiError{400, "'filter' has no condition", R"(name at least one, for example {"status": "dead"})"};
  }
  into.filter.emplace();
  std::string name_scratch, value_scratch;
  for (Ref name = document.first(filter); name != json::kNone; name = document.next(filter, name)) {
    const std::string_view condition = document.string(name, name_scratch);
    const Ref value = Document::value_of(name);
    if (document.type(value) != json::Type::string) {
      return wrong_type(fmt::format("filter.{}", printable(condition, 60)), "a string");
    }
    const std::string_view written = document.string(value, value_scratch);
    into.what += fmt::format("{}{}={}", into.what.empty() ? "" : " ", printable(condition, 60), printable(written, 100));
    const bool kept = of_quarantine(into.deed);
    if (kept && condition == "status") return ApiError{400, "'status' says nothing about what is in quarantine", "filter by kind: refused, unmade or damaged"};
    auto wrong = kept && condition == "kind" ? set_kind(written, into) : set_condition(condition, written, now, *into.filter);
    if (wrong) return wrong;
  }
  return check_period(*into.filter);
}

}  // namespace

std::optional<ApiError> read_bulk(std::string_view body, WallTime now, spool::BulkRequest& into) {
  const bool replays = into.deed == spool::Deed::replay;
  std::vector<std::string_view> known = {"ids", "filter", "dry_run"};
  if (replays) known.push_back("as");
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
      wrong = read_ids(document, value, into);
    } else if (member == "filter") {
      wrong = read_filter(document, value, now, into);
    } else if (member == "dry_run") {
      if (document.type(value) != json::Type::boolean) return wrong_type("dry_run", "true or false");
      into.dry_run = document.boolean(value);
    } else if (member == "as" && replays) {
      std::string as_scratch;
      const std::string_view as = document.type(value) == json::Type::string ? document.string(value, as_scratch) : std::string_view();
      if (as != "sent" && as != "reapplied") return wrong_type("as", "\"sent\" or \"reapplied\"");
      if (as == "reapplied") into.deed = spool::Deed::reapply;
    } else {
      wrong = unknown_name("member", member, known);
    }
    if (wrong) return wrong;
  }
  const bool none = into.ids.empty() && into.keys.empty();
  if (none == !into.filter.has_value()) {
    return ApiError{400, none ? "neither 'ids' nor 'filter'" : "both 'ids' and 'filter'", kExample};
  }
  return std::nullopt;
}

}  // namespace belay::admin
