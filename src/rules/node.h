// What a compiled expression consists of: a tree of const nodes, each of which evaluates itself against a Frame. Private to
// src/rules. Nodes never throw and never block; trouble is an error value. Loops and functions charge the frame for what they
// touch, so that work ends at Context::max_steps; memory ends at the arena's limit.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rules/context.h"
#include "rules/value.h"

namespace belay::rules {

// Kinds as bits: what a node may yield, as far as it is known when rules load.
using Kinds = uint32_t;
constexpr Kinds bit(Kind kind) { return 1U << static_cast<int>(kind); }
constexpr Kinds kNumber = bit(Kind::integer) | bit(Kind::uinteger) | bit(Kind::real);
constexpr Kinds kText = bit(Kind::string) | bit(Kind::bytes);
constexpr Kinds kAny = (1U << static_cast<int>(Kind::error)) - 1;
// "string or bytes"
std::string describe(Kinds kinds);

// One evaluation under way.
class Frame {
 public:
  Frame(Context& context_in, std::span<Value> locals_in)
      : context(context_in), arena(context_in.arena()), locals(locals_in), steps_left_(context_in.max_steps()) {}

  Context& context;
  Arena& arena;
  std::span<Value> locals;  // variables of macros

  // False when the work is used up: return over_budget().
  bool charge(uint64_t steps) {
    if (steps > steps_left_) {
      exhausted_ = true;
      steps_left_ = 0;
      return false;
    }
    steps_left_ -= steps;
    return true;
  }
  bool exhausted() const { return exhausted_; }

  Value over_budget(uint32_t offset);
  Value out_of_memory(uint32_t offset);
  Value fail(Fault fault, std::string_view message, uint32_t offset);
  Value no_overload(std::string message, uint32_t offset) { return fail(Fault::no_such_overload, message, offset); }

  // Bytes of a new string; null past kMaxResult or the arena's limit (the evaluation then ends with the budget's error).
  char* text(size_t bytes);
  Value* values(size_t count);
  Value keep_string(std::string_view text, uint32_t offset);

 private:
  uint64_t steps_left_;
  bool exhausted_ = false;
};

class Node {
 public:
  explicit Node(uint32_t offset_in) : offset(offset_in) {}
  virtual ~Node() = default;
  virtual Value evaluate(Frame& frame) const = 0;
  // True when the value is known when rules load.
  virtual const Value* constant() const { return nullptr; }

  uint32_t offset;     // in the expression's text
  Kinds kinds = kAny;  // what evaluate() may yield besides errors
};
using NodePtr = std::unique_ptr<const Node>;

class Constant final : public Node {
 public:
  Constant(Value value, uint32_t offset_in) : Node(offset_in), value_(value) { kinds = bit(value.kind()); }
  Value evaluate(Frame&) const override { return value_; }
  const Value* constant() const override { return &value_; }

 private:
  Value value_;
};

// Iterates a list, or the keys of a map, whatever holds them.
class Cursor {
 public:
  // `container` is a list or a map.
  Cursor(const Value& container, Arena& arena);
  size_t size() const { return size_; }
  // False at the end. `key` of a list is the index, of a map the key.
  bool next(Value& key, Value& value);

 private:
  Value container_;
  Arena& arena_;
  size_t size_ = 0;
  size_t index_ = 0;
  json::Ref at_ = json::kNone;
};

size_t size_of(const Value& container);
// A member of a map (or nothing). `key` is plain. Charges the frame for what it walks.
enum class Found : uint8_t { yes, no, wrong_type };
Found find_member(Frame& frame, const Value& map, const Value& key, Value& out);
Found find_member(Frame& frame, const Value& map, const json::Key& key, Value& out);
Found find_element(Frame& frame, const Value& list, const Value& index, Value& out);

}  // namespace belay::rules
