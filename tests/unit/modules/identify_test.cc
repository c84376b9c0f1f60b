#include "kit.h"

using namespace belay;
using namespace belay::test;

TEST_CASE("facts_come_from_headers_and_payload_and_what_cannot_be_read_stays_empty") {
  Kit kit(source("trust: open, identify: { type: recordType + \".\" + event, id: '$headers[\"X-Id\"]', resource: "
                 "recordId, time: missing.path }"),
          &modules::kIdentify);
  const auto walked = kit.post({{"X-Id", "d-1"}}, R"({"recordType":"customer","event":"update","recordId":12345})");
  const pipeline::EventFacts& facts = walked->exchange->event;
  CHECK_EQ(facts.type, "customer.update");
  CHECK_EQ(facts.id, "d-1");
  CHECK_EQ(facts.resource, "12345");
  CHECK_EQ(facts.time, "");
  const auto broken = kit.post({{"X-Id", "d-2"}}, "not json");
  CHECK_EQ(broken->status(), 200);
  CHECK_EQ(broken->exchange->event.id, "d-2");
  CHECK_EQ(broken->exchange->event.type, "");
}

TEST_CASE("a_long_fact_is_cut") {
  Kit kit(source("trust: open, identify: { type: t }"), &modules::kIdentify);
  CHECK_EQ(kit.post({}, "{\"t\":\"" + std::string(10'000, 'x') + "\"}")->exchange->event.type.size(), 256);
}

TEST_CASE("an_expression_that_cannot_be_compiled_stops_the_load") {
  CHECK_FALSE(Kit(source("trust: open, identify: { type: \"a +\" }"), &modules::kIdentify).built());
  CHECK_FALSE(Kit(source("trust: open, identify: { kind: a }"), &modules::kIdentify).built());
}
