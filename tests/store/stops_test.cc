// Destinations that stand still, on every engine.
#include "tests/store/engines.h"

namespace belay::spool::test {

namespace {

Batch order(const std::string& name, StopKind kind, bool on, const std::string& by, WallTime at, const std::string& why = {}) {
  Batch batch;
  batch.stops.push_back({destination_id(name), name, kind, on, by, why, at});
  return batch;
}

TEST_CASE_TEMPLATE("a_stop_says_who_and_when_and_the_first_one_stays", Engine, ENGINES) {
  Fixture<Engine> f;
  CHECK(f.store->stops()->empty());
  auto first = commit(*f.store, order("crm", StopKind::paused, true, "anna", f.now(), "maintenance"));
  REQUIRE(first.ok());
  CHECK(first->stops.at(0).changed);
  const WallTime since = f.now();
  f.clock.advance(Duration(1'000));
  auto again = commit(*f.store, order("crm", StopKind::paused, true, "ben", f.now()));
  REQUIRE(again.ok());
  CHECK_FALSE(again->stops.at(0).changed);
  CHECK(again->stops.at(0).stop.paused == StopMark{true, "anna", "maintenance", since});
  const auto stops = f.store->stops();
  REQUIRE(stops->size() == 1);
  CHECK(stops->front().name == "crm");
  CHECK(stops->front().paused.by == "anna");
  CHECK_FALSE(stops->front().disabled.on);
}

TEST_CASE_TEMPLATE("pause_and_disable_are_two_things_and_each_goes_by_its_own_opposite", Engine, ENGINES) {
  Fixture<Engine> f;
  REQUIRE(commit(*f.store, order("crm", StopKind::paused, true, "anna", f.now())).ok());
  REQUIRE(commit(*f.store, order("crm", StopKind::disabled, true, "on_dead", f.now())).ok());
  REQUIRE(commit(*f.store, order("erp", StopKind::paused, true, "anna", f.now())).ok());
  CHECK(f.store->stops()->size() == 2);
  auto resumed = commit(*f.store, order("crm", StopKind::paused, false, "anna", f.now()));
  CHECK(resumed->stops.at(0).changed);
  CHECK(resumed->stops.at(0).stop.disabled.by == "on_dead");
  auto enabled = commit(*f.store, order("crm", StopKind::disabled, false, "anna", f.now()));
  CHECK_FALSE(enabled->stops.at(0).stop.any());
  CHECK_FALSE(commit(*f.store, order("crm", StopKind::disabled, false, "anna", f.now()))->stops.at(0).changed);
  const auto stops = f.store->stops();
  REQUIRE(stops->size() == 1);
  CHECK(stops->front().name == "erp");
}

TEST_CASE_TEMPLATE("a_dead_letter_and_the_stop_it_causes_are_one_commit", Engine, ENGINES) {
  Fixture<Engine> f;
  const Leased leased = f.leased();
  Delivery dead = leased.delivery;
  dead.state = DeliveryState::dead;
  dead.attempts = 1;
  Batch batch = order("crm", StopKind::disabled, true, "on_dead", f.now());
  batch.settlements.push_back({dead});
  REQUIRE(commit(*f.store, std::move(batch)).ok());
  CHECK(f.state_of(dead.message) == DeliveryState::dead);
  CHECK(f.store->stops()->size() == 1);
}

TEST_CASE("stops_survive_a_restart_and_a_damaged_one_stops_nobody") {
  ManualClock clock;
  Lmdb engine;
  {
    auto store = engine.open(clock);
    REQUIRE(commit(*store, order("crm", StopKind::disabled, true, "on_dead", clock.wall(), "delivery x is dead")).ok());
    store->close();
  }
  auto store = engine.open(clock);
  const auto stops = store->stops();
  REQUIRE(stops.ok());
  REQUIRE(stops->size() == 1);
  CHECK(stops->front().destination == destination_id("crm"));
  CHECK(stops->front().disabled == StopMark{true, "on_dead", "delivery x is dead", clock.wall()});
  std::string sealed;
  append_sealed(sealed, stops->front());
  CHECK(*read_stop(destination_id("crm"), sealed) == stops->front());
  sealed[sealed.size() / 2] ^= 1;
  CHECK_FALSE(read_stop(destination_id("crm"), sealed).ok());
}

}  // namespace

}  // namespace belay::spool::test
