#include "rules/syntax.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/bytes.h"
#include "base/check.h"
#include "rules/expression.h"

namespace belay::rules {

std::string_view to_string(Operator op) {
  static constexpr std::array<std::string_view, 17> kNames = {"||", "&&", "!", "?:", "==", "!=", "<", "<=", ">", ">=", "in",
                                                             "+",  "-",  "*", "/",  "%",  "-"};
  return kNames[static_cast<size_t>(op)];
}

namespace {

using SyntaxKind = Syntax::Kind;

// CEL keeps these for embedding in other languages: not usable as plain names.
constexpr std::array<std::string_view, 18> kReserved = {"as",     "break",   "const",     "continue", "else",   "for",
                                                        "function", "if",    "import",    "let",      "loop",   "package",
                                                        "namespace", "return", "var",     "void",     "while",  "in"};

bool is_reserved(std::string_view name) { return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end(); }

// Words of other languages that people write between two operands.
std::string_view meant(const Token& token) {
  if (token.is_name("and") || token.is_name("AND")) return "'and' is written '&&'";
  if (token.is_name("or") || token.is_name("OR")) return "'or' is written '||'";
  if (token.is_name("is")) return "'is' is written '=='";
  if (token.is_name("not")) return "'not' is written '!', 'not in' is !(x in y)";
  if (token.is_name("like")) return "use contains(), startsWith(), endsWith() or matches()";
  return {};
}

std::string shown(const Token& token) {
  if (token.kind == TokenKind::end) return "the end";
  return "'" + printable(token.text, 30) + "'";
}

}  // namespace

bool Parser::advance() {
  last_end_ = token_.end;
  if (lexer_.next(token_)) return true;
  complaint_ = lexer_.complaint();
  failed_ = true;
  return false;
}

Parser::Tree Parser::fail(size_t offset, std::string what, std::string hint) {
  if (!failed_) complaint_ = {offset, std::move(what), std::move(hint)};
  failed_ = true;
  return nullptr;
}

Parser::Tree Parser::unexpected(std::string_view expected) {
  return fail(token_.begin, "expected " + std::string(expected) + " but found " + shown(token_), std::string(meant(token_)));
}

bool Parser::take(std::string_view symbol) { return !failed_ && token_.is(symbol) && advance(); }

bool Parser::expect(std::string_view symbol) {
  if (failed_) return false;
  if (!token_.is(symbol)) {
    unexpected("'" + std::string(symbol) + "'");
    return false;
  }
  return advance();
}

Parser::Tree Parser::make(SyntaxKind kind, size_t offset, Tree first, Tree second) {
  auto tree = std::make_unique<Syntax>(kind, offset);
  if (first != nullptr) tree->children.push_back(std::move(first));
  if (second != nullptr) tree->children.push_back(std::move(second));
  return tree;
}

Parser::Tree Parser::finish(Tree tree) {
  if (failed_ || tree == nullptr) return nullptr;
  for (const Tree& child : tree->children) tree->depth = std::max(tree->depth, child->depth + 1);
  if (tree->depth > kMaxNesting) {
    return fail(tree->offset, "nested deeper than " + std::to_string(kMaxNesting), "split the expression");
  }
  return tree;
}

Parser::Tree Parser::parse_all() {
  if (text_.size() > kMaxText) {
    return fail(0, "expression longer than " + std::to_string(kMaxText) + " bytes", "split it");
  }
  if (!advance()) return nullptr;
  if (token_.kind == TokenKind::end) return fail(0, "the expression is empty", "write true for 'always'");
  Tree tree = expression();
  if (failed_) return nullptr;
  if (token_.kind != TokenKind::end) return unexpected("an operator or the end");
  return tree;
}

Parser::Tree Parser::parse_hole(size_t& behind) {
  if (!advance()) return nullptr;
  if (token_.is("}")) return fail(token_.begin, "the hole is empty", "write an expression between {{ and }}");
  Tree tree = expression();
  if (failed_) return nullptr;
  if (!token_.is("}") || text_.substr(token_.begin, 2) != "}}") return unexpected("'}}'");
  behind = token_.begin + 2;
  return tree;
}

Parser::Tree Parser::expression() {
  if (++nesting_ > kMaxNesting) {
    return fail(token_.begin, "nested deeper than " + std::to_string(kMaxNesting), "split the expression");
  }
  Tree condition = logical(Operator::logical_or);
  if (!failed_ && token_.is("?")) {
    const size_t offset = token_.begin;
    advance();
    Tree yes = logical(Operator::logical_or);
    if (!failed_ && !token_.is(":") && text_.substr(offset, 2) == "?.") {
      return fail(offset, "'?.' is not an operator", "a field that may be absent is written with the '?' behind the dot: a.?b");
    }
    if (!expect(":")) return nullptr;
    Tree no = expression();
    if (failed_) return nullptr;
    Tree tree = make(SyntaxKind::operation, offset, std::move(condition), std::move(yes));
    tree->op = Operator::conditional;
    tree->children.push_back(std::move(no));
    condition = finish(std::move(tree));
  }
  --nesting_;
  return condition;
}

// a || b || c is one operation over three: long lists of alternatives do not nest.
Parser::Tree Parser::logical(Operator op) {
  const bool is_or = op == Operator::logical_or;
  const std::string_view symbol = is_or ? "||" : "&&";
  Tree first = is_or ? logical(Operator::logical_and) : relation();
  if (failed_ || !token_.is(symbol)) return first;
  Tree tree = make(SyntaxKind::operation, token_.begin, std::move(first));
  tree->op = op;
  while (take(symbol)) {
    Tree next = is_or ? logical(Operator::logical_and) : relation();
    if (failed_) return nullptr;
    tree->children.push_back(std::move(next));
  }
  return finish(std::move(tree));
}

Parser::Tree Parser::relation() {
  static constexpr std::array<std::pair<std::string_view, Operator>, 6> kRelations = {
      {{"==", Operator::equal}, {"!=", Operator::not_equal}, {"<", Operator::less},
       {"<=", Operator::less_equal}, {">", Operator::greater}, {">=", Operator::greater_equal}}};
  Tree left = addition();
  while (!failed_) {
    const auto* found = std::find_if(kRelations.begin(), kRelations.end(), [&](const auto& r) { return token_.is(r.first); });
    if (found == kRelations.end() && !token_.is_name("in")) return left;
    const size_t offset = token_.begin;
    if (!advance()) return nullptr;
    Tree right = addition();
    if (failed_) return nullptr;
    Tree tree = make(SyntaxKind::operation, offset, std::move(left), std::move(right));
    tree->op = found == kRelations.end() ? Operator::in : found->second;
    left = finish(std::move(tree));
  }
  return nullptr;
}

Parser::Tree Parser::addition() {
  Tree left = multiplication();
  while (!failed_ && (token_.is("+") || token_.is("-"))) {
    const Operator op = token_.is("+") ? Operator::add : Operator::subtract;
    const size_t offset = token_.begin;
    if (!advance()) return nullptr;
    Tree right = multiplication();
    if (failed_) return nullptr;
    Tree tree = make(SyntaxKind::operation, offset, std::move(left), std::move(right));
    tree->op = op;
    left = finish(std::move(tree));
  }
  return left;
}

Parser::Tree Parser::multiplication() {
  Tree left = unary();
  while (!failed_ && (token_.is("*") || token_.is("/") || token_.is("%"))) {
    const Operator op = token_.is("*") ? Operator::multiply : token_.is("/") ? Operator::divide : Operator::modulo;
    const size_t offset = token_.begin;
    if (!advance()) return nullptr;
    Tree right = unary();
    if (failed_) return nullptr;
    Tree tree = make(SyntaxKind::operation, offset, std::move(left), std::move(right));
    tree->op = op;
    left = finish(std::move(tree));
  }
  return left;
}

Parser::Tree Parser::unary() {
  if (failed_ || (!token_.is("!") && !token_.is("-"))) return member();
  const bool is_not = token_.is("!");
  const size_t offset = token_.begin;
  int count = 0;
  while (!failed_ && token_.is(is_not ? "!" : "-")) {
    ++count;
    if (!advance()) return nullptr;
  }
  // The sign of a literal belongs to it, so that the smallest integer can be written.
  const bool literal = !is_not && (token_.kind == TokenKind::integer || token_.kind == TokenKind::real);
  Tree tree = literal ? members(literal_number(true)) : member();
  for (count -= literal ? 1 : 0; !failed_ && count > 0; --count) {
    tree = make(SyntaxKind::operation, offset, std::move(tree));
    tree->op = is_not ? Operator::logical_not : Operator::negate;
    tree = finish(std::move(tree));
  }
  return failed_ ? nullptr : std::move(tree);
}

Parser::Tree Parser::member() { return members(primary()); }

// What follows a value: .field, .method(…), [index].
Parser::Tree Parser::members(Tree tree) {
  while (!failed_) {
    const size_t offset = token_.begin;
    if (take(".")) {
      const bool optional = take("?");
      tree = member_select(std::move(tree), optional);
    } else if (take("[")) {
      tree = member_index(std::move(tree), offset);
    } else {
      return failed_ ? nullptr : std::move(tree);
    }
  }
  return nullptr;
}

Parser::Tree Parser::member_select(Tree target, bool optional) {
  if (failed_) return nullptr;
  const size_t offset = token_.begin;
  std::string field;
  if (token_.kind == TokenKind::quoted_name) {
    field = token_.content;
  } else if (token_.kind == TokenKind::name && !token_.is_name("in") && !token_.is_name("true") && !token_.is_name("false") &&
             !token_.is_name("null")) {
    field = token_.text;
  } else {
    return fail(token_.begin, "expected a field name but found " + shown(token_), "other names are written [\"…\"]");
  }
  const bool quoted = token_.kind == TokenKind::quoted_name;
  if (!advance()) return nullptr;
  if (token_.is("(") && !quoted) {
    if (optional) return fail(offset, "a method cannot follow '.?'");
    Tree call = make(SyntaxKind::method, offset, std::move(target));
    call->text = std::move(field);
    if (!advance() || !arguments(*call)) return nullptr;
    return finish(std::move(call));
  }
  Tree select = make(SyntaxKind::select, offset, std::move(target));
  select->text = std::move(field);
  select->optional = optional;
  return finish(std::move(select));
}

Parser::Tree Parser::member_index(Tree target, size_t offset) {
  const bool optional = take("?");
  Tree key = expression();
  if (!expect("]")) return nullptr;
  Tree tree = make(SyntaxKind::index, offset, std::move(target), std::move(key));
  tree->optional = optional;
  return finish(std::move(tree));
}

bool Parser::arguments(Syntax& call) {
  if (take(")")) return true;
  for (;;) {
    Tree argument = expression();
    if (failed_) return false;
    call.children.push_back(std::move(argument));
    if (take(")")) return true;
    if (failed_) return false;
    if (!token_.is(",")) return unexpected("',' or ')'") != nullptr;
    if (!advance()) return false;
  }
}

Parser::Tree Parser::primary() {
  if (failed_) return nullptr;
  const size_t offset = token_.begin;
  switch (token_.kind) {
    case TokenKind::integer:
    case TokenKind::uinteger:
    case TokenKind::real: return literal_number(false);
    case TokenKind::string:
    case TokenKind::bytes: {
      Tree tree = make(token_.kind == TokenKind::string ? SyntaxKind::string : SyntaxKind::bytes, offset);
      tree->text = std::move(token_.content);
      return advance() ? finish(std::move(tree)) : nullptr;
    }
    case TokenKind::variable: {
      Tree tree = make(SyntaxKind::variable, offset);
      tree->text = token_.text;
      return advance() ? finish(std::move(tree)) : nullptr;
    }
    case TokenKind::name: return named();
    case TokenKind::quoted_name:
      return fail(offset, "a `name` can only follow a dot", "write $body.`" + token_.content + "`");
    default: break;
  }
  if (take("(")) {
    Tree tree = expression();
    return expect(")") ? std::move(tree) : nullptr;
  }
  if (take("[")) return list();
  if (take("{")) return map();
  if (take(".")) {
    if (token_.kind != TokenKind::name) return unexpected("a name");
    Tree tree = named();
    if (tree != nullptr) tree->rooted = true;
    return tree;
  }
  return failed_ ? nullptr : unexpected("a value");
}

Parser::Tree Parser::literal_number(bool negative) {
  Tree tree = make(SyntaxKind::real, token_.begin);
  if (token_.kind == TokenKind::real) {
    tree->real = negative ? -token_.real : token_.real;
  } else if (token_.kind == TokenKind::uinteger) {
    tree->kind = SyntaxKind::uinteger;
    tree->number = token_.number;
  } else {
    tree->kind = SyntaxKind::integer;
    const uint64_t limit = uint64_t{std::numeric_limits<int64_t>::max()} + (negative ? 1 : 0);
    if (token_.number > limit) {
      return fail(token_.begin, "integer does not fit int (64 bits with sign)", "write " + std::string(token_.text) + "u for uint");
    }
    tree->number = negative ? 0 - token_.number : token_.number;
  }
  if (!advance()) return nullptr;
  return finish(std::move(tree));
}

Parser::Tree Parser::named() {
  const size_t offset = token_.begin;
  const std::string name(token_.text);
  if (name == "true" || name == "false" || name == "null") {
    Tree tree = make(name == "null" ? SyntaxKind::null : SyntaxKind::boolean, offset);
    tree->truth = name == "true";
    return advance() ? finish(std::move(tree)) : nullptr;
  }
  if (is_reserved(name)) {
    return fail(offset, "'" + name + "' is a reserved word", "a payload field of that name is written $body." + name);
  }
  if (const std::string_view hint = meant(token_); name == "not" && !hint.empty()) {
    // A field may have that name; only `not x` is the mistake.
    if (!advance()) return nullptr;
    if (token_.kind == TokenKind::name || token_.kind == TokenKind::variable) {
      return fail(offset, "'not' is not an operator", std::string(hint));
    }
  } else if (!advance()) {
    return nullptr;
  }
  if (!token_.is("(")) {
    Tree tree = make(SyntaxKind::name, offset);
    tree->text = name;
    return finish(std::move(tree));
  }
  Tree call = make(SyntaxKind::call, offset);
  call->text = name;
  if (!advance() || !arguments(*call)) return nullptr;
  return finish(std::move(call));
}

bool Parser::leading_optional(bool& optional) {
  optional = take("?");
  return !failed_;
}

Parser::Tree Parser::list() {
  Tree tree = make(SyntaxKind::list, last_end_ - 1);
  while (!failed_ && !token_.is("]")) {
    bool optional = false;
    if (!leading_optional(optional)) return nullptr;
    Tree item = expression();
    if (failed_) return nullptr;
    tree->children.push_back(std::move(item));
    tree->optional_items.push_back(optional);
    if (!take(",")) break;  // a comma may also stand behind the last one
  }
  if (!failed_ && !token_.is("]")) return unexpected("',' or ']'");
  return take("]") ? finish(std::move(tree)) : nullptr;
}

Parser::Tree Parser::map() {
  Tree tree = make(SyntaxKind::map, last_end_ - 1);
  while (!failed_ && !token_.is("}")) {
    bool optional = false;
    if (!leading_optional(optional)) return nullptr;
    Tree key = expression();
    if (!expect(":")) return nullptr;
    Tree value = expression();
    if (failed_) return nullptr;
    tree->children.push_back(std::move(key));
    tree->children.push_back(std::move(value));
    tree->optional_items.push_back(optional);
    if (!take(",")) break;
  }
  if (!failed_ && !token_.is("}")) return unexpected("',' or '}'");
  return take("}") ? finish(std::move(tree)) : nullptr;
}

}  // namespace belay::rules
