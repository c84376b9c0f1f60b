// The ramp alone, on a clock of the test's own.
#include <doctest/doctest.h>

#include "spool/ramp.h"

namespace belay::spool {

namespace {

constexpr Duration kOver{60'000};

TEST_CASE("a_drain_rises_from_one_a_second_to_half_of_the_limits_and_no_further") {
  ManualClock clock;
  Ramp ramp;
  CHECK_FALSE(ramp.on());
  ramp.out();
  CHECK(ramp.rate(kOver, 50, clock.monotonic()) == 1);
  CHECK(ramp.slots(kOver, 20, clock.monotonic()) == 1);
  clock.advance(Duration(600'000));
  CHECK(ramp.rate(kOver, 50, clock.monotonic()) == 1);  // as long as it is out
  ramp.succeeded(clock.monotonic());
  CHECK(ramp.rising());
  clock.advance(kOver / 2);
  CHECK(ramp.rate(kOver, 50, clock.monotonic()) == doctest::Approx(13));
  CHECK(ramp.rate(kOver, 0, clock.monotonic()) == doctest::Approx(500.5));
  CHECK(ramp.slots(kOver, 20, clock.monotonic()) == 5);
  clock.advance(kOver);
  CHECK(ramp.rate(kOver, 50, clock.monotonic()) == 25);
  CHECK(ramp.rate(kOver, 0, clock.monotonic()) == 0);  // no limit
  CHECK(ramp.slots(kOver, 20, clock.monotonic()) == 10);
  CHECK(ramp.slots(kOver, 1, clock.monotonic()) == 1);
  ramp.drained();
  CHECK_FALSE(ramp.on());
}

TEST_CASE("what_a_minute_of_the_rise_lets_through_is_what_its_rate_says") {
  ManualClock clock;
  Ramp ramp;
  ramp.out();
  ramp.succeeded(clock.monotonic());
  int first_second = 0, all = 0;
  for (int ms = 0; ms < 60'000; ms += 25) {
    clock.advance(Duration(25));
    while (ramp.may_send(kOver, 50, clock.monotonic())) {
      ramp.sent();
      ++all;
      if (ms < 1'000) ++first_second;
    }
  }
  CHECK(first_second >= 1);
  CHECK(first_second <= 3);
  CHECK(all >= 760);  // the mean of 1 and 25 a second
  CHECK(all <= 800);
}

TEST_CASE("another_outage_begins_it_anew_and_a_limit_below_the_first_rate_holds") {
  ManualClock clock;
  Ramp ramp;
  ramp.out();
  ramp.succeeded(clock.monotonic());
  clock.advance(kOver);
  ramp.out();
  CHECK(ramp.rate(kOver, 50, clock.monotonic()) == 1);
  ramp.succeeded(clock.monotonic());
  CHECK(ramp.risen(kOver, clock.monotonic()) == 0);
  ramp.drained();
  ramp.succeeded(clock.monotonic());
  CHECK_FALSE(ramp.on());  // nothing was out
  ramp.out();
  CHECK(ramp.rate(kOver, 0.5, clock.monotonic()) == 0.25);
}

}  // namespace

}  // namespace belay::spool
