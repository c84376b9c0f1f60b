// Every recipe of docs/cookbook through a running gateway: signed requests in, values at a recording backend out. A recipe is a
// folder with README.md, rules.yaml and cases.yaml; nothing here knows one of them.
#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "json/document.h"
#include "support/backend.h"
#include "support/gateway.h"
#include "support/recipe.h"

using namespace belay::test;
namespace fs = std::filesystem;

namespace {

// Where the rules of all recipes expect their backends.
constexpr std::string_view kBackend = "127.0.0.1:8081";

std::string book() { return source_folder() + "/docs/cookbook"; }

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(book())) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string at_backend(std::string rules, const Backend& backend) {
  for (size_t at = rules.find(kBackend); at != std::string::npos; at = rules.find(kBackend, at + 1)) rules.replace(at, kBackend.size(), backend.address());
  return rules;
}

// All values of a field, in order.
std::vector<std::string> values_of(const std::string& head, const std::string& name) {
  std::vector<std::string> values;
  for (const auto line : belay::split(head, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !belay::ascii_iequals(line.substr(0, colon), name)) continue;
    values.emplace_back(belay::trim_ows(line.substr(colon + 1, line.size() - colon - 1 - (line.ends_with('\r') ? 1 : 0))));
  }
  return values;
}

std::string only_value(const std::string& head, const std::string& name) {
  const auto values = values_of(head, name);
  return values.size() == 1 ? values[0] : std::to_string(values.size()) + " fields";
}

std::string bytes_of_request(const Case& one) {
  Headers headers;
  const std::string now = std::to_string(time(nullptr));
  const auto known = [&](const std::string& name) {
    if (name == "time") return now;
    if (name == "body") return one.body;
    for (const auto& [field, value] : headers) {
      if (name == "header:" + field) return value;
    }
    throw std::runtime_error("nothing is called {" + name + "}");
  };
  std::string host = "hooks.example.com";
  for (const auto& [name, value] : one.headers) {
    if (name == "Host") host = value;
    else headers.emplace_back(name, fill(value, known));
  }
  if (one.signature) headers.emplace_back(one.signature->header, one.signature->value(known));
  std::string out = one.method + " " + one.path + " HTTP/1.1\r\nHost: " + host + "\r\n";
  for (const auto& [name, value] : headers) out += name + ": " + value + "\r\n";
  return out + "Content-Length: " + std::to_string(one.body.size()) + "\r\n\r\n" + one.body;
}

void check_fields(const Delivered& expected, const Seen& seen) {
  if (expected.fields.empty()) return;
  const auto document = belay::json::Document::parse(seen.body);
  REQUIRE_MESSAGE(document.ok(), seen.body);
  for (const auto& field : expected.fields) {
    INFO(field.first);
    const belay::json::Ref at = (*document)->find_path(field.first);
    REQUIRE_NE(at, belay::json::kNone);
    CHECK_EQ((*document)->raw(at), field.second);
  }
}

void check_delivered(const Delivered& expected, const Seen& seen, const Case& one) {
  INFO(seen.head);
  if (expected.as_sent) CHECK_EQ(seen.body, one.body);
  if (expected.body) CHECK_EQ(seen.body, *expected.body);
  check_fields(expected, seen);
  for (const auto& field : expected.headers) {
    INFO(field.first);
    if (field.second) CHECK_EQ(only_value(seen.head, field.first), *field.second);
    if (!field.second) CHECK(values_of(seen.head, field.first).empty());
  }
  CHECK_EQ(values_of(seen.head, "webhook-id").size(), 1);
  if (!seen.body.empty()) CHECK_EQ(only_value(seen.head, "Content-Length"), std::to_string(seen.body.size()));
  if (!expected.signature) return;
  const auto of_seen = [&seen](const std::string& name) { return name == "body" ? seen.body : only_value(seen.head, name.substr(name.find(':') + 1)); };
  CHECK_EQ(only_value(seen.head, expected.signature->header), expected.signature->value(of_seen));
}

void run_case(const Case& one, const Gateway& gateway, const Backend& backend) {
  INFO(one.name);
  const size_t before = backend.seen_count();
  if (!one.backend.empty()) backend.mode(one.backend);
  const auto answer = send_once(gateway.address(), bytes_of_request(one));
  REQUIRE(answer.has_value());
  INFO(answer->head, answer->body);
  CHECK_EQ(answer->status, one.status);
  if (one.answer) CHECK_EQ(answer->body, *one.answer);
  for (const auto& [name, value] : one.answer_headers) CHECK_EQ(answer->field(name), value);

  size_t count = before;
  for (const Delivered& expected : one.delivered) count += expected.attempts;
  wait_for([&] { return backend.seen_count() >= count; });
  auto all = backend.seen();
  all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(before));
  std::string targets;
  for (const Seen& seen : all) targets += seen.method + " " + seen.target + "\n";
  INFO(targets);
  CHECK_EQ(all.size(), count - before);
  for (const Delivered& expected : one.delivered) {
    INFO(expected.method, " ", expected.path);
    std::vector<Seen> own;
    std::copy_if(all.begin(), all.end(), std::back_inserter(own), [&](const Seen& seen) { return seen.method == expected.method && seen.target == expected.path; });
    REQUIRE_EQ(own.size(), expected.attempts);
    for (const Seen& seen : own) {
      CHECK_EQ(seen.id, own[0].id);
      check_delivered(expected, seen, one);
    }
  }
}

void run_recipe(const std::string& name) {
  const Recipe recipe = read_recipe(book() + "/" + name);
  const TempFolder folder;
  for (const auto& [file, content] : recipe.files) folder.write(file, content);
  folder.write("rules.d/test.yaml", recipe.rules);
  const Finished checked = run({belay_binary(), "check", "-c", folder.write("check.yaml", "rules: [rules.d/test.yaml]\n"), "--strict-secrets"}, Milliseconds(60'000), recipe.environment);
  REQUIRE_MESSAGE(checked.code == 0, checked.out, checked.err);
  Backend backend(folder);
  size_t expected = 0, refused = 0;
  {
    Gateway gateway(folder, {.rules = at_backend(recipe.rules, backend), .proxy = "  trusted_proxies: [127.0.0.0/8]\n", .environment = recipe.environment});
    for (const Case& one : recipe.cases) {
      run_case(one, gateway, backend);
      for (const Delivered& delivered : one.delivered) expected += delivered.attempts;
      if (one.status == 401 && one.delivered.empty()) ++refused;
    }
  }
  CHECK_EQ(backend.seen_count(), expected);  // nothing came later
  CHECK_GT(refused, 0);                      // every recipe shows what a forger gets
}

}  // namespace

TEST_CASE("cookbook: every_recipe_does_what_its_page_says") {
  const auto names = recipe_names();
  REQUIRE_FALSE(names.empty());
  const char* only = getenv("BELAY_RECIPE");  // one of them, for who writes it
  for (const std::string& name : names) {
    if (only != nullptr && name != only) continue;
    INFO(name);
    try {
      run_recipe(name);
    } catch (const std::exception& error) {
      FAIL_CHECK(std::string(error.what()));
    }
  }
}

TEST_CASE("cookbook: the_list_names_every_recipe_and_every_recipe_has_a_page") {
  const std::string list = read_text(book() + "/README.md");
  for (const std::string& name : recipe_names()) {
    INFO(name);
    CHECK_NE(list.find("(" + name + "/README.md)"), std::string::npos);
    const std::string page = read_text(book() + "/" + name + "/README.md");
    CHECK_NE(page.find("(rules.yaml)"), std::string::npos);
  }
}
