// An expression of the rules language: CEL (Common Expression Language) with payload fields at the root and Belay's names
// behind '$'. Compiled once when rules load, const and shared afterwards (any thread); evaluated per request against a Context
// without blocking, within a budget of work and memory.
// Limits: kMaxText, kMaxNesting, Context::kMaxSteps, Arena::kDefaultLimit, kMaxResult.
// Failure: compile() reports every problem with file:line:column, a caret and a hint; evaluation yields an error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/node.h"
#include "rules/context.h"
#include "rules/key_test.h"
#include "rules/value.h"

namespace belay::rules {

constexpr size_t kMaxText = size_t{32} << 10;  // bytes of one expression
constexpr int kMaxNesting = 64;                // of its syntax tree
constexpr size_t kMaxResult = size_t{16} << 20;  // bytes of one string or list that an operator or function makes

// What an expression at some place of the rules may name.
struct Names {
  bool payload = true;        // bare names are payload fields; false: a bare name must be declared
  uint32_t variables = 0;     // bits, 1 << Variable
  std::vector<std::string> secrets;   // names behind $secret; empty: any
  std::optional<std::vector<std::string>> params;  // names behind $param; absent: any
  std::vector<std::string> declared;  // further plain names, read through Context::declared
  bool check = true;  // false: only syntax and names are checked when rules load, kinds at run time (CEL's "parse only")

  bool allows(Variable v) const { return (variables >> static_cast<int>(v) & 1) != 0; }
  Names& allow(Variable v) {
    variables |= 1U << static_cast<int>(v);
    return *this;
  }
  // Filters, routes, keys, transforms: everything but $ts and $secret.
  static Names request();
  // What is known before the body is: request() without the payload and $event.
  static Names head();
  // verify, handshake, sign: everything.
  static Names signature();
};

// What the place needs; a result that is certainly something else is refused when rules load.
enum class Want : uint8_t { any, boolean };

// A name that stands in an expression behind a table: $headers["X"], $form.x, $query.?y, has($param.z), "w" in $query.
struct Lookup {
  Variable table;
  std::string name;
  bool needed;  // without it the expression has no value
  size_t offset;
};

class Node;
struct Syntax;

class Expression {
 public:
  // `position` is where the first byte of `text` stands. Null when there was a problem.
  static std::unique_ptr<Expression> compile(std::string_view text, const conf::Position& position, const Names& names,
                                             conf::Problems& problems, Want want = Want::any);
  // A scalar of a rules file.
  static std::unique_ptr<Expression> compile(const conf::Node& node, const Names& names, conf::Problems& problems,
                                             Want want = Want::any);
  ~Expression();

  // The value or an error value (Value::failure() says why and where). Valid as long as context and payload.
  Value run(Context& context) const;
  // The same with the error as a Result: "no such key: total (in 'order.total > 100', column 7)".
  Result<Value> evaluate(Context& context) const;
  // An error when it is not a bool.
  Result<bool> test(Context& context) const;
  // Why a result of run() is no answer to a condition: its failure, or its kind. `value` is not a bool.
  Error no_answer(const Value& value) const;

  const std::string& text() const { return text_; }
  const conf::Position& position() const { return position_; }
  bool reads_payload() const { return reads_payload_; }  // bare names, $body or $form
  bool reads(Variable v) const { return (reads_ >> static_cast<int>(v) & 1) != 0; }
  uint32_t variables_read() const { return reads_; }
  const std::vector<Lookup>& lookups() const { return lookups_; }
  // Whether another $raw makes another value: it is there whole, or in a digest. Of size($raw) or crc32($raw) it does not.
  bool holds_raw() const { return holds_raw_; }
  // What a condition (Want::boolean) says about plain values.
  const std::vector<KeyTest>& key_tests() const { return key_tests_; }
  // The error text of a failure of this expression.
  std::string explain(const Failure& failure) const;
  // What to write instead, where that can be told: for people who ask. Empty: nothing.
  std::string advice(const Failure& failure) const;
  // "file:line:column: …; advice" with the line and a caret under the spot.
  std::string explain_with_caret(const Failure& failure) const;

 private:
  friend class Template;
  static std::unique_ptr<Expression> build(const Syntax& syntax, std::string_view text, const conf::Position& position, const Names& names,
                                           conf::Problems& problems, Want want);
  static constexpr size_t kConstants = size_t{1} << 20, kConstantChunk = 128;
  Expression();
  std::string text_;
  conf::Position position_;
  std::unique_ptr<const Node> root_;
  Arena constants_{kConstants, kConstantChunk};
  std::vector<KeyTest> key_tests_;
  std::vector<Lookup> lookups_;
  uint32_t reads_ = 0;
  uint32_t locals_ = 0;  // slots of macro variables
  bool reads_payload_ = false;
  bool holds_raw_ = false;
};

}  // namespace belay::rules
