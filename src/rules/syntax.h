// The syntax tree of one expression and the parser that makes it (recursive descent over CEL's grammar). The tree says what was
// written; meaning (names, types, macros) is the compiler's. Built and dropped when rules load. Limits: kMaxText, kMaxNesting.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rules/lexer.h"

namespace belay::rules {

enum class Operator : uint8_t {
  logical_or, logical_and, logical_not, conditional,
  equal, not_equal, less, less_equal, greater, greater_equal, in,
  add, subtract, multiply, divide, modulo, negate,
};
std::string_view to_string(Operator op);  // "||", "+", …

struct Syntax {
  enum class Kind : uint8_t {
    null, boolean, integer, uinteger, real, string, bytes,  // literals
    name,        // text; a leading dot means `rooted`
    variable,    // text, with its '$'
    select,      // children[0] . text; `optional` for .?text
    index,       // children[0] [ children[1] ]; `optional` for [?…]
    call,        // text(children…)
    method,      // children[0] . text(children[1]…)
    operation,   // op over children; && and || have two or more
    list,        // children; optional_items says which are [?…]
    map,         // children: key, value, key, value, …; optional_items per pair
  };

  Kind kind = Kind::null;
  Operator op = Operator::add;
  bool rooted = false;
  bool optional = false;
  size_t offset = 0;  // where the name, operator or bracket stands: for carets
  std::string text;   // name, field, or the content of a string
  bool truth = false;
  uint64_t number = 0;  // of integer the two's complement
  double real = 0;
  std::vector<std::unique_ptr<Syntax>> children;
  std::vector<bool> optional_items;
  int depth = 1;

  Syntax(Kind kind_in, size_t offset_in) : kind(kind_in), offset(offset_in) {}
  bool is_name(std::string_view name) const { return kind == Kind::name && !rooted && text == name; }
};

class Parser {
 public:
  explicit Parser(std::string_view text, size_t from = 0) : text_(text), lexer_(text, from) {}

  // The expression that is the whole rest of the text. Null: complaint() says why.
  std::unique_ptr<Syntax> parse_all();
  // The expression up to "}}"; `behind` is the offset after it.
  std::unique_ptr<Syntax> parse_hole(size_t& behind);
  const Complaint& complaint() const { return complaint_; }

 private:
  using Tree = std::unique_ptr<Syntax>;

  bool advance();
  Tree fail(size_t offset, std::string what, std::string hint = {});
  Tree unexpected(std::string_view expected);
  bool expect(std::string_view symbol);
  bool take(std::string_view symbol);  // false also on a lexical error: check failed_
  Tree make(Syntax::Kind kind, size_t offset, Tree first = nullptr, Tree second = nullptr);
  Tree finish(Tree tree);  // depth

  Tree expression();
  Tree logical(Operator op);
  Tree relation();
  Tree addition();
  Tree multiplication();
  Tree unary();
  Tree member();
  Tree members(Tree target);
  Tree member_select(Tree target, bool optional);
  Tree member_index(Tree target, size_t offset);
  Tree primary();
  Tree literal_number(bool negative);
  Tree named();
  Tree list();
  Tree map();
  bool arguments(Syntax& call);
  bool leading_optional(bool& optional);

  std::string_view text_;
  Lexer lexer_;
  Token token_;
  size_t last_end_ = 0;  // where the last consumed token ended
  bool failed_ = false;
  int nesting_ = 0;
  Complaint complaint_;
};

}  // namespace belay::rules
