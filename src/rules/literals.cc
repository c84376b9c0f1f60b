#include "rules/compare.h"
#include "rules/nodes.h"

namespace belay::rules {

namespace {

// What [?x] and {?k: x} do: an optional's value, or nothing. False: not an optional (or an error), `value` says so.
bool unwrap(Frame& frame, Value& value, bool& present, uint32_t offset) {
  if (value.is_error()) return false;
  if (value.kind() != Kind::optional) {
    value = frame.no_overload("no such overload: '?' needs an optional, this is " + std::string(to_string(value.kind())), offset);
    return false;
  }
  present = value.inside() != nullptr;
  if (present) value = *value.inside();
  return true;
}

class List final : public Node {
 public:
  List(std::vector<NodePtr> items, std::vector<bool> optional, uint32_t offset_in)
      : Node(offset_in), items_(std::move(items)), optional_(std::move(optional)) {
    kinds = bit(Kind::list);
  }
  Value evaluate(Frame& frame) const override {
    Value* out = frame.values(items_.size());
    if (out == nullptr) return frame.out_of_memory(offset);
    size_t count = 0;
    for (size_t i = 0; i < items_.size(); ++i) {
      Value value = items_[i]->evaluate(frame);
      bool present = true;
      if (optional_[i] ? !unwrap(frame, value, present, items_[i]->offset) : value.is_error()) return value;
      if (present) out[count++] = value;
    }
    return Value::list({out, count});
  }

 private:
  std::vector<NodePtr> items_;
  std::vector<bool> optional_;
};

class Map final : public Node {
 public:
  Map(std::vector<NodePtr> parts, std::vector<bool> optional, uint32_t offset_in)
      : Node(offset_in), parts_(std::move(parts)), optional_(std::move(optional)) {
    kinds = bit(Kind::map);
  }
  Value evaluate(Frame& frame) const override {
    Entry* out = frame.arena.array<Entry>(optional_.size());
    if (out == nullptr) return frame.out_of_memory(offset);
    size_t count = 0;
    for (size_t i = 0; i < optional_.size(); ++i) {
      const Node& key_node = *parts_[2 * i];
      Value key = key_node.evaluate(frame);
      if (!key.is_error()) key = key.plain(frame.arena);
      if (key.is_error()) return key;
      Value value = parts_[2 * i + 1]->evaluate(frame);
      bool present = true;
      if (optional_[i] ? !unwrap(frame, value, present, parts_[2 * i + 1]->offset) : value.is_error()) return value;
      const Kind kind = key.kind();
      if (kind != Kind::string && kind != Kind::boolean && kind != Kind::integer && kind != Kind::uinteger) {
        return frame.no_overload("unsupported key type: " + std::string(to_string(kind)), key_node.offset);
      }
      for (size_t j = 0; j < count; ++j) {
        if (equal(frame, out[j].key, key)) return frame.fail(Fault::invalid, "repeated key in a map", key_node.offset);
      }
      if (frame.exhausted()) return frame.over_budget(offset);
      if (present) out[count++] = {key, value};
    }
    return Value::map({out, count});
  }

 private:
  std::vector<NodePtr> parts_;
  std::vector<bool> optional_;
};

}  // namespace

NodePtr make_list(std::vector<NodePtr> items, std::vector<bool> optional, uint32_t offset) {
  return std::make_unique<List>(std::move(items), std::move(optional), offset);
}
NodePtr make_map(std::vector<NodePtr> keys_and_values, std::vector<bool> optional, uint32_t offset) {
  return std::make_unique<Map>(std::move(keys_and_values), std::move(optional), offset);
}

}  // namespace belay::rules
