// belay eval EXPR: what an expression gives for a payload, as JSON. For people who write rules.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "rules/expression.h"

namespace belay::cli {

namespace {

struct Options {
  std::string expression;
  std::string payload;
  std::vector<std::string> sets;
};

// NAME=JSON; $names stand for what a request would have, other names are variables.
struct Binding {
  std::string name;
  std::unique_ptr<const json::Document> value;
};

class EvalContext final : public rules::Context {
 public:
  EvalContext(std::string text, const std::vector<Binding>& bindings) : text_(std::move(text)), bindings_(bindings) {}

  rules::Value payload() override {
    if (text_.empty()) return rules::Value::failed(rules::Fault::unreadable, "there is no payload; give one with --payload FILE", arena());
    auto parsed = json::Document::parse(text_);
    if (!parsed) return rules::Value::failed(rules::Fault::unreadable, "payload is not JSON: " + parsed.error().message, arena());
    document_ = std::move(parsed).value();
    return rules::Value::json(*document_, document_->root());
  }
  rules::Value variable(rules::Variable name) override {
    for (const Binding& binding : bindings_) {
      if (binding.name == to_string(name)) return rules::Value::json(*binding.value, binding.value->root());
    }
    if (name == rules::Variable::raw && !text_.empty()) return rules::Value::bytes(text_);
    if (name == rules::Variable::now) {
      const int64_t ms = to_ms(SystemClock().wall());
      return rules::Value::timestamp({ms / 1000, static_cast<uint32_t>(ms % 1000) * 1'000'000});
    }
    return rules::Value::failed(rules::Fault::no_such_key, std::string(to_string(name)) + " has no value; give one with --set '" + std::string(to_string(name)) + "=…'",
                                arena());
  }
  rules::Value declared(size_t index) override {
    size_t at = 0;
    for (const Binding& binding : bindings_) {
      if (!binding.name.starts_with('$') && at++ == index) return rules::Value::json(*binding.value, binding.value->root());
    }
    return {};
  }

 private:
  std::string text_;
  const std::vector<Binding>& bindings_;
  std::unique_ptr<const json::Document> document_;
};

Result<Binding> parse_binding(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return invalid("--set " + printable(text) + ": write NAME=JSON, for example total=100");
  auto value = json::Document::parse_owned(text.substr(equals + 1));
  if (!value) return invalid("--set " + text.substr(0, equals) + ": not JSON: " + value.error().message + "; text is written in quotes, '" + text.substr(0, equals) + "=\"…\"'");
  return Binding{text.substr(0, equals), std::move(value).value()};
}

int evaluate(const Options& options) {
  std::vector<Binding> bindings;
  rules::Names names = rules::Names::signature();
  for (const std::string& set : options.sets) {
    auto binding = parse_binding(set);
    if (!binding) {
      std::cerr << "belay eval: " << binding.error().message << '\n';
      return 2;
    }
    if (!binding->name.starts_with('$')) names.declared.push_back(binding->name);
    bindings.push_back(std::move(binding).value());
  }
  std::string payload;
  if (!options.payload.empty()) {
    auto read = read_file(options.payload == "-" ? "/dev/stdin" : options.payload);
    if (!read) {
      std::cerr << "belay eval: " << read.error().message << '\n';
      return 2;
    }
    payload = std::move(read).value();
  }
  conf::Problems problems;
  const auto expression = rules::Expression::compile(options.expression, {"expression", 1, 1}, names, problems);
  if (expression == nullptr) {
    std::cerr << problems.to_string();
    return 1;
  }
  EvalContext context(std::move(payload), bindings);
  const rules::Value value = expression->run(context);
  if (value.is_error()) {
    std::cerr << expression->explain_with_caret(value.failure()) << '\n';
    return 1;
  }
  const auto shown = value.to_json();
  if (!shown) {
    std::cerr << "belay eval: " << shown.error().message << '\n';
    return 1;
  }
  std::cout << *shown << '\n';
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("eval", "What an expression gives for a payload, as JSON");
  command->add_option("expression", options->expression, "The expression, for example 'order.total > 100'")->required();
  command->add_option("--payload", options->payload, "JSON file that stands for the payload; - is standard input")->type_name("FILE");
  command->add_option("--set", options->sets, "NAME=JSON: a variable, or a $name of a request; may be repeated")->allow_extra_args(false);
  command->callback([options, &exit_code] { exit_code = evaluate(*options); });
}

}  // namespace belay::cli
