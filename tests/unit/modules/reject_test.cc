#include "kit.h"

using namespace belay;
using namespace belay::test;

namespace {

const std::string kKept = "preset: netsuite, secrets: { signing: s }, reject: { quarantine: [verify] }";

}  // namespace

TEST_CASE("what_a_named_check_refuses_goes_to_the_spool_without_deliveries_and_without_a_second_line") {
  Kit kit(source(kKept));
  const auto walked = kit.send("POST", "/s", {{"X-Netsuite-Signature-256", "00"}}, "{}");
  CHECK_EQ(walked->status(), 401);
  CHECK(walked->state == pipeline::Runner::State::done);  // the sender does not wait for the disk
  REQUIRE_EQ(kit.spool.puts.size(), 1);
  CHECK(kit.spool.puts[0].deliveries.empty());
  CHECK(kit.spool.puts[0].event.outcome == wire::Outcome::rejected);
  CHECK_EQ(kit.spool.puts[0].request.body, "{}");
  CHECK(kit.spool.events.empty());
  kit.spool.answer(wire::PutState::refused, "disk full");
  REQUIRE_EQ(kit.spool.events.size(), 1);  // then the line alone
  CHECK(kit.spool.events[0].outcome == wire::Outcome::rejected);
}

TEST_CASE("other_refusals_large_bodies_and_floods_keep_their_line_only") {
  Kit kit(source(kKept));
  kit.send("POST", "/elsewhere");
  CHECK(kit.spool.puts.empty());
  kit.send("POST", "/s", {{"X-Netsuite-Signature-256", "00"}}, std::string((256 << 10) + 1, 'x'));
  CHECK(kit.spool.puts.empty());
  kit.send("POST", "/s", {{"X-Netsuite-Signature-256", "00"}}, std::string(256 << 10, 'x'));
  CHECK_EQ(kit.spool.puts.size(), 1);
  for (int i = 0; i < 200; ++i) kit.send("POST", "/s", {{"X-Netsuite-Signature-256", "00"}}, "{}");
  CHECK_EQ(kit.spool.puts.size(), 100);
  CHECK_EQ(kit.spool.events.size(), 103);
}

TEST_CASE("a_check_whose_requests_cannot_be_kept_is_named") {
  CHECK_NE(Kit(source("trust: open, reject: { quarantine: [match] }")).problems().find("write some of verify, decode, schema"), std::string::npos);
}
