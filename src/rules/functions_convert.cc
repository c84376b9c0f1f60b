// int() uint() double() string() bytes() bool() timestamp() duration() type() dyn().
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "base/bytes.h"
#include "json/number.h"
#include "rules/functions.h"
#include "rules/moment.h"

namespace belay::rules {

namespace {

using Arguments = std::span<const Value>;

Value cannot(Frame& frame, std::string_view target, std::string_view text, uint32_t offset) {
  const std::string_view wanted = target == "timestamp"  ? "; it reads 2026-01-31T09:30:00Z (RFC 3339)"
                                  : target == "duration" ? "; it reads 90s, 1h30m or 250ms"
                                                         : "";
  return frame.fail(Fault::invalid, std::string(target).append("(\"").append(printable(text, 60)).append("\") is not possible").append(wanted), offset);
}
Value out_of_range(Frame& frame, std::string_view target, uint32_t offset) {
  return frame.fail(Fault::invalid, std::string(target) + "() is out of range", offset);
}

template <typename T>
bool read(std::string_view text, T& out) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

Value to_int(Frame& frame, Arguments a, uint32_t offset) {
  const Value& v = a[0];
  switch (v.kind()) {
    case Kind::integer: return v.is_json() ? out_of_range(frame, "int", offset) : Value::integer(v.as_integer());
    case Kind::uinteger:
      if (v.as_uinteger() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return out_of_range(frame, "int", offset);
      return Value::integer(static_cast<int64_t>(v.as_uinteger()));
    case Kind::real:
      if (!(v.as_real() > -0x1p63 && v.as_real() < 0x1p63)) return out_of_range(frame, "int", offset);
      return Value::integer(static_cast<int64_t>(v.as_real()));
    case Kind::timestamp: return Value::integer(v.moment().seconds);
    default: {
      int64_t out = 0;
      return read(v.text(), out) ? Value::integer(out) : cannot(frame, "int", v.text(), offset);
    }
  }
}

Value to_uint(Frame& frame, Arguments a, uint32_t offset) {
  const Value& v = a[0];
  switch (v.kind()) {
    case Kind::uinteger: return Value::uinteger(v.as_uinteger());
    case Kind::integer:
      if (v.is_json() || v.as_integer() < 0) return out_of_range(frame, "uint", offset);
      return Value::uinteger(static_cast<uint64_t>(v.as_integer()));
    case Kind::real:
      if (!(v.as_real() >= 0 && v.as_real() < 0x1p64)) return out_of_range(frame, "uint", offset);
      return Value::uinteger(static_cast<uint64_t>(v.as_real()));
    default: {
      uint64_t out = 0;
      return read(v.text(), out) ? Value::uinteger(out) : cannot(frame, "uint", v.text(), offset);
    }
  }
}

Value to_double(Frame& frame, Arguments a, uint32_t offset) {
  const Value& v = a[0];
  switch (v.kind()) {
    case Kind::real: return Value::real(v.as_real());
    case Kind::uinteger: return Value::real(static_cast<double>(v.as_uinteger()));
    case Kind::integer:
      if (v.is_json()) return Value::real(json::to_double(v.document().raw(v.ref())));
      return Value::real(static_cast<double>(v.as_integer()));
    default: {
      double out = 0;
      return read(v.text(), out) ? Value::real(out) : cannot(frame, "double", v.text(), offset);
    }
  }
}

// A number of the payload keeps the digits it was written with.
Value to_text(Frame& frame, Arguments a, uint32_t offset) {
  const Value v = a[0].is_json_number() ? a[0] : a[0].plain(frame.arena);
  if (v.is_error()) return v;
  if (v.kind() == Kind::string) return v;
  if (v.kind() == Kind::bytes) {
    if (!frame.charge(v.text().size() / 16)) return frame.over_budget(offset);
    return is_utf8(v.text()) ? Value::string(v.text()) : frame.fail(Fault::invalid, "string() of bytes that are not UTF-8", offset);
  }
  std::string text;
  if (v.kind() == Kind::real && !v.is_json() && std::isinf(v.as_real())) {
    text = v.as_real() < 0 ? "-Infinity" : "+Infinity";
  } else if (const auto done = v.append_text(text); !done) {
    return frame.fail(Fault::invalid, done.error().message, offset);
  }
  return frame.keep_string(text, offset);
}

Value to_bytes(Frame&, Arguments a, uint32_t) { return Value::bytes(a[0].text()); }

Value to_bool(Frame& frame, Arguments a, uint32_t offset) {
  if (a[0].kind() == Kind::boolean) return a[0];
  const std::string_view text = a[0].text();
  for (const std::string_view word : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == word) return Value::boolean(true);
  }
  for (const std::string_view word : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == word) return Value::boolean(false);
  }
  return cannot(frame, "bool", text, offset);
}

Value to_timestamp(Frame& frame, Arguments a, uint32_t offset) {
  const Value& v = a[0];
  if (v.kind() == Kind::timestamp) return v;
  if (v.kind() == Kind::integer) {
    const Moment moment{v.is_json() ? kMaxTimestamp + 1 : v.as_integer(), 0};
    return timestamp_in_range(moment) ? Value::timestamp(moment) : out_of_range(frame, "timestamp", offset);
  }
  const auto moment = parse_timestamp(v.text());
  return moment ? Value::timestamp(*moment) : cannot(frame, "timestamp", v.text(), offset);
}

Value to_duration(Frame& frame, Arguments a, uint32_t offset) {
  const Value& v = a[0];
  if (v.kind() == Kind::duration) return v;
  if (v.kind() == Kind::integer) {
    const Moment moment{v.is_json() ? kMaxDuration + 1 : v.as_integer(), 0};
    return duration_in_range(moment) ? Value::duration(moment) : out_of_range(frame, "duration", offset);
  }
  const auto moment = parse_duration(v.text());
  return moment ? Value::duration(*moment) : cannot(frame, "duration", v.text(), offset);
}

Value type_of(Frame&, Arguments a, uint32_t) { return Value::type(a[0].kind()); }
Value dyn(Frame&, Arguments a, uint32_t) { return a[0]; }

constexpr Kinds kString = bit(Kind::string);

constexpr Function kFunctions[] = {
    {"int", Style::global, 1, 1, {kNumber | kString | bit(Kind::timestamp)}, bit(Kind::integer), to_int},
    {"uint", Style::global, 1, 1, {kNumber | kString}, bit(Kind::uinteger), to_uint},
    {"double", Style::global, 1, 1, {kNumber | kString}, bit(Kind::real), to_double},
    {"string", Style::global, 1, 1, {kNumber | kText | bit(Kind::boolean) | bit(Kind::timestamp) | bit(Kind::duration)}, kString, to_text, true, true},
    {"bytes", Style::global, 1, 1, {kText}, bit(Kind::bytes), to_bytes},
    {"bool", Style::global, 1, 1, {bit(Kind::boolean) | kString}, bit(Kind::boolean), to_bool},
    {"timestamp", Style::global, 1, 1, {bit(Kind::timestamp) | bit(Kind::integer) | kString}, bit(Kind::timestamp), to_timestamp},
    {"duration", Style::global, 1, 1, {bit(Kind::duration) | bit(Kind::integer) | kString}, bit(Kind::duration), to_duration},
    {"type", Style::global, 1, 1, {kAny}, bit(Kind::type), type_of, true, true},
    {"dyn", Style::global, 1, 1, {kAny}, kAny, dyn, false, true},
};

}  // namespace

std::span<const Function> conversion_functions() { return kFunctions; }

}  // namespace belay::rules
