// Moments (since 1970, UTC) and spans as CEL has them: parsing, printing, calendar fields, time zones. A time zone is UTC, a fixed
// offset ("+02:00", "-03:30") or a name of the system's database ("Europe/Berlin"), read once per thread from kZoneFolder.
// Pure but for that file. Ranges: years 1 to 9999, spans up to about 292 years.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rules/value.h"

namespace belay::rules {

constexpr int64_t kMinTimestamp = -62'135'596'800;  // 0001-01-01T00:00:00Z
constexpr int64_t kMaxTimestamp = 253'402'300'799;  // 9999-12-31T23:59:59Z
constexpr int64_t kMaxDuration = 9'223'372'036;     // seconds either way: CEL's nanoseconds in 64 bits
constexpr const char* kZoneFolder = "/usr/share/zoneinfo/";

bool timestamp_in_range(Moment value);
bool duration_in_range(Moment value);
Moment add(Moment a, Moment b);
Moment negate(Moment value);

std::optional<Moment> parse_timestamp(std::string_view text);  // RFC 3339
std::optional<Moment> parse_duration(std::string_view text);   // "1h30m", "-1.5s", "250ms", "100us", "5ns"
void append_timestamp(Moment value, std::string& out);         // "2026-01-02T03:04:05.678Z"
void append_duration(Moment value, std::string& out);          // "5400s", "-1.5s"

struct Civil {
  int year = 1970, month = 1, day = 1;         // from 1
  int hour = 0, minute = 0, second = 0;
  int weekday = 4;                             // 0 is Sunday
  int day_of_year = 0;                         // from 0
};
Civil civil(int64_t seconds);

// Seconds east of UTC in force at `at`; nullopt for a zone that does not exist.
std::optional<int32_t> zone_offset(std::string_view zone, int64_t at);

// strftime's letters: %Y %y %m %d %e %H %I %M %S %j %a %A %b %B %p %z (+0200) %s (seconds since 1970) %F (%Y-%m-%d) %T (%H:%M:%S)
// %%, and %L (milliseconds), %f (microseconds). False on any other.
bool format_time(Moment value, int32_t offset, std::string_view format, std::string& out);

}  // namespace belay::rules
