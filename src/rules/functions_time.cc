#include "base/bytes.h"
#include "rules/functions.h"
#include "rules/moment.h"

namespace belay::rules {

namespace {

using Arguments = std::span<const Value>;
constexpr Kinds kString = bit(Kind::string), kInt = bit(Kind::integer);
constexpr Kinds kTimestamp = bit(Kind::timestamp), kDuration = bit(Kind::duration);

// The moment in its zone; false: `out` is the error.
bool local(Frame& frame, Arguments a, size_t zone_at, int32_t& zone, Value& out, uint32_t offset) {
  zone = 0;
  if (a.size() <= zone_at) return true;
  const auto found = zone_offset(a[zone_at].text(), a[0].moment().seconds);
  if (found) {
    zone = *found;
    return true;
  }
  out = frame.fail(Fault::invalid, "unknown time zone '" + printable(a[zone_at].text(), 40) + "'; write \"Europe/Berlin\" or \"+02:00\"", offset);
  return false;
}

enum class Part : uint8_t { year, month, day_of_month, date, day_of_week, day_of_year };

template <Part part>
Value calendar(Frame& frame, Arguments a, uint32_t offset) {
  int32_t zone = 0;
  Value trouble;
  if (!local(frame, a, 1, zone, trouble, offset)) return trouble;
  const Civil c = civil(a[0].moment().seconds + zone);
  switch (part) {
    case Part::year: return Value::integer(c.year);
    case Part::month: return Value::integer(c.month - 1);  // CEL counts months and days of the month from 0 …
    case Part::day_of_month: return Value::integer(c.day - 1);
    case Part::date: return Value::integer(c.day);  // … but dates from 1
    case Part::day_of_week: return Value::integer(c.weekday);
    case Part::day_of_year: return Value::integer(c.day_of_year);
  }
  return {};
}

// Whole units of a span, towards zero.
Value span_in(Moment span, int64_t unit_seconds) {
  const int64_t seconds = span.seconds < 0 && span.nanos != 0 ? span.seconds + 1 : span.seconds;
  return Value::integer(seconds / unit_seconds);
}

enum class Clock : uint8_t { hours, minutes, seconds, milliseconds };

template <Clock part>
Value clock(Frame& frame, Arguments a, uint32_t offset) {
  if (a[0].kind() == Kind::duration) {
    const Moment span = a[0].moment();
    switch (part) {
      case Clock::hours: return span_in(span, 3600);
      case Clock::minutes: return span_in(span, 60);
      case Clock::seconds: return span_in(span, 1);
      case Clock::milliseconds: {
        const bool negative = span.seconds < 0;
        const int64_t part_of_second = (negative ? negate(span) : span).nanos / 1'000'000;
        return Value::integer(negative ? -part_of_second : part_of_second);
      }
    }
  }
  int32_t zone = 0;
  Value trouble;
  if (!local(frame, a, 1, zone, trouble, offset)) return trouble;
  const Civil c = civil(a[0].moment().seconds + zone);
  switch (part) {
    case Clock::hours: return Value::integer(c.hour);
    case Clock::minutes: return Value::integer(c.minute);
    case Clock::seconds: return Value::integer(c.second);
    case Clock::milliseconds: return Value::integer(a[0].moment().nanos / 1'000'000);
  }
  return {};
}

// format_time(timestamp or RFC 3339 text or seconds since 1970, "%Y-%m-%d", "Europe/Berlin")
Value format(Frame& frame, Arguments a, uint32_t offset) {
  Moment moment;
  if (a[0].kind() == Kind::timestamp) {
    moment = a[0].moment();
  } else if (a[0].kind() == Kind::string) {
    const auto parsed = parse_timestamp(a[0].text());
    if (!parsed) return frame.fail(Fault::invalid, "not an RFC 3339 time: " + printable(a[0].text(), 60), offset);
    moment = *parsed;
  } else {
    moment = {a[0].is_json() ? kMaxTimestamp + 1 : a[0].as_integer(), 0};
    if (!timestamp_in_range(moment)) return frame.fail(Fault::invalid, "seconds out of range; are these milliseconds?", offset);
  }
  int32_t zone = 0;
  if (a.size() > 2) {
    const auto found = zone_offset(a[2].text(), moment.seconds);
    if (!found) return frame.fail(Fault::invalid, "unknown time zone '" + printable(a[2].text(), 40) + "'; write \"Europe/Berlin\" or \"+02:00\"", offset);
    zone = *found;
  }
  std::string out;
  if (!frame.charge(a[1].text().size()) || a[1].text().size() > 1000) return frame.over_budget(offset);
  if (!format_time(moment, zone, a[1].text(), out)) {
    return frame.fail(Fault::invalid, "unknown letter behind '%' in '" + printable(a[1].text(), 60) + "'; known: Y y m d e H I M S L f j a A b B p z s F T %", offset);
  }
  return frame.keep_string(out, offset);
}

constexpr Function kFunctions[] = {
    {"getFullYear", Style::method, 1, 2, {kTimestamp, kString}, kInt, calendar<Part::year>},
    {"getMonth", Style::method, 1, 2, {kTimestamp, kString}, kInt, calendar<Part::month>},
    {"getDate", Style::method, 1, 2, {kTimestamp, kString}, kInt, calendar<Part::date>},
    {"getDayOfMonth", Style::method, 1, 2, {kTimestamp, kString}, kInt, calendar<Part::day_of_month>},
    {"getDayOfWeek", Style::method, 1, 2, {kTimestamp, kString}, kInt, calendar<Part::day_of_week>},
    {"getDayOfYear", Style::method, 1, 2, {kTimestamp, kString}, kInt, calendar<Part::day_of_year>},
    {"getHours", Style::method, 1, 2, {kTimestamp | kDuration, kString}, kInt, clock<Clock::hours>},
    {"getMinutes", Style::method, 1, 2, {kTimestamp | kDuration, kString}, kInt, clock<Clock::minutes>},
    {"getSeconds", Style::method, 1, 2, {kTimestamp | kDuration, kString}, kInt, clock<Clock::seconds>},
    {"getMilliseconds", Style::method, 1, 2, {kTimestamp | kDuration, kString}, kInt, clock<Clock::milliseconds>},
    {"format_time", Style::global, 2, 3, {kTimestamp | kString | kInt, kString, kString}, kString, format},
};

}  // namespace

std::span<const Function> time_functions() { return kFunctions; }

}  // namespace belay::rules
