#include <doctest/doctest.h>

#include "base/random.h"
#include "pipeline/forward_place.h"
#include "pipeline/shared_memory.h"

using namespace belay;
using namespace belay::pipeline;

namespace {

using Told = wire::DestinationState;
using Taken = ForwardPlace::Taken;

upstream::Destination destination(uint64_t key, bool breaker = false) {
  upstream::Destination to;
  to.key = key;
  to.concurrency = 4;
  if (breaker) to.breaker = {.failures = 2, .of_last = 4, .open_for = Duration(1'000)};
  return to;
}

struct Forwards {
  SharedMemory& shared = *SharedMemory::create().value();
  ManualClock clock;
  Taken take(const upstream::Destination& to) {
    ForwardPlace place;
    return place.take(shared, 0, to, clock.monotonic());
  }
  upstream::Breaker::Turn request(const upstream::Destination& to, bool failed, size_t worker = 0) {
    ForwardPlace place;
    REQUIRE(place.take(shared, worker, to, clock.monotonic()) == Taken::yes);
    return place.give_back(failed, clock.monotonic());
  }
};

}  // namespace

TEST_CASE("what_the_spool_says_of_a_destination_holds_forwards_back_until_it_says_otherwise") {
  Forwards f;
  CHECK(f.take(destination(5)) == Taken::yes);
  f.shared.states.tell({{5, Told::kPaused, 0}, {6, Told::kDisabled, 0}, {7, Told::kBroken, 0}, {8, Told::kDown, 0}, {9, 0, 0b10}});
  CHECK(f.take(destination(5)) == Taken::paused);
  CHECK(f.take(destination(6)) == Taken::disabled);
  CHECK(f.take(destination(7)) == Taken::broken);
  CHECK(f.take(destination(8)) == Taken::down);
  ForwardPlace place;
  CHECK(place.take(f.shared, 0, destination(9), f.clock.monotonic()) == Taken::yes);
  CHECK(place.urls_down() == 0b10);
  CHECK(f.take(destination(10)) == Taken::yes);
  f.shared.states.tell({{6, Told::kDisabled, 0}});
  CHECK(f.take(destination(5)) == Taken::yes);
  CHECK(f.take(destination(6)) == Taken::disabled);
  f.shared.states.tell({});
  CHECK(f.take(destination(6)) == Taken::yes);
}

TEST_CASE("when_the_spool_goes_away_its_own_experience_goes_with_it_and_what_an_operator_said_stays") {
  Forwards f;
  f.shared.states.tell({{5, Told::kPaused | Told::kDown, 0}, {7, Told::kBroken, 0}, {9, Told::kDown, 0b11}});
  f.shared.states.spool_away();
  CHECK(f.take(destination(5)) == Taken::paused);
  CHECK(f.take(destination(7)) == Taken::yes);
  CHECK(f.take(destination(9)) == Taken::yes);
}

TEST_CASE("all_workers_share_one_breaker_and_one_probe") {
  Forwards f;
  const upstream::Destination to = destination(5, true);
  CHECK(f.request(to, true, 0) == upstream::Breaker::Turn::none);
  CHECK(f.request(to, true, 1) == upstream::Breaker::Turn::opened);
  CHECK(f.take(to) == Taken::broken);
  CHECK(f.take(destination(5)) == Taken::yes);  // other rules, without a breaker
  f.clock.advance(Duration(1'000));
  {
    ForwardPlace probe;
    CHECK(probe.take(f.shared, 0, to, f.clock.monotonic()) == Taken::yes);
    CHECK(f.take(to) == Taken::broken);
  }  // its sender went away: the place is free for the next
  for (int i = 0; i < 2; ++i) CHECK(f.request(to, false) == upstream::Breaker::Turn::none);
  CHECK(f.request(to, false) == upstream::Breaker::Turn::closed);
}

TEST_CASE("a_probe_that_finds_no_place_under_concurrency_frees_the_breaker_again") {
  Forwards f;
  upstream::Destination to = destination(5, true);
  f.request(to, true);
  f.request(to, true);
  f.clock.advance(Duration(1'000));
  to.concurrency = 1;
  const auto other = f.shared.forwards.add(1, 5, 1);
  REQUIRE(other.has_value());
  CHECK(f.take(to) == Taken::too_many);
  f.shared.forwards.remove(1, *other);
  CHECK(f.take(to) == Taken::yes);
}

TEST_CASE("a_full_table_gives_places_of_which_nothing_is_known_to_others_and_keeps_the_rest") {
  Forwards f;
  auto& states = f.shared.states;
  constexpr uint64_t kAll = DestinationStates::kDestinations;
  std::vector<Told> paused;
  for (uint64_t key = 1; key <= kAll; ++key) REQUIRE(states.place(key) != nullptr);
  for (uint64_t key = 1; key <= DestinationStates::kProbe; ++key) paused.push_back({key, Told::kPaused, 0});
  states.tell(paused);
  CHECK(f.take(destination(1 + kAll, true)) == Taken::yes);
  CHECK(states.find(1 + kAll) == nullptr);  // all that it may have are in use
  CHECK(f.take(destination(1)) == Taken::paused);
  REQUIRE(states.place(2 + kAll) != nullptr);
  CHECK(states.find(DestinationStates::kProbe + 1) == nullptr);  // the one place in reach of which nothing is known
  states.tell({});
  REQUIRE(states.place(1 + kAll) != nullptr);
  CHECK(states.find(1) == nullptr);
}

TEST_CASE("the_end_of_a_request_says_nothing_to_the_breaker_of_whoever_has_its_place_now") {
  Forwards f;
  const upstream::Destination to = destination(5, true);
  ForwardPlace ours[2];
  for (ForwardPlace& place : ours) REQUIRE(place.take(f.shared, 0, to, f.clock.monotonic()) == Taken::yes);
  for (uint64_t i = 1; i < DestinationStates::kProbe; ++i) REQUIRE(f.shared.states.place(5 + i) != nullptr);
  const upstream::Destination other = destination(5 + DestinationStates::kDestinations, true);
  REQUIRE(f.take(other) == Taken::yes);
  for (ForwardPlace& place : ours) CHECK(place.give_back(true, f.clock.monotonic()) == upstream::Breaker::Turn::none);
  CHECK(f.take(other) == Taken::yes);
}

TEST_CASE("breakers_of_destinations_that_left_the_rules_are_forgotten") {
  Forwards f;
  for (const uint64_t key : {5, 6}) {
    for (int i = 0; i < 2; ++i) f.request(destination(key, true), true);
    REQUIRE(f.take(destination(key, true)) == Taken::broken);
  }
  f.shared.states.forget_others([](uint64_t key) { return key == 6; });
  CHECK(f.take(destination(5, true)) == Taken::yes);
  CHECK(f.take(destination(6, true)) == Taken::broken);
}

TEST_CASE("as_many_states_as_a_frame_holds_are_told_in_a_few_milliseconds") {
  Forwards f;
  std::vector<Told> states;
  SeededRandom random(1);
  for (size_t i = 0; i < wire::kMaxDestinationStates; ++i) states.push_back({random.next(), Told::kBroken, 0});
  SystemClock clock;
  const MonotonicTime start = clock.monotonic();
  for (int i = 0; i < 10; ++i) f.shared.states.tell(states);
  const auto took = std::chrono::duration<double, std::milli>(clock.monotonic() - start).count() / 10;
  MESSAGE("a frame of " << states.size() << " states: " << took << " ms");
  CHECK(took < 50);  // entries times states would be seconds
  size_t placed = 0;
  for (const Told& state : states) placed += f.shared.states.find(state.destination) != nullptr ? 1 : 0;
  CHECK(placed == states.size());
}
