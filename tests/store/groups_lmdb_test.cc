// Groups on the production engine: damage in their tables, and a store of the schema before they came.
#include <thread>

#include "tests/store/lmdb_files.h"

namespace belay::spool::test {

namespace {

TEST_CASE("a_store_of_the_schema_before_is_brought_up_to_date_with_all_it_holds") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock);
  const NewMessage message = maker.message({"crm"});
  REQUIRE(commit(*store, put(message)).ok());
  store.reset();
  damage(folder, "meta", [](std::string& value) {
    std::string version;
    put_be32(version, Tables::kOldestSchema);
    value.clear();
    append_sealed(value, version);
  });
  behind(folder, "counts", [&](MDB_txn* txn, MDB_dbi dbi) {
    for (std::string key : {std::string("totals"), std::string()}) {
      if (key.empty()) put_be64(key, destination_id("crm"));
      MDB_val at{key.size(), key.data()}, value{};
      REQUIRE(mdb_get(txn, dbi, &at, &value) == 0);
      std::string older;  // without the numbers that came since
      append_sealed(older, std::string_view(static_cast<const char*>(value.mv_data) + 1, value.mv_size - 5 - (key == "totals" ? 8 : 40)));
      MDB_val smaller{older.size(), older.data()};
      REQUIRE(mdb_put(txn, dbi, &at, &smaller, 0) == 0);
    }
  });
  for (const char* table : {"groups", "members", "expiries"}) {
    behind(folder, table, [](MDB_txn* txn, MDB_dbi dbi) { REQUIRE(mdb_drop(txn, dbi, 1) == 0); });
  }
  store = open(folder, clock);
  CHECK(backlog(*store, "crm").waiting == 1);
  CHECK(lease(*store, "crm", clock.wall())->leased.size() == 1);
  REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
  store.reset();
  CHECK(open(folder, clock)->stats().messages == 2);
}

// A message of the key 7 for crm.
NewMessage of_key(Maker& maker, wire::GroupKind kind) {
  NewMessage message = maker.message({"crm"}, "1");
  message.deliveries[0].grouping = {kind, {}, 1'000, 1'000, 10, 1'000};
  message.deliveries[0].grouping.key.fill(7);
  return message;
}

// Leases until something comes: the writer mends what a scan has found.
std::vector<Leased> lease_soon(Store& store, WallTime now) {
  for (int i = 0; i < 500; ++i) {
    auto leases = lease(store, "crm", now);
    if (!leases->leased.empty()) return std::move(leases->leased);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return {};
}

TEST_CASE("damage_in_the_middle_of_a_key_or_a_batch_stops_neither") {
  using wire::GroupKind;
  for (const char* table : {"deliveries", "messages", "groups"}) {
    for (const GroupKind kind : {GroupKind::order_wait, GroupKind::debounce, GroupKind::batch_array}) {
      for (const bool first : {true, false}) {
        INFO(std::string(table) << " " << static_cast<int>(kind) << " " << first);
        ManualClock clock;
        Folder folder;
        Maker maker(clock);
        auto store = open(folder, clock);
        std::vector<MessageId> ids;
        for (int i = 0; i < 3; ++i) {
          const NewMessage message = of_key(maker, kind);
          ids.push_back(message.message->event.id);
          REQUIRE(commit(*store, put(message)).ok());
          if (kind == GroupKind::debounce) {  // each is being sent when the next comes
            clock.advance(Duration(1'000));
            static_cast<void>(lease(*store, "crm", clock.wall()));
          }
        }
        store.reset();
        const std::string key = table == std::string("deliveries") ? delivery_key(ids[first ? 0 : 1], destination_id("crm"))
                                : table == std::string("messages") ? std::string(ids[first ? 0 : 1].view())
                                                                   : std::string();
        if (key.empty()) {
          if (entries(folder, table) > 0) damage_record(folder, table);
        } else {
          damage_record(folder, table, key);
        }
        store = open(folder, clock);
        clock.advance(Duration(10'000));
        for (int i = 0; i < 10 && backlog(*store, "crm").waiting > 0; ++i) {
          for (const Leased& one : lease_soon(*store, clock.wall())) {
            Delivery sent = one.delivery;
            add_attempt(sent, {clock.wall(), 1, 200, "", ""});
            CHECK(commit(*store, settle(with_state(sent, DeliveryState::delivered)))->refused == std::vector<bool>{false});
          }
        }
        const DestinationBacklog counts = backlog(*store, "crm");
        CHECK(counts.waiting == 0);
        CHECK(counts.spooled == counts.delivered + counts.dead + counts.superseded);
        CHECK(counts.delivered >= (kind == GroupKind::debounce ? 1 : 2));
        // The key is free, whatever was damaged.
        const NewMessage later = of_key(maker, kind);
        REQUIRE(commit(*store, put(later)).ok());
        clock.advance(Duration(10'000));
        const auto leased = lease_soon(*store, clock.wall());
        REQUIRE(leased.size() == 1);
        CHECK(leased[0].delivery.message == later.message->event.id);
      }
    }
  }
}

// Sends whatever can be leased until nothing waits, and gives what was sent, in order.
std::vector<MessageId> drain(Store& store, ManualClock& clock) {
  std::vector<MessageId> gone;
  for (int i = 0; i < 10 && backlog(store, "crm").waiting > 0; ++i) {
    clock.advance(Duration(10'000));
    for (const Leased& one : lease_soon(store, clock.wall())) {
      gone.push_back(one.delivery.message);
      Delivery sent = one.delivery;
      add_attempt(sent, {clock.wall(), 1, 200, "", ""});
      REQUIRE(commit(store, settle(with_state(sent, DeliveryState::delivered))).ok());
    }
  }
  return gone;
}

TEST_CASE("a_damaged_leader_of_a_batch_that_a_newcomer_fills_strands_nobody") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock);
  std::vector<MessageId> ids;
  const auto add = [&] {
    NewMessage message = of_key(maker, wire::GroupKind::batch_array);
    message.deliveries[0].grouping.max = 3;
    ids.push_back(message.message->event.id);
    REQUIRE(commit(*store, put(message)).ok());
  };
  add();
  add();
  store.reset();
  damage_record(folder, "deliveries", delivery_key(ids[0], destination_id("crm")));
  store = open(folder, clock);
  add();  // the third: full
  CHECK(drain(*store, clock) == std::vector<MessageId>{ids[1]});
  CHECK(backlog(*store, "crm").delivered == 2);
  CHECK(backlog(*store, "crm").dead == 1);
}

TEST_CASE("a_replay_that_meets_a_damaged_head_of_its_key_has_the_turn") {
  for (const wire::GroupKind kind : {wire::GroupKind::order_wait, wire::GroupKind::order_skip}) {
    ManualClock clock;
    Folder folder;
    Maker maker(clock);
    auto store = open(folder, clock);
    std::vector<MessageId> ids;
    for (int i = 0; i < 2; ++i) {
      const NewMessage message = of_key(maker, kind);
      ids.push_back(message.message->event.id);
      REQUIRE(commit(*store, put(message)).ok());
      if (i > 0) continue;
      auto leased = lease_soon(*store, clock.wall());
      REQUIRE(leased.size() == 1);
      Delivery sent = leased[0].delivery;
      add_attempt(sent, {clock.wall(), 1, 200, "", ""});
      REQUIRE(commit(*store, settle(with_state(sent, DeliveryState::delivered)))->refused == std::vector<bool>{false});
    }
    store.reset();
    damage_record(folder, "deliveries", delivery_key(ids[1], destination_id("crm")));
    store = open(folder, clock);
    auto first = deliveries(*store, ids[0]);
    REQUIRE(first.ok());
    Delivery again = first->front();
    again.attempts_before = again.attempts;
    REQUIRE(commit(*store, settle(with_state(again, DeliveryState::queued, clock.wall())))->refused == std::vector<bool>{false});
    CHECK(drain(*store, clock) == std::vector<MessageId>{ids[0]});
    CHECK(backlog(*store, "crm").waiting == 0);
  }
}

TEST_CASE("the_books_stay_balanced_when_a_replay_meets_a_damaged_head_that_was_dead") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock);
  std::vector<MessageId> ids;
  for (const DeliveryState end : {DeliveryState::delivered, DeliveryState::dead}) {
    const NewMessage message = of_key(maker, wire::GroupKind::order_wait);
    ids.push_back(message.message->event.id);
    REQUIRE(commit(*store, put(message)).ok());
    auto leased = lease_soon(*store, clock.wall());
    REQUIRE(leased.size() == 1);
    Delivery sent = leased[0].delivery;
    add_attempt(sent, {clock.wall(), 1, 200, "", ""});
    REQUIRE(commit(*store, settle(with_state(sent, end)))->refused == std::vector<bool>{false});
  }
  store.reset();
  damage_record(folder, "deliveries", delivery_key(ids[1], destination_id("crm")));
  store = open(folder, clock);
  Delivery again = deliveries(*store, ids[0])->front();
  again.attempts_before = again.attempts;
  REQUIRE(commit(*store, settle(with_state(again, DeliveryState::queued, clock.wall())))->refused == std::vector<bool>{false});
  CHECK(backlog(*store, "crm").dead == 1);
  CHECK(backlog(*store, "crm").waiting == 1);
  CHECK(wait_for<BooksReport>([&](Done<BooksReport> done) { store->recount(std::move(done)); })->balanced());
  CHECK(drain(*store, clock) == std::vector<MessageId>{ids[0]});
}

}  // namespace

}  // namespace belay::spool::test
