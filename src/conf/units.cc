// The units of the rules language. Whole numbers with one unit and nothing else: one way to write a value, and what a
// person reads is what is meant.
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/bytes.h"
#include "conf/section.h"

namespace belay::conf {

namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr Unit kDurations[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizes[] = {{"", 1},
                           {"B", 1},
                           {"KB", uint64_t{1} << 10},
                           {"MB", uint64_t{1} << 20},
                           {"GB", uint64_t{1} << 30},
                           {"TB", uint64_t{1} << 40}};
constexpr Unit kPeriods[] = {{"s", 1}, {"min", 60}, {"h", 3'600}};

constexpr uint64_t kMaxDuration =
    uint64_t{36'500} * 86'400'000;  // a hundred years: sums with the clock cannot overflow
constexpr uint64_t kMaxSize = uint64_t{1} << 50;

const Unit* find(std::span<const Unit> units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// Digits and a unit; nullopt when the text is not of that form or the product is over `max`.
std::optional<uint64_t> scaled(std::string_view text, std::span<const Unit> units, uint64_t max) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_u64(text.substr(0, digits));
  const Unit* unit = find(units, text.substr(digits));
  if (!number || unit == nullptr || *number > max / unit->factor) return std::nullopt;
  return *number * unit->factor;
}

Error not_a(std::string_view text, std::string_view what, std::string_view write) {
  return invalid("'" + printable(text, 60) + "' is not " + std::string(what) + "; write " + std::string(write));
}

// Exactly `count` digits at the front, taken off.
std::optional<int> take_digits(std::string_view& text, size_t count) {
  if (text.size() < count) return std::nullopt;
  const auto value = parse_u64(text.substr(0, count));
  if (!value) return std::nullopt;
  text.remove_prefix(count);
  return static_cast<int>(*value);
}

bool take(std::string_view& text, char wanted, char other = 0) {
  if (text.empty() || (text.front() != wanted && text.front() != other)) return false;
  text.remove_prefix(1);
  return true;
}

// "Z", "+08:00"; minutes east of UTC.
std::optional<int> take_offset(std::string_view& text) {
  if (take(text, 'Z', 'z')) return 0;
  const int sign = !text.empty() && text.front() == '-' ? -1 : 1;
  if (!take(text, '+', '-')) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

// RFC 3339 §5.6 without leap seconds.
std::optional<WallTime> read_time(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, 'T', 't')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  int64_t milliseconds = 0;
  if (take(text, '.')) {
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0) return std::nullopt;
    for (size_t i = 0; i < 3; ++i) milliseconds = milliseconds * 10 + (i < digits ? text[i] - '0' : 0);
    text.remove_prefix(digits);
  }
  const auto offset = take_offset(text);
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!offset || !text.empty() || !date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute - *offset) +
         std::chrono::seconds(*second) + std::chrono::milliseconds(milliseconds);
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto value = scaled(text, kDurations, kMaxDuration);
  if (!value) return not_a(text, "a duration", "30s, 5m, 12h or 30d");
  return Duration(static_cast<int64_t>(*value));
}

Result<uint64_t> parse_size(std::string_view text) {
  const auto value = scaled(text, kSizes, kMaxSize);
  if (!value) return not_a(text, "a size", "64KB, 10MB or 20GB");
  return *value;
}

Result<Rate> parse_rate(std::string_view text) {
  const size_t slash = text.find('/');
  const auto count = parse_u64(text.substr(0, slash));
  const Unit* period = slash == std::string_view::npos ? nullptr : find(kPeriods, text.substr(slash + 1));
  if (!count || *count == 0 || *count > std::numeric_limits<uint32_t>::max() || period == nullptr) {
    return not_a(text, "a rate", "100/s, 100/min or 1000/h");
  }
  return Rate{static_cast<double>(*count) / static_cast<double>(period->factor), std::string(text)};
}

Result<double> parse_number(std::string_view text) {
  const bool percent = !text.empty() && text.back() == '%';
  const std::string_view digits = percent ? text.substr(0, text.size() - 1) : text;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(value)) {
    return not_a(text, "a number", "2, 0.5 or 50%");
  }
  return percent ? value / 100 : value;
}

Result<WallTime> parse_time(std::string_view text) {
  const auto time = read_time(text);
  if (!time) return not_a(text, "a time", "2026-01-31T00:00:00Z");
  return *time;
}

}  // namespace belay::conf
