#include "rules/compare.h"

#include <charconv>
#include <cmath>
#include <compare>
#include <limits>

#include "json/number.h"

namespace belay::rules {

namespace {

int sign(std::strong_ordering order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

int compare_reals(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return kUnordered;
  return a < b ? -1 : a > b ? 1 : 0;
}

// Exact: the double is compared with the integer, not rounded to it.
template <typename Int>
int compare_with_real(Int a, double b) {
  if (std::isnan(b)) return kUnordered;
  constexpr double kBeyond = std::is_signed_v<Int> ? 0x1p63 : 0x1p64;
  if (b >= kBeyond) return -1;
  if (b < (std::is_signed_v<Int> ? -0x1p63 : 0.0)) return 1;
  const double whole = std::trunc(b);
  const Int integer = static_cast<Int>(whole);
  if (a != integer) return a < integer ? -1 : 1;
  return whole < b ? -1 : whole > b ? 1 : 0;
}

int compare_signs(int64_t a, uint64_t b) {
  if (a < 0) return -1;
  return sign(static_cast<uint64_t>(a) <=> b);
}

int negated(int order) { return order == -1 || order == 1 ? -order : order; }

// Both plain.
int compare_plain_numbers(const Value& a, const Value& b) {
  const Kind x = a.kind(), y = b.kind();
  if (x == y) {
    if (x == Kind::integer) return sign(a.as_integer() <=> b.as_integer());
    if (x == Kind::uinteger) return sign(a.as_uinteger() <=> b.as_uinteger());
    return compare_reals(a.as_real(), b.as_real());
  }
  if (x == Kind::real) return negated(compare_plain_numbers(b, a));
  if (y == Kind::real) return x == Kind::integer ? compare_with_real(a.as_integer(), b.as_real()) : compare_with_real(a.as_uinteger(), b.as_real());
  return x == Kind::integer ? compare_signs(a.as_integer(), b.as_uinteger()) : negated(compare_signs(b.as_integer(), a.as_uinteger()));
}

// The text of a plain number, as a JSON number: doubles in their shortest form.
std::string_view digits(const Value& value, char (&buffer)[40]) {
  char* end = buffer;
  switch (value.kind()) {
    case Kind::integer: end = std::to_chars(buffer, buffer + sizeof buffer, value.as_integer()).ptr; break;
    case Kind::uinteger: end = std::to_chars(buffer, buffer + sizeof buffer, value.as_uinteger()).ptr; break;
    default: end = std::to_chars(buffer, buffer + sizeof buffer, value.as_real()).ptr; break;
  }
  return {buffer, static_cast<size_t>(end - buffer)};
}

// A payload number with a plain one.
int compare_json_number(Frame& frame, const Value& a, const Value& b) {
  const std::string_view raw = a.document().raw(a.ref());
  if (b.kind() == Kind::real) {
    if (std::isnan(b.as_real())) return kUnordered;
    const double rounded = json::to_double(raw);
    if (rounded != b.as_real() || std::isinf(rounded)) {
      if (std::isinf(b.as_real())) return b.as_real() > 0 ? -1 : 1;
      return compare_reals(rounded, b.as_real());
    }
    // So few digits name one double each.
    if (raw.size() <= std::numeric_limits<double>::digits10 && std::isnormal(rounded)) return 0;
  } else if (a.document().is_integer(a.ref())) {
    if (const auto integer = json::to_int64(raw)) return compare_plain_numbers(Value::integer(*integer), b);
  }
  if (!frame.charge(raw.size() / 16)) return kUnordered;
  char buffer[40];
  return json::compare_numbers(raw, digits(b, buffer));
}

int compare_numbers(Frame& frame, const Value& a, const Value& b) {
  if (a.is_json_number() && b.is_json_number()) {
    const std::string_view x = a.document().raw(a.ref()), y = b.document().raw(b.ref());
    return frame.charge((x.size() + y.size()) / 16) ? json::compare_numbers(x, y) : kUnordered;
  }
  if (a.is_json_number()) return compare_json_number(frame, a, b);
  if (b.is_json_number()) return negated(compare_json_number(frame, b, a));
  return compare_plain_numbers(a, b);
}

bool is_number(Kind kind) { return kind == Kind::integer || kind == Kind::uinteger || kind == Kind::real; }

bool equal_lists(Frame& frame, const Value& a, const Value& b) {
  if (size_of(a) != size_of(b)) return false;
  Cursor x(a, frame.arena), y(b, frame.arena);
  Value key, left, right;
  while (x.next(key, left) && y.next(key, right)) {
    if (!equal(frame, left, right)) return false;
  }
  return true;
}

bool equal_maps(Frame& frame, const Value& a, const Value& b) {
  if (size_of(a) != size_of(b)) return false;
  Cursor x(a, frame.arena);
  Value key, left, right;
  while (x.next(key, left)) {
    if (find_member(frame, b, key.plain(frame.arena), right) != Found::yes || !equal(frame, left, right)) return false;
  }
  return true;
}

}  // namespace

int compare(Frame& frame, const Value& a, const Value& b) {
  const Kind x = a.kind(), y = b.kind();
  if (is_number(x) && is_number(y)) return compare_numbers(frame, a, b);
  if (x != y) return kIncomparable;
  switch (x) {
    case Kind::boolean: return static_cast<int>(a.as_boolean()) - static_cast<int>(b.as_boolean());
    case Kind::string:
    case Kind::bytes: {
      const Value left = a.plain(frame.arena), right = b.plain(frame.arena);
      if (left.is_error() || right.is_error() || !frame.charge(std::min(left.text().size(), right.text().size()) / 64)) return kUnordered;
      const int order = left.text().compare(right.text());
      return order < 0 ? -1 : order > 0 ? 1 : 0;
    }
    case Kind::timestamp:
    case Kind::duration: return sign(a.moment() <=> b.moment());
    default: return kIncomparable;
  }
}

bool equal(Frame& frame, const Value& a, const Value& b) {
  const Kind x = a.kind(), y = b.kind();
  if (!frame.charge(1)) return false;
  if (x != y) return is_number(x) && is_number(y) && compare(frame, a, b) == 0;
  switch (x) {
    case Kind::null: return true;
    case Kind::type: return a.as_type() == b.as_type();
    case Kind::list: return equal_lists(frame, a, b);
    case Kind::map: return equal_maps(frame, a, b);
    case Kind::optional:
      if (a.inside() == nullptr || b.inside() == nullptr) return a.inside() == b.inside();
      return equal(frame, *a.inside(), *b.inside());
    default: return compare(frame, a, b) == 0;
  }
}

bool comparable(const Value& a, const Value& b) {
  if (!a.is_json() && !b.is_json()) return true;
  const Kind x = a.kind(), y = b.kind();
  return x == y || x == Kind::null || y == Kind::null || (is_number(x) && is_number(y));
}

}  // namespace belay::rules
