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

std::optional<ApiError> check_integer(const Parameter& parameter, std::string_view value) {
  const std::optional<uint64_t> number = parse_u64(value);
  if (number && *number >= static_cast<uint64_t>(parameter.min) && *number <= static_cast<uint64_t>(parameter.max)) return std::nullopt;
  return ApiError{400, fmt::format("'{}' is not in {}..{}: '{}'", parameter.name, parameter.min, parameter.max, printable(value, 60)),
                  parameter.name == "limit" ? "for more rows ask again with before= and the 'next' of the answer" : "write a whole number in this range"};
}

std::optional<ApiError> check_moment(const Parameter& parameter, std::string_view value, WallTime now) {
  const Result<WallTime> moment = parse_moment(value, now);
  if (moment) return std::nullopt;
  return ApiError{400, fmt::format("'{}' is not a time: '{}'", parameter.name, printable(value, 60)), moment.error().message};
}

std::optional<ApiError> check(const Parameter& parameter, std::string_view value, WallTime now) {
  if (auto wrong = check_text(parameter.name, value, parameter.max_bytes)) return wrong;
  switch (parameter.type) {
    case Parameter::Type::text: return std::nullopt;
    case Parameter::Type::integer: return check_integer(parameter, value);
    case Parameter::Type::moment: return check_moment(parameter, value, now);
    case Parameter::Type::id:
      if (MessageId::parse(value)) return std::nullopt;
      return ApiError{400, fmt::format("'{}' is not a message id: '{}'", parameter.name, printable(value, 60)),
                      "an id has 36 characters; a page's 'next' is one"};
    case Parameter::Type::word: {
      const auto& words = parameter.words();
      if (std::find(words.begin(), words.end(), value) != words.end()) return std::nullopt;
      return unknown_name(parameter.name, value, words);
    }
    case Parameter::Type::boolean:
      if (value == "true" || value == "false") return std::nullopt;
      return ApiError{400, fmt::format("'{}' is not true or false: '{}'", parameter.name, printable(value, 60)), "write true or false"};
  }
  return std::nullopt;
}

const Parameter* find(std::span<const Parameter> known, std::string_view name) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const Parameter& one) { return one.name == name; });
  return found == known.end() ? nullptr : &*found;
}

std::vector<std::string_view> names_of(std::span<const Parameter> known) {
  std::vector<std::string_view> names;
  for (const Parameter& parameter : known) names.push_back(parameter.name);
  return names;
}

using Type = Parameter::Type;
constexpr Parameter kEvents[] = {
    {.name = "source", .help = "received by this source"},
    {.name = "destination", .help = "for this destination"},
    {.name = "status", .type = Type::word, .help = "outcome, or state of a delivery", .words = status_words},
    {.name = "type", .help = "event type, as identify found it"},
    {.name = "resource", .help = "resource, as identify found it"},
    {.name = "id", .help = "id of the message, or the one identify found: how it begins"},
    {.name = "since", .type = Type::moment, .help = "not older than: 24h, 2026-01-31 or 2026-01-31T09:30:00Z"},
    {.name = "until", .type = Type::moment, .help = "not newer than, in the same forms"},
    {.name = "text", .help = "text anywhere in the line"},
    {.name = "limit", .type = Type::integer, .help = "rows of a page; 50 without it", .min = 1, .max = EventsCall::kMaxLimit},
    {.name = "before", .type = Type::id, .help = "the page behind this id: the 'next' of the page before"},
};
constexpr size_t kConditions = 9;  // of these

}  // namespace

std::span<const Parameter> events_parameters() { return kEvents; }
std::span<const Parameter> conditions() { return std::span<const Parameter>(kEvents).first(kConditions); }

std::optional<ApiError> check_text(std::string_view name, std::string_view value, size_t max_bytes) {
  if (value.empty()) return ApiError{400, fmt::format("'{}' is empty", name), "leave it out to match all"};
  if (value.size() > max_bytes) {
    return ApiError{400, fmt::format("'{}' is longer than {} bytes", name, max_bytes), "write a shorter value"};
  }
  if (!is_utf8(value) || value.find('\0') != std::string_view::npos) {
    return ApiError{400, fmt::format("'{}' is not text", name), "write UTF-8, percent-encoded in a query string"};
  }
  return std::nullopt;
}

std::optional<ApiError> check_parameters(const Parameters& given, std::span<const Parameter> known, WallTime now) {
  std::set<std::string_view> seen;
  for (const auto& [name, value] : given) {
    const Parameter* parameter = find(known, name);
    if (parameter == nullptr && known.empty()) {
      return ApiError{400, fmt::format("unknown parameter '{}'", printable(name, 60)), "this call takes none"};
    }
    if (parameter == nullptr) return unknown_name("parameter", name, names_of(known));
    if (!seen.insert(name).second) return ApiError{400, fmt::format("'{}' is given twice", name), "write it once"};
    if (auto wrong = check(*parameter, value, now)) return wrong;
  }
  return std::nullopt;
}

std::string_view value_of(const Parameters& given, std::string_view name) {
  for (const auto& [key, value] : given) {
    if (key == name) return value;
  }
  return {};
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
  const Parameter* condition = find(conditions(), name);
  if (condition == nullptr) return unknown_name("condition", name, names_of(conditions()));
  if (auto wrong = check(*condition, value, now)) return wrong;
  if (name == "source") into.source = value;
  if (name == "destination") into.destination = value;
  if (name == "type") into.type = value;
  if (name == "resource") into.resource = value;
  if (name == "text") into.text = value;
  if (name == "id") into.id = value;
  if (name == "status") into.state = std::string(value);
  if (name == "since") into.since = *parse_moment(value, now);
  if (name == "until") into.until = *parse_moment(value, now);
  return std::nullopt;
}

std::optional<ApiError> check_period(const spool::EventQuery& query) {
  if (!query.since || !query.until || *query.since <= *query.until) return std::nullopt;
  return ApiError{400, "'since' is later than 'until'", "exchange the two"};
}

std::optional<ApiError> read_events_call(const Parameters& parameters, WallTime now, EventsCall& into) {
  for (const auto& [name, value] : parameters) {
    if (name == "limit") {
      into.limit = static_cast<uint32_t>(parse_u64(value).value_or(EventsCall::kDefaultLimit));
    } else if (name == "before") {
      into.before = MessageId::parse(value);
    } else if (auto wrong = set_condition(name, value, now, into.query)) {
      return wrong;
    }
  }
  return check_period(into.query);
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
