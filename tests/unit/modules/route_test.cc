#include "kit.h"

using namespace belay;
using namespace belay::test;

namespace {

std::string rules_with(const std::string& routes, const std::string& more = "trust: open") {
  return "sources:\n  s: { match: { path: /s }, " + more + ", routes: " + routes +
         " }\ndestinations:\n  a: { url: \"http://127.0.0.1:1/\" }\n  b: { url: \"http://127.0.0.1:1/\" }\n  c: { url: "
         "\"http://127.0.0.1:1/\" }\n";
}

// Names in order, routes set apart by '|'.
std::string selected(Kit& kit, const std::string& body) {
  std::string names;
  const auto walked = kit.post({}, body);
  for (const auto& route : walked->exchange->selected) {
    if (!names.empty()) names += '|';
    for (const auto& destination : route.destinations) names += destination->name;
  }
  return names;
}

}  // namespace

TEST_CASE("every_route_that_holds_is_taken_in_order_and_each_destination_once") {
  Kit kit(rules_with("[{ when: n == 1, to: a }, { when: n >= 1, to: [b, a] }, { to: c }]"), &modules::kRoute);
  CHECK_EQ(selected(kit, R"({"n":1})"), "a|b|c");
  CHECK_EQ(selected(kit, R"({"n":2})"), "ba|c");
  CHECK_EQ(selected(kit, R"({"n":0})"), "c");
}

TEST_CASE("a_condition_that_cannot_be_evaluated_does_not_hold_and_the_reason_says_so") {
  Kit kit(rules_with("[{ when: order.total > 100, to: a }, { when: '$headers[\"X-Kind\"] == \"b\"', to: [b, c] }]"),
          &modules::kRoute);
  CHECK_EQ(kit.post({{"X-Kind", "b"}}, "{}")->exchange->selected.size(), 1);
  const auto unrouted = kit.post({}, "{}");
  CHECK_EQ(unrouted->status(), 200);
  CHECK_EQ(unrouted->exchange->outcome, wire::Outcome::filtered);
  CHECK_NE(unrouted->reason().find("unrouted; a condition cannot be evaluated"), std::string::npos);
  CHECK_NE(unrouted->reason().find("order"), std::string::npos);
  CHECK_NE(unrouted->exchange->reply.body.find("filtered"), std::string::npos);
}

TEST_CASE("an_unrouted_webhook_gets_the_reply_of_its_source") {
  Kit kit(rules_with("[{ when: n == 1, to: [a, b, c] }]", "trust: open, reply: { status: 204 }"), &modules::kRoute);
  const auto unrouted = kit.post({}, R"({"n":2})");
  CHECK_EQ(unrouted->status(), 204);
  CHECK_EQ(unrouted->reason(), "route: unrouted");
}

TEST_CASE("routes_that_lead_nowhere_stop_the_load") {
  const Kit unknown(rules_with("[{ to: [a, b, c] }, { to: bb }]"), &modules::kRoute);
  CHECK_FALSE(unknown.built());
  CHECK_NE(unknown.problems().find("bb"), std::string::npos);
  for (const char* wrong : {"[]", "[{ when: a == 1 }]", "[{ to: [a, a] }]", "[{ to: [] }]",
                            "[{ to: a, when: '1 + 1' }]", "{ to: a }"}) {
    INFO(wrong);
    CHECK_FALSE(Kit(rules_with(wrong), &modules::kRoute).built());
  }
}
