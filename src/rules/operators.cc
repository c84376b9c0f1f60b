#include "rules/compare.h"
#include "rules/nodes.h"

namespace belay::rules {

namespace {

std::string pair_of(const Value& a, const Value& b) {
  return std::string(to_string(a.kind())) + " and " + std::string(to_string(b.kind()));
}

Value not_a_bool(Frame& frame, const Value& value, uint32_t offset) {
  if (value.is_error()) return value;
  return frame.no_overload("no such overload: expected bool, this is " + std::string(to_string(value.kind())), offset);
}

// CEL's && and ||: the deciding value on any side wins over an error on the other.
class Logical final : public Node {
 public:
  Logical(bool is_or, std::vector<NodePtr> terms, uint32_t offset_in) : Node(offset_in), is_or_(is_or), terms_(std::move(terms)) {
    kinds = bit(Kind::boolean);
  }
  Value evaluate(Frame& frame) const override {
    Value trouble;
    bool failed = false;
    for (const NodePtr& term : terms_) {
      const Value value = term->evaluate(frame);
      if (value.kind() == Kind::boolean) {
        if (value.as_boolean() == is_or_) return Value::boolean(is_or_);
      } else if (!failed) {
        failed = true;
        trouble = not_a_bool(frame, value, term->offset);
      }
      if (frame.exhausted()) break;
    }
    return failed ? trouble : Value::boolean(!is_or_);
  }

 private:
  bool is_or_;
  std::vector<NodePtr> terms_;
};

class Not final : public Node {
 public:
  Not(NodePtr term, uint32_t offset_in) : Node(offset_in), term_(std::move(term)) { kinds = bit(Kind::boolean); }
  Value evaluate(Frame& frame) const override {
    const Value value = term_->evaluate(frame);
    if (value.kind() != Kind::boolean) return not_a_bool(frame, value, offset);
    return Value::boolean(!value.as_boolean());
  }

 private:
  NodePtr term_;
};

class Conditional final : public Node {
 public:
  Conditional(NodePtr condition, NodePtr yes, NodePtr no, uint32_t offset_in)
      : Node(offset_in), condition_(std::move(condition)), yes_(std::move(yes)), no_(std::move(no)) {
    kinds = yes_->kinds | no_->kinds;
  }
  Value evaluate(Frame& frame) const override {
    const Value value = condition_->evaluate(frame);
    if (value.kind() != Kind::boolean) return not_a_bool(frame, value, condition_->offset);
    return value.as_boolean() ? yes_->evaluate(frame) : no_->evaluate(frame);
  }

 private:
  NodePtr condition_, yes_, no_;
};

class Equality final : public Node {
 public:
  Equality(bool wanted, NodePtr left, NodePtr right, uint32_t offset_in)
      : Node(offset_in), wanted_(wanted), left_(std::move(left)), right_(std::move(right)) {
    kinds = bit(Kind::boolean);
  }
  Value evaluate(Frame& frame) const override {
    const Value left = left_->evaluate(frame);
    if (left.is_error()) return left;
    const Value right = right_->evaluate(frame);
    if (right.is_error()) return right;
    if (!comparable(left, right)) {
      return frame.no_overload("no such overload: " + pair_of(left, right) + " cannot be compared; convert one of them", offset);
    }
    const bool same = equal(frame, left, right);
    if (frame.exhausted()) return frame.over_budget(offset);
    return Value::boolean(same == wanted_);
  }

 private:
  bool wanted_;
  NodePtr left_, right_;
};

class Order final : public Node {
 public:
  Order(Operator op, NodePtr left, NodePtr right, uint32_t offset_in)
      : Node(offset_in), op_(op), left_(std::move(left)), right_(std::move(right)) {
    kinds = bit(Kind::boolean);
  }
  Value evaluate(Frame& frame) const override {
    const Value left = left_->evaluate(frame);
    if (left.is_error()) return left;
    const Value right = right_->evaluate(frame);
    if (right.is_error()) return right;
    const int order = compare(frame, left, right);
    if (order == kIncomparable) {
      return frame.no_overload("no such overload: " + pair_of(left, right) + " have no order; convert one of them", offset);
    }
    if (frame.exhausted()) return frame.over_budget(offset);
    switch (op_) {
      case Operator::less: return Value::boolean(order == -1);
      case Operator::less_equal: return Value::boolean(order == -1 || order == 0);
      case Operator::greater: return Value::boolean(order == 1);
      default: return Value::boolean(order == 1 || order == 0);
    }
  }

 private:
  Operator op_;
  NodePtr left_, right_;
};

class In final : public Node {
 public:
  In(NodePtr item, NodePtr container, uint32_t offset_in) : Node(offset_in), item_(std::move(item)), container_(std::move(container)) {
    kinds = bit(Kind::boolean);
  }
  Value evaluate(Frame& frame) const override {
    const Value raw = item_->evaluate(frame);
    const Value item = raw.is_error() ? raw : raw.plain(frame.arena);
    if (item.is_error()) return item;
    const Value container = container_->evaluate(frame);
    if (container.is_error()) return container;
    bool found = false;
    if (container.kind() == Kind::map) {
      Value member;
      found = find_member(frame, container, item, member) == Found::yes;
    } else if (container.kind() == Kind::list) {
      found = in_list(frame, item, container);
    } else {
      return frame.no_overload("no such overload: 'in' needs a list or a map on its right, this is " + std::string(to_string(container.kind())), offset);
    }
    if (frame.exhausted()) return frame.over_budget(offset);
    return Value::boolean(found);
  }

 private:
  static bool in_list(Frame& frame, const Value& item, const Value& list) {
    Cursor cursor(list, frame.arena);
    Value index, element;
    while (cursor.next(index, element)) {
      if (equal(frame, item, element)) return true;
      if (frame.exhausted()) return false;
    }
    return false;
  }

  NodePtr item_, container_;
};

}  // namespace

NodePtr make_logical(bool is_or, std::vector<NodePtr> terms, uint32_t offset) {
  return std::make_unique<Logical>(is_or, std::move(terms), offset);
}
NodePtr make_not(NodePtr term, uint32_t offset) { return std::make_unique<Not>(std::move(term), offset); }
NodePtr make_conditional(NodePtr condition, NodePtr yes, NodePtr no, uint32_t offset) {
  return std::make_unique<Conditional>(std::move(condition), std::move(yes), std::move(no), offset);
}
NodePtr make_comparison(Operator op, NodePtr left, NodePtr right, uint32_t offset) {
  if (op == Operator::equal || op == Operator::not_equal) {
    return std::make_unique<Equality>(op == Operator::equal, std::move(left), std::move(right), offset);
  }
  return std::make_unique<Order>(op, std::move(left), std::move(right), offset);
}
NodePtr make_in(NodePtr item, NodePtr container, uint32_t offset) {
  return std::make_unique<In>(std::move(item), std::move(container), offset);
}

}  // namespace belay::rules
