#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/forward_place.h"
#include "pipeline/shared_memory.h"

using namespace belay;
using namespace belay::pipeline;

TEST_CASE("forwards_of_all_workers_count_together_and_a_place_given_back_is_free_again") {
  ForwardCounts& counts = SharedMemory::create().value()->forwards;
  const auto one = counts.add(0, 42, 2), two = counts.add(1, 42, 2);
  REQUIRE(one.has_value());
  REQUIRE(two.has_value());
  CHECK_FALSE(counts.add(2, 42, 2).has_value());
  CHECK(counts.add(2, 43, 1).has_value());  // another destination
  counts.remove(1, *two);
  CHECK(counts.add(2, 42, 2).has_value());
  CHECK_FALSE(counts.add(0, 42, 2).has_value());
}

TEST_CASE("what_a_killed_worker_had_under_way_is_given_back_and_no_more") {
  SharedMemory& shared = *SharedMemory::create().value();
  const auto ours = shared.forwards.add(0, 7, 3);
  REQUIRE(ours.has_value());
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 2; ++i) {
      if (!shared.forwards.add(5, 7, 3)) _exit(1);
    }
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK_FALSE(shared.forwards.add(0, 7, 3).has_value());
  shared.forwards.forget(5);
  shared.forwards.forget(5);  // nothing is left to give
  CHECK(shared.forwards.add(1, 7, 3).has_value());
  CHECK(shared.forwards.add(1, 7, 3).has_value());
  CHECK_FALSE(shared.forwards.add(1, 7, 3).has_value());
}

TEST_CASE("more_destinations_than_there_are_rows_are_not_counted_and_not_locked_out") {
  ForwardCounts& counts = SharedMemory::create().value()->forwards;
  for (uint64_t key = 1; key <= ForwardCounts::kDestinations; ++key) {
    const auto place = counts.add(0, key, 1);
    REQUIRE(place.has_value());
    CHECK(*place != ForwardCounts::kUncounted);
  }
  for (int i = 0; i < 2; ++i) CHECK(counts.add(0, ForwardCounts::kDestinations + 1, 1) == ForwardCounts::kUncounted);
  counts.remove(0, ForwardCounts::kUncounted);
  CHECK_FALSE(counts.add(0, 1, 1).has_value());
}

TEST_CASE("the_rate_of_a_destination_is_one_second_at_once_and_then_steady") {
  SharedMemory& shared = *SharedMemory::create().value();
  upstream::Destination to;
  to.key = 9;
  to.rate_per_second = 2;
  ManualClock clock;
  const auto taken = [&] {
    ForwardPlace place;
    return place.take(shared, 0, to, clock.monotonic());
  };
  CHECK(taken() == ForwardPlace::Taken::yes);
  CHECK(taken() == ForwardPlace::Taken::yes);
  CHECK(taken() == ForwardPlace::Taken::too_fast);
  clock.advance(Duration(499));
  CHECK(taken() == ForwardPlace::Taken::too_fast);
  clock.advance(Duration(1));
  CHECK(taken() == ForwardPlace::Taken::yes);
  CHECK(taken() == ForwardPlace::Taken::too_fast);
}
