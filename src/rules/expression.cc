#include "rules/expression.h"

#include <algorithm>
#include <array>
#include <memory>

#include "base/check.h"
#include "rules/compiler.h"
#include "rules/report.h"
#include "rules/syntax.h"

namespace belay::rules {

Names Names::request() {
  Names names;
  names.variables = (1U << kVariables) - 1;
  for (const Variable variable : kSignatureVariables) names.variables &= ~(1U << static_cast<int>(variable));
  return names;
}

Names Names::head() {
  Names names = request();
  names.payload = false;
  for (const Variable variable : {Variable::body, Variable::raw, Variable::form, Variable::event})
    names.variables &= ~(1U << static_cast<int>(variable));
  return names;
}

Names Names::signature() {
  Names names;
  names.variables = (1U << kVariables) - 1;
  return names;
}

Expression::Expression() = default;
Expression::~Expression() = default;

std::unique_ptr<Expression> Expression::compile(std::string_view text, const conf::Position& position, const Names& names,
                                                conf::Problems& problems, Want want) {
  Parser parser(text);
  const auto syntax = parser.parse_all();
  if (syntax == nullptr) {
    report(problems, position, text, parser.complaint());
    return nullptr;
  }
  return build(*syntax, text, position, names, problems, want);
}

std::unique_ptr<Expression> Expression::compile(const conf::Node& node, const Names& names, conf::Problems& problems, Want want) {
  if (!node.is_scalar()) {
    problems.add(node.position(), "expected an expression", "for example order.total > 100");
    return nullptr;
  }
  return compile(node.text(), text_position(node), names, problems, want);
}

std::unique_ptr<Expression> Expression::build(const Syntax& syntax, std::string_view text, const conf::Position& position, const Names& names,
                                              conf::Problems& problems, Want want) {
  std::unique_ptr<Expression> made(new Expression);
  Compiler compiler(names, made->constants_);
  made->root_ = compiler.compile(syntax, want);
  for (const Complaint& complaint : compiler.complaints()) report(problems, position, text, complaint);
  if (made->root_ == nullptr) return nullptr;
  made->text_ = text;
  made->position_ = position;
  made->reads_ = compiler.variables_read();
  made->reads_payload_ = compiler.reads_payload();
  made->locals_ = compiler.locals();
  made->lookups_ = compiler.lookups();
  made->holds_raw_ = rules::holds_raw(syntax);
  if (want == Want::boolean) made->key_tests_ = rules::key_tests(syntax);
  return made;
}

Value Expression::run(Context& context) const {
  std::array<Value, 8> in_place;
  std::span<Value> locals(in_place.data(), std::min<size_t>(locals_, in_place.size()));
  if (locals_ > in_place.size()) {
    Value* values = context.arena().array<Value>(locals_);
    if (values == nullptr) return Value::failed(Fault::budget, "the evaluation needs more memory than its limit", context.arena());
    std::uninitialized_fill_n(values, locals_, Value());
    locals = {values, locals_};
  }
  Frame frame(context, locals);
  const Value value = root_->evaluate(frame);
  // What && and || absorbed must not hide that the work was cut short.
  if (frame.exhausted() && (!value.is_error() || value.failure().fault != Fault::budget)) return frame.over_budget(0);
  return value;
}

Result<Value> Expression::evaluate(Context& context) const {
  const Value value = run(context);
  if (!value.is_error()) return value;
  return Error{value.to_error().kind, explain(value.failure())};
}

Result<bool> Expression::test(Context& context) const {
  const Value value = run(context);
  if (value.kind() == Kind::boolean) return value.as_boolean();
  return no_answer(value);
}

Error Expression::no_answer(const Value& value) const {
  if (value.is_error()) return Error{value.to_error().kind, explain(value.failure())};
  return invalid("expected bool, this is " + std::string(to_string(value.kind())) + " (" + position_.to_string() + ")");
}

std::string Expression::explain(const Failure& failure) const {
  return std::string(failure.message) + " (" + position_in(position_, text_, failure.offset).to_string() + ")";
}

std::string Expression::advice(const Failure& failure) const {
  constexpr std::string_view kAbsent = "no such key: ";
  if (failure.fault != Fault::no_such_key || !failure.message.starts_with(kAbsent)) return {};
  const std::string_view path = failure.message.substr(kAbsent.size());
  const std::string_view first = path.substr(0, path.find('.'));
  for (int i = 0; i < kVariables; ++i) {
    const std::string_view variable = to_string(static_cast<Variable>(i));
    if (variable.substr(1) == first) return "a name without '$' is a field of the payload; did you mean '" + std::string(variable) + "'?";
  }
  const size_t dot = path.rfind('.');
  const bool plain = path.find_first_of("[\"`$ ") == std::string_view::npos;
  if (!plain) return {};
  const std::string optional = dot == std::string_view::npos ? "$body.?" + std::string(path) : std::string(path.substr(0, dot)) + ".?" + std::string(path.substr(dot + 1));
  return "where it may be absent write " + optional + ".orValue(…)";
}

std::string Expression::explain_with_caret(const Failure& failure) const {
  const std::string advice_given = advice(failure);
  std::string out = position_in(position_, text_, failure.offset).to_string() + ": " + std::string(failure.message);
  out.append(advice_given.empty() ? "" : "; ").append(advice_given).append("\n    ");
  for (const char c : caret(text_, failure.offset)) {
    out.push_back(c);
    if (c == '\n') out += "    ";
  }
  return out;
}

}  // namespace belay::rules
