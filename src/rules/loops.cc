// CEL's macros over lists and maps. Every turn is charged with the size of its body, so nested loops end at the step limit.
#include "rules/compare.h"
#include "rules/nodes.h"

namespace belay::rules {

namespace {

class LoopNode final : public Node {
 public:
  LoopNode(LoopParts parts, uint32_t offset_in) : Node(offset_in), parts_(std::move(parts)) {
    switch (parts_.loop) {
      case Loop::all:
      case Loop::exists:
      case Loop::exists_one: kinds = bit(Kind::boolean); break;
      case Loop::filter:
      case Loop::map:
      case Loop::transform_list: kinds = bit(Kind::list); break;
      case Loop::transform_map:
      case Loop::transform_map_entry: kinds = bit(Kind::map); break;
    }
  }

  Value evaluate(Frame& frame) const override {
    const Value range = parts_.range->evaluate(frame);
    if (range.is_error()) return range;
    if (range.kind() != Kind::list && range.kind() != Kind::map) {
      return frame.no_overload("no such overload: a loop needs a list or a map, this is " + std::string(to_string(range.kind())), offset);
    }
    switch (parts_.loop) {
      case Loop::all:
      case Loop::exists: return quantify(frame, range);
      case Loop::exists_one: return exactly_one(frame, range);
      case Loop::filter:
      case Loop::map:
      case Loop::transform_list: return collect(frame, range);
      default: return collect_map(frame, range);
    }
  }

 private:
  void bind(Frame& frame, bool is_map, const Value& key, const Value& value) const {
    if (parts_.pair) {
      frame.locals[parts_.first_slot] = key;
      frame.locals[parts_.second_slot] = value;
    } else {
      frame.locals[parts_.first_slot] = is_map ? key : value;
    }
  }

  Value wrong_condition(Frame& frame, const Value& value) const {
    if (value.is_error()) return value;
    return frame.no_overload("no such overload: the condition of a loop must be bool, this is " + std::string(to_string(value.kind())),
                             parts_.condition->offset);
  }

  // all is a long &&, exists a long ||: the deciding turn wins over errors of others.
  Value quantify(Frame& frame, const Value& range) const {
    const bool deciding = parts_.loop == Loop::exists;
    Cursor cursor(range, frame.arena);
    Value key, value, trouble;
    bool failed = false;
    while (cursor.next(key, value)) {
      if (!frame.charge(parts_.cost)) return frame.over_budget(offset);
      bind(frame, range.kind() == Kind::map, key, value);
      const Value answer = parts_.condition->evaluate(frame);
      if (answer.kind() == Kind::boolean) {
        if (answer.as_boolean() == deciding) return Value::boolean(deciding);
      } else if (!failed) {
        failed = true;
        trouble = wrong_condition(frame, answer);
      }
      if (frame.exhausted()) return trouble;
    }
    return failed ? trouble : Value::boolean(!deciding);
  }

  Value exactly_one(Frame& frame, const Value& range) const {
    Cursor cursor(range, frame.arena);
    Value key, value;
    size_t count = 0;
    while (cursor.next(key, value)) {
      if (!frame.charge(parts_.cost)) return frame.over_budget(offset);
      bind(frame, range.kind() == Kind::map, key, value);
      const Value answer = parts_.condition->evaluate(frame);
      if (answer.kind() != Kind::boolean) return wrong_condition(frame, answer);
      if (answer.as_boolean()) ++count;
    }
    return Value::boolean(count == 1);
  }

  // One turn: binds, asks the condition. False: `out` is an error. `wanted` false: leave this one out.
  bool turn(Frame& frame, const Value& range, const Value& key, const Value& value, bool& wanted, Value& out) const {
    wanted = true;
    if (!frame.charge(parts_.cost)) {
      out = frame.over_budget(offset);
      return false;
    }
    bind(frame, range.kind() == Kind::map, key, value);
    if (parts_.condition == nullptr) return true;
    const Value answer = parts_.condition->evaluate(frame);
    if (answer.kind() != Kind::boolean) {
      out = wrong_condition(frame, answer);
      return false;
    }
    wanted = answer.as_boolean();
    return true;
  }

  Value collect(Frame& frame, const Value& range) const {
    Value* out = frame.values(size_of(range));
    if (out == nullptr) return frame.out_of_memory(offset);
    Cursor cursor(range, frame.arena);
    Value key, value;
    size_t count = 0;
    while (cursor.next(key, value)) {
      bool wanted = false;
      Value result;
      if (!turn(frame, range, key, value, wanted, result)) return result;
      if (!wanted) continue;
      if (parts_.result != nullptr) {
        result = parts_.result->evaluate(frame);
        if (result.is_error()) return result;
      } else {
        result = frame.locals[parts_.first_slot];
      }
      out[count++] = result;
    }
    return Value::list({out, count});
  }

  Value collect_map(Frame& frame, const Value& range) const {
    Entry* out = nullptr;
    const size_t size = size_of(range);
    if (size > 0 && frame.charge(size)) out = frame.arena.array<Entry>(size);
    if (out == nullptr && size > 0) return frame.out_of_memory(offset);
    Cursor cursor(range, frame.arena);
    Value key, value;
    size_t count = 0;
    while (cursor.next(key, value)) {
      bool wanted = false;
      Value result;
      if (!turn(frame, range, key, value, wanted, result)) return result;
      if (!wanted) continue;
      result = parts_.result->evaluate(frame);
      if (result.is_error()) return result;
      if (parts_.loop == Loop::transform_map) {
        out[count++] = {key.plain(frame.arena), result};
        continue;
      }
      if (!entry_of(frame, result, {out, count}, out[count])) return result;
      ++count;
    }
    return Value::map({out, count});
  }

  // transformMapEntry: the body gives a map of one entry. False: `result` is an error.
  bool entry_of(Frame& frame, Value& result, std::span<const Entry> before, Entry& out) const {
    if (result.kind() != Kind::map || size_of(result) != 1) {
      result = frame.no_overload("no such overload: transformMapEntry needs a map of one entry", offset);
      return false;
    }
    Cursor cursor(result, frame.arena);
    cursor.next(out.key, out.value);
    out.key = out.key.plain(frame.arena);
    for (const Entry& entry : before) {
      if (!equal(frame, entry.key, out.key)) continue;
      result = frame.fail(Fault::invalid, "repeated key in a map", offset);
      return false;
    }
    if (!frame.exhausted()) return true;
    result = frame.over_budget(offset);
    return false;
  }

  LoopParts parts_;
};

class Bind final : public Node {
 public:
  Bind(uint32_t slot, NodePtr value, NodePtr body, uint32_t offset_in)
      : Node(offset_in), slot_(slot), value_(std::move(value)), body_(std::move(body)) {
    kinds = body_->kinds;
  }
  Value evaluate(Frame& frame) const override {
    frame.locals[slot_] = value_->evaluate(frame);  // an error shows where the name is used, if it is
    return body_->evaluate(frame);
  }

 private:
  uint32_t slot_;
  NodePtr value_, body_;
};

class OptionalMap final : public Node {
 public:
  OptionalMap(uint32_t slot, NodePtr target, NodePtr body, bool flat, uint32_t offset_in)
      : Node(offset_in), slot_(slot), target_(std::move(target)), body_(std::move(body)), flat_(flat) {
    kinds = bit(Kind::optional);
  }
  Value evaluate(Frame& frame) const override {
    const Value target = target_->evaluate(frame);
    if (target.is_error()) return target;
    if (target.kind() != Kind::optional) {
      return frame.no_overload("no such overload: optMap needs an optional, this is " + std::string(to_string(target.kind())), offset);
    }
    if (target.inside() == nullptr) return target;
    frame.locals[slot_] = *target.inside();
    const Value result = body_->evaluate(frame);
    if (result.is_error()) return result;
    if (flat_) {
      if (result.kind() == Kind::optional) return result;
      return frame.no_overload("no such overload: the body of optFlatMap must give an optional", body_->offset);
    }
    Value* kept = frame.values(1);
    if (kept == nullptr) return frame.out_of_memory(offset);
    *kept = result;
    return Value::optional_of(kept);
  }

 private:
  uint32_t slot_;
  NodePtr target_, body_;
  bool flat_;
};

}  // namespace

NodePtr make_loop(LoopParts parts, uint32_t offset) { return std::make_unique<LoopNode>(std::move(parts), offset); }
NodePtr make_bind(uint32_t slot, NodePtr value, NodePtr body, uint32_t offset) {
  return std::make_unique<Bind>(slot, std::move(value), std::move(body), offset);
}
NodePtr make_optional_map(uint32_t slot, NodePtr target, NodePtr body, bool flat, uint32_t offset) {
  return std::make_unique<OptionalMap>(slot, std::move(target), std::move(body), flat, offset);
}

}  // namespace belay::rules
