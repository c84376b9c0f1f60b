#include "modules/decode/decode.h"

#include "kit.h"
#include "support/compress.h"

using namespace belay;
using namespace belay::test;

namespace {

const std::string kNeeds = "[{ when: 'a == \"caf\xC3\xA9\"', to: d }]";

// "passed", or the reason.
std::string outcome(const std::string& keys, const Fields& fields, const std::string& body) {
  Kit kit(source(keys, kNeeds), &modules::kRoute);
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  return kit.post(fields, body)->reason();
}

Fields type(const std::string& value) { return {{"Content-Type", value}}; }

}  // namespace

TEST_CASE("a_payload_is_read_as_its_content_type_says_or_as_the_source_says") {
  CHECK_EQ(outcome("trust: open", type("application/json"), "{\"a\":\"caf\xC3\xA9\"}"), "passed");
  CHECK_EQ(outcome("trust: open, decode: auto", type("application/x-www-form-urlencoded"), "a=caf%C3%A9"), "passed");
  CHECK_EQ(outcome("trust: open, decode: json", type("text/html"), "{\"a\":\"caf\xC3\xA9\"}"), "passed");
  CHECK_EQ(outcome("trust: open, decode: form", {}, "a=caf%C3%A9"), "passed");
  CHECK_EQ(outcome("trust: open, decode: { as: xml }", {}, "<a>caf\xC3\xA9</a>"), "passed");
  CHECK_EQ(outcome("trust: open, decode: { charset: windows-1252 }", type("application/json"), "{\"a\":\"caf\xE9\"}"), "passed");
  const Fields gzip{{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}};
  CHECK_EQ(outcome("trust: open", gzip, compress("{\"a\":\"caf\xC3\xA9\"}")), "passed");
  CHECK_EQ(outcome("trust: open, decode: none", type("application/json"), "{}"), "decode: the payload cannot be read: its source says decode: none");
  CHECK_EQ(outcome("trust: open, decode: { max: 1KB }", gzip, compress("{\"a\":\"" + std::string(2000, 'x') + "\"}")),
           "decode: the payload cannot be read: it unfolds to more than 1024 bytes");
}

TEST_CASE("a_payload_that_cannot_be_read_where_a_rule_needs_it_is_refused_with_400") {
  for (const char* mode : {"forward", "spool"}) {
    Kit kit(source(std::string("trust: open, mode: ") + mode, "[{ when: a == 1, to: d }, { to: d }]"), &modules::kRoute);
    const auto walked = kit.post(type("application/json"), "{\"a\":1,\"a\":2}");
    CHECK_EQ(walked->status(), 400);
    CHECK_EQ(walked->exchange->outcome, wire::Outcome::rejected);
    CHECK_EQ(walked->reason(), "decode: the payload cannot be read: it is not JSON: duplicate member \\\"a\\\" at byte 7");
  }
}

TEST_CASE("a_filter_that_needs_an_unreadable_payload_refuses_it_and_one_that_does_not_goes_on_filtering") {
  Kit kit(source("trust: open, filter: ['$headers[\"X-A\"] == \"1\"', a == 1]"), &modules::kRoute);
  CHECK_EQ(kit.post({{"X-A", "1"}, {"Content-Type", "application/json"}}, "{")->status(), 400);
  CHECK_EQ(kit.post({{"X-A", "2"}, {"Content-Type", "application/json"}}, "{")->status(), 200);
}

TEST_CASE("a_payload_that_no_rule_reads_may_be_anything") {
  Kit kit(source("trust: open, identify: { type: t, id: '$headers[\"X-Id\"]' }",
                 "[{ when: '$headers[\"X-Id\"] == \"7\"', to: d }, { when: a == 1, to: d }]"),
          &modules::kRoute);
  CHECK_EQ(kit.post({{"X-Id", "8"}, {"Content-Type", "application/json"}}, "{")->status(), 400);
  Kit plain(source("trust: open, identify: { type: t, id: '$headers[\"X-Id\"]' }"), &modules::kRoute);
  const auto walked = plain.post({{"X-Id", "7"}, {"Content-Type", "application/json"}}, "{");
  CHECK_EQ(walked->reason(), "passed");
  CHECK_EQ(walked->exchange->event.id, "7");
  CHECK_EQ(walked->exchange->event.type, "");
}

TEST_CASE("settings_of_decode_that_mean_nothing_stop_the_load") {
  for (const char* keys : {"decode: jsn", "decode: { as: yaml }", "decode: { charset: klingon }", "decode: { max: 1GB }", "decode: { mx: 1MB }", "decode: [json]"}) {
    CHECK_FALSE_MESSAGE(Kit(source(std::string("trust: open, ") + keys), &modules::kRoute).built(), keys);
  }
}
