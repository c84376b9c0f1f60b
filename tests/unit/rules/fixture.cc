#include "unit/rules/fixture.h"

#include <array>

#include "base/bytes.h"

namespace belay::rules_test {

bool Headers::find(std::string_view name, Arena&, Value& out) const {
  if (ascii_iequals(name, "x-event")) out = Value::string("order.created");
  if (ascii_iequals(name, "x-many")) out = Value::string("one");
  return ascii_iequals(name, "x-event") || ascii_iequals(name, "x-many");
}

Value Headers::all(std::string_view name, Arena& arena) const {
  if (!ascii_iequals(name, "x-many")) return Table::all(name, arena);
  Value* values = arena.array<Value>(2);
  values[0] = Value::string("one");
  values[1] = Value::string("two");
  return Value::list({values, 2});
}

bool Secrets::find(std::string_view name, Arena&, Value& out) const {
  out = Value::string("whsec");
  return name == "signing";
}

Value Request::payload() {
  ++parses;
  auto parsed = json::Document::parse(text_);
  if (!parsed) return Value::failed(Fault::unreadable, "payload is not JSON: " + parsed.error().message, arena());
  document_ = std::move(parsed).value();
  return Value::json(*document_, document_->root());
}

Value Request::variable(Variable name) {
  ++variables;
  switch (name) {
    case Variable::raw: return Value::bytes(text_);
    case Variable::method: return Value::string("POST");
    case Variable::path: return Value::string("/hooks/acme");
    case Variable::headers: return Value::table(headers_);
    case Variable::secret: return Value::table(secrets_);
    case Variable::ts: return Value::string("1700000000");
    case Variable::now: return Value::timestamp({1'700'000'000, 500'000'000});
    default: return Value::failed(Fault::no_such_key, "not in this test", arena());
  }
}

bool Request::path_part(std::string_view name, Value& out) {
  out = Value::string("acme");
  return name == "tenant";
}

std::string eval(std::string_view expression, std::string_view payload) {
  conf::Problems found;
  const auto compiled = Expression::compile(expression, {"t", 1, 1}, Names::signature(), found);
  if (compiled == nullptr) return "refused: " + found.all().at(0).what;
  Request request{std::string(payload)};
  const Value value = compiled->run(request);
  if (value.is_error()) return "error: " + std::string(value.failure().message);
  const auto json = value.to_json();
  return json ? *json : "error: " + json.error().message;
}

std::string render(std::string_view text, std::string_view payload, Template::Escape escape) {
  conf::Problems found;
  const auto compiled = Template::compile(text, {"t", 1, 1}, Names::signature(), found, escape);
  if (compiled == nullptr) return "refused: " + found.all().at(0).what;
  Request request{std::string(payload)};
  const auto out = compiled->render(request);
  return out ? *out : "error: " + out.error().message;
}

std::string problems(std::string_view expression, const Names& names, Want want) {
  conf::Problems found;
  const auto compiled = Expression::compile(expression, {"rules.yaml", 12, 7}, names, found, want);
  return compiled == nullptr ? found.to_string() : "none";
}

}  // namespace belay::rules_test
