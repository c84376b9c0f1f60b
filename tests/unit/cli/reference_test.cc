// The generated texts: docs/rules.md is what the program says, and the OpenAPI description holds together.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "cli/dry_run.h"
#include "cli/json_view.h"
#include "cli/openapi.h"
#include "cli/reference.h"
#include "conf/documented.h"
#include "conf/stand_in.h"
#include "rules/expression.h"
#include "support/process.h"

using namespace belay;
using namespace belay::cli;

namespace {

// Every value of the name, anywhere below.
void collect(const json::Document& document, json::Ref value, std::string_view name, std::vector<std::string>& into) {
  const json::Type type = document.type(value);
  if (type != json::Type::object && type != json::Type::array) return;
  for (json::Ref each = document.first(value); each != json::kNone; each = document.next(value, each)) {
    const json::Ref inside = type == json::Type::object ? json::Document::value_of(each) : each;
    if (type == json::Type::object && document.inner(each) == name && document.type(inside) == json::Type::string) {
      into.emplace_back(document.inner(inside));
    }
    collect(document, inside, name, into);
  }
}

}  // namespace

TEST_CASE("docs_rules_md_is_what_the_program_generates") {
  setenv("BELAY_PRESETS", (test::source_folder() + "/conf/presets").c_str(), 1);
  const auto text = reference_markdown();
  REQUIRE(text.ok());
  const bool same = *text == test::read_text(test::source_folder() + "/docs/rules.md");
  CHECK_MESSAGE(same, "docs/rules.md is not what the settings tables say: run tools/reference with the binary just built");
}

TEST_CASE("every_key_of_every_table_has_its_help_in_the_reference") {
  const auto text = reference_markdown();
  REQUIRE(text.ok());
  CHECK_GE(conf::Documented::all().size(), 40);
  for (const conf::Documented& table : conf::Documented::all()) {
    for (const conf::Setting& setting : table.settings) {
      CAPTURE(std::string(table.path));
      CAPTURE(std::string(setting.key));
      CHECK_FALSE(setting.help.empty());
      CHECK_NE(text->find("| `" + std::string(setting.key) + "` |"), std::string::npos);
    }
  }
}

TEST_CASE("every_example_reads_with_its_own_table_and_every_key_shows_what_to_write") {
  for (const conf::Documented& table : conf::Documented::all()) {
    const auto has_table = [&](const std::string& key) {
      const std::string own = (table.path.empty() || table.path == "rules.d/*.yaml" ? "" : std::string(table.path) + ".") + key;
      return std::any_of(conf::Documented::all().begin(), conf::Documented::all().end(),
                         [&](const conf::Documented& other) { return other.path.starts_with(own); });
    };
    for (const conf::Setting& setting : table.settings) {
      CAPTURE(std::string(table.path));
      CAPTURE(std::string(setting.key));
      // Words, ranges and defaults show what a plain value looks like; a mapping or list is shown, or has a table.
      if (setting.type == conf::Type::node) CHECK((!setting.example.empty() || has_table(std::string(setting.key)) || setting.help.starts_with("not available")));
      if (setting.example.empty()) continue;
      conf::Problems problems;
      const auto document = conf::Document::parse(std::string(setting.key) + ": " + std::string(setting.example) + "\n", "example.yaml", problems);
      CHECK_EQ(problems.to_string(), "");
      REQUIRE(document != nullptr);
      const conf::Setting alone[] = {setting};
      const conf::Section section(document->root(), alone, problems);
      switch (setting.type) {
        case conf::Type::text: section.texts(setting.key); break;
        case conf::Type::rate: section.rate(setting.key); break;
        case conf::Type::size: section.size(setting.key); break;
        case conf::Type::duration: section.duration(setting.key); break;
        case conf::Type::integer: section.integer(setting.key); break;
        case conf::Type::expression: rules::Expression::compile(section.node(setting.key), rules::Names::signature(), problems); break;
        default: break;
      }
      CHECK_EQ(problems.to_string(), "");
    }
  }
}

TEST_CASE("the_openapi_description_of_a_ruleset_holds_together") {
  const test::TempFolder folder;
  folder.write("order.json", R"({"type": "object", "properties": {"id": {"$ref": "#/$defs/id"}}, "$defs": {"id": {"type": "integer"}}})");
  folder.write("rules.yaml", R"(sources:
  orders:
    match: { path: "/hooks/{tenant}/orders", methods: [POST, PUT] }
    auth: { any: [ { bearer: a }, { all: [ { header: { X-Key: b } }, { query: { k: c } } ] } ] }
    body: { types: [application/json] }
    limit: { rate: 1/s }
    schema: order.json
    routes: [{ to: d }]
  signed: { match: { path: /signed/* }, preset: github, secrets: { signing: "${env:BELAY_TEST_UNSET}" }, mode: spool, reply: { body: '{"ok": true}' }, routes: [{ to: d }] }
  elsewhere: { match: { path: /signed/*, host: other.example.com }, trust: open, routes: [{ to: d }] }
destinations:
  d: { url: "http://127.0.0.1:1/" }
)");
  const std::string main = folder.write("belay.yaml", "admin: { token: t }\nrules: [rules.yaml]\n");
  const conf::MissingSecretsStandIn stand_in;
  const auto ruleset = load_ruleset({.main_file = main});
  REQUIRE(ruleset != nullptr);
  const auto text = openapi_json(*ruleset);
  REQUIRE(text.ok());
  const auto document = *json::Document::parse_owned(*text);
  const JsonView view(*document);
  CHECK_EQ(view["openapi"].text(), "3.1.0");
  CHECK_FALSE(view["info"]["title"].text().empty());
  CHECK_FALSE(view["info"]["version"].text().empty());
  std::set<std::string> ids;
  for (const auto& item : view["paths"].members()) {
    const std::string& path = item.first;
    CAPTURE(path);
    CHECK(path.starts_with('/'));
    for (const auto& one : item.second.members()) {
      const std::string& method = one.first;
      const JsonView& operation = one.second;
      CAPTURE(method);
      CHECK(ids.insert(operation["operationId"].text()).second);
      CHECK_FALSE(operation["responses"].members().empty());
      for (const auto& [status, response] : operation["responses"].members()) CHECK_FALSE(response["description"].text().empty());
      for (const JsonView& needs : operation["security"].items()) {
        for (const auto& [name, scopes] : needs.members()) CHECK(view["components"]["securitySchemes"][name]["type"].present());
      }
      for (const JsonView& parameter : operation["parameters"].items()) {
        CHECK_NE(path.find("{" + parameter["name"].text() + "}"), std::string::npos);
        CHECK(parameter["required"].boolean());
      }
    }
  }
  std::vector<std::string> references;
  collect(*document, document->root(), "$ref", references);
  CHECK_FALSE(references.empty());
  for (const std::string& reference : references) {
    CAPTURE(reference);
    if (reference == "#/$defs/id") continue;  // inside a schema with an id of its own
    constexpr std::string_view kStart = "#/components/schemas/";
    REQUIRE(reference.starts_with(kStart));
    CHECK(view["components"]["schemas"][reference.substr(kStart.size())].present());
  }

  const JsonView orders = view["paths"]["/hooks/{tenant}/orders"];
  CHECK(orders["put"].present());
  const auto needs = orders["post"]["security"].items();
  REQUIRE_EQ(needs.size(), 2);
  CHECK(needs[0]["bearer"].present());
  CHECK(needs[1]["header-X-Key"].present());
  CHECK(needs[1]["query-k"].present());
  CHECK_EQ(orders["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].text(), "#/components/schemas/order.json");
  const JsonView schema = view["components"]["schemas"]["order.json"];
  CHECK_EQ(schema["$id"].text(), "urn:belay:order.json");
  CHECK_EQ(schema["properties"]["id"]["$ref"].text(), "#/$defs/id");
  for (const char* status : {"200", "202", "400", "401", "413", "415", "422", "429", "503", "default"}) CHECK(orders["post"]["responses"][status].present());
  CHECK_FALSE(orders["post"]["responses"]["403"].present());
  const JsonView spooled = view["paths"]["/signed/{rest}"]["post"];
  CHECK(spooled["responses"]["200"]["content"]["application/json"]["example"]["ok"].boolean());
  CHECK_FALSE(spooled["responses"]["default"].present());
  CHECK(view["paths"]["/signed/{rest}#elsewhere"]["post"].present());
}
