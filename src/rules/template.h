// Text with "{{ expression }}" holes. Compiled when rules load, const and shared afterwards. A template that is one hole alone
// yields the hole's value (an object stays an object, a number stays as written); with text around, text. "{{" has no other
// meaning; literal braces are written {{ "{{" }}. Limits and failures are those of Expression.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/node.h"
#include "rules/expression.h"

namespace belay::rules {

class Template {
 public:
  // How the value of a hole is written into the surrounding text.
  enum class Escape : uint8_t { none, json, xml, form, url };
  // What a hole whose path is absent does to the text around it.
  enum class Absent : uint8_t { error, empty };

  // Null when there was a problem. `position` is where the first byte of `text` stands.
  static std::unique_ptr<Template> compile(std::string_view text, const conf::Position& position, const Names& names,
                                           conf::Problems& problems, Escape escape = Escape::none);
  static std::unique_ptr<Template> compile(const conf::Node& node, const Names& names, conf::Problems& problems,
                                           Escape escape = Escape::none);
  ~Template();

  // The text. Holes: see Value::append_text.
  Result<std::string> render(Context& context) const;
  // Appends; on an error `out` may hold a part.
  Result<void> append(Context& context, std::string& out, Absent absent = Absent::error) const;
  // Appends nothing and is false when a hole's path is absent.
  Result<bool> append_present(Context& context, std::string& out) const;
  // The hole's own value when the template is one hole alone; else the text as a string value. May be an error value.
  Value run(Context& context) const;
  // The same with the error as a Result.
  Result<Value> evaluate(Context& context) const;
  // The error text of a failure of run().
  std::string explain(const Failure& failure) const;
  // A path that is not there, or an optional without a value.
  static bool is_absent(const Value& value);

  bool is_constant() const;                       // no hole: text() is all there is
  bool is_single() const;                         // one hole, nothing around it
  const Expression* single() const;               // its expression; null unless is_single()
  const std::string& text() const { return text_; }  // as written
  bool reads_payload() const;
  bool reads(Variable v) const;
  bool holds_raw() const;  // as Expression::holds_raw()
  uint32_t variables_read() const { return reads_; }

  // A piece of literal text, or a hole. Holes that are only $raw or $ts skip the evaluator.
  struct Part {
    std::string literal;
    std::unique_ptr<Expression> expression;
    bool plain_variable = false;
    Variable variable = Variable::raw;
  };
  // In order: for whoever feeds the text on piece by piece (a MAC over a large body) instead of building it.
  const std::vector<Part>& parts() const { return parts_; }
  Result<void> append_part(const Part& part, Context& context, std::string& out) const;

 private:
  Template();
  static Value value_of(const Part& hole, Context& context);
  Result<void> append_hole(const Part& hole, const Value& value, std::string& out) const;

  std::string text_;
  std::vector<Part> parts_;
  Escape escape_ = Escape::none;
  uint32_t reads_ = 0;
};

}  // namespace belay::rules
