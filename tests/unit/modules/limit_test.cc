#include "kit.h"

using namespace belay;
using namespace belay::test;

namespace {

int passed(Kit& kit, int requests, const std::string& client = "192.0.2.1", Fields fields = {}) {
  int count = 0;
  for (int i = 0; i < requests; ++i) count += kit.send("POST", "/s", fields, "{}", client)->status() == 200 ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a_burst_passes_at_once_and_the_rate_refills_it") {
  Kit kit(source("limit: { rate: 60/min, burst: 5 }"), &modules::kLimit);
  CHECK_EQ(passed(kit, 20), 5);
  kit.clock.advance(Duration(999));
  CHECK_EQ(passed(kit, 5), 0);
  kit.clock.advance(Duration(1));
  CHECK_EQ(passed(kit, 5), 1);
  kit.clock.advance(Duration(3'000));
  CHECK_EQ(passed(kit, 20), 3);
  kit.clock.advance(Duration(3'600'000));
  CHECK_EQ(passed(kit, 20), 5);
}

TEST_CASE("without_burst_the_number_of_the_rate_may_come_at_once") {
  Kit kit(source("limit: { rate: 10/h }"), &modules::kLimit);
  CHECK_EQ(passed(kit, 30), 10);
}

TEST_CASE("over_the_rate_is_429_with_the_seconds_to_wait") {
  Kit kit(source("limit: { rate: 1/min }"), &modules::kLimit);
  CHECK_EQ(passed(kit, 1), 1);
  kit.clock.advance(Duration(500));
  const auto refused = kit.post();
  CHECK_EQ(refused->status(), 429);
  CHECK(refused->has_field("Retry-After: 60"));
  CHECK_EQ(refused->exchange->outcome, wire::Outcome::rejected);
}

TEST_CASE("clients_have_buckets_of_their_own_and_a_v6_network_shares_one") {
  Kit kit(source("limit: { rate: 2/h, per: client }"), &modules::kLimit);
  CHECK_EQ(passed(kit, 5, "192.0.2.1"), 2);
  CHECK_EQ(passed(kit, 5, "192.0.2.2"), 2);
  CHECK_EQ(passed(kit, 1, "2001:db8::1"), 1);
  CHECK_EQ(passed(kit, 5, "2001:db8::2"), 1);
  CHECK_EQ(passed(kit, 5, "2001:db8:0:1::1"), 2);
}

TEST_CASE("an_expression_names_the_bucket_and_a_request_without_it_is_refused") {
  Kit kit(source("limit: { rate: 1/h, per: '$headers[\"X-Tenant\"]' }"), &modules::kLimit);
  CHECK_EQ(passed(kit, 3, "192.0.2.1", {{"X-Tenant", "a"}}), 1);
  CHECK_EQ(passed(kit, 3, "192.0.2.1", {{"X-Tenant", "b"}}), 1);
  CHECK_EQ(kit.post()->status(), 400);
}

TEST_CASE("what_one_limit_refuses_does_not_use_up_another") {
  Kit kit(source("limit: [{ rate: 10/h, per: source }, { rate: 2/h, per: client }]"), &modules::kLimit);
  CHECK_EQ(passed(kit, 20, "192.0.2.1"), 2);
  CHECK_EQ(passed(kit, 20, "192.0.2.2"), 2);
  CHECK_EQ(passed(kit, 20, "192.0.2.3"), 2);
}

TEST_CASE("unsigned_junk_locks_out_its_client_and_never_the_signed_sender") {
  const std::string proof = ", secrets: { signing: k }, verify: { algorithm: equal, signature: { header: X-Token } }";
  for (const char* per : {"source", "'$headers[\"X-Tenant\"]'"}) {
    INFO(per);
    Kit kit(source("limit: { rate: 10/h, per: " + std::string(per) + " }" + proof), &modules::kIdentify);
    const Fields junk = {{"X-Token", "wrong"}, {"X-Tenant", "a"}}, real = {{"X-Token", "k"}, {"X-Tenant", "a"}};
    int refused = 0, limited = 0;
    for (int i = 0; i < 100; ++i) {
      const int status = kit.send("POST", "/s", junk, "{}", "198.51.100.9")->status();
      refused += status == 401 ? 1 : 0;
      limited += status == 429 ? 1 : 0;
    }
    CHECK_EQ(refused, 10);
    CHECK_EQ(limited, 90);
    CHECK_EQ(passed(kit, 15, "192.0.2.1", real), 10);
    // The rate is the source's, wherever its webhooks come from, and is refused before the body is read.
    CHECK_EQ(kit.send("POST", "/s", real, "{}", "192.0.2.2")->reason(), "limit: over the rate");
    kit.clock.advance(Duration(3'600'000));
    CHECK_EQ(passed(kit, 15, "198.51.100.9", real), 10);
  }
}

TEST_CASE("over_spool_counts_what_is_proved") {
  Kit kit(source("limit: { rate: 1/h, over: spool }, secrets: { signing: k }, verify: { algorithm: equal, signature: { header: X-Token } }"),
          &modules::kIdentify);
  CHECK_EQ(kit.post({{"X-Token", "wrong"}})->status(), 401);
  CHECK_FALSE(kit.post({{"X-Token", "k"}})->exchange->spool_only);
  CHECK(kit.post({{"X-Token", "k"}})->exchange->spool_only);
}

TEST_CASE("over_spool_lets_the_webhook_through_to_be_stored") {
  Kit kit(source("limit: { rate: 1/h, over: spool }"), &modules::kLimit);
  CHECK_FALSE(kit.post()->exchange->spool_only);
  const auto over = kit.post();
  CHECK_EQ(over->status(), 200);
  CHECK(over->exchange->spool_only);
}

TEST_CASE("limits_that_make_no_sense_stop_the_load") {
  for (const char* wrong : {"{ burst: 5 }", "{ rate: 10 }", "{ rate: 10/s, burst: 0 }", "[]",
                            "{ rate: 1/s, per: order.id }", "{ rate: 1/s, over: wait }"}) {
    INFO(wrong);
    CHECK_FALSE(Kit(source(std::string("limit: ") + wrong), &modules::kLimit).built());
  }
}
