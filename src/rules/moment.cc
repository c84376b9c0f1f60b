#include "rules/moment.h"

#include <array>
#include <chrono>
#include <cstdlib>

#include "base/bytes.h"

namespace belay::rules {

namespace {

constexpr uint32_t kNanos = 1'000'000'000;
__extension__ typedef __int128 Wide;  // GNU: both compilers have it; sums of parts may pass 64 bits before they are refused

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

int64_t days_of(int year, int month, int day) {
  using namespace std::chrono;
  return sys_days(std::chrono::year(year) / month / day).time_since_epoch().count();
}

void append_padded(int64_t value, int width, std::string& out) {
  const std::string digits = std::to_string(value);
  out.append(digits.size() < static_cast<size_t>(width) ? static_cast<size_t>(width) - digits.size() : 0, '0');
  out += digits;
}

// ".678", without zeros at the end; nothing for 0.
void append_fraction(uint32_t nanos, std::string& out) {
  if (nanos == 0) return;
  out.push_back('.');
  append_padded(nanos, 9, out);
  while (out.back() == '0') out.pop_back();
}

// Reads exactly `count` digits off the front.
bool take_digits(std::string_view& text, size_t count, int& out) {
  if (text.size() < count) return false;
  out = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Digits behind a point as nanoseconds; further ones than nine do not count.
bool take_fraction(std::string_view& text, uint32_t& nanos) {
  uint32_t scale = kNanos;
  const size_t before = text.size();
  nanos = 0;
  while (!text.empty() && is_digit(text.front())) {
    scale /= 10;
    nanos += scale * static_cast<uint32_t>(text.front() - '0');
    text.remove_prefix(1);
  }
  return text.size() < before;
}

// "+02:00", "-03:30", "02:00"
std::optional<int32_t> parse_offset(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  int hours = 0, minutes = 0;
  if (!take_digits(text, 2, hours) || !take(text, ':') || !take_digits(text, 2, minutes) || !text.empty()) return std::nullopt;
  if (hours > 23 || minutes > 59) return std::nullopt;
  const int32_t seconds = (hours * 60 + minutes) * 60;
  return negative ? -seconds : seconds;
}

}  // namespace

bool timestamp_in_range(Moment value) { return value.seconds >= kMinTimestamp && value.seconds <= kMaxTimestamp; }

bool duration_in_range(Moment value) {
  return value.seconds >= -kMaxDuration && (value.seconds < kMaxDuration || (value.seconds == kMaxDuration && value.nanos == 0));
}

Moment add(Moment a, Moment b) {
  Moment sum{a.seconds + b.seconds, a.nanos + b.nanos};
  if (sum.nanos >= kNanos) {
    sum.nanos -= kNanos;
    ++sum.seconds;
  }
  return sum;
}

Moment negate(Moment value) {
  if (value.nanos == 0) return {-value.seconds, 0};
  return {-value.seconds - 1, kNanos - value.nanos};
}

std::optional<Moment> parse_timestamp(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(text, 4, year) || !take(text, '-') || !take_digits(text, 2, month) || !take(text, '-') || !take_digits(text, 2, day)) {
    return std::nullopt;
  }
  if (text.empty() || (text.front() != 'T' && text.front() != 't' && text.front() != ' ')) return std::nullopt;
  text.remove_prefix(1);
  if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute) || !take(text, ':') || !take_digits(text, 2, second)) {
    return std::nullopt;
  }
  uint32_t nanos = 0;
  if (take(text, '.') && !take_fraction(text, nanos)) return std::nullopt;
  int32_t offset = 0;
  if (text != "Z" && text != "z") {
    if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
    const auto parsed = parse_offset(text);
    if (!parsed) return std::nullopt;
    offset = *parsed;
  }
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)), std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const Moment result{days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset, nanos};
  return timestamp_in_range(result) ? std::optional(result) : std::nullopt;
}

namespace {

// One "1.5h" off the front, added to whole nanoseconds.
bool take_span(std::string_view& text, Wide& total) {
  struct Unit {
    std::string_view name;
    int64_t nanos;
  };
  static constexpr std::array<Unit, 8> kUnits = {{{"ns", 1}, {"us", 1000}, {"µs", 1000}, {"μs", 1000}, {"ms", 1'000'000},
                                                  {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}}};
  int64_t whole = 0;
  uint32_t fraction = 0;
  bool digits = false;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    digits = true;
    whole = whole * 10 + (text.front() - '0');
    if (whole > kMaxDuration * 1'000'000) return false;
  }
  if (take(text, '.') && !take_fraction(text, fraction) && !digits) return false;
  if (!digits && fraction == 0) return false;
  for (const Unit& unit : kUnits) {
    if (!text.starts_with(unit.name) || (unit.name == "m" && text.starts_with("ms"))) continue;
    text.remove_prefix(unit.name.size());
    total += static_cast<Wide>(whole) * unit.nanos + static_cast<Wide>(fraction) * unit.nanos / kNanos;
    return true;
  }
  return false;
}

}  // namespace

std::optional<Moment> parse_duration(std::string_view text) {
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  if (text == "0") return Moment{};
  if (text.empty() || text.size() > 100) return std::nullopt;
  Wide total = 0;
  while (!text.empty()) {
    if (!take_span(text, total)) return std::nullopt;
  }
  if (negative) total = -total;
  Wide seconds = total / kNanos;
  Wide nanos = total % kNanos;
  if (nanos < 0) {
    nanos += kNanos;
    --seconds;
  }
  if (seconds > kMaxDuration || seconds < -kMaxDuration) return std::nullopt;
  const Moment result{static_cast<int64_t>(seconds), static_cast<uint32_t>(nanos)};
  return duration_in_range(result) ? std::optional(result) : std::nullopt;
}

void append_timestamp(Moment value, std::string& out) {
  const Civil c = civil(value.seconds);
  append_padded(c.year, 4, out);
  const auto part = [&out](char separator, int number) {
    out.push_back(separator);
    append_padded(number, 2, out);
  };
  part('-', c.month);
  part('-', c.day);
  part('T', c.hour);
  part(':', c.minute);
  part(':', c.second);
  append_fraction(value.nanos, out);
  out.push_back('Z');
}

void append_duration(Moment value, std::string& out) {
  if (value.seconds < 0) {
    out.push_back('-');
    value = negate(value);
  }
  out += std::to_string(value.seconds);
  append_fraction(value.nanos, out);
  out.push_back('s');
}

Civil civil(int64_t seconds) {
  using namespace std::chrono;
  const int64_t days = floor_div(seconds, 86400);
  const int64_t rest = seconds - days * 86400;
  const sys_days date{std::chrono::days(days)};
  const year_month_day ymd(date);
  Civil out;
  out.year = static_cast<int>(ymd.year());
  out.month = static_cast<int>(static_cast<unsigned>(ymd.month()));
  out.day = static_cast<int>(static_cast<unsigned>(ymd.day()));
  out.hour = static_cast<int>(rest / 3600);
  out.minute = static_cast<int>(rest / 60 % 60);
  out.second = static_cast<int>(rest % 60);
  out.weekday = static_cast<int>(weekday(date).c_encoding());
  out.day_of_year = static_cast<int>(days - days_of(out.year, 1, 1));
  return out;
}

namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                      "July",    "August",   "September", "October", "November", "December"};

bool format_letter(char letter, const Civil& c, Moment value, int32_t offset, std::string& out) {
  switch (letter) {
    case 'Y': append_padded(c.year, 4, out); return true;
    case 'y': append_padded(c.year % 100, 2, out); return true;
    case 'm': append_padded(c.month, 2, out); return true;
    case 'd': append_padded(c.day, 2, out); return true;
    case 'e': out += std::to_string(c.day); return true;
    case 'H': append_padded(c.hour, 2, out); return true;
    case 'I': append_padded(c.hour % 12 == 0 ? 12 : c.hour % 12, 2, out); return true;
    case 'M': append_padded(c.minute, 2, out); return true;
    case 'S': append_padded(c.second, 2, out); return true;
    case 'L': append_padded(value.nanos / 1'000'000, 3, out); return true;
    case 'f': append_padded(value.nanos / 1000, 6, out); return true;
    case 'j': append_padded(c.day_of_year + 1, 3, out); return true;
    case 'a': out += kDays[static_cast<size_t>(c.weekday)].substr(0, 3); return true;
    case 'A': out += kDays[static_cast<size_t>(c.weekday)]; return true;
    case 'b': out += kMonths[static_cast<size_t>(c.month - 1)].substr(0, 3); return true;
    case 'B': out += kMonths[static_cast<size_t>(c.month - 1)]; return true;
    case 'p': out += c.hour < 12 ? "AM" : "PM"; return true;
    case 'z':
      out.push_back(offset < 0 ? '-' : '+');
      append_padded(std::abs(offset) / 3600, 2, out);
      append_padded(std::abs(offset) / 60 % 60, 2, out);
      return true;
    case 's': out += std::to_string(value.seconds); return true;
    case '%': out.push_back('%'); return true;
    default: return false;
  }
}

}  // namespace

bool format_time(Moment value, int32_t offset, std::string_view format, std::string& out) {
  const Civil c = civil(value.seconds + offset);
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out.push_back(format[i]);
      continue;
    }
    if (++i == format.size()) return false;
    const char letter = format[i];
    if (letter == 'F' || letter == 'T') {
      if (!format_time(value, offset, letter == 'F' ? "%Y-%m-%d" : "%H:%M:%S", out)) return false;
    } else if (!format_letter(letter, c, value, offset, out)) {
      return false;
    }
  }
  return true;
}

}  // namespace belay::rules
