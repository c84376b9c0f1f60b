#include <re2/re2.h>

#include "base/bytes.h"
#include "rules/expression.h"
#include "rules/functions.h"
#include "rules/nodes.h"

namespace belay::rules {

namespace {

constexpr size_t kInPlace = 4;  // arguments of nearly all calls

class Call final : public Node {
 public:
  Call(const Function& function, std::vector<NodePtr> arguments, uint32_t offset_in)
      : Node(offset_in), function_(function), arguments_(std::move(arguments)) {
    kinds = function_.result;
  }

  Value evaluate(Frame& frame) const override {
    std::array<Value, kInPlace> in_place;
    Value* values = in_place.data();
    if (arguments_.size() > kInPlace && (values = frame.values(arguments_.size())) == nullptr) return frame.out_of_memory(offset);
    for (size_t i = 0; i < arguments_.size(); ++i) {
      const Value value = arguments_[i]->evaluate(frame);
      if (value.is_error()) return value;
      values[i] = function_.lazy ? value : value.plain(frame.arena);
      if (values[i].is_error()) return values[i];
      if (!fits(values[i], function_.argument(i))) return refuse(frame, values[i], i);
    }
    return function_.run(frame, {values, arguments_.size()}, offset);
  }

 private:
  // A number of the payload that is written without a point also serves where a double is needed.
  static bool fits(Value& value, Kinds wanted) {
    const Kind kind = value.kind();
    if ((wanted & bit(kind)) != 0) return true;
    if (!value.is_flexible() || (wanted & bit(Kind::real)) == 0 || value.is_json()) return false;
    if (kind == Kind::integer) value = Value::real(static_cast<double>(value.as_integer()));
    if (kind == Kind::uinteger) value = Value::real(static_cast<double>(value.as_uinteger()));
    return value.kind() == Kind::real;
  }

  Value refuse(Frame& frame, const Value& value, size_t index) const {
    return frame.no_overload("no such overload: " + std::string(function_.name) + "() needs " + describe(function_.argument(index)) +
                                 ", this is " + std::string(to_string(value.kind())),
                             arguments_[index]->offset);
  }

  const Function& function_;
  std::vector<NodePtr> arguments_;
};

// default(x, y): y where x is absent, null or an optional without a value. Other errors stay errors.
class Default final : public Node {
 public:
  Default(NodePtr value, NodePtr otherwise, uint32_t offset_in)
      : Node(offset_in), value_(std::move(value)), otherwise_(std::move(otherwise)) {
    kinds = (value_->kinds & ~bit(Kind::null)) | otherwise_->kinds;
    if ((kinds & bit(Kind::optional)) != 0) kinds = kAny;
  }
  Value evaluate(Frame& frame) const override {
    Value value = value_->evaluate(frame);
    if (value.kind() == Kind::optional) {
      if (value.inside() == nullptr) return otherwise_->evaluate(frame);
      value = *value.inside();
    }
    const bool absent = value.is_error() ? value.failure().fault == Fault::no_such_key : value.is_null();
    return absent ? otherwise_->evaluate(frame) : value;
  }

 private:
  NodePtr value_, otherwise_;
};

// x.orValue(y) gives the value, x.or(y) an optional; y is looked at only when it is needed.
class OrValue final : public Node {
 public:
  OrValue(NodePtr target, NodePtr otherwise, bool flat, uint32_t offset_in)
      : Node(offset_in), target_(std::move(target)), otherwise_(std::move(otherwise)), flat_(flat) {
    if (flat_) kinds = bit(Kind::optional);
  }
  Value evaluate(Frame& frame) const override {
    const Value target = target_->evaluate(frame);
    if (target.is_error()) return target;
    if (target.kind() != Kind::optional) return refuse(frame, target);
    if (target.inside() != nullptr) return flat_ ? target : *target.inside();
    const Value other = otherwise_->evaluate(frame);
    if (flat_ && !other.is_error() && other.kind() != Kind::optional) return refuse(frame, other);
    return other;
  }

 private:
  Value refuse(Frame& frame, const Value& value) const {
    return frame.no_overload("no such overload: " + std::string(flat_ ? "or()" : "orValue()") + " needs an optional (a.?b), this is " +
                                 std::string(to_string(value.kind())),
                             offset);
  }
  NodePtr target_, otherwise_;
  bool flat_;
};

// matches() with a pattern that is known when rules load.
class Matches final : public Node {
 public:
  Matches(NodePtr text, std::unique_ptr<RE2> pattern, uint32_t offset_in)
      : Node(offset_in), text_(std::move(text)), pattern_(std::move(pattern)) {
    kinds = bit(Kind::boolean);
  }
  Value evaluate(Frame& frame) const override {
    const Value raw = text_->evaluate(frame);
    const Value value = raw.is_error() ? raw : raw.plain(frame.arena);
    if (value.is_error()) return value;
    if (value.kind() != Kind::string) {
      return frame.no_overload("no such overload: matches() needs string, this is " + std::string(to_string(value.kind())), offset);
    }
    if (!frame.charge(value.text().size() / 4)) return frame.over_budget(offset);
    return Value::boolean(RE2::PartialMatch(re2::StringPiece(value.text().data(), value.text().size()), *pattern_));
  }

 private:
  NodePtr text_;
  std::unique_ptr<RE2> pattern_;
};

constexpr int64_t kPatternMemory = int64_t{4} << 20;

}  // namespace

NodePtr make_call(const Function& function, std::vector<NodePtr> arguments, uint32_t offset) {
  return std::make_unique<Call>(function, std::move(arguments), offset);
}
NodePtr make_default(NodePtr value, NodePtr otherwise, uint32_t offset) {
  return std::make_unique<Default>(std::move(value), std::move(otherwise), offset);
}
NodePtr make_or_value(NodePtr target, NodePtr otherwise, bool flat, uint32_t offset) {
  return std::make_unique<OrValue>(std::move(target), std::move(otherwise), flat, offset);
}
NodePtr make_matches(NodePtr text, std::string_view pattern, uint32_t offset, std::string& problem) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  auto compiled = std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled->ok()) {
    problem = compiled->error();
    return nullptr;
  }
  return std::make_unique<Matches>(std::move(text), std::move(compiled), offset);
}

}  // namespace belay::rules
