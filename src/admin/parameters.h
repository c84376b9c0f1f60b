// What a caller of the admin API may write in a query string or in a replay's filter, read into typed values. Pure. Unknown
// and repeated names are refused with did-you-mean, every value has a bound: an answer that silently ignored a mistyped
// filter would show, or replay, the wrong webhooks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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

struct EventsCall {
  static constexpr uint32_t kDefaultLimit = 50;
  static constexpr uint32_t kMaxLimit = 1000;
  spool::EventQuery query;
  uint32_t limit = kDefaultLimit;
  std::optional<MessageId> before;
};

inline constexpr size_t kMaxParameterBytes = 256;

using Parameters = std::vector<std::pair<std::string, std::string>>;

// GET /v1/events: conditions, limit and before.
std::optional<ApiError> read_events_call(const Parameters& parameters, WallTime now, EventsCall& into);

// One condition of a filter ("source", "status", "since", …) of a query string or a replay's body.
std::optional<ApiError> set_condition(std::string_view name, std::string_view value, WallTime now, spool::EventQuery& into);
// since after until can match nothing: said instead of an empty answer.
std::optional<ApiError> check_period(const spool::EventQuery& query);

// POST /v1/destinations/NAME/pause and disable: `reason`.
std::optional<ApiError> read_reason(const Parameters& parameters, std::string& into);

// For calls that take no parameters.
std::optional<ApiError> refuse_parameters(const Parameters& parameters);
ApiError unknown_name(std::string_view what, std::string_view name, const std::vector<std::string_view>& known);

const std::vector<std::string_view>& condition_names();
// Every word that `status` takes: outcomes, then delivery states.
const std::vector<std::string_view>& status_words();

// A moment as people write it: "24h" (that long before `now`), "2026-01-31" (midnight UTC) or RFC 3339. Also used by the
// command line. The error says what to write.
Result<WallTime> parse_moment(std::string_view text, WallTime now);

}  // namespace belay::admin
