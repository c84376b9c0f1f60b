#include "base/bytes.h"
#include "rules/nodes.h"

namespace belay::rules {

namespace {

Value absent(Frame& frame, const std::string& label, uint32_t offset) {
  return frame.fail(Fault::no_such_key, "no such key: " + label, offset);
}

Value keep_optional(Frame& frame, const Value& value, uint32_t offset) {
  Value* kept = frame.values(1);
  if (kept == nullptr) return frame.out_of_memory(offset);
  *kept = value;
  return Value::optional_of(kept);
}

class Root final : public Node {
 public:
  Root(Field field, uint32_t offset_in) : Node(offset_in), field_(std::move(field)) {}
  Value evaluate(Frame& frame) const override {
    const Value& root = frame.context.root();
    if (root.kind() != Kind::map) {
      if (root.is_error()) return root;
      return frame.no_overload("the payload is " + std::string(to_string(root.kind())) + ", it has no field '" + field_.key.name + "'; $body is the whole",
                               offset);
    }
    Value found;
    if (find_member(frame, root, field_.key, found) != Found::yes) return absent(frame, field_.label, offset);
    return found;
  }

 private:
  Field field_;
};

class VariableNode final : public Node {
 public:
  VariableNode(Variable variable, uint32_t offset_in) : Node(offset_in), variable_(variable) {}
  Value evaluate(Frame& frame) const override {
    return variable_ == Variable::body ? frame.context.root() : frame.context.variable(variable_);
  }

 private:
  Variable variable_;
};

class PathPart final : public Node {
 public:
  PathPart(std::string name, uint32_t offset_in) : Node(offset_in), name_(std::move(name)) { kinds = bit(Kind::string); }
  Value evaluate(Frame& frame) const override {
    Value found;
    if (!frame.context.path_part(name_, found)) return absent(frame, "$path." + name_, offset);
    return found;
  }

 private:
  std::string name_;
};

class Declared final : public Node {
 public:
  Declared(size_t index, uint32_t offset_in) : Node(offset_in), index_(index) {}
  Value evaluate(Frame& frame) const override { return frame.context.declared(index_); }

 private:
  size_t index_;
};

class Local final : public Node {
 public:
  Local(uint32_t slot, uint32_t offset_in) : Node(offset_in), slot_(slot) {}
  Value evaluate(Frame& frame) const override { return frame.locals[slot_]; }

 private:
  uint32_t slot_;
};

// How a step into a value ends. A payload's null has nothing inside: its fields are absent, not a type error.
Found step(Frame& frame, const Value& base, const Field& field, Value& out) {
  const Kind kind = base.kind();
  if (kind == Kind::map) return find_member(frame, base, field.key, out);
  return kind == Kind::null && base.is_json() ? Found::no : Found::wrong_type;
}

Found step(Frame& frame, const Value& base, const Value& key, Value& out) {
  switch (base.kind()) {
    case Kind::map: return find_member(frame, base, key, out);
    case Kind::list: return find_element(frame, base, key, out);
    case Kind::null: return base.is_json() ? Found::no : Found::wrong_type;
    default: return Found::wrong_type;
  }
}

// A select or index through an optional: stays optional, none where there is nothing.
template <typename Key>
Value optional_step(Frame& frame, const Value& base, const Key& key, const Node& node, const std::string& name) {
  const Value* inner = &base;
  if (base.kind() == Kind::optional) {
    inner = base.inside();
    if (inner == nullptr) return Value::optional_none();
  }
  Value found;
  switch (step(frame, *inner, key, found)) {
    case Found::yes: return found.is_error() ? found : keep_optional(frame, found, node.offset);
    case Found::no: return Value::optional_none();
    case Found::wrong_type: break;
  }
  return frame.no_overload("no such overload: " + std::string(to_string(inner->kind())) + " has no " + name, node.offset);
}

class Select final : public Node {
 public:
  Select(NodePtr base, Field field, bool optional, uint32_t offset_in)
      : Node(offset_in), base_(std::move(base)), field_(std::move(field)), optional_(optional) {
    if (optional_) kinds = bit(Kind::optional);
  }
  Value evaluate(Frame& frame) const override {
    const Value base = base_->evaluate(frame);
    if (base.is_error()) return base;
    if (optional_ || base.kind() == Kind::optional) return optional_step(frame, base, field_, *this, "field '" + field_.key.name + "'");
    Value found;
    switch (step(frame, base, field_, found)) {
      case Found::yes: return found;
      case Found::no: return absent(frame, field_.label, offset);
      case Found::wrong_type: break;
    }
    return frame.no_overload("no such overload: " + std::string(to_string(base.kind())) + " has no field '" + field_.key.name + "'", offset);
  }

 private:
  NodePtr base_;
  Field field_;
  bool optional_;
};

std::string key_text(const Value& key) {
  if (key.kind() == Kind::string) return '"' + printable(key.text(), 60) + '"';
  const Result<std::string> text = key.to_json();
  return text ? printable(*text, 60) : std::string("?");
}

class Index final : public Node {
 public:
  Index(NodePtr base, NodePtr key, bool optional, uint32_t offset_in)
      : Node(offset_in), base_(std::move(base)), key_(std::move(key)), optional_(optional) {
    if (optional_) kinds = bit(Kind::optional);
  }
  Value evaluate(Frame& frame) const override {
    const Value base = base_->evaluate(frame);
    if (base.is_error()) return base;
    Value key = key_->evaluate(frame);
    if (!key.is_error()) key = key.plain(frame.arena);
    if (key.is_error()) return key;
    if (optional_ || base.kind() == Kind::optional) return optional_step(frame, base, key, *this, "index");
    Value found;
    switch (step(frame, base, key, found)) {
      case Found::yes: return found;
      case Found::no:
        return frame.fail(Fault::no_such_key, (base.kind() == Kind::list ? "index out of bounds: " : "no such key: ") + key_text(key), offset);
      case Found::wrong_type: break;
    }
    return frame.no_overload("no such overload: " + std::string(to_string(base.kind())) + "[" + std::string(to_string(key.kind())) + "]", offset);
  }

 private:
  NodePtr base_, key_;
  bool optional_;
};

class Has final : public Node {
 public:
  Has(NodePtr base, Field field, uint32_t offset_in) : Node(offset_in), base_(std::move(base)), field_(std::move(field)) {
    kinds = bit(Kind::boolean);
  }
  Value evaluate(Frame& frame) const override {
    Value base = base_->evaluate(frame);
    if (base.is_error()) return base;
    if (base.kind() == Kind::optional) {
      if (base.inside() == nullptr) return Value::boolean(false);
      base = *base.inside();
    }
    Value found;
    const Found result = step(frame, base, field_, found);
    if (result == Found::wrong_type) {
      return frame.no_overload("no such overload: " + std::string(to_string(base.kind())) + " has no field '" + field_.key.name + "'", offset);
    }
    return Value::boolean(result == Found::yes);
  }

 private:
  NodePtr base_;
  Field field_;
};

class HasRoot final : public Node {
 public:
  HasRoot(Field field, uint32_t offset_in) : Node(offset_in), field_(std::move(field)) { kinds = bit(Kind::boolean); }
  Value evaluate(Frame& frame) const override {
    const Value& root = frame.context.root();
    if (root.is_error()) return root;
    Value found;
    return Value::boolean(root.kind() == Kind::map && find_member(frame, root, field_.key, found) == Found::yes);
  }

 private:
  Field field_;
};

class HasPathPart final : public Node {
 public:
  HasPathPart(std::string name, uint32_t offset_in) : Node(offset_in), name_(std::move(name)) { kinds = bit(Kind::boolean); }
  Value evaluate(Frame& frame) const override {
    Value found;
    return Value::boolean(frame.context.path_part(name_, found));
  }

 private:
  std::string name_;
};

class TableAll final : public Node {
 public:
  TableAll(NodePtr base, NodePtr name, uint32_t offset_in) : Node(offset_in), base_(std::move(base)), name_(std::move(name)) {
    kinds = bit(Kind::list);
  }
  Value evaluate(Frame& frame) const override {
    const Value base = base_->evaluate(frame);
    if (base.is_error()) return base;
    const Value raw_name = name_->evaluate(frame);
    const Value name = raw_name.is_error() ? raw_name : raw_name.plain(frame.arena);
    if (name.is_error()) return name;
    if (!base.is_table() || name.kind() != Kind::string) return frame.no_overload("no such overload: all(\"name\") is for $headers, $query and $form", offset);
    return base.as_table().all(name.text(), frame.arena);
  }

 private:
  NodePtr base_, name_;
};

Kinds kinds_of(Variable variable) {
  switch (variable) {
    case Variable::raw: return kText;
    case Variable::method:
    case Variable::path:
    case Variable::url:
    case Variable::host:
    case Variable::source:
    case Variable::ts: return bit(Kind::string);
    case Variable::now: return bit(Kind::timestamp);
    case Variable::form:
    case Variable::query:
    case Variable::headers:
    case Variable::event:
    case Variable::secret:
    case Variable::param:
    case Variable::signature: return bit(Kind::map);
    case Variable::item:
    case Variable::body:
    case Variable::client: break;
  }
  return kAny;
}

}  // namespace

NodePtr make_root(Field field, uint32_t offset) { return std::make_unique<Root>(std::move(field), offset); }
NodePtr make_variable(Variable variable, uint32_t offset) {
  auto node = std::make_unique<VariableNode>(variable, offset);
  node->kinds = kinds_of(variable);
  return node;
}
NodePtr make_path_part(std::string name, uint32_t offset) { return std::make_unique<PathPart>(std::move(name), offset); }
NodePtr make_declared(size_t index, uint32_t offset) { return std::make_unique<Declared>(index, offset); }
NodePtr make_local(uint32_t slot, uint32_t offset) { return std::make_unique<Local>(slot, offset); }
NodePtr make_select(NodePtr base, Field field, bool optional, uint32_t offset) {
  return std::make_unique<Select>(std::move(base), std::move(field), optional, offset);
}
NodePtr make_index(NodePtr base, NodePtr key, bool optional, uint32_t offset) {
  return std::make_unique<Index>(std::move(base), std::move(key), optional, offset);
}
NodePtr make_has(NodePtr base, Field field, uint32_t offset) { return std::make_unique<Has>(std::move(base), std::move(field), offset); }
NodePtr make_has_root(Field field, uint32_t offset) { return std::make_unique<HasRoot>(std::move(field), offset); }
NodePtr make_has_path_part(std::string name, uint32_t offset) { return std::make_unique<HasPathPart>(std::move(name), offset); }
NodePtr make_table_all(NodePtr base, NodePtr name, uint32_t offset) {
  return std::make_unique<TableAll>(std::move(base), std::move(name), offset);
}

}  // namespace belay::rules
