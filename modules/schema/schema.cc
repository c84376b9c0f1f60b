#include "modules/schema/schema.h"

#include <map>

#include "base/bytes.h"
#include "modules/decode/decode.h"
#include "modules/schema/compiler.h"
#include "modules/schema/validator.h"

namespace belay::modules {

namespace {

// `name` against a pattern in which each '*' stands for any text.
bool type_matches(std::string_view pattern, std::string_view name) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  pattern.remove_prefix(star + 1);
  name.remove_prefix(star);
  for (size_t next = pattern.find('*'); next != std::string_view::npos; next = pattern.find('*')) {
    const size_t at = name.find(pattern.substr(0, next));
    if (at == std::string_view::npos) return false;
    name.remove_prefix(at + next);
    pattern.remove_prefix(next + 1);
  }
  return name.ends_with(pattern);
}

class SchemaCheck final : public pipeline::Handler {
 public:
  pipeline::Verdict handle(pipeline::Exchange& exchange) const override {
    const schema::Node* node = node_for(exchange.event.type);
    if (node == nullptr) return pipeline::Verdict::next;
    rules::Context& context = exchange.context();
    rules::Value payload = context.root();
    if (payload.is_table()) payload = form_as_json(payload, context.arena());
    if (payload.is_error()) {
      if (!refuse_unreadable(exchange, payload)) {
        exchange.answer(422, wire::Outcome::rejected, "schema: " + printable(payload.failure().message));
      }
      return pipeline::Verdict::reply;
    }
    const auto misfit = schema::Validator(payload.document()).validate(*node);
    if (!misfit) return pipeline::Verdict::next;
    exchange.answer(422, wire::Outcome::rejected, "schema: " + *misfit);
    return pipeline::Verdict::reply;
  }

  schema::SchemaSet set;
  std::map<std::string, const schema::Node*, std::less<>> exact;
  std::vector<std::pair<std::string, const schema::Node*>> patterns;  // in the order of the file
  const schema::Node* otherwise = nullptr;

 private:
  const schema::Node* node_for(std::string_view type) const {
    if (const auto found = exact.find(type); found != exact.end()) return found->second;
    for (const auto& [pattern, node] : patterns) {
      if (type_matches(pattern, type)) return node;
    }
    return otherwise;
  }

  // A form is checked as the object of its first values.
  static rules::Value form_as_json(const rules::Value& form, rules::Arena& arena) {
    const auto unreadable = [&arena](const Error& error) {
      const rules::Value why = rules::Value::copy_string(error.message, arena);
      return why.is_error() ? why : rules::Value::failed(rules::Fault::unreadable, why.text(), arena);
    };
    auto text = form.to_json();
    if (!text) return unreadable(text.error());
    auto parsed = json::Document::parse_owned(std::move(text).value());
    if (!parsed) return unreadable(parsed.error());
    const json::Document* kept = arena.keep(std::move(parsed).value());
    if (kept == nullptr) return rules::Value::failed(rules::Fault::budget, "the form is too large for expressions", arena);
    return rules::Value::json(*kept, kept->root());
  }
};

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  auto check = std::make_unique<SchemaCheck>();
  schema::Compiler compiler(context.secrets.folder, check->set);
  const auto compile = [&](const conf::Node& file) -> const schema::Node* {
    if (!file.is_scalar() || file.text().empty()) {
      context.problems.add(file.position(), "expected a JSON Schema file", "write schema: schemas/order.json");
      return nullptr;
    }
    const size_t before = compiler.complaints().size();
    const schema::Node* node = compiler.compile(file.text());
    for (size_t i = before; i < compiler.complaints().size(); ++i) context.problems.add(file.position(), compiler.complaints()[i]);
    return node;
  };
  if (!settings.is_map()) {
    check->otherwise = compile(settings);
    return check;
  }
  if (settings.entries().empty()) context.problems.add(settings.position(), "schema is empty", "write schema: { \"order.*\": FILE, default: FILE }");
  for (const conf::Entry& entry : settings.entries()) {
    const schema::Node* node = compile(entry.value);
    if (entry.key == "default") {
      check->otherwise = node;
    } else if (entry.key.find('*') == std::string::npos) {
      check->exact.emplace(entry.key, node);
    } else {
      check->patterns.emplace_back(entry.key, node);
    }
  }
  const bool by_type = !check->exact.empty() || !check->patterns.empty();
  if (by_type && !context.source->settings_of("identify").at("type").present()) {
    context.problems.add(settings.position(), "schemas for event types need to know the type", "write identify: { type: eventType } in the source");
  }
  return check;
}

}  // namespace

const pipeline::Module kSchema = {
    .key = "schema",
    .stage = pipeline::Stage::on_body,
    .help = "the payload against a JSON Schema, also one for each type of event",
    .build = build,
};

}  // namespace belay::modules
