#include "kit.h"

using namespace belay;
using namespace belay::test;

TEST_CASE("what_does_not_match_every_condition_is_answered_200_and_goes_nowhere") {
  Kit kit(source("filter: [\"kind == 'order'\", \"total > 100\"], mode: spool, trust: open"));
  auto small = kit.send("POST", "/s", {}, R"({"kind": "order", "total": 99})");
  CHECK_EQ(small->status(), 200);
  CHECK(small->exchange->outcome == wire::Outcome::filtered);
  CHECK_EQ(small->reason(), "filter 2: does not match");
  auto unread = kit.send("POST", "/s", {}, R"({"kind": "order"})");
  CHECK_EQ(unread->status(), 200);
  CHECK(unread->reason().starts_with("filter 2: cannot be evaluated: no such key: total"));
  CHECK_EQ(unread->exchange->reply.body.find("total"), std::string::npos);  // rules are not for senders
  auto good = kit.send("POST", "/s", {}, R"({"kind": "order", "total": 101})");
  CHECK(good->state == pipeline::Runner::State::parked);
  CHECK_EQ(kit.spool.puts.size(), 1);
}

TEST_CASE("a_filtered_webhook_gets_the_reply_of_its_source") {
  Kit kit(source("filter: kind == 'order', trust: open, reply: { status: 204 }"));
  CHECK_EQ(kit.send("POST", "/s", {}, R"({"kind": "x"})")->status(), 204);
}
