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

TEST_CASE("shaping_reaches_the_spool_and_makes_it_go_first") {
  const auto put_of = [](const std::string& shaping, const std::string& body) {
    Kit kit(source("trust: open", "[{ " + shaping + ", to: d }]"), nullptr);
    REQUIRE(kit.built());
    const auto walked = kit.post({{"Content-Type", "application/json"}}, body);
    REQUIRE_EQ(kit.spool.puts.size(), 1);  // stored, not forwarded
    return kit.spool.puts[0].deliveries.at(0);
  };
  const auto one = put_of("order: id", R"({"id":1})"), same = put_of("order: { key: id, on_stuck: skip }", R"({"id":1})");
  CHECK_EQ(one.grouping.kind, wire::GroupKind::order_wait);
  CHECK_EQ(same.grouping.kind, wire::GroupKind::order_skip);
  CHECK(one.grouping.key == same.grouping.key);
  CHECK(put_of("order: id", R"({"id":2})").grouping.key != one.grouping.key);
  const auto debounce = put_of("debounce: { key: id, quiet: 2s, at_most: 7s }, expire: 1h", R"({"id":1})");
  CHECK_EQ(debounce.grouping.kind, wire::GroupKind::debounce);
  CHECK(debounce.grouping.key != one.grouping.key);
  CHECK_EQ(debounce.grouping.wait_ms, 2'000);
  CHECK_EQ(debounce.grouping.at_most_ms, 7'000);
  CHECK_EQ(debounce.expire_ms, 3'600'000);
  const auto batch = put_of("batch: { max: 7, bytes: 2KB, wait: 3s, as: ndjson, per: id }", R"({"id":1})");
  CHECK_EQ(batch.grouping.kind, wire::GroupKind::batch_lines);
  CHECK_EQ(batch.grouping.max, 7);
  CHECK_EQ(batch.grouping.bytes, 2'048);
  CHECK_EQ(put_of("batch: {}", R"({"id":1})").grouping.kind, wire::GroupKind::batch_array);
  CHECK_EQ(put_of("delay: 90s", "{}").delay_ms, 90'000);
}

TEST_CASE("a_webhook_without_the_key_is_delivered_on_its_own") {
  for (const char* body : {"{}", R"({"id":null})", R"({"id":""})"}) {
    INFO(body);
    Kit kit(source("trust: open, mode: spool", "[{ order: id, to: d }]"), nullptr);
    kit.post({{"Content-Type", "application/json"}}, body);
    REQUIRE_EQ(kit.spool.puts.size(), 1);
    CHECK_EQ(kit.spool.puts[0].deliveries.at(0).grouping.kind, wire::GroupKind::none);
  }
}

TEST_CASE("what_fits_no_batch_is_stored_as_dead") {
  for (const auto& [type, body] : {std::pair("application/x-www-form-urlencoded", "id=1"), std::pair("application/xml", "<id>1</id>")}) {
    Kit kit(source("trust: open", "[{ batch: {}, to: d }]"), nullptr);
    kit.post({{"Content-Type", type}}, body);
    REQUIRE_EQ(kit.spool.puts.size(), 1);
    CHECK_NE(kit.spool.puts[0].deliveries.at(0).dead.find("batch: route 1: the body is not JSON"), std::string::npos);
  }
}

TEST_CASE("shaping_that_contradicts_itself_stops_the_load") {
  for (const char* wrong :
       {"order: id, debounce: { key: id }", "order: id, batch: {}", "debounce: { quiet: 1s }", "debounce: id", "batch: 5", "order: { on_stuck: skip }",
        "order: { key: id, on_stuck: never }", "debounce: { key: id, quiet: 2m, at_most: 1m }", "debounce: { key: id }, delay: 1s", "batch: {}, delay: 1s",
        "batch: { max: 0 }", "batch: { as: xml }", "delay: 1h, expire: 1h", "debounce: { key: id, at_most: 2m }, expire: 1m", "expire: 0s",
        "batch: {}, transform: { text: x }", "batch: {}, transform: { body: { a: 1 }, as: form }", "order: 'id +'"}) {
    INFO(wrong);
    CHECK_FALSE(Kit(source("trust: open", std::string("[{ ") + wrong + ", to: d }]"), nullptr).built());
  }
  CHECK(Kit(source("trust: open", R"([{ batch: {}, transform: { text: '{"a":1}', as: json }, to: d }])"), nullptr).built());
}
