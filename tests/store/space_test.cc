// The production engine without room: what is refused then, what is still taken, and what goes to make room.
#include <atomic>

#include "spool/space_watch.h"
#include "tests/store/lmdb_files.h"

namespace belay::spool::test {

namespace {

// Stores `count` and delivers them, a commit each.
void deliver(Store& store, Maker& maker, const Clock& clock, int count, size_t bytes) {
  for (int i = 0; i < count; ++i) REQUIRE(commit(store, put(maker.message({"crm"}, maker.bytes(bytes)))).ok());
  Batch batch;
  const auto leases = lease(store, "crm", clock.wall(), 1'000);
  for (const Leased& leased : leases->leased) {
    batch.settlements.push_back({with_state(leased.delivery, DeliveryState::delivered)});
  }
  REQUIRE(batch.settlements.size() == static_cast<size_t>(count));
  REQUIRE(commit(store, batch).ok());
}

TEST_CASE("a_full_map_refuses_puts_takes_settlements_and_resumes_when_there_is_room") {
  SystemClock clock;  // room is looked for in time
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock, uint64_t{8} << 20);
  NewMessage in_quarantine = maker.message({"crm"});
  in_quarantine.deliveries.clear();
  REQUIRE(commit(*store, put(in_quarantine)).ok());
  int stored = 0;
  ErrorKind refused = ErrorKind::io;
  for (int i = 0; i < 2000; ++i) {
    auto done = commit(*store, put(maker.message({"crm"}, maker.bytes(20'000))));
    if (!done) {
      refused = done.error().kind;
      break;
    }
    ++stored;
  }
  CHECK(refused == ErrorKind::full);
  CHECK(stored > 50);
  REQUIRE(eventually([&] { return !store->accepting(); }));
  CHECK_FALSE(store->stats().refusing_because.empty());
  CHECK(store->stats().messages == static_cast<uint64_t>(stored) + 1);

  for (auto leases = lease(*store, "crm", clock.wall(), 20); !leases->leased.empty();
       leases = lease(*store, "crm", clock.wall(), 20)) {
    Batch batch;
    for (const Leased& leased : leases->leased) {
      batch.settlements.push_back({with_state(leased.delivery, DeliveryState::delivered)});
    }
    REQUIRE(commit(*store, batch).ok());
  }
  CHECK(backlog(*store, "crm").delivered == static_cast<uint64_t>(stored));
  REQUIRE(eventually([&] {
    if (!store->accepting()) prune(*store, WallTime{}, WallTime{}, 20);
    return store->accepting();
  }));
  CHECK(commit(*store, put(maker.message({"crm"}, maker.bytes(20'000)))).ok());
  CHECK(load(*store, in_quarantine.message->event.id).ok());
}

TEST_CASE("a_full_map_makes_room_also_while_the_time_is_in_doubt_and_nothing_expires_by_it") {
  SystemClock clock;  // room is looked for in time
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock, uint64_t{8} << 20);
  NewMessage waiting = maker.message({"erp"});
  waiting.deliveries[0].expires = clock.wall() + Duration(1);
  waiting.claims.push_back({{}, 1});
  const WallTime then = clock.wall() - Duration(1);
  REQUIRE(commit(*store, put(waiting)).ok());
  deliver(*store, maker, clock, 100, 50'000);
  REQUIRE(commit(*store, put(maker.message({"crm"}, maker.bytes(2'000'000)))).ok());
  REQUIRE(eventually([&] { return !store->accepting(); }));
  REQUIRE(wait_for<Committed>([&](Done<Committed> done) { store->doubt_time(true, std::move(done)); }).ok());
  REQUIRE(eventually([&] {
    if (!store->accepting()) prune(*store, clock.wall() + std::chrono::years(10), clock.wall() + std::chrono::years(10), 20);
    return store->accepting();
  }));
  CHECK(store->stats().messages < 102);
  CHECK(deliveries(*store, waiting.message->event.id)->at(0).state == DeliveryState::queued);
  const auto claims = wait_for<std::vector<std::optional<wire::ClaimedBy>>>(
      [&](Done<std::vector<std::optional<wire::ClaimedBy>>> done) { store->find_claims({waiting.claims[0].key}, then, std::move(done)); });
  CHECK(claims->at(0).has_value());
  REQUIRE(wait_for<Committed>([&](Done<Committed> done) { store->doubt_time(false, std::move(done)); }).ok());
  prune(*store, WallTime{}, WallTime{});
  CHECK(deliveries(*store, waiting.message->event.id)->at(0).state == DeliveryState::dead);
  store->close();
}

TEST_CASE("what_is_kept_of_refusals_is_a_part_of_the_map_also_after_a_restart_and_the_rest_is_for_what_was_accepted") {
  constexpr uint64_t kMap = uint64_t{8} << 20;
  constexpr size_t kBody = 100'000;
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock, kMap);
  const auto refuse = [&] {
    NewMessage refused = maker.message({"crm"}, maker.bytes(kBody));
    refused.deliveries.clear();
    REQUIRE(commit(*store, put(refused)).ok());
    return refused.message->event.id;
  };
  const MessageId first = refuse();
  for (int i = 1; i < 100; ++i) refuse();
  const uint64_t kept = store->stats().messages;
  CHECK(kept > 4);
  CHECK(kept * kBody <= static_cast<uint64_t>(StoreOptions::kQuarantinePart * kMap));
  CHECK(store->stats().events == 100);
  CHECK(store->accepting());
  store = nullptr;
  store = open(folder, clock, kMap);
  refuse();
  CHECK(store->stats().messages == kept);
  Batch drop;
  drop.drops.push_back(first.to_string());
  REQUIRE(commit(*store, drop)->dropped == std::vector<bool>{true});
  refuse();
  refuse();
  CHECK(store->stats().messages == kept);
  store = nullptr;
  behind(folder, "kept", [&](MDB_txn* txn, MDB_dbi dbi) {  // as an older release writes it
    MDB_cursor* cursor = nullptr;
    REQUIRE(mdb_cursor_open(txn, dbi, &cursor) == 0);
    MDB_val at{}, value{}, nothing{};
    std::vector<std::string> keys;
    while (mdb_cursor_get(cursor, &at, &value, MDB_NEXT) == 0) keys.emplace_back(static_cast<const char*>(at.mv_data), at.mv_size);
    REQUIRE(keys.size() == kept);
    for (std::string& key : keys) {
      MDB_val same{key.size(), key.data()};
      REQUIRE(mdb_put(txn, dbi, &same, &nothing, 0) == 0);
    }
    mdb_cursor_close(cursor);
  });
  store = open(folder, clock, kMap);
  refuse();
  CHECK(store->stats().messages == kept);
  clock.advance(Duration(1'000));
  CHECK(prune(*store, clock.wall(), WallTime{}).messages == kept);
  refuse();
  CHECK(store->stats().messages == 1);
}

TEST_CASE("what_is_young_stays_while_somebody_else_fills_the_disk") {
  SystemClock clock;  // room is looked for in time
  Folder folder;
  Maker maker(clock);
  std::atomic<double> used{0.1};
  StoreOptions options = options_of(folder);
  options.disk_used = [&] { return used.load(); };
  auto store = std::move(open_lmdb_store(options, clock)).value();
  REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
  const Leased leased = lease(*store, "crm", clock.wall())->leased.at(0);
  REQUIRE(commit(*store, settle(with_state(leased.delivery, DeliveryState::delivered))).ok());
  used = 0.99;
  REQUIRE(eventually([&] { return !store->accepting(); }));
  const Pruned gone = prune(*store, WallTime{}, WallTime{});
  CHECK(gone.messages == 0);
  CHECK(gone.lines == 0);
  store->close();
}

TEST_CASE("a_write_without_room_that_no_number_shows_refuses_intake_for_a_while") {
  ManualClock clock;
  Folder folder;
  auto environment = lmdb::Environment::open(folder.path(), uint64_t{64} << 20);
  REQUIRE(environment.ok());
  double used = 0.1;
  StoreOptions options = options_of(folder);
  options.disk_used = [&] { return used; };
  SpaceWatch space(**environment, clock, options);
  CHECK(space.refusal(true).empty());
  space.refuse("no room");
  clock.advance(SpaceWatch::kRefusedAtLeast - Duration(1));
  CHECK(space.refusal(true) == "no room");
  CHECK_FALSE(space.own_doing());  // nobody knows that it is
  clock.advance(Duration(1));
  CHECK(space.refusal(true).empty());
  CHECK(space.own_doing());
  used = 0.82;  // less than what stops intake, more than what lets it go on
  space.refuse("no room");
  CHECK(space.refusal(true) == "no room");
  clock.advance(SpaceWatch::kRefusedAtLeast);
  CHECK(space.refusal(true).empty());
  used = 0.9;
  CHECK(space.refusal(true) == "disk 90% full");
  CHECK_FALSE(space.own_doing());
  space.refuse("no room");  // the number shows it: it also shows when there is room again
  used = 0.5;
  CHECK(space.refusal(true).empty());
}

TEST_CASE("a_write_without_room_that_no_number_shows_makes_a_little_room_and_what_is_young_stays") {
  constexpr int kStored = 100;
  SystemClock clock;  // room is looked for in time
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock, uint64_t{8} << 20);
  deliver(*store, maker, clock, kStored, 10'000);
  REQUIRE(commit(*store, put(maker.message({"crm"}, maker.bytes(8'000'000)))).error().kind == ErrorKind::full);
  REQUIRE_FALSE(store->accepting());
  for (int i = 0; i < 5; ++i) prune(*store, WallTime{}, WallTime{});
  REQUIRE_FALSE(store->accepting());
  CHECK(store->stats().messages >= kStored / 2);
  CHECK(store->stats().events >= kStored / 2);
  store->close();
}

TEST_CASE("on_a_disk_that_others_filled_settlements_are_given_the_little_room_they_need") {
  SystemClock clock;  // room is looked for in time
  Folder folder;
  Maker maker(clock);
  std::atomic<double> used{0.1};
  StoreOptions options = options_of(folder, uint64_t{8} << 20);
  options.disk_used = [&] { return used.load(); };
  auto store = std::move(open_lmdb_store(options, clock)).value();
  deliver(*store, maker, clock, 40, 100'000);
  for (int i = 0; i < 90; ++i) REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
  Batch batch;
  const auto leases = lease(*store, "crm", clock.wall(), 1'000);
  for (const Leased& leased : leases->leased) {
    Delivery sent = leased.delivery;
    for (size_t i = 0; i < Delivery::kMaxAttemptsKept; ++i) {
      add_attempt(sent, {clock.wall(), 1, 500, std::string(Attempt::kErrorBytes, 'e'), std::string(Attempt::kAnswerBytes, 'a')});
    }
    batch.settlements.push_back({with_state(sent, DeliveryState::delivered)});
  }
  used = 0.99;
  REQUIRE(eventually([&] { return !store->accepting(); }));
  CHECK(commit(*store, batch).ok());
  CHECK(backlog(*store, "crm").delivered == 40 + 90);
  store->close();
}

TEST_CASE("lines_of_the_books_leave_room_for_settlements_and_go_oldest_first_when_the_map_is_full") {
  SystemClock clock;  // room is looked for in time
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock, uint64_t{8} << 20);
  const NewMessage waiting = maker.message({"crm"});
  REQUIRE(commit(*store, put(waiting)).ok());
  std::vector<wire::Event> many;
  for (int i = 0; i < 100; ++i) {
    many.push_back(maker.event(wire::Outcome::forwarded));
    many.back().path.assign(1500, 'p');
  }
  ErrorKind refused = ErrorKind::io;
  int taken = 0;
  for (; taken < 500; ++taken) {
    auto done = commit(*store, lines(many));
    if (!done) {
      refused = done.error().kind;
      break;
    }
  }
  CHECK(refused == ErrorKind::full);
  CHECK(taken > 10);
  REQUIRE(eventually([&] { return !store->accepting(); }));
  const Leased leased = lease(*store, "crm", clock.wall())->leased.at(0);
  REQUIRE(commit(*store, settle(with_state(leased.delivery, DeliveryState::delivered))).ok());
  const uint64_t before = store->stats().events;
  REQUIRE(eventually([&] {  // none of them is older than the retention
    if (!store->accepting()) prune(*store, WallTime{}, WallTime{}, 500);
    return store->accepting();
  }));
  CHECK(store->stats().events < before);
  CHECK(store->stats().events > 0);
  CHECK(commit(*store, lines({maker.event(wire::Outcome::forwarded)})).ok());
  CHECK(commit(*store, put(maker.message({"crm"}))).ok());
}

}  // namespace

}  // namespace belay::spool::test
