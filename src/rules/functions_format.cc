// "text %s %d %.2f".format([…]): CEL's clauses %s %d %f %e %b %o %x %X %%.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "rules/functions.h"

namespace belay::rules {

namespace {

constexpr int kMaxPrecision = 100;
constexpr int kMaxDepth = 64;  // of lists and maps inside %s

// Lists and maps read "[a, b]" and "{k: v}" with their keys sorted; everything else as in a template.
bool append_readable(Frame& frame, const Value& raw, std::string& out, int depth) {
  const Value value = raw.is_json_number() ? raw : raw.plain(frame.arena);
  if (value.is_error() || depth > kMaxDepth || !frame.charge(1 + out.size() / 1024)) return false;
  if (value.kind() == Kind::null) {
    out += "null";
    return true;
  }
  if (value.kind() != Kind::list && value.kind() != Kind::map) return value.append_text(out).ok();
  std::vector<std::pair<std::string, std::string>> parts;
  Cursor cursor(value, frame.arena);
  Value key, item;
  while (cursor.next(key, item)) {
    auto& [name, text] = parts.emplace_back();
    if (value.kind() == Kind::map && !append_readable(frame, key, name, depth + 1)) return false;
    if (!append_readable(frame, item, text, depth + 1)) return false;
  }
  const bool map = value.kind() == Kind::map;
  if (map) std::sort(parts.begin(), parts.end());
  out.push_back(map ? '{' : '[');
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += ", ";
    if (map) out += parts[i].first + ": ";
    out += parts[i].second;
  }
  out.push_back(map ? '}' : ']');
  return true;
}

bool append_whole(const Value& value, int base, bool upper, std::string& out) {
  char buffer[80];
  std::to_chars_result result{};
  switch (value.kind()) {
    case Kind::integer:
      if (value.is_json()) return false;
      result = std::to_chars(buffer, buffer + sizeof buffer, value.as_integer(), base);
      break;
    case Kind::uinteger: result = std::to_chars(buffer, buffer + sizeof buffer, value.as_uinteger(), base); break;
    default: return false;
  }
  const std::string_view digits(buffer, static_cast<size_t>(result.ptr - buffer));
  out += upper ? ascii_upper(digits) : std::string(digits);
  return true;
}

bool append_real(double value, std::chars_format format, int precision, std::string& out) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
    return true;
  }
  char buffer[512];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value, format, precision);
  out.append(buffer, static_cast<size_t>(result.ptr - buffer));
  return result.ec == std::errc{};
}

bool append_number(const Value& value, std::chars_format format, int precision, std::string& out) {
  switch (value.kind()) {
    case Kind::real: return append_real(value.as_real(), format, precision, out);
    case Kind::integer: return !value.is_json() && append_real(static_cast<double>(value.as_integer()), format, precision, out);
    case Kind::uinteger: return append_real(static_cast<double>(value.as_uinteger()), format, precision, out);
    default: return false;
  }
}

bool append_clause(Frame& frame, char clause, int precision, const Value& raw, std::string& out) {
  if (clause == 's') return append_readable(frame, raw, out, 0);
  const Value value = raw.plain(frame.arena);
  switch (clause) {
    case 'd':
      if (value.kind() == Kind::real && !std::isfinite(value.as_real())) return append_real(value.as_real(), std::chars_format::fixed, 0, out);
      return append_whole(value, 10, false, out);
    case 'f': return append_number(value, std::chars_format::fixed, precision, out);
    case 'e': return append_number(value, std::chars_format::scientific, precision, out);
    case 'b':
      if (value.kind() != Kind::boolean) return append_whole(value, 2, false, out);
      out.push_back(value.as_boolean() ? '1' : '0');
      return true;
    case 'o': return append_whole(value, 8, false, out);
    default:
      if ((bit(value.kind()) & kText) == 0) return append_whole(value, 16, clause == 'X', out);
      out += clause == 'X' ? ascii_upper(hex_encode(value.text())) : hex_encode(value.text());
      return true;
  }
}

Value format(Frame& frame, std::span<const Value> a, uint32_t offset) {
  std::string_view text = a[0].text();
  std::string out;
  Cursor cursor(a[1], frame.arena);
  Value index, item;
  while (!text.empty()) {
    const size_t percent = std::min(text.find('%'), text.size());
    out += text.substr(0, percent);
    text.remove_prefix(percent);
    if (text.empty()) break;
    text.remove_prefix(1);
    int precision = 6;
    if (text.starts_with('.')) {
      const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), precision);
      if (error != std::errc{} || precision < 0 || precision > kMaxPrecision) return frame.fail(Fault::invalid, "format(): a precision is 0 to 100", offset);
      text.remove_prefix(static_cast<size_t>(end - text.data()));
    }
    const char clause = text.empty() ? '\0' : text.front();
    if (clause == '\0' || std::string_view("sdfeboxX%").find(clause) == std::string_view::npos) {
      return frame.fail(Fault::invalid, "format(): unknown clause behind '%'; known: s d f e b o x X %", offset);
    }
    text.remove_prefix(1);
    if (clause == '%') {
      out.push_back('%');
      continue;
    }
    if (!cursor.next(index, item)) return frame.fail(Fault::invalid, "format(): fewer values than clauses", offset);
    if (!append_clause(frame, clause, precision, item, out)) {
      if (frame.exhausted()) return frame.over_budget(offset);
      return frame.fail(Fault::invalid, std::string("format(): %") + clause + " cannot show " + std::string(to_string(item.kind())), offset);
    }
    if (!frame.charge(1) || out.size() > frame.arena.limit()) return frame.over_budget(offset);
  }
  return frame.keep_string(out, offset);
}

constexpr Function kFunctions[] = {
    {"format", Style::method, 2, 2, {bit(Kind::string), bit(Kind::list)}, bit(Kind::string), format},
};

}  // namespace

std::span<const Function> format_functions() { return kFunctions; }

}  // namespace belay::rules
