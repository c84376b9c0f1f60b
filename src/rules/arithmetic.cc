// + - * / % and negation. Ints and uints are 64 bits and refuse to overflow; double follows IEEE 754; moments and spans have CEL's
// ranges. A number of the payload takes the type its neighbour needs: `qty * 1.5` and `qty * 2` both work.
#include <cmath>
#include <cstring>
#include <limits>

#include "rules/nodes.h"
#include "rules/moment.h"

namespace belay::rules {

namespace {

bool is_real(const Value& value) { return value.kind() == Kind::real; }

double real_of(const Value& value) {
  switch (value.kind()) {
    case Kind::integer: return static_cast<double>(value.as_integer());
    case Kind::uinteger: return static_cast<double>(value.as_uinteger());
    default: return value.as_real();
  }
}

bool is_number(const Value& value) { return (bit(value.kind()) & kNumber) != 0; }

class Arithmetic final : public Node {
 public:
  Arithmetic(Operator op, NodePtr left, NodePtr right, uint32_t offset_in)
      : Node(offset_in), op_(op), left_(std::move(left)), right_(std::move(right)) {}

  Value evaluate(Frame& frame) const override {
    const Value a = left_->evaluate(frame);
    if (a.is_error()) return a;
    const Value b = right_->evaluate(frame);
    if (b.is_error()) return b;
    const Value x = a.plain(frame.arena), y = b.plain(frame.arena);
    if (x.is_error()) return x;
    if (y.is_error()) return y;
    if (is_number(x) && is_number(y)) {
      const Value result = numbers(frame, x, y);
      return !result.is_error() && (x.is_flexible() || y.is_flexible()) ? result.as_flexible() : result;
    }
    return others(frame, x, y);
  }

 private:
  Value mismatch(Frame& frame, const Value& a, const Value& b) const {
    std::string message = "no such overload: " + std::string(to_string(a.kind())) + " " + std::string(to_string(op_)) + " " +
                          std::string(to_string(b.kind()));
    if (op_ == Operator::add && (a.kind() == Kind::string || b.kind() == Kind::string)) message += "; use string(…)";
    if (is_number(a) && is_number(b)) message += "; convert with int(…) or double(…)";
    return frame.no_overload(message, offset);
  }
  Value overflow(Frame& frame) const { return frame.fail(Fault::invalid, "integer overflow", offset); }
  Value by_zero(Frame& frame) const {
    return frame.fail(Fault::invalid, op_ == Operator::modulo ? "modulus by zero" : "division by zero", offset);
  }

  Value numbers(Frame& frame, Value a, Value b) const {
    // An integer of the payload that fits no 64 bits has stayed as it was written.
    if (a.is_json() || b.is_json()) return frame.fail(Fault::invalid, "integer of the payload does not fit 64 bits; use double(…)", offset);
    if (a.kind() != b.kind()) {
      if (!a.is_flexible() && !b.is_flexible()) return mismatch(frame, a, b);
      if (!adapt(a, b)) return mismatch(frame, a, b);
    }
    switch (a.kind()) {
      case Kind::integer: return integers(frame, a.as_integer(), b.as_integer());
      case Kind::uinteger: return uintegers(frame, a.as_uinteger(), b.as_uinteger());
      default: return reals(frame, a, b);
    }
  }

  // Makes both the same kind by changing what came from the payload; a decimal on either side makes both double.
  static bool adapt(Value& a, Value& b) {
    if (is_real(a) || is_real(b)) {
      a = Value::real(real_of(a));
      b = Value::real(real_of(b));
      return true;
    }
    const auto widen = [](Value& value) {
      if (value.is_flexible() && value.kind() == Kind::integer && value.as_integer() >= 0) value = Value::uinteger(static_cast<uint64_t>(value.as_integer()));
    };
    widen(a);
    widen(b);
    return a.kind() == b.kind();
  }

  Value integers(Frame& frame, int64_t a, int64_t b) const {
    int64_t out = 0;
    switch (op_) {
      case Operator::add: return __builtin_add_overflow(a, b, &out) ? overflow(frame) : Value::integer(out);
      case Operator::subtract: return __builtin_sub_overflow(a, b, &out) ? overflow(frame) : Value::integer(out);
      case Operator::multiply: return __builtin_mul_overflow(a, b, &out) ? overflow(frame) : Value::integer(out);
      default: break;
    }
    if (b == 0) return by_zero(frame);
    if (a == std::numeric_limits<int64_t>::min() && b == -1) return op_ == Operator::divide ? overflow(frame) : Value::integer(0);
    return Value::integer(op_ == Operator::divide ? a / b : a % b);
  }

  Value uintegers(Frame& frame, uint64_t a, uint64_t b) const {
    uint64_t out = 0;
    switch (op_) {
      case Operator::add: return __builtin_add_overflow(a, b, &out) ? overflow(frame) : Value::uinteger(out);
      case Operator::subtract: return __builtin_sub_overflow(a, b, &out) ? overflow(frame) : Value::uinteger(out);
      case Operator::multiply: return __builtin_mul_overflow(a, b, &out) ? overflow(frame) : Value::uinteger(out);
      default: break;
    }
    if (b == 0) return by_zero(frame);
    return Value::uinteger(op_ == Operator::divide ? a / b : a % b);
  }

  Value reals(Frame& frame, const Value& a, const Value& b) const {
    switch (op_) {
      case Operator::add: return Value::real(a.as_real() + b.as_real());
      case Operator::subtract: return Value::real(a.as_real() - b.as_real());
      case Operator::multiply: return Value::real(a.as_real() * b.as_real());
      case Operator::divide: return Value::real(a.as_real() / b.as_real());
      default: return mismatch(frame, a, b);
    }
  }

  Value others(Frame& frame, const Value& a, const Value& b) const {
    const Kind x = a.kind(), y = b.kind();
    if (op_ == Operator::add) {
      if (x == y && (bit(x) & kText) != 0) return join(frame, a, b);
      if (x == Kind::list && y == Kind::list) return concatenate(frame, a, b);
      if (x == Kind::duration && y == Kind::timestamp) return moment(frame, add(b.moment(), a.moment()), Kind::timestamp);
    }
    const bool subtract = op_ == Operator::subtract;
    if ((subtract || op_ == Operator::add) && y == Kind::duration && (x == Kind::timestamp || x == Kind::duration)) {
      return moment(frame, add(a.moment(), subtract ? negate(b.moment()) : b.moment()), x);
    }
    if (subtract && x == Kind::timestamp && y == Kind::timestamp) {
      return moment(frame, add(a.moment(), negate(b.moment())), Kind::duration);
    }
    return mismatch(frame, a, b);
  }

  Value moment(Frame& frame, Moment value, Kind kind) const {
    const bool fits = kind == Kind::timestamp ? timestamp_in_range(value) : duration_in_range(value);
    if (!fits) return frame.fail(Fault::invalid, kind == Kind::timestamp ? "timestamp out of range" : "duration out of range", offset);
    return kind == Kind::timestamp ? Value::timestamp(value) : Value::duration(value);
  }

  Value join(Frame& frame, const Value& a, const Value& b) const {
    const std::string_view x = a.text(), y = b.text();
    char* out = frame.text(x.size() + y.size());
    if (out == nullptr) return frame.out_of_memory(offset);
    if (!x.empty()) memcpy(out, x.data(), x.size());
    if (!y.empty()) memcpy(out + x.size(), y.data(), y.size());
    const std::string_view both(out, x.size() + y.size());
    return a.kind() == Kind::string ? Value::string(both) : Value::bytes(both);
  }

  Value concatenate(Frame& frame, const Value& a, const Value& b) const {
    const size_t count = size_of(a) + size_of(b);
    Value* out = frame.values(count);
    if (out == nullptr) return frame.out_of_memory(offset);
    Value index;
    Value* at = out;
    for (Cursor cursor(a, frame.arena); cursor.next(index, *at);) ++at;
    for (Cursor cursor(b, frame.arena); at < out + count && cursor.next(index, *at);) ++at;
    return Value::list({out, count});
  }

  Operator op_;
  NodePtr left_, right_;
};

class Negate final : public Node {
 public:
  Negate(NodePtr term, uint32_t offset_in) : Node(offset_in), term_(std::move(term)) {}
  Value evaluate(Frame& frame) const override {
    const Value raw = term_->evaluate(frame);
    const Value value = raw.is_error() ? raw : raw.plain(frame.arena);
    if (value.is_error()) return value;
    switch (value.kind()) {
      case Kind::integer:
        if (value.is_json() || value.as_integer() == std::numeric_limits<int64_t>::min()) {
          return frame.fail(Fault::invalid, "integer overflow", offset);
        }
        return value.is_flexible() ? Value::integer(-value.as_integer()).as_flexible() : Value::integer(-value.as_integer());
      case Kind::real: return value.is_flexible() ? Value::real(-value.as_real()).as_flexible() : Value::real(-value.as_real());
      case Kind::duration: return Value::duration(negate(value.moment()));
      default: return frame.no_overload("no such overload: -" + std::string(to_string(value.kind())), offset);
    }
  }

 private:
  NodePtr term_;
};

}  // namespace

NodePtr make_arithmetic(Operator op, NodePtr left, NodePtr right, uint32_t offset) {
  return std::make_unique<Arithmetic>(op, std::move(left), std::move(right), offset);
}
NodePtr make_negate(NodePtr term, uint32_t offset) { return std::make_unique<Negate>(std::move(term), offset); }

}  // namespace belay::rules
