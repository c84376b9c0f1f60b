// The breaker alone, on a clock of the test's own.
#include <doctest/doctest.h>

#include <vector>

#include "upstream/breaker.h"

namespace belay::upstream::test {

namespace {

constexpr BreakerRule kRule{.failures = 5, .of_last = 10, .open_for = Duration(30'000)};
using State = Breaker::State;
using Turn = Breaker::Turn;

struct Tried {
  Breaker breaker;
  ManualClock clock;
  MonotonicTime now() const { return clock.monotonic(); }
  std::optional<uint64_t> enter() { return breaker.enter(kRule, now()); }
  Turn request(bool failed) {
    const auto ticket = enter();
    REQUIRE(ticket.has_value());
    return breaker.leave(kRule, *ticket, failed, now());
  }
  void open() {
    for (int i = 0; i < kRule.failures; ++i) request(true);
    REQUIRE(breaker.state(now()) == State::open);
  }
};

TEST_CASE("failures_among_the_last_requests_open_it_and_not_one_fewer") {
  Tried tried;
  for (int i = 0; i < 4; ++i) CHECK(tried.request(true) == Turn::none);
  CHECK(tried.breaker.state(tried.now()) == State::closed);
  CHECK(tried.request(true) == Turn::opened);
  CHECK(tried.breaker.state(tried.now()) == State::open);
  CHECK_FALSE(tried.enter().has_value());
}

TEST_CASE("failures_that_are_older_than_the_window_are_forgotten") {
  Tried tried;
  for (int i = 0; i < 4; ++i) tried.request(true);
  for (int i = 0; i < 10; ++i) tried.request(false);
  for (int i = 0; i < 4; ++i) CHECK(tried.request(true) == Turn::none);
  CHECK(tried.request(true) == Turn::opened);
}

TEST_CASE("a_window_of_64_uses_every_bit") {
  constexpr BreakerRule kWide{.failures = 64, .of_last = 64, .open_for = Duration(1'000)};
  Breaker breaker;
  for (int i = 0; i < 63; ++i) CHECK(breaker.leave(kWide, 0, true, MonotonicTime{}) == Turn::none);
  CHECK(breaker.leave(kWide, 0, true, MonotonicTime{}) == Turn::opened);
}

TEST_CASE("after_its_time_one_probe_at_a_time_passes_and_three_successes_close_it") {
  Tried tried;
  tried.open();
  tried.clock.advance(Duration(29'999));
  CHECK_FALSE(tried.enter().has_value());
  tried.clock.advance(Duration(1));
  CHECK(tried.breaker.state(tried.now()) == State::half_open);
  for (int i = 0; i < 3; ++i) {
    const auto probe = tried.enter();
    REQUIRE(probe.has_value());
    CHECK_FALSE(tried.enter().has_value());
    CHECK(tried.breaker.leave(kRule, *probe, false, tried.now()) == (i < 2 ? Turn::none : Turn::closed));
  }
  CHECK(tried.breaker.state(tried.now()) == State::closed);
  for (int i = 0; i < 4; ++i) CHECK(tried.request(true) == Turn::none);  // what was before is forgotten
}

TEST_CASE("a_probe_that_fails_opens_it_for_the_whole_time_again") {
  Tried tried;
  tried.open();
  tried.clock.advance(kRule.open_for);
  CHECK(tried.request(false) == Turn::none);
  CHECK(tried.request(true) == Turn::opened);
  tried.clock.advance(Duration(29'999));
  CHECK_FALSE(tried.enter().has_value());
  tried.clock.advance(Duration(1));
  CHECK(tried.enter().has_value());
}

TEST_CASE("a_probe_that_was_not_sent_frees_its_place_and_one_that_nobody_answers_for_lapses") {
  Tried tried;
  tried.open();
  tried.clock.advance(kRule.open_for);
  const auto first = tried.enter();
  REQUIRE(first.has_value());
  CHECK(tried.breaker.leave(kRule, *first, std::nullopt, tried.now()) == Turn::none);
  const auto second = tried.enter();
  REQUIRE(second.has_value());
  CHECK_FALSE(tried.enter().has_value());
  tried.clock.advance(kRule.open_for);
  const auto third = tried.enter();
  REQUIRE(third.has_value());
  CHECK(tried.breaker.leave(kRule, *second, true, tried.now()) == Turn::none);  // too late to say anything
  CHECK(tried.breaker.state(tried.now()) == State::half_open);
}

TEST_CASE("a_backend_that_answers_later_than_open_for_closes_it_all_the_same") {
  constexpr BreakerRule kSlow{.failures = 2, .of_last = 2, .open_for = Duration(10'000), .probe_for = Duration(35'000)};
  Breaker breaker;
  ManualClock clock;
  for (int i = 0; i < 2; ++i) breaker.leave(kSlow, *breaker.enter(kSlow, clock.monotonic()), true, clock.monotonic());
  clock.advance(kSlow.open_for);
  for (int i = 0; i < 3; ++i) {
    const auto probe = breaker.enter(kSlow, clock.monotonic());
    REQUIRE(probe.has_value());
    clock.advance(Duration(12'000));
    CHECK_FALSE(breaker.enter(kSlow, clock.monotonic()).has_value());  // its answer is still to come
    CHECK(breaker.leave(kSlow, *probe, false, clock.monotonic()) == (i < 2 ? Turn::none : Turn::closed));
  }
  CHECK(breaker.state(clock.monotonic()) == State::closed);
}

TEST_CASE("failures_of_what_passed_before_it_opened_do_not_count_once_it_has_closed") {
  Tried tried;
  std::vector<uint64_t> early;
  for (int i = 0; i < kRule.failures; ++i) early.push_back(*tried.enter());
  tried.open();
  tried.clock.advance(kRule.open_for);
  for (int i = 0; i < 3; ++i) tried.request(false);
  REQUIRE(tried.breaker.state(tried.now()) == State::closed);
  for (const uint64_t ticket : early) CHECK(tried.breaker.leave(kRule, ticket, true, tried.now()) == Turn::none);
  CHECK(tried.breaker.state(tried.now()) == State::closed);
}

TEST_CASE("a_probe_that_comes_too_late_forgets_no_failures_of_those_who_came_after_it") {
  Tried tried;
  tried.open();
  tried.clock.advance(kRule.open_for);
  for (int i = 0; i < 2; ++i) tried.request(false);
  const auto lapsed = tried.enter();
  tried.clock.advance(kRule.open_for);
  CHECK(tried.request(false) == Turn::closed);
  for (int i = 0; i < 4; ++i) tried.request(true);
  CHECK(tried.breaker.leave(kRule, *lapsed, false, tried.now()) == Turn::none);
  CHECK(tried.request(true) == Turn::opened);
}

TEST_CASE("answers_to_what_passed_before_it_opened_do_not_move_it") {
  Tried tried;
  const auto early = tried.enter();
  tried.open();
  CHECK(tried.breaker.leave(kRule, *early, true, tried.now()) == Turn::none);
  CHECK(tried.breaker.leave(kRule, *early, false, tried.now()) == Turn::none);
  CHECK(tried.breaker.state(tried.now()) == State::open);
}

TEST_CASE("news_from_outside_let_a_probe_pass_at_once") {
  Tried tried;
  tried.breaker.try_now();
  CHECK(tried.breaker.state(tried.now()) == State::closed);
  tried.open();
  tried.breaker.try_now();
  CHECK(tried.breaker.state(tried.now()) == State::half_open);
  CHECK(tried.enter().has_value());
}

}  // namespace

}  // namespace belay::upstream::test
