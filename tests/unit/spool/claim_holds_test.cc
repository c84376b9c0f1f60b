// Keys that are being decided: of twins one goes on, the others wait for its end.
#include <doctest/doctest.h>

#include "base/random.h"
#include "spool/claim_holds.h"

namespace belay::spool {

namespace {

wire::Claim claim(uint8_t name) {
  wire::Claim made;
  made.key.fill(name);
  return made;
}

struct Holds {
  MessageId id(uint8_t number) {
    MessageId made;
    made.bytes.fill(number);
    return made;
  }
  bool take(uint8_t who, const std::vector<wire::Claim>& claims, uint64_t connection = 1) {
    return holds.take(claims, id(who), connection, now + ClaimHolds::kPatience, [this, who](bool again) { (again ? woken : late).push_back(who); });
  }
  ClaimHolds holds;
  MonotonicTime now{};
  std::vector<int> woken, late;
};

TEST_CASE("a_twin_waits_until_the_first_is_released") {
  Holds h;
  CHECK(h.take(1, {claim(1), claim(2)}));
  CHECK(h.take(1, {claim(1), claim(2)}));  // its own keys are no obstacle
  CHECK(h.take(2, {claim(3)}));
  CHECK_FALSE(h.take(3, {claim(2)}));
  CHECK_FALSE(h.take(4, {claim(1)}));
  CHECK(h.woken.empty());
  h.holds.release(h.id(1));
  CHECK(h.woken == std::vector<int>{3, 4});
  CHECK(h.take(3, {claim(2)}));
  CHECK(h.take(4, {claim(1)}));
  CHECK(h.holds.held() == 3);
}

TEST_CASE("a_half_free_set_of_keys_takes_none_of_them") {
  Holds h;
  CHECK(h.take(1, {claim(2)}));
  CHECK_FALSE(h.take(2, {claim(1), claim(2)}));
  CHECK(h.take(3, {claim(1)}));
}

TEST_CASE("what_a_vanished_worker_held_is_free_again") {
  Holds h;
  CHECK(h.take(1, {claim(1)}, 7));
  CHECK(h.take(2, {claim(2)}, 8));
  CHECK_FALSE(h.take(3, {claim(1)}, 8));
  h.holds.release_all(7);
  CHECK(h.woken == std::vector<int>{3});
  CHECK_FALSE(h.take(4, {claim(2)}, 7));
}

TEST_CASE("patience_ends_and_is_told_once") {
  Holds h;
  CHECK(h.take(1, {claim(1)}));
  CHECK_FALSE(h.take(2, {claim(1)}));
  h.now += ClaimHolds::kPatience - Duration(1);
  CHECK_FALSE(h.take(3, {claim(1)}));
  h.holds.expire(h.now);
  CHECK(h.late.empty());
  h.now += Duration(1);
  h.holds.expire(h.now);
  CHECK(h.late == std::vector<int>{2});
  h.holds.release(h.id(1));
  CHECK(h.woken == std::vector<int>{3});
}

TEST_CASE("what_a_commit_decides_is_not_given_up_by_its_worker") {
  Holds h;
  CHECK(h.take(1, {claim(1)}, 7));
  h.holds.decide(h.id(1));
  CHECK_FALSE(h.take(2, {claim(1)}, 8));
  h.holds.give_up(h.id(1));
  h.holds.release_all(7);
  CHECK(h.woken.empty());
  h.holds.release(h.id(1));
  CHECK(h.woken == std::vector<int>{2});
}

TEST_CASE("an_accepted_webhook_holds_what_is_free_and_waits_for_nobody") {
  Holds h;
  CHECK(h.take(1, {claim(1)}));
  h.holds.hold_free({claim(1), claim(2)}, h.id(2), 1);
  CHECK_FALSE(h.take(3, {claim(2)}));
  h.holds.hold_free({claim(1)}, h.id(4), 1);  // nothing was free
  CHECK(h.holds.held() == 2);
  h.holds.release(h.id(2));
  CHECK(h.woken == std::vector<int>{3});
}

TEST_CASE("so_many_may_wait_and_one_more_is_sent_away") {
  Holds h;
  CHECK(h.take(1, {claim(1)}));
  for (size_t i = 0; i < ClaimHolds::kMaxWaiting; ++i) CHECK_FALSE(h.take(2, {claim(1)}));
  CHECK(h.late.empty());
  CHECK_FALSE(h.take(3, {claim(1)}));
  CHECK(h.late == std::vector<int>{3});
}

}  // namespace

}  // namespace belay::spool
