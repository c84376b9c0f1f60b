#include "rules/compiler.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.h"
#include "conf/section.h"
#include "rules/functions.h"

namespace belay::rules {

namespace {

using SyntaxKind = Syntax::Kind;
constexpr Kinds kBool = bit(Kind::boolean);

// Stands in for a request while constants are made.
class NoRequest final : public Context {
 public:
  Value payload() override { return {}; }
  Value variable(Variable) override { return {}; }
};

struct TypeName {
  std::string_view name;
  Kind kind;
};
constexpr TypeName kTypeNames[] = {
    {"int", Kind::integer}, {"uint", Kind::uinteger}, {"double", Kind::real}, {"bool", Kind::boolean}, {"string", Kind::string},
    {"bytes", Kind::bytes}, {"list", Kind::list}, {"map", Kind::map}, {"null_type", Kind::null}, {"type", Kind::type},
    {"optional_type", Kind::optional}, {"google.protobuf.Timestamp", Kind::timestamp}, {"google.protobuf.Duration", Kind::duration},
};

// "a.b.c" of names joined by dots; empty for anything else.
std::string dotted(const Syntax& syntax) {
  if (syntax.kind == SyntaxKind::name) return syntax.text;
  if (syntax.kind != SyntaxKind::select || syntax.optional) return {};
  const std::string base = dotted(*syntax.children[0]);
  return base.empty() ? base : base + "." + syntax.text;
}

std::optional<Kind> type_named(const Syntax& syntax) {
  const std::string text = dotted(syntax);
  for (const TypeName& type : kTypeNames) {
    if (type.name == text) return type.kind;
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 4> kEventMembers = {"type", "id", "time", "resource"};

}  // namespace

NodePtr Compiler::compile(const Syntax& syntax, Want want) {
  NodePtr root = node(syntax);
  check_params();
  if (want == Want::boolean && (root->kinds & kBool) == 0 && complaints_.empty()) {
    complain(syntax.offset, "a condition must be bool, this is " + describe(root->kinds), "compare it with something");
  }
  return complaints_.empty() ? std::move(root) : nullptr;
}

NodePtr Compiler::placeholder(size_t offset) {
  auto node = std::make_unique<Constant>(Value(), static_cast<uint32_t>(offset));
  node->kinds = kAny;
  return node;
}

NodePtr Compiler::complain(size_t offset, std::string what, std::string hint) {
  complaints_.push_back({offset, std::move(what), std::move(hint)});
  return placeholder(offset);
}

std::string_view Compiler::keep(std::string_view text) {
  char* bytes = arena_.array<char>(text.size());
  if (bytes == nullptr) return {};
  if (!text.empty()) memcpy(bytes, text.data(), text.size());
  return {bytes, text.size()};
}

NodePtr Compiler::node(const Syntax& syntax) {
  ++nodes_;
  switch (syntax.kind) {
    case SyntaxKind::name: return name(syntax);
    case SyntaxKind::variable: return variable(syntax);
    case SyntaxKind::select: return select(syntax);
    case SyntaxKind::index: {
      note_lookup(*syntax.children[0], *syntax.children[1], !syntax.optional && !has_default_);
      NodePtr base = node(*syntax.children[0]);
      NodePtr key = node(*syntax.children[1]);
      const Kinds indexable = bit(Kind::list) | bit(Kind::map) | bit(Kind::optional) | bit(Kind::null);
      if (names_.check && (base->kinds & indexable) == 0) {
        return complain(syntax.offset, describe(base->kinds) + " has no [ ]", "lists and maps have; of text use charAt() or substring()");
      }
      return make_index(std::move(base), std::move(key), syntax.optional, static_cast<uint32_t>(syntax.offset));
    }
    case SyntaxKind::call: return call(syntax);
    case SyntaxKind::method: return method(syntax);
    case SyntaxKind::operation: return operation(syntax);
    case SyntaxKind::list: return list(syntax);
    case SyntaxKind::map: return map(syntax);
    default: return literal(syntax);
  }
}

NodePtr Compiler::literal(const Syntax& syntax) {
  Value value;
  switch (syntax.kind) {
    case SyntaxKind::boolean: value = Value::boolean(syntax.truth); break;
    case SyntaxKind::integer: value = Value::integer(static_cast<int64_t>(syntax.number)); break;
    case SyntaxKind::uinteger: value = Value::uinteger(syntax.number); break;
    case SyntaxKind::real: value = Value::real(syntax.real); break;
    case SyntaxKind::string: value = Value::string(keep(syntax.text)); break;
    case SyntaxKind::bytes: value = Value::bytes(keep(syntax.text)); break;
    default: break;
  }
  return std::make_unique<Constant>(value, static_cast<uint32_t>(syntax.offset));
}

const Compiler::Local* Compiler::find_local(std::string_view name) const {
  for (auto local = scope_.rbegin(); local != scope_.rend(); ++local) {
    if (local->name == name) return &*local;
  }
  return nullptr;
}

uint32_t Compiler::declare(const std::string& name) {
  scope_.push_back({name, next_slot_++});
  max_locals_ = next_slot_;
  return scope_.back().slot;
}

bool Compiler::is_payload_name(const Syntax& syntax) const {
  if (syntax.kind != SyntaxKind::name || !names_.payload) return false;
  if (!syntax.rooted && find_local(syntax.text) != nullptr) return false;
  return std::find(names_.declared.begin(), names_.declared.end(), syntax.text) == names_.declared.end();
}

NodePtr Compiler::name(const Syntax& syntax) {
  const auto offset = static_cast<uint32_t>(syntax.offset);
  if (const Local* local = syntax.rooted ? nullptr : find_local(syntax.text)) return make_local(local->slot, offset);
  const auto declared = std::find(names_.declared.begin(), names_.declared.end(), syntax.text);
  if (declared != names_.declared.end()) return make_declared(static_cast<size_t>(declared - names_.declared.begin()), offset);
  if (names_.payload) {
    reads_payload_ = true;
    return make_root({json::Key(syntax.text), syntax.text}, offset);
  }
  if (const auto type = type_named(syntax)) return std::make_unique<Constant>(Value::type(*type), offset);
  std::vector<std::string_view> known(names_.declared.begin(), names_.declared.end());
  for (const Local& local : scope_) known.push_back(local.name);
  const std::string near = conf::nearest(syntax.text, known);
  return complain(syntax.offset, "unknown name '" + syntax.text + "'",
                  near.empty() ? "payload fields cannot be read here; text is written in quotes" : "did you mean '" + near + "'?");
}

NodePtr Compiler::variable(const Syntax& syntax) {
  std::vector<std::string_view> known;
  for (int i = 0; i < kVariables; ++i) {
    const auto variable = static_cast<Variable>(i);
    if (names_.allows(variable)) known.push_back(to_string(variable));
    if (to_string(variable) != syntax.text) continue;
    if (!names_.allows(variable)) {
      return complain(syntax.offset, syntax.text + " cannot be read here",
                      std::find(std::begin(kSignatureVariables), std::end(kSignatureVariables), variable) != std::end(kSignatureVariables)
                          ? "it exists only inside verify, handshake and sign"
                          : "");
    }
    variables_read_ |= 1U << i;
    reads_payload_ = reads_payload_ || variable == Variable::body || variable == Variable::form;
    return make_variable(variable, static_cast<uint32_t>(syntax.offset));
  }
  const std::string near = conf::nearest(syntax.text, known);
  std::string hint = near.empty() ? "known here:" : "did you mean '" + near + "'?";
  if (near.empty()) {
    for (const std::string_view name : known) hint += " " + std::string(name);
  }
  return complain(syntax.offset, "unknown name '" + syntax.text + "'", std::move(hint));
}

std::string Compiler::label(const Syntax& syntax) const {
  switch (syntax.kind) {
    case SyntaxKind::name:
    case SyntaxKind::variable: return syntax.text;
    case SyntaxKind::select: {
      const std::string base = label(*syntax.children[0]);
      return base.empty() ? syntax.text : base + "." + syntax.text;
    }
    default: return {};
  }
}

// Members of $secret and $event are known when rules load.
bool Compiler::check_member(const Syntax& base, const std::string& field, size_t offset) {
  if (base.kind != SyntaxKind::variable) return true;
  std::vector<std::string_view> known;
  if (base.text == "$secret") {
    if (names_.secrets.empty()) return true;
    known.assign(names_.secrets.begin(), names_.secrets.end());
  } else if (base.text == "$event") {
    known.assign(kEventMembers.begin(), kEventMembers.end());
  } else {
    return true;
  }
  if (std::find(known.begin(), known.end(), field) != known.end()) return true;
  const std::string near = conf::nearest(field, known);
  std::string hint = "known:";
  for (const std::string_view name : known) hint += " " + std::string(name);
  complain(offset, "no '" + field + "' in " + base.text, near.empty() ? hint : "did you mean '" + near + "'?");
  return false;
}

void Compiler::note_lookup(const Syntax& base, const std::string& name, bool needed, size_t offset) {
  static constexpr Variable kTables[] = {Variable::headers, Variable::query, Variable::form, Variable::param};
  if (base.kind != SyntaxKind::variable) return;
  for (const Variable table : kTables) {
    if (to_string(table) == base.text) lookups_.push_back({table, name, needed, offset});
  }
}

void Compiler::note_lookup(const Syntax& base, const Syntax& key, bool needed) {
  if (key.kind == SyntaxKind::string) note_lookup(base, key.text, needed, key.offset);
}

// Parameters are known when rules load, too. One whose presence the expression asks about may be absent.
void Compiler::check_params() {
  if (!names_.params) return;
  for (const Lookup& one : lookups_) {
    const auto asks = [&one](const Lookup& other) { return other.table == Variable::param && !other.needed && other.name == one.name; };
    if (one.table != Variable::param || !one.needed || std::any_of(lookups_.begin(), lookups_.end(), asks)) continue;
    if (std::find(names_.params->begin(), names_.params->end(), one.name) == names_.params->end())
      complain(one.offset, "parameter '" + one.name + "' is not given", "write params: { " + one.name + ": VALUE }");
  }
}

NodePtr Compiler::select(const Syntax& syntax) {
  const Syntax& base = *syntax.children[0];
  const auto offset = static_cast<uint32_t>(syntax.offset);
  if (base.kind == SyntaxKind::variable && base.text == "$path" && names_.allows(Variable::path)) {
    variables_read_ |= 1U << static_cast<int>(Variable::path);
    return make_path_part(syntax.text, offset);
  }
  if (const auto type = names_.payload ? std::nullopt : type_named(syntax)) return std::make_unique<Constant>(Value::type(*type), offset);
  // A declared name may contain dots.
  if (const auto whole = std::find(names_.declared.begin(), names_.declared.end(), dotted(syntax)); whole != names_.declared.end()) {
    return make_declared(static_cast<size_t>(whole - names_.declared.begin()), offset);
  }
  if (!check_member(base, syntax.text, syntax.offset)) return placeholder(syntax.offset);
  note_lookup(base, syntax.text, !syntax.optional && !has_default_, syntax.offset);
  NodePtr target = node(base);
  const Kinds selectable = bit(Kind::map) | bit(Kind::optional) | bit(Kind::null);
  if (names_.check && (target->kinds & selectable) == 0) {
    return complain(syntax.offset, describe(target->kinds) + " has no field '" + syntax.text + "'",
                    find_functions(syntax.text, true).empty() ? "" : "a method is called with parentheses: ." + syntax.text + "(…)");
  }
  return make_select(std::move(target), {json::Key(syntax.text), label(syntax)}, syntax.optional, offset);
}

NodePtr Compiler::list(const Syntax& syntax) {
  std::vector<NodePtr> items;
  bool constant = true;
  for (const auto& child : syntax.children) {
    items.push_back(node(*child));
    constant = constant && items.back()->constant() != nullptr;
  }
  for (const bool optional : syntax.optional_items) constant = constant && !optional;
  const auto offset = static_cast<uint32_t>(syntax.offset);
  if (constant) {
    Value* values = arena_.array<Value>(items.size());
    if (values != nullptr) {
      for (size_t i = 0; i < items.size(); ++i) values[i] = *items[i]->constant();
      return std::make_unique<Constant>(Value::list({values, items.size()}), offset);
    }
  }
  return make_list(std::move(items), syntax.optional_items, offset);
}

NodePtr Compiler::map(const Syntax& syntax) {
  std::vector<NodePtr> parts;
  bool constant = true;
  for (size_t i = 0; i < syntax.children.size(); ++i) {
    parts.push_back(node(*syntax.children[i]));
    constant = constant && parts.back()->constant() != nullptr;
    const Kinds keys = kBool | bit(Kind::integer) | bit(Kind::uinteger) | bit(Kind::string);
    if (i % 2 == 0 && names_.check && (parts.back()->kinds & keys) == 0) {
      complain(syntax.children[i]->offset, "unsupported key type: " + describe(parts.back()->kinds), "keys are string, int, uint or bool");
    }
  }
  for (const bool optional : syntax.optional_items) constant = constant && !optional;
  const size_t count = syntax.optional_items.size();
  const auto offset = static_cast<uint32_t>(syntax.offset);
  NodePtr made = make_map(std::move(parts), syntax.optional_items, offset);
  if (!constant) return made;
  NoRequest nothing;
  Frame frame(nothing, {});
  const Value value = made->evaluate(frame);
  Entry* entries = value.is_error() ? nullptr : arena_.array<Entry>(count);
  if (value.is_error() && names_.check) return complain(value.failure().offset, std::string(value.failure().message));
  if (entries == nullptr) return made;
  std::copy(value.entries().begin(), value.entries().end(), entries);
  return std::make_unique<Constant>(Value::map({entries, count}), offset);
}

std::string Compiler::loop_name(const Syntax& syntax) {
  if (syntax.kind == SyntaxKind::name && !syntax.rooted) return syntax.text;
  complain(syntax.offset, "expected a plain name for the variable of the macro", "for example items.all(item, item.price > 0)");
  return {};
}

NodePtr Compiler::has(const Syntax& syntax) {
  const auto offset = static_cast<uint32_t>(syntax.offset);
  if (syntax.children.size() != 1 || (syntax.children[0]->kind != SyntaxKind::select && !is_payload_name(*syntax.children[0]))) {
    return complain(syntax.offset, "has() needs one path such as order.total", "for a key in brackets write \"key\" in map");
  }
  const Syntax& path = *syntax.children[0];
  if (path.kind == SyntaxKind::name) {
    reads_payload_ = true;
    return make_has_root({json::Key(path.text), path.text}, offset);
  }
  const Syntax& base = *path.children[0];
  if (base.kind == SyntaxKind::variable && base.text == "$path" && names_.allows(Variable::path)) {
    variables_read_ |= 1U << static_cast<int>(Variable::path);
    return make_has_path_part(path.text, offset);
  }
  if (!check_member(base, path.text, path.offset)) return placeholder(syntax.offset);
  note_lookup(base, path.text, false, path.offset);
  return make_has(node(base), {json::Key(path.text), label(path)}, offset);
}

NodePtr Compiler::bind(const Syntax& syntax) {
  if (syntax.children.size() != 4) return complain(syntax.offset, "cel.bind() needs a name, a value and an expression");
  const std::string name = loop_name(*syntax.children[1]);
  NodePtr value = node(*syntax.children[2]);
  const uint32_t slot = declare(name);
  NodePtr body = node(*syntax.children[3]);
  undeclare(1);
  return make_bind(slot, std::move(value), std::move(body), static_cast<uint32_t>(syntax.offset));
}

NodePtr Compiler::optional_form(const Syntax& syntax) {
  const auto offset = static_cast<uint32_t>(syntax.offset);
  NodePtr target = operand(*syntax.children[0], bit(Kind::optional), "." + syntax.text + "()");
  if (syntax.text == "orValue" || syntax.text == "or") {
    if (syntax.children.size() != 2) return complain(syntax.offset, "." + syntax.text + "() needs one argument");
    return make_or_value(std::move(target), node(*syntax.children[1]), syntax.text == "or", offset);
  }
  if (syntax.children.size() != 3) return complain(syntax.offset, "." + syntax.text + "() needs a name and an expression", "a.?b.optMap(x, x + 1)");
  const uint32_t slot = declare(loop_name(*syntax.children[1]));
  NodePtr body = node(*syntax.children[2]);
  undeclare(1);
  return make_optional_map(slot, std::move(target), std::move(body), syntax.text == "optFlatMap", offset);
}

NodePtr Compiler::loop(const Syntax& syntax, Loop kind, bool pair) {
  LoopParts parts;
  parts.loop = kind;
  parts.pair = pair;
  parts.range = operand(*syntax.children[0], bit(Kind::list) | bit(Kind::map), "." + syntax.text + "()");
  const std::string first = loop_name(*syntax.children[1]);
  const std::string second = pair ? loop_name(*syntax.children[2]) : std::string();
  if (pair && first == second) complain(syntax.children[2]->offset, "both variables of the macro have the same name");
  parts.first_slot = declare(first);
  if (pair) parts.second_slot = declare(second);
  const uint32_t before = nodes_;
  const size_t head = pair ? 3 : 2;
  const bool transforms = kind == Loop::map || kind == Loop::transform_list || kind == Loop::transform_map || kind == Loop::transform_map_entry;
  const bool filtered = transforms && syntax.children.size() > head + 1;
  if (!transforms || filtered) parts.condition = operand(*syntax.children[head], kBool, "the condition of ." + syntax.text + "()");
  if (transforms) parts.result = node(*syntax.children[filtered ? head + 1 : head]);
  parts.cost = 1 + nodes_ - before;
  undeclare(pair ? 2 : 1);
  return make_loop(std::move(parts), static_cast<uint32_t>(syntax.offset));
}

NodePtr Compiler::fold(const Function& function, std::vector<NodePtr> arguments, size_t offset) {
  bool constant = function.pure;
  for (const NodePtr& argument : arguments) constant = constant && argument->constant() != nullptr;
  NodePtr made = make_call(function, std::move(arguments), static_cast<uint32_t>(offset));
  if (!constant) return made;
  NoRequest nothing;
  Frame frame(nothing, {});
  Value value = made->evaluate(frame);
  switch (value.kind()) {
    case Kind::error:
      if (names_.check && value.failure().fault != Fault::no_such_key) return complain(value.failure().offset, std::string(value.failure().message));
      return made;
    case Kind::string: value = Value::string(keep(value.text())); break;
    case Kind::bytes: value = Value::bytes(keep(value.text())); break;
    case Kind::list:
    case Kind::map:
    case Kind::optional: return made;
    default: break;
  }
  return std::make_unique<Constant>(value, static_cast<uint32_t>(offset));
}

// A list of what keeps every byte, or a digest of them: what is not in it may lose some.
bool holds_raw(const Syntax& syntax) {
  static constexpr std::string_view kKeeping[] = {"string", "bytes", "hex", "base64", "base64url", "to_json", "escape_unicode", "urlencode", "encode_uri",
                                                  "encode_uri_component", "join", "sort", "sha1", "sha256", "sha384", "sha512", "md5",
                                                  "hmac_sha1", "hmac_sha256", "hmac_sha512"};
  const auto any = [&syntax](size_t from) {
    return std::any_of(syntax.children.begin() + static_cast<std::ptrdiff_t>(from), syntax.children.end(), [](const auto& child) { return holds_raw(*child); });
  };
  switch (syntax.kind) {
    case SyntaxKind::variable: return syntax.text == to_string(Variable::raw);
    case SyntaxKind::list: return any(0);
    case SyntaxKind::operation: return syntax.op == Operator::add ? any(0) : syntax.op == Operator::conditional && any(1);
    case SyntaxKind::call:
    case SyntaxKind::method: return std::find(std::begin(kKeeping), std::end(kKeeping), syntax.text) != std::end(kKeeping) && any(0);
    default: return false;
  }
}

}  // namespace belay::rules
