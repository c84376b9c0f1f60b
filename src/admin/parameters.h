// What a caller of the admin API may write in a query string or in a replay's filter, as a table, and read into typed values.
// Pure. Unknown and repeated names are refused with did-you-mean, every value has a bound: an answer that silently ignored a
// mistyped filter would show, or replay, the wrong webhooks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "spool/operations.h"

namespace belay::admin {

// An answer that is an error: {"error": "…", "hint": "…"} with its status.
struct ApiError {
  int status = 400;
  std::string error;
  std::string hint;
};

inline constexpr size_t kMaxParameterBytes = 256;

// One parameter of a query string. Every value is UTF-8 without a zero byte, not empty, at most `max_bytes` long.
struct Parameter {
  enum class Type : uint8_t {
    text,
    integer,  // min..max
    moment,   // see parse_moment()
    id,       // a message id
    word,     // one of words()
    boolean,  // true | false
  };
  std::string_view name;
  Type type = Type::text;
  std::string_view help;  // one line
  int64_t min = 0, max = 0;
  const std::vector<std::string_view>& (*words)() = nullptr;
  size_t max_bytes = kMaxParameterBytes;
};

using Parameters = std::vector<std::pair<std::string, std::string>>;

// All of a query string against the table: unknown, repeated, wrong.
std::optional<ApiError> check_parameters(const Parameters& given, std::span<const Parameter> known, WallTime now);
// The value given; empty when there is none.
std::string_view value_of(const Parameters& given, std::string_view name);
// What holds for every text: not empty, bounded, UTF-8 without a zero byte.
std::optional<ApiError> check_text(std::string_view name, std::string_view value, size_t max_bytes = kMaxParameterBytes);

struct EventsCall {
  static constexpr uint32_t kDefaultLimit = 50;
  static constexpr uint32_t kMaxLimit = 1000;
  spool::EventQuery query;
  uint32_t limit = kDefaultLimit;
  std::optional<MessageId> before;
};

// The conditions of a filter: source, destination, status, type, resource, id, since, until, text.
std::span<const Parameter> conditions();
// GET /v1/events: conditions, limit and before; checked already.
std::span<const Parameter> events_parameters();
std::optional<ApiError> read_events_call(const Parameters& parameters, WallTime now, EventsCall& into);

// One condition of a filter ("source", "status", "since", …) of a query string or a replay's body.
std::optional<ApiError> set_condition(std::string_view name, std::string_view value, WallTime now, spool::EventQuery& into);
// since after until can match nothing: said instead of an empty answer.
std::optional<ApiError> check_period(const spool::EventQuery& query);

ApiError unknown_name(std::string_view what, std::string_view name, const std::vector<std::string_view>& known);

// Every word that `status` takes: outcomes, then delivery states.
const std::vector<std::string_view>& status_words();

// A moment as people write it: "24h" (that long before `now`), "2026-01-31" (midnight UTC) or RFC 3339. Also used by the
// command line. The error says what to write.
Result<WallTime> parse_moment(std::string_view text, WallTime now);

}  // namespace belay::admin
