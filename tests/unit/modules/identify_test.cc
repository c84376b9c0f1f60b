#include "base/bytes.h"
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

TEST_CASE("a_long_fact_keeps_its_beginning_and_the_hash_of_the_whole") {
  Kit kit(source("trust: open, identify: { id: t }"), &modules::kIdentify);
  const auto id_of = [&kit](const std::string& text) { return kit.post({}, "{\"t\":\"" + text + "\"}")->exchange->event.id; };
  const std::string most(256, 'x');
  CHECK_EQ(id_of(most), most);
  CHECK_EQ(id_of(most + "y"), most.substr(0, 191) + "~f90587a7484711a86fd5a46b02e32023cd7d9b9de5961ff7780709481f838218");
  CHECK_NE(id_of(most + "y"), id_of(most + "z"));
  CHECK_EQ(id_of(std::string(10'000, 'x')).size(), 256);
  // A character of two, three or four bytes is not cut in two.
  for (const char* character : {"ü", "€", "😀"}) {
    for (size_t before = 187; before <= 191; ++before) {
      std::string text(before, 'x');
      while (text.size() <= 256) text += character;
      const std::string id = id_of(text);
      CHECK_LE(id.size(), 256);
      CHECK_GE(id.size(), 253);
      CHECK(is_utf8(id));
    }
  }
}

TEST_CASE("a_form_is_read_up_to_its_limit_of_pairs_and_one_more_is_as_broken_json") {
  Kit kit(source("trust: open, identify: { type: last, id: 'size($form)', resource: '$form.all(\"n1\")[1]' }"),
          &modules::kIdentify);
  std::string form = "n1=first&last=7&n1=second&n0";
  for (size_t i = 4; i < payload::Payload::kMaxFormPairs; ++i) form += "&n" + std::to_string(i) + "=v";
  const auto type = [](const char* value) { return Fields{{"Content-Type", value}}; };
  const auto read = kit.post(type("application/x-www-form-urlencoded; charset=utf-8"), form);
  CHECK_EQ(read->exchange->event.type, "7");
  CHECK_EQ(read->exchange->event.id, std::to_string(payload::Payload::kMaxFormPairs - 1));
  CHECK_EQ(read->exchange->event.resource, "second");
  const auto long_one = kit.post(type("application/x-www-form-urlencoded"), form + "&x=1");
  CHECK_EQ(long_one->status(), 200);
  CHECK_EQ(long_one->exchange->event.type, "");
  CHECK_EQ(long_one->exchange->event.id, "");
  const auto why = long_one->exchange->context().root();
  REQUIRE(why.is_error());
  CHECK_EQ(why.failure().fault, rules::Fault::unreadable);
}

TEST_CASE("names_of_a_form_are_listed_once_in_their_order") {
  Kit kit(source("trust: open, identify: { type: '$form.map(name, name + \"=\" + $form[name]).join()' }"), &modules::kIdentify);
  const auto walked = kit.post({{"Content-Type", "application/x-www-form-urlencoded"}}, "z=1&a=2&z=3&M=4&=5");
  CHECK_EQ(walked->exchange->event.type, "z=1a=2M=4=5");
}

TEST_CASE("an_expression_that_cannot_be_compiled_stops_the_load") {
  CHECK_FALSE(Kit(source("trust: open, identify: { type: \"a +\" }"), &modules::kIdentify).built());
  CHECK_FALSE(Kit(source("trust: open, identify: { kind: a }"), &modules::kIdentify).built());
}
