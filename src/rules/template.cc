#include "rules/template.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "rules/escape.h"
#include "rules/report.h"
#include "rules/syntax.h"

namespace belay::rules {

namespace {

// `hole` that is only $raw or $ts.
bool plain_variable(const Syntax& syntax, Variable& variable) {
  if (syntax.kind != Syntax::Kind::variable) return false;
  for (const Variable candidate : {Variable::raw, Variable::ts}) {
    if (to_string(candidate) == syntax.text) {
      variable = candidate;
      return true;
    }
  }
  return false;
}

// The inside of a JSON string.
void append_json_inner(std::string_view text, std::string& out) {
  std::string quoted;
  append_json_string(quoted, text);
  out.append(quoted, 1, quoted.size() - 2);
}

Result<void> append_value(const Value& value, Template::Escape escape, std::string& out) {
  if (escape == Template::Escape::none) return value.append_text(out);
  std::string text;
  if (auto done = value.append_text(text); !done) return done;
  switch (escape) {
    case Template::Escape::json: append_json_inner(text, out); break;
    case Template::Escape::xml: append_xml_text(out, text, XmlPlace::attribute); break;
    case Template::Escape::form: append_form_text(out, text); break;
    case Template::Escape::url: append_url_text(out, text); break;
    case Template::Escape::none: break;
  }
  return {};
}

}  // namespace

Template::Template() = default;
Template::~Template() = default;

std::unique_ptr<Template> Template::compile(std::string_view text, const conf::Position& position, const Names& names, conf::Problems& problems,
                                            Escape escape) {
  std::unique_ptr<Template> made(new Template);
  made->text_ = text;
  made->escape_ = escape;
  const size_t problems_before = problems.all().size();
  size_t at = 0;
  while (at < text.size()) {
    const size_t open = std::min(text.find("{{", at), text.size());
    if (open > at) made->parts_.push_back({std::string(text.substr(at, open - at)), nullptr});
    if (open == text.size()) break;
    Parser parser(text, open + 2);
    const auto syntax = parser.parse_hole(at);
    if (syntax == nullptr) {
      report(problems, position, text, parser.complaint());
      return nullptr;
    }
    Part part;
    part.plain_variable = plain_variable(*syntax, part.variable);
    // The whole text, so that offsets and carets of the expression are those of the template.
    part.expression = Expression::build(*syntax, text, position, names, problems, Want::any);
    if (part.expression == nullptr) continue;
    made->reads_ |= part.expression->variables_read();
    made->parts_.push_back(std::move(part));
  }
  return problems.all().size() == problems_before ? std::move(made) : nullptr;
}

std::unique_ptr<Template> Template::compile(const conf::Node& node, const Names& names, conf::Problems& problems, Escape escape) {
  if (!node.is_scalar()) {
    problems.add(node.position(), "expected text", "for example \"{{ order.id }}\"");
    return nullptr;
  }
  return compile(node.text(), text_position(node), names, problems, escape);
}

Value Template::value_of(const Part& hole, Context& context) {
  return hole.plain_variable ? context.variable(hole.variable) : hole.expression->run(context);
}

Result<void> Template::append_hole(const Part& hole, const Value& value, std::string& out) const {
  if (value.is_error()) return Error{value.to_error().kind, hole.expression->explain(value.failure())};
  if (auto done = append_value(value, escape_, out); !done) {
    return Error{done.error().kind, done.error().message + " (" + hole.expression->position().to_string() + ")"};
  }
  if (out.size() > kMaxResult) return Error{ErrorKind::full, "the text of a template is larger than 16 MB"};
  return {};
}

Result<void> Template::append_part(const Part& part, Context& context, std::string& out) const {
  if (part.expression != nullptr) return append_hole(part, value_of(part, context), out);
  out += part.literal;
  return {};
}

Result<void> Template::append(Context& context, std::string& out, Absent absent) const {
  for (const Part& part : parts_) {
    if (part.expression == nullptr) {
      out += part.literal;
      continue;
    }
    const Value value = value_of(part, context);
    if (absent == Absent::empty && is_absent(value)) continue;
    if (auto done = append_hole(part, value, out); !done) return done;
  }
  return {};
}

Result<bool> Template::append_present(Context& context, std::string& out) const {
  const size_t before = out.size();
  for (const Part& part : parts_) {
    if (part.expression == nullptr) {
      out += part.literal;
      continue;
    }
    const Value value = value_of(part, context);
    if (is_absent(value)) {
      out.resize(before);
      return false;
    }
    if (auto done = append_hole(part, value, out); !done) return done.error();
  }
  return true;
}

bool Template::is_absent(const Value& value) {
  if (value.is_error()) return value.failure().fault == Fault::no_such_key;
  return value.kind() == Kind::optional && value.inside() == nullptr;
}

Result<std::string> Template::render(Context& context) const {
  std::string out;
  if (auto done = append(context, out); !done) return done.error();
  return out;
}

Value Template::run(Context& context) const {
  if (is_constant()) return Value::string(text_);
  if (is_single()) return parts_[0].expression->run(context);
  std::string out;
  for (const Part& part : parts_) {
    // The fault of a hole is kept: `missing:` asks for it.
    if (part.expression != nullptr && !part.plain_variable) {
      const Value value = part.expression->run(context);
      if (value.is_error()) return value;
      if (auto done = append_value(value, escape_, out); !done) return Value::failed(Fault::invalid, done.error().message, context.arena());
    } else if (auto done = append_part(part, context, out); !done) {
      return Value::failed(Fault::invalid, done.error().message, context.arena());
    }
  }
  return Value::copy_string(out, context.arena());
}

Result<Value> Template::evaluate(Context& context) const {
  const Value value = run(context);
  if (!value.is_error()) return value;
  return Error{value.to_error().kind, explain(value.failure())};
}

std::string Template::explain(const Failure& failure) const {
  // Every hole's expression has the whole text, so each of them can say where it is.
  const auto hole = std::find_if(parts_.begin(), parts_.end(), [](const Part& part) { return part.expression != nullptr; });
  return hole == parts_.end() ? std::string(failure.message) : hole->expression->explain(failure);
}

bool Template::is_constant() const { return parts_.empty() || (parts_.size() == 1 && parts_[0].expression == nullptr); }
bool Template::is_single() const { return parts_.size() == 1 && parts_[0].expression != nullptr; }
const Expression* Template::single() const { return is_single() ? parts_[0].expression.get() : nullptr; }

bool Template::reads_payload() const {
  for (const Part& part : parts_) {
    if (part.expression != nullptr && part.expression->reads_payload()) return true;
  }
  return false;
}

bool Template::reads(Variable v) const { return (reads_ >> static_cast<int>(v) & 1) != 0; }
bool Template::holds_raw() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.expression != nullptr && part.expression->holds_raw(); });
}

}  // namespace belay::rules
