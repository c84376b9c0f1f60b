// The index over conditions: the same routes and the same reasons as trying every condition, without trying every one.
#include "kit.h"
#include "modules/route/index.h"

using namespace belay;
using namespace belay::test;

namespace {

const char* const kKeys[] = {"kind", "$event.type", "data.state", "$headers[\"X-Kind\"]", "data.deep.er"};
const char* const kTexts[] = {"a", "b", "c", "d", ""};
// True, false or an error, by the payload.
const char* const kOthers[] = {"n > 1", "n == 1", "gone.too > 2", "1 / n > 0", "has(data.state)", "true", "kind.startsWith(\"a\")", "!flag"};

uint64_t below(Random& random, uint64_t end) { return random.next() % end; }

std::string test_of(Random& random) {
  const std::string key = kKeys[below(random, std::size(kKeys))];
  const auto text = [&random] { return '"' + std::string(kTexts[below(random, std::size(kTexts))]) + '"'; };
  switch (below(random, 4)) {
    case 0: return key + " in [" + text() + ", " + text() + "]";
    case 1: return text() + " == " + key;
    case 2: return "(" + key + " == " + text() + " || " + key + " == " + text() + ")";
    default: return key + " == " + text();
  }
}

std::string condition(Random& random) {
  std::string out = below(random, 5) == 0 ? kOthers[below(random, std::size(kOthers))] : test_of(random);
  for (uint64_t more = below(random, 3); more > 0; --more) {
    const std::string other = below(random, 2) == 0 ? kOthers[below(random, std::size(kOthers))] : test_of(random);
    const std::string op = below(random, 5) == 0 ? " || " : " && ";
    out = below(random, 2) == 0 ? "(" + out + ")" + op + other : other + op + "(" + out + ")";
  }
  return out;
}

// One route a line, so that an error stands at the same place whatever is behind the other conditions.
std::string rules_of(const std::vector<std::string>& conditions, const std::string& behind) {
  std::string rules = "sources:\n  s:\n    match: { path: /s }\n    trust: open\n    identify: { type: type }\n    routes:\n";
  for (size_t i = 0; i < conditions.size(); ++i) {
    rules += "      - to: d" + std::to_string(i % 40) + "\n";
    if (!conditions[i].empty()) rules += "        when: '(" + conditions[i] + ")" + behind + "'\n";
  }
  rules += "destinations:\n";
  for (size_t i = 0; i < std::min<size_t>(conditions.size(), 40); ++i) rules += "  d" + std::to_string(i) + ": { url: \"http://127.0.0.1:1/\" }\n";
  return rules;
}

std::string value(Random& random) {
  switch (below(random, 8)) {
    case 0: return "null";
    case 1: return "7";
    case 2: return "{}";
    case 3: return "true";
    default: return '"' + std::string(kTexts[below(random, std::size(kTexts))]) + '"';
  }
}

std::string body_of(Random& random) {
  if (below(random, 20) == 0) return below(random, 2) == 0 ? "[1]" : "{";
  std::string out = "{\"n\":" + std::to_string(below(random, 3));
  for (const char* key : {"kind", "type", "flag"}) {
    if (below(random, 5) != 0) out += ",\"" + std::string(key) + "\":" + value(random);
  }
  if (below(random, 5) != 0) {
    out += ",\"data\":" + (below(random, 6) == 0 ? value(random)
                                                 : "{\"state\":" + value(random) + ",\"deep\":" + (below(random, 4) == 0 ? "null" : "{\"er\":" + value(random) + "}") + "}");
  }
  return out + "}";
}

std::string decision(Kit& kit, const Fields& fields, const std::string& body) {
  const auto walked = kit.post(fields, body);
  std::string out = walked->exchange->reason + ":";
  if (const size_t folder = out.find(kit.folder()); folder != std::string::npos) out.erase(folder, kit.folder().size());
  for (const auto& route : walked->exchange->selected) out += " " + std::to_string(route.route);
  return out;
}

}  // namespace

TEST_CASE("index_and_scan_select_the_same_routes_for_the_same_reasons") {
  SeededRandom random(20260722);
  size_t selected = 0, unread = 0, refused = 0;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> conditions;
    for (uint64_t i = 16 + below(random, 40); i > 0; --i) conditions.push_back(below(random, 60) == 0 ? "" : condition(random));
    // A conditional says nothing of plain values, so no condition of the second kit is in an index.
    Kit indexed(rules_of(conditions, ""), &modules::kRoute), scanned(rules_of(conditions, " ? true : false"), &modules::kRoute);
    INFO(indexed.problems());
    REQUIRE(indexed.built());
    REQUIRE(scanned.built());
    for (int webhook = 0; webhook < 50; ++webhook) {
      const Fields fields = below(random, 3) == 0 ? Fields{} : Fields{{"X-Kind", kTexts[below(random, 4)]}};
      const std::string body = body_of(random);
      const std::string is = decision(indexed, fields, body);
      INFO(rules_of(conditions, ""));
      INFO(body);
      REQUIRE_EQ(is, decision(scanned, fields, body));
      selected += is.back() != ':' ? 1U : 0U;
      refused += is.starts_with("decode") ? 1U : 0U;
      unread += is.find("cannot be evaluated") != std::string::npos ? 1U : 0U;
    }
  }
  CHECK_GT(selected, 500);
  CHECK_GT(unread, 20);
  CHECK_GT(refused, 20);
}

TEST_CASE("a_webhook_is_tried_against_the_routes_of_its_own_value_only") {
  std::vector<std::unique_ptr<rules::Expression>> kept;
  std::vector<const rules::Expression*> conditions;
  conf::Problems problems;
  for (int i = 0; i < 50'000; ++i) {
    const std::string text = i == 7 ? "n == 1" : "$event.type == 'paid' && tenant == 't" + std::to_string(i / 2) + "'";
    kept.push_back(rules::Expression::compile(text, {"rules.yaml", 1, 1}, rules::Names::request(), problems, rules::Want::boolean));
    conditions.push_back(kept.back().get());
  }
  const auto index = modules::RouteIndex::make(conditions);
  REQUIRE(index != nullptr);
  Kit kit(source("trust: open, identify: { type: type }"), &modules::kRoute);
  const auto webhook = kit.post({}, R"({"type":"paid","tenant":"t1000"})");
  modules::RouteIndex::Found found;
  index->find(webhook->exchange->context(), found);
  CHECK_EQ(found.candidates, std::vector<uint32_t>{7, 2000, 2001});
  CHECK(found.unread.empty());

  const auto without = kit.post({}, R"({"type":"paid"})");
  index->find(without->exchange->context(), found);
  CHECK_EQ(found.candidates, std::vector<uint32_t>{7});
  REQUIRE_EQ(found.unread.size(), 1);
  CHECK_EQ(found.unread[0].size(), 49'999);
  CHECK_FALSE(found.all);

  const auto broken = kit.post({}, "{");
  index->find(broken->exchange->context(), found);
  CHECK(found.all);
}

TEST_CASE("few_routes_and_routes_without_a_key_have_no_index") {
  conf::Problems problems;
  const auto keyed = rules::Expression::compile("kind == 'a'", {"rules.yaml", 1, 1}, rules::Names::request(), problems, rules::Want::boolean);
  const auto free = rules::Expression::compile("n > 1", {"rules.yaml", 1, 1}, rules::Names::request(), problems, rules::Want::boolean);
  using Conditions = std::vector<const rules::Expression*>;
  CHECK_EQ(modules::RouteIndex::make(Conditions(modules::RouteIndex::kFewest - 1, keyed.get())), nullptr);
  CHECK_NE(modules::RouteIndex::make(Conditions(modules::RouteIndex::kFewest, keyed.get())), nullptr);
  CHECK_EQ(modules::RouteIndex::make(Conditions(100, free.get())), nullptr);
  CHECK_EQ(modules::RouteIndex::make(Conditions(100, nullptr)), nullptr);
}

TEST_CASE("as_many_routes_as_the_limit_load_and_one_more_is_refused") {
  const auto rules = [](size_t count) {
    std::string text = "sources:\n  s:\n    match: { path: /s }\n    trust: open\n    routes:\n";
    for (size_t i = 0; i < count; ++i) text += "    - {when: k == 'v" + std::to_string(i) + "', to: d}\n";
    return text + "destinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n";
  };
  Kit most(rules(modules::kMaxRoutes), &modules::kRoute);
  REQUIRE(most.built());
  const auto walked = most.post({}, R"({"k":"v99999"})");
  REQUIRE_EQ(walked->exchange->selected.size(), 1);
  CHECK_EQ(walked->exchange->selected[0].route, 99'999);
  const Kit over(rules(modules::kMaxRoutes + 1), &modules::kRoute);
  CHECK_FALSE(over.built());
  CHECK_NE(over.problems().find("1 to 100000 routes"), std::string::npos);
}
