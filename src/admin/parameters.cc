#include "admin/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "conf/section.h"
#include "wire/messages.h"

namespace belay::admin {

namespace {

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

// Bound, not empty, text: what holds for every value.
std::optional<ApiError> check_value(std::string_view name, std::string_view value) {
  if (value.empty()) return ApiError{400, fmt::format("'{}' is empty", name), "leave it out to match all"};
  if (value.size() > kMaxParameterBytes) {
    return ApiError{400, fmt::format("'{}' is longer than {} bytes", name, kMaxParameterBytes), "write a shorter value"};
  }
  if (!is_utf8(value) || value.find('\0') != std::string_view::npos) {
    return ApiError{400, fmt::format("'{}' is not text", name), "write UTF-8, percent-encoded in a query string"};
  }
  return std::nullopt;
}

std::optional<ApiError> set_status(std::string_view value, spool::EventQuery& into) {
  const auto& words = status_words();
  if (std::find(words.begin(), words.end(), value) == words.end()) {
    ApiError error = unknown_name("status", value, words);
    return error;
  }
  into.state = std::string(value);
  return std::nullopt;
}

std::optional<ApiError> set_moment(std::string_view name, std::string_view value, WallTime now,
                                   std::optional<WallTime>& into) {
  Result<WallTime> moment = parse_moment(value, now);
  if (!moment) {
    return ApiError{400, fmt::format("'{}' is not a time: '{}'", name, printable(value, 60)), moment.error().message};
  }
  into = *moment;
  return std::nullopt;
}

std::optional<ApiError> set_limit(std::string_view value, EventsCall& into) {
  const std::optional<uint64_t> limit = parse_u64(value);
  if (!limit || *limit == 0 || *limit > EventsCall::kMaxLimit) {
    return ApiError{400, fmt::format("'limit' is not in 1..{}: '{}'", EventsCall::kMaxLimit, printable(value, 60)),
                    "for more rows ask again with before= and the 'next' of the answer"};
  }
  into.limit = static_cast<uint32_t>(*limit);
  return std::nullopt;
}

std::optional<ApiError> set_before(std::string_view value, EventsCall& into) {
  into.before = MessageId::parse(value);
  if (into.before) return std::nullopt;
  return ApiError{400, fmt::format("'before' is not a message id: '{}'", printable(value, 60)),
                  "write the 'next' of the page before, 36 characters"};
}

}  // namespace

const std::vector<std::string_view>& condition_names() {
  static const std::vector<std::string_view> names = {"source",   "destination", "status", "type",
                                                      "resource", "since",       "until",  "text"};
  return names;
}

const std::vector<std::string_view>& status_words() {
  static const std::vector<std::string_view> words = [] {
    std::vector<std::string_view> all;
    for (uint8_t i = 1; i <= static_cast<uint8_t>(wire::Outcome::failed); ++i) {
      all.push_back(wire::to_string(static_cast<wire::Outcome>(i)));
    }
    for (uint8_t i = 1; i <= static_cast<uint8_t>(spool::DeliveryState::superseded); ++i) {
      all.push_back(spool::to_string(static_cast<spool::DeliveryState>(i)));
    }
    return all;
  }();
  return words;
}

ApiError unknown_name(std::string_view what, std::string_view name, const std::vector<std::string_view>& known) {
  const std::string meant = conf::nearest(name, known);
  std::string hint = meant.empty() ? fmt::format("write one of: {}", join(known)) : fmt::format("did you mean '{}'?", meant);
  return {400, fmt::format("unknown {} '{}'", what, printable(name, 60)), std::move(hint)};
}

std::optional<ApiError> set_condition(std::string_view name, std::string_view value, WallTime now,
                                      spool::EventQuery& into) {
  const auto& known = condition_names();
  if (std::find(known.begin(), known.end(), name) == known.end()) return unknown_name("condition", name, known);
  if (auto wrong = check_value(name, value)) return wrong;
  if (name == "source") into.source = value;
  if (name == "destination") into.destination = value;
  if (name == "type") into.type = value;
  if (name == "resource") into.resource = value;
  if (name == "text") into.text = value;
  if (name == "status") return set_status(value, into);
  if (name == "since") return set_moment(name, value, now, into.since);
  if (name == "until") return set_moment(name, value, now, into.until);
  return std::nullopt;
}

std::optional<ApiError> check_period(const spool::EventQuery& query) {
  if (!query.since || !query.until || *query.since <= *query.until) return std::nullopt;
  return ApiError{400, "'since' is later than 'until'", "exchange the two"};
}

std::optional<ApiError> read_events_call(const Parameters& parameters, WallTime now, EventsCall& into) {
  static const std::vector<std::string_view> known = [] {
    std::vector<std::string_view> all = condition_names();
    all.insert(all.end(), {"limit", "before"});
    return all;
  }();
  std::set<std::string_view> seen;
  for (const auto& [name, value] : parameters) {
    if (std::find(known.begin(), known.end(), name) == known.end()) return unknown_name("parameter", name, known);
    if (!seen.insert(name).second) return ApiError{400, fmt::format("'{}' is given twice", name), "write it once"};
    if (auto wrong = check_value(name, value)) return wrong;
    std::optional<ApiError> wrong = name == "limit"    ? set_limit(value, into)
                                    : name == "before" ? set_before(value, into)
                                                       : set_condition(name, value, now, into.query);
    if (wrong) return wrong;
  }
  return check_period(into.query);
}

std::optional<ApiError> read_reason(const Parameters& parameters, std::string& into) {
  bool given = false;
  for (const auto& [name, value] : parameters) {
    if (name != "reason") return unknown_name("parameter", name, {"reason"});
    if (std::exchange(given, true)) return ApiError{400, "reason is given twice", "give it once"};
    if (value.size() > spool::Stop::kWhyBytes || !is_utf8(value)) {
      return ApiError{400, fmt::format("reason must be at most {} bytes of UTF-8", spool::Stop::kWhyBytes), "say it shorter"};
    }
    into = printable(value, value.size());
  }
  return std::nullopt;
}

std::optional<ApiError> refuse_parameters(const Parameters& parameters) {
  if (parameters.empty()) return std::nullopt;
  return ApiError{400, fmt::format("unknown parameter '{}'", printable(parameters.front().first, 60)),
                  "this call takes none"};
}

Result<WallTime> parse_moment(std::string_view text, WallTime now) {
  // Longest period that is subtracted: keeps the result a time that can be written.
  constexpr Duration kLongest = std::chrono::hours(24) * 36'500;
  if (const Result<Duration> ago = conf::parse_duration(text); ago && *ago >= Duration::zero()) {
    return now - std::min(*ago, kLongest);
  }
  std::string moment(text);
  if (moment.size() == 10 && moment[4] == '-' && moment[7] == '-') moment += "T00:00:00Z";
  if (const Result<WallTime> time = conf::parse_time(moment); time) return *time;
  return invalid("write how long ago (30s, 5m, 24h, 7d), a date (2026-01-31) or a time (2026-01-31T09:30:00Z)");
}

}  // namespace belay::admin
