#include "kit.h"
#include "modules/dedupe/dedupe.h"

using namespace belay;
using namespace belay::test;
using pipeline::Runner;

namespace {

const std::string kOrder = R"({"id": "o-1", "at": 1})";

std::unique_ptr<Walked> sent(Kit& kit, const std::string& body) { return kit.send("POST", "/s", {}, body); }

}  // namespace

TEST_CASE("the_key_is_the_expression_else_the_event_id_else_the_body") {
  const auto key_of = [](const std::string& keys, const std::string& body) {
    Kit kit(source(keys + ", trust: open, mode: spool"));
    sent(kit, body);
    REQUIRE(kit.spool.puts.size() == 1);
    REQUIRE(kit.spool.puts[0].claims.size() == 1);
    return kit.spool.puts[0].claims[0];
  };
  const std::string other = R"({"id": "o-1", "at": 2})";
  CHECK(key_of("dedupe: { key: id }", kOrder).key == key_of("dedupe: { key: id }", other).key);
  CHECK(key_of("identify: { id: id }, dedupe: {}", kOrder).key == key_of("identify: { id: id }, dedupe: {}", other).key);
  CHECK(key_of("dedupe: {}", kOrder).key != key_of("dedupe: {}", other).key);
  CHECK(key_of("dedupe: {}", kOrder).key == key_of("dedupe: {}", kOrder).key);
  CHECK(key_of("dedupe: { key: missing }", kOrder).key == key_of("dedupe: {}", kOrder).key);
  CHECK_EQ(key_of("dedupe: {}", kOrder).window_ms, 24 * 3'600'000);
  CHECK_EQ(key_of("dedupe: { window: 10m }", kOrder).window_ms, 600'000);
}

TEST_CASE("long_event_ids_that_differ_at_their_ends_are_two_keys") {
  Kit kit(source("identify: { id: id }, dedupe: {}, trust: open, mode: spool"));
  const std::string same(300, 'x');
  for (const char* end : {"1", "2", "1"}) sent(kit, "{\"id\":\"" + same + end + "\"}");
  REQUIRE(kit.spool.puts.size() == 3);
  const auto key = [&kit](size_t i) { return kit.spool.puts[i].claims.at(0).key; };
  CHECK(key(0) != key(1));
  CHECK(key(0) == key(2));
}

TEST_CASE("keys_of_two_sources_never_meet") {
  CHECK(modules::claim_key("a", "key", "x") != modules::claim_key("b", "key", "x"));
  CHECK(modules::claim_key("a", "key", "x") != modules::claim_key("a", "body", "x"));
}

TEST_CASE("what_the_spool_calls_a_duplicate_is_answered_like_the_first_and_counted") {
  Kit kit(source("dedupe: {}, trust: open, mode: spool, reply: { status: 200, body: ok }"));
  auto walked = sent(kit, kOrder);
  kit.spool.answer(wire::PutResult{walked->exchange->id, wire::PutState::claimed, {}, {MessageId{}, 200, 0}});
  CHECK(walked->finished);
  CHECK_EQ(walked->status(), 200);
  CHECK_EQ(walked->exchange->reply.body, "ok");
  CHECK(walked->exchange->outcome == wire::Outcome::duplicate);
  CHECK_EQ(kit.spool.events.back().outcome, wire::Outcome::duplicate);
}

TEST_CASE("a_forward_asks_first_and_a_duplicate_never_reaches_the_backend") {
  Kit kit(source("dedupe: {}, trust: open"));
  auto walked = sent(kit, kOrder);
  REQUIRE(kit.spool.claims.size() == 1);
  kit.spool.answer_claim(wire::ClaimResult{walked->exchange->id, wire::ClaimState::claimed, {MessageId{}, 201, 0}});
  CHECK(walked->finished);
  CHECK_EQ(walked->status(), 201);
  CHECK(walked->exchange->outcome == wire::Outcome::duplicate);
  CHECK(kit.spool.confirmed.back().empty());

  auto busy = sent(kit, kOrder);
  kit.spool.answer_claim(wire::ClaimResult{busy->exchange->id, wire::ClaimState::busy, {}});
  CHECK_EQ(busy->status(), 503);
  CHECK(busy->has_field("Retry-After: 5"));
}

TEST_CASE("a_sender_that_went_away_while_the_spool_was_asked_holds_nothing") {
  Kit kit(source("dedupe: {}, trust: open"));
  auto walked = sent(kit, kOrder);
  const MessageId id = walked->exchange->id;
  walked.reset();
  kit.spool.answer_claim(wire::ClaimResult{id, wire::ClaimState::fresh, {}});
  CHECK(kit.spool.released == std::vector<MessageId>{id});
}

TEST_CASE("a_spool_that_does_not_answer_in_time_holds_a_forward_back_and_one_that_is_away_does_not") {
  Kit kit(source("dedupe: {}, trust: open"));
  auto walked = sent(kit, kOrder);
  kit.spool.answer_claim(Error{ErrorKind::timeout, "spool: no answer in time"});
  CHECK_EQ(walked->status(), 503);
  CHECK(walked->exchange->outcome == wire::Outcome::failed);
}

TEST_CASE("a_spool_that_refuses_to_store_is_still_asked_about_keys") {
  Kit kit(source("dedupe: {}, trust: open"));
  kit.spool.up = false;
  sent(kit, kOrder);
  CHECK_EQ(kit.spool.claims.size(), 1);
}
