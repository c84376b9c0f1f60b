// math.*: CEL's math extension.
#include <cmath>

#include "rules/compare.h"
#include "rules/functions.h"

namespace belay::rules {

namespace {

using Arguments = std::span<const Value>;
constexpr Kinds kReal = bit(Kind::real), kBool = bit(Kind::boolean);

// The extreme of the arguments, or of the one list.
template <int wanted>
Value extreme(Frame& frame, Arguments a, uint32_t offset) {
  const Value list = a.size() == 1 && a[0].kind() == Kind::list ? a[0] : Value::list(a);
  Cursor cursor(list, frame.arena);
  Value index, item, best;
  bool first = true;
  while (cursor.next(index, item)) {
    if ((bit(item.kind()) & kNumber) == 0) return frame.no_overload("no such overload: math of " + std::string(to_string(item.kind())), offset);
    if (!frame.charge(1)) return frame.over_budget(offset);
    if (first || compare(frame, item, best) == wanted) best = item;
    first = false;
  }
  return first ? frame.fail(Fault::invalid, "math.greatest() and math.least() need at least one number", offset) : best;
}

template <double (*Round)(double)>
Value rounded(Frame&, Arguments a, uint32_t) { return Value::real(Round(a[0].as_real())); }

Value absolute(Frame& frame, Arguments a, uint32_t offset) {
  switch (a[0].kind()) {
    case Kind::uinteger: return a[0];
    case Kind::real: return Value::real(std::fabs(a[0].as_real()));
    default:
      if (a[0].is_json() || a[0].as_integer() == INT64_MIN) return frame.fail(Fault::invalid, "integer overflow", offset);
      return Value::integer(std::abs(a[0].as_integer()));
  }
}

Value sign(Frame&, Arguments a, uint32_t) {
  switch (a[0].kind()) {
    case Kind::uinteger: return Value::uinteger(a[0].as_uinteger() > 0 ? 1 : 0);
    case Kind::real: return Value::real(a[0].as_real() > 0 ? 1.0 : a[0].as_real() < 0 ? -1.0 : a[0].as_real());
    default: return Value::integer(a[0].as_integer() > 0 ? 1 : a[0].as_integer() < 0 ? -1 : 0);
  }
}

enum class Bits : uint8_t { both, either, one, shift_left, shift_right };

uint64_t bits_of(const Value& v) { return v.kind() == Kind::integer ? static_cast<uint64_t>(v.as_integer()) : v.as_uinteger(); }
Value like(const Value& model, uint64_t bits) {
  return model.kind() == Kind::integer ? Value::integer(static_cast<int64_t>(bits)) : Value::uinteger(bits);
}

template <Bits operation>
Value bitwise(Frame& frame, Arguments a, uint32_t offset) {
  constexpr bool kShift = operation == Bits::shift_left || operation == Bits::shift_right;
  if (a[0].is_json() || a[1].is_json() || (a[0].kind() != a[1].kind() && !kShift)) {
    return frame.no_overload("no such overload: bits of " + std::string(to_string(a[0].kind())) + " and " + std::string(to_string(a[1].kind())), offset);
  }
  const uint64_t x = bits_of(a[0]), y = bits_of(a[1]);
  if (kShift && a[1].kind() == Kind::integer && a[1].as_integer() < 0) return frame.fail(Fault::invalid, "a shift cannot be negative", offset);
  switch (operation) {
    case Bits::both: return like(a[0], x & y);
    case Bits::either: return like(a[0], x | y);
    case Bits::one: return like(a[0], x ^ y);
    case Bits::shift_left: return like(a[0], y < 64 ? x << y : 0);
    case Bits::shift_right: return like(a[0], y < 64 ? x >> y : 0);
  }
  return {};
}

Value bit_not(Frame& frame, Arguments a, uint32_t offset) {
  if (a[0].is_json()) return frame.fail(Fault::invalid, "integer overflow", offset);
  return like(a[0], ~bits_of(a[0]));
}

Value square_root(Frame&, Arguments a, uint32_t) {
  switch (a[0].kind()) {
    case Kind::integer: return Value::real(std::sqrt(static_cast<double>(a[0].as_integer())));
    case Kind::uinteger: return Value::real(std::sqrt(static_cast<double>(a[0].as_uinteger())));
    default: return Value::real(std::sqrt(a[0].as_real()));
  }
}

Value is_nan(Frame&, Arguments a, uint32_t) { return Value::boolean(std::isnan(a[0].as_real())); }
Value is_inf(Frame&, Arguments a, uint32_t) { return Value::boolean(std::isinf(a[0].as_real())); }
Value is_finite(Frame&, Arguments a, uint32_t) { return Value::boolean(std::isfinite(a[0].as_real())); }

constexpr Kinds kNumbers = kNumber | bit(Kind::list), kWhole = bit(Kind::integer) | bit(Kind::uinteger);

constexpr Function kFunctions[] = {
    {"math.greatest", Style::global, 1, 255, {kNumbers, kNumber, kNumber, kNumber}, kNumber, extreme<1>, true, true},
    {"math.least", Style::global, 1, 255, {kNumbers, kNumber, kNumber, kNumber}, kNumber, extreme<-1>, true, true},
    {"math.ceil", Style::global, 1, 1, {kReal}, kReal, rounded<std::ceil>},
    {"math.floor", Style::global, 1, 1, {kReal}, kReal, rounded<std::floor>},
    {"math.round", Style::global, 1, 1, {kReal}, kReal, rounded<std::round>},
    {"math.trunc", Style::global, 1, 1, {kReal}, kReal, rounded<std::trunc>},
    {"math.abs", Style::global, 1, 1, {kNumber}, kNumber, absolute},
    {"math.sign", Style::global, 1, 1, {kNumber}, kNumber, sign},
    {"math.sqrt", Style::global, 1, 1, {kNumber}, kReal, square_root},
    {"math.bitAnd", Style::global, 2, 2, {kWhole, kWhole}, kWhole, bitwise<Bits::both>},
    {"math.bitOr", Style::global, 2, 2, {kWhole, kWhole}, kWhole, bitwise<Bits::either>},
    {"math.bitXor", Style::global, 2, 2, {kWhole, kWhole}, kWhole, bitwise<Bits::one>},
    {"math.bitNot", Style::global, 1, 1, {kWhole}, kWhole, bit_not},
    {"math.bitShiftLeft", Style::global, 2, 2, {kWhole, bit(Kind::integer)}, kWhole, bitwise<Bits::shift_left>},
    {"math.bitShiftRight", Style::global, 2, 2, {kWhole, bit(Kind::integer)}, kWhole, bitwise<Bits::shift_right>},
    {"math.isNaN", Style::global, 1, 1, {kReal}, kBool, is_nan},
    {"math.isInf", Style::global, 1, 1, {kReal}, kBool, is_inf},
    {"math.isFinite", Style::global, 1, 1, {kReal}, kBool, is_finite},
};

}  // namespace

std::span<const Function> math_functions() { return kFunctions; }

}  // namespace belay::rules
