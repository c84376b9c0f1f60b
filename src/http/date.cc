// HTTP-date in its one written and three accepted forms (RFC 9110 §5.6.7), and Retry-After.
#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "http/writer.h"

namespace belay::http {

namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int64_t kDaySeconds = 86'400;

struct Moment {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

// Takes a date apart by a pattern: Y, N (the month's name), D (may be blank-padded), h, m, s stand for their fields
// with as many digits as letters; every other character stands for itself.
bool match(std::string_view text, std::string_view pattern, Moment& out) {
  size_t at = 0;
  for (size_t i = 0; i < pattern.size();) {
    const char kind = pattern[i];
    const size_t run = std::min(pattern.find_first_not_of(kind, i), pattern.size()) - i;
    if (text.size() - at < run) return false;
    const std::string_view part = text.substr(at, run);
    i += run;
    at += run;
    if (kind == 'N') {
      const auto* month = std::find(kMonths.begin(), kMonths.end(), part);
      if (month == kMonths.end()) return false;
      out.month = static_cast<int>(month - kMonths.begin()) + 1;
      continue;
    }
    int* field = kind == 'Y'   ? &out.year
                 : kind == 'D' ? &out.day
                 : kind == 'h' ? &out.hour
                 : kind == 'm' ? &out.minute
                 : kind == 's' ? &out.second
                               : nullptr;
    if (field == nullptr) {
      if (part != pattern.substr(i - run, run)) return false;
      continue;
    }
    const auto number = parse_u64(kind == 'D' && part[0] == ' ' ? part.substr(1) : part);
    if (!number) return false;
    *field = static_cast<int>(*number);
  }
  return at == text.size();
}

std::optional<int64_t> to_unix(const Moment& moment) {
  namespace chrono = std::chrono;
  const chrono::year_month_day date{chrono::year{moment.year}, chrono::month{static_cast<unsigned>(moment.month)},
                                    chrono::day{static_cast<unsigned>(moment.day)}};
  // 60: a leap second.
  if (!date.ok() || moment.hour > 23 || moment.minute > 59 || moment.second > 60) return std::nullopt;
  const int64_t days = chrono::sys_days{date}.time_since_epoch().count();
  return days * kDaySeconds + moment.hour * 3600 + moment.minute * 60 + moment.second;
}

std::optional<int64_t> parse_http_date(std::string_view text, int64_t now_unix) {
  // The day's name is checked for its form only: the date itself says which day it was.
  for (const std::string_view day : kDays) {
    Moment moment;
    if (text.starts_with(day.substr(0, 3)) && (match(text.substr(3), ", DD NNN YYYY hh:mm:ss GMT", moment) ||
                                               match(text.substr(3), " NNN DD hh:mm:ss YYYY", moment))) {
      return to_unix(moment);
    }
    if (text.starts_with(day) && match(text.substr(day.size()), ", DD-NNN-YY hh:mm:ss GMT", moment)) {
      // RFC 9110 §5.6.7: two digits that would lie more than 50 years ahead are in the past.
      const std::chrono::year_month_day today{
          std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds{std::chrono::seconds{now_unix}})};
      const int this_year = static_cast<int>(today.year());
      moment.year += this_year / 100 * 100;
      if (moment.year > this_year + 50) moment.year -= 100;
      return to_unix(moment);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string http_date(int64_t unix_seconds) {
  namespace chrono = std::chrono;
  const chrono::sys_seconds time{chrono::seconds{unix_seconds}};
  const auto midnight = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date{midnight};
  const chrono::hh_mm_ss clock{time - midnight};
  const auto two = [](std::string& out, int64_t number, char behind) {
    out.push_back(static_cast<char>('0' + number / 10 % 10));
    out.push_back(static_cast<char>('0' + number % 10));
    out.push_back(behind);
  };
  std::string out;
  out.reserve(29);
  out.append(kDays[chrono::weekday{midnight}.c_encoding()].substr(0, 3)).append(", ");
  two(out, static_cast<unsigned>(date.day()), ' ');
  out.append(kMonths[static_cast<unsigned>(date.month()) - 1]).append(1, ' ');
  const int year = static_cast<int>(date.year());
  out.push_back(static_cast<char>('0' + year / 1000 % 10));
  out.push_back(static_cast<char>('0' + year / 100 % 10));
  two(out, year % 100, ' ');
  two(out, clock.hours().count(), ':');
  two(out, clock.minutes().count(), ':');
  two(out, clock.seconds().count(), ' ');
  return out.append("GMT");
}

int64_t parse_retry_after(std::string_view value, int64_t now_unix) {
  value = trim_ows(value);
  const bool digits = !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
  if (digits) {
    const auto seconds = parse_u64(value);
    return seconds && std::cmp_less(*seconds, kMaxRetryAfter) ? static_cast<int64_t>(*seconds) : kMaxRetryAfter;
  }
  const auto date = parse_http_date(value, now_unix);
  if (!date) return -1;
  return std::clamp<int64_t>(*date - now_unix, 0, kMaxRetryAfter);
}

}  // namespace belay::http
