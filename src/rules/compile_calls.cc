// The half of the compiler that is about operators and calls: arity, kinds, macros, did-you-mean.
#include <algorithm>
#include <utility>

#include "rules/compiler.h"
#include "rules/functions.h"

namespace belay::rules {

namespace {

using SyntaxKind = Syntax::Kind;
constexpr Kinds kBool = bit(Kind::boolean);

std::string counted(size_t n, std::string_view what) { return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s"); }

// What `op` gives for two kinds; Kind::error when it has no meaning for them.
Kind result_of(Operator op, Kind a, Kind b) {
  const bool number = (bit(a) & kNumber) != 0;
  if (number && a == b) return op == Operator::modulo && a == Kind::real ? Kind::error : a;
  if (op != Operator::add && op != Operator::subtract) return Kind::error;
  if (a == Kind::timestamp && b == Kind::duration) return Kind::timestamp;
  if (a == Kind::duration && b == Kind::duration) return Kind::duration;
  if (op == Operator::subtract) return a == Kind::timestamp && b == Kind::timestamp ? Kind::duration : Kind::error;
  if (a == Kind::duration && b == Kind::timestamp) return Kind::timestamp;
  return a == b && (a == Kind::string || a == Kind::bytes || a == Kind::list) ? a : Kind::error;
}

Kinds results_of(Operator op, Kinds left, Kinds right) {
  Kinds results = 0;
  for (int a = 0; a < static_cast<int>(Kind::error); ++a) {
    for (int b = 0; b < static_cast<int>(Kind::error); ++b) {
      if ((left >> a & 1) == 0 || (right >> b & 1) == 0) continue;
      const Kind result = result_of(op, static_cast<Kind>(a), static_cast<Kind>(b));
      if (result != Kind::error) results |= bit(result);
    }
  }
  // A number whose type is open adapts, and so does what is computed from it.
  const auto open = [](Kinds kinds) { return (kinds & kNumber) == kNumber; };
  if ((results & kNumber) != 0 && (open(left) || open(right))) results |= kNumber;
  return results;
}

bool may_compare(Kinds left, Kinds right) { return (left & right) != 0 || ((left & kNumber) != 0 && (right & kNumber) != 0); }

constexpr Kinds kOrdered = kNumber | kText | kBool | bit(Kind::timestamp) | bit(Kind::duration);

}  // namespace

NodePtr Compiler::operand(const Syntax& syntax, Kinds wanted, std::string_view whose) {
  NodePtr made = node(syntax);
  if (names_.check && (made->kinds & wanted) == 0) {
    return complain(syntax.offset, std::string(whose) + " needs " + describe(wanted) + ", this is " + describe(made->kinds));
  }
  return made;
}

NodePtr Compiler::operation(const Syntax& syntax) {
  const auto offset = static_cast<uint32_t>(syntax.offset);
  switch (syntax.op) {
    case Operator::logical_or:
    case Operator::logical_and: return logical(syntax);
    case Operator::logical_not: return make_not(operand(*syntax.children[0], kBool, "'!'"), offset);
    case Operator::conditional: {
      NodePtr condition = operand(*syntax.children[0], kBool, "the condition of '?:'");
      NodePtr yes = node(*syntax.children[1]);
      NodePtr no = node(*syntax.children[2]);
      return make_conditional(std::move(condition), std::move(yes), std::move(no), offset);
    }
    case Operator::negate: return make_negate(operand(*syntax.children[0], kNumber | bit(Kind::duration), "'-'"), offset);
    case Operator::add:
    case Operator::subtract:
    case Operator::multiply:
    case Operator::divide:
    case Operator::modulo: return arithmetic(syntax);
    default: return comparison(syntax);
  }
}

NodePtr Compiler::logical(const Syntax& syntax) {
  std::vector<NodePtr> terms;
  const std::string whose = "'" + std::string(to_string(syntax.op)) + "'";
  for (const auto& child : syntax.children) terms.push_back(operand(*child, kBool, whose));
  return make_logical(syntax.op == Operator::logical_or, std::move(terms), static_cast<uint32_t>(syntax.offset));
}

NodePtr Compiler::comparison(const Syntax& syntax) {
  // Opposite of type(x), names such as string are types and not fields of the payload.
  const auto side = [&](const Syntax& one, const Syntax& other) -> NodePtr {
    const bool payload = names_.payload;
    if (other.kind != SyntaxKind::call || other.text != "type" || one.kind == SyntaxKind::call || !payload) return node(one);
    Names without = names_;
    without.payload = false;
    Compiler types(without, arena_);
    NodePtr made = types.node(one);
    return types.complaints_.empty() && made->constant() != nullptr ? std::move(made) : node(one);
  };
  const Syntax& a = *syntax.children[0];
  const Syntax& b = *syntax.children[1];
  NodePtr left = side(a, b);
  NodePtr right = side(b, a);
  const auto offset = static_cast<uint32_t>(syntax.offset);
  const std::string both = describe(left->kinds) + " and " + describe(right->kinds);
  if (syntax.op == Operator::in) {
    if (names_.check && (right->kinds & (bit(Kind::list) | bit(Kind::map))) == 0) {
      return complain(b.offset, "'in' needs a list or a map on its right, this is " + describe(right->kinds),
                      right->kinds == bit(Kind::string) ? "for a part of a text write text.contains(part)" : "");
    }
    note_lookup(b, a, false);
    return make_in(std::move(left), std::move(right), offset);
  }
  const bool equality = syntax.op == Operator::equal || syntax.op == Operator::not_equal;
  const Kinds usable = equality ? kAny : kOrdered;
  const bool with_null = equality && ((left->kinds | right->kinds) & bit(Kind::null)) != 0;
  if (names_.check && !with_null && !may_compare(left->kinds & usable, right->kinds & usable)) {
    return complain(syntax.offset, "'" + std::string(to_string(syntax.op)) + "' cannot compare " + both, "convert one of them with int(), double() or string()");
  }
  return make_comparison(syntax.op, std::move(left), std::move(right), offset);
}

NodePtr Compiler::arithmetic(const Syntax& syntax) {
  NodePtr left = node(*syntax.children[0]);
  NodePtr right = node(*syntax.children[1]);
  const Kinds results = results_of(syntax.op, left->kinds, right->kinds);
  if (names_.check && results == 0) {
    const bool text = ((left->kinds | right->kinds) & bit(Kind::string)) != 0;
    return complain(syntax.offset, "'" + std::string(to_string(syntax.op)) + "' has no meaning for " + describe(left->kinds) + " and " + describe(right->kinds),
                    text ? "convert with string(…)" : "convert with int(…) or double(…)");
  }
  const Kinds kinds = names_.check ? results : kAny;
  auto made = make_arithmetic(syntax.op, std::move(left), std::move(right), static_cast<uint32_t>(syntax.offset));
  const_cast<Node&>(*made).kinds = kinds;
  return made;
}

NodePtr Compiler::call(const Syntax& syntax) {
  if (syntax.text == "has") return has(syntax);
  if (syntax.text == "default") {
    if (syntax.children.size() != 2) return complain(syntax.offset, "default() needs two arguments", "default(order.note, \"none\")");
    const bool outer = std::exchange(has_default_, true);
    NodePtr value = node(*syntax.children[0]);
    has_default_ = outer;
    return make_default(std::move(value), node(*syntax.children[1]), static_cast<uint32_t>(syntax.offset));
  }
  std::vector<NodePtr> arguments;
  for (const auto& child : syntax.children) arguments.push_back(node(*child));
  return plain_call(syntax, syntax.text, false, std::move(arguments));
}

NodePtr Compiler::method(const Syntax& syntax) {
  struct Macro {
    std::string_view name;
    Loop loop;
    bool pair;
    size_t min, max;  // children, the target included
  };
  static constexpr Macro kMacros[] = {
      {"all", Loop::all, false, 3, 3}, {"exists", Loop::exists, false, 3, 3},
      {"exists_one", Loop::exists_one, false, 3, 3}, {"existsOne", Loop::exists_one, false, 3, 3},
      {"filter", Loop::filter, false, 3, 3}, {"map", Loop::map, false, 3, 4},
      {"all", Loop::all, true, 4, 4}, {"exists", Loop::exists, true, 4, 4},
      {"exists_one", Loop::exists_one, true, 4, 4}, {"existsOne", Loop::exists_one, true, 4, 4},
      {"transformList", Loop::transform_list, true, 4, 5}, {"transformMap", Loop::transform_map, true, 4, 5},
      {"transformMapEntry", Loop::transform_map_entry, true, 4, 5},
  };
  const Syntax& target = *syntax.children[0];
  const size_t count = syntax.children.size();
  bool macro_name = false;
  for (const Macro& macro : kMacros) {
    macro_name = macro_name || macro.name == syntax.text;
    if (macro.name == syntax.text && count >= macro.min && count <= macro.max) return loop(syntax, macro.loop, macro.pair);
  }
  if (syntax.text == "all" && count == 2) {
    NodePtr table = operand(target, bit(Kind::map), ".all()");
    return make_table_all(std::move(table), node(*syntax.children[1]), static_cast<uint32_t>(syntax.offset));
  }
  if (macro_name) {
    return complain(syntax.offset, "." + syntax.text + "() needs a name and an expression", "items." + syntax.text + "(item, …)");
  }
  if (syntax.text == "orValue" || syntax.text == "or" || syntax.text == "optMap" || syntax.text == "optFlatMap") return optional_form(syntax);
  // optional.of(x), math.round(x): a function whose name has a dot.
  if (target.kind == SyntaxKind::name && find_local(target.text) == nullptr) {
    const std::string whole = target.text + "." + syntax.text;
    if (whole == "cel.bind") return bind(syntax);
    const std::vector<const Function*> found = find_functions(whole, false);
    if (!found.empty()) {
      std::vector<NodePtr> arguments;
      for (size_t i = 1; i < count; ++i) arguments.push_back(node(*syntax.children[i]));
      return plain_call(syntax, found[0]->name, false, std::move(arguments));
    }
  }
  std::vector<NodePtr> arguments;
  for (const auto& child : syntax.children) arguments.push_back(node(*child));
  return plain_call(syntax, syntax.text, true, std::move(arguments));
}

NodePtr Compiler::plain_call(const Syntax& syntax, std::string_view name, bool is_method, std::vector<NodePtr> arguments) {
  const std::vector<const Function*> found = find_functions(name, is_method);
  if (found.empty()) {
    const bool other_way = !find_functions(name, !is_method).empty();
    const std::string near = nearest_function(name, is_method);
    const std::string_view meant = meant_function(name);
    std::string hint = other_way         ? (is_method ? "write " + std::string(name) + "(…)" : "write it as a method: x." + std::string(name) + "(…)")
                       : !meant.empty() ? "here that is written " + std::string(meant)
                       : near.empty()   ? std::string("docs/rules.md lists all functions")
                                      : "did you mean '" + near + "'?";
    return complain(syntax.offset, "unknown " + std::string(is_method ? "method" : "function") + " '" + std::string(name) + "'", std::move(hint));
  }
  const Function& function = *found[0];
  const size_t count = arguments.size(), own = is_method ? 1 : 0;
  if (count < function.min || count > function.max) {
    const size_t wanted = count < function.min ? function.min : function.max;
    return complain(syntax.offset, std::string(name) + "() needs " + (count < function.min ? (function.min == function.max ? "" : "at least ") : (function.min == function.max ? "" : "at most ")) +
                                       counted(wanted - own, "argument") + ", " + std::to_string(count - own) + " given");
  }
  for (size_t i = 0; i < count; ++i) {
    const bool fits = (arguments[i]->kinds & function.argument(i)) != 0;
    if (fits || !names_.check) continue;
    return complain(arguments[i]->offset, std::string(name) + "() needs " + describe(function.argument(i)) + (is_method && i == 0 ? " before the dot" : "") +
                                              ", this is " + describe(arguments[i]->kinds));
  }
  if (name == "matches" && arguments[1]->constant() != nullptr && arguments[1]->constant()->kind() == Kind::string) return matches(syntax, arguments);
  return fold(function, std::move(arguments), syntax.offset);
}

NodePtr Compiler::matches(const Syntax& syntax, std::vector<NodePtr>& arguments) {
  std::string problem;
  const uint32_t at = arguments[1]->offset;
  NodePtr made = make_matches(std::move(arguments[0]), arguments[1]->constant()->text(), static_cast<uint32_t>(syntax.offset), problem);
  return made != nullptr ? std::move(made) : complain(at, "not a regular expression: " + problem, "RE2 syntax; backslashes are simplest in r\"…\"");
}

}  // namespace belay::rules
