// How old a backlog is: counted as it comes and goes, and again when the store is opened.
#include <chrono>

#include "tests/store/engines.h"

namespace belay::spool::test {

namespace {

using namespace std::chrono_literals;

TEST_CASE("what_waits_is_counted_by_its_age_also_after_a_restart") {
  ManualClock clock;
  Folder folder;
  StoreOptions options;
  options.folder = folder.path();
  options.map_bytes = uint64_t{64} << 20;
  auto store = std::move(*open_lmdb_store(options, clock));
  Maker maker(clock);
  std::vector<NewMessage> sent;
  for (const Duration age : {Duration(24h), Duration(2h), Duration(2h), Duration(30s)}) {
    const WallTime now = clock.wall();
    clock.set_wall(now - age);
    sent.push_back(maker.message({"crm"}));
    clock.set_wall(now);
    REQUIRE(commit(*store, put(sent.back())).ok());
  }
  const auto older = [&] { return backlog(*store, "crm").older; };
  CHECK(older() == Older{3, 3, 3, 1, 0, 0});
  clock.advance(2min);
  CHECK(older() == Older{4, 3, 3, 1, 1, 0});

  auto leases = lease(*store, "crm", clock.wall());
  REQUIRE(leases->leased.size() == 4);
  for (const Leased& leased : leases->leased) {
    if (leased.delivery.message == sent[1].message->event.id) REQUIRE(commit(*store, settle(with_state(leased.delivery, DeliveryState::delivered))).ok());
    if (leased.delivery.message == sent[2].message->event.id) REQUIRE(commit(*store, settle(with_state(leased.delivery, DeliveryState::scheduled, clock.wall() + 1h))).ok());
  }
  CHECK(older() == Older{3, 2, 2, 1, 1, 0});
  store->close();
  store.reset();
  store = std::move(*open_lmdb_store(options, clock));
  CHECK(older() == Older{3, 2, 2, 1, 1, 0});
  CHECK(backlog(*store, "erp").older == Older{});
}

TEST_CASE_TEMPLATE("what_waits_behind_a_dead_one_of_its_key_is_the_oldest_that_waits", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto ordered = [&] {
    NewMessage message = f.maker.message({"crm"});
    message.deliveries[0].grouping = {.kind = wire::GroupKind::order_wait, .key = {2}};
    return message;
  };
  REQUIRE(commit(*f.store, put(ordered())).ok());
  Delivery first = lease(*f.store, "crm", f.now())->leased.at(0).delivery;
  add_attempt(first, {f.now(), 1, 400, "", ""});
  REQUIRE(commit(*f.store, settle(with_state(first, DeliveryState::dead))).ok());
  f.clock.advance(1min);
  const WallTime stuck = f.now();
  REQUIRE(commit(*f.store, put(ordered())).ok());
  f.clock.advance(10min);
  REQUIRE(commit(*f.store, put(f.maker.message({"crm"}))).ok());
  CHECK(backlog(*f.store, "crm").oldest == stuck);
  f.clock.advance(10min);
  REQUIRE(commit(*f.store, put(f.maker.message({"erp"}))).ok());
  CHECK(backlog(*f.store, "erp").oldest == f.now());
}

TEST_CASE("members_of_a_batch_are_counted_once") {
  ManualClock clock;
  Folder folder;
  StoreOptions options;
  options.folder = folder.path();
  options.map_bytes = uint64_t{64} << 20;
  auto store = std::move(*open_lmdb_store(options, clock));
  Maker maker(clock);
  for (int i = 0; i < 3; ++i) {
    NewMessage message = maker.message({"crm"});
    message.deliveries[0].grouping = {.kind = wire::GroupKind::batch_array, .key = {1}, .wait_ms = 3'600'000, .max = 10, .bytes = 1 << 20};
    REQUIRE(commit(*store, put(message)).ok());
    NewMessage ordered = maker.message({"crm"});
    ordered.deliveries[0].grouping = {.kind = wire::GroupKind::order_wait, .key = {2}};
    REQUIRE(commit(*store, put(ordered)).ok());
  }
  clock.advance(3min);
  CHECK(backlog(*store, "crm").older[0] == 6);
  store->close();
  store.reset();
  store = std::move(*open_lmdb_store(options, clock));
  CHECK(backlog(*store, "crm").older[0] == 6);
}

}  // namespace

}  // namespace belay::spool::test
