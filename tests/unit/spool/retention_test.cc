// Retention on a real loop with the engine that has blocks; a step is small, so only going on at once can be in time.
#include <doctest/doctest.h>

#include "spool/retention.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

namespace {

constexpr Duration kLimit{10'000};
constexpr Duration kKept = std::chrono::hours(1);

struct Old {
  Old() { reopen(); }
  void reopen() {
    store = nullptr;
    StoreOptions options;
    options.folder = folder.path();
    options.map_bytes = uint64_t{256} << 20;
    auto opened = open_lmdb_store(options, clock);
    REQUIRE(opened.ok());
    store = std::move(*opened);
  }
  // Messages with a delivery each in state `end`, older than what is kept when all are stored.
  void store_messages(size_t count, DeliveryState end) {
    Batch puts;
    for (size_t i = 0; i < count; ++i) puts.puts.push_back(maker.message({"crm"}, "x"));
    REQUIRE(commit(*store, puts).ok());
    if (end == DeliveryState::queued) return;
    Batch settlements;
    for (const NewMessage& put : puts.puts) {
      settlements.settlements.push_back({with_state(put.deliveries[0], DeliveryState::cancelled)});
    }
    REQUIRE(commit(*store, settlements).ok());
  }

  ManualClock clock;
  Folder folder;
  Maker maker{clock};
  event::Loop loop;
  std::unique_ptr<Store> store;
};

TEST_CASE("retention_goes_on_without_a_pause_while_a_step_ends_at_its_limit") {
  Old old;
  constexpr size_t kMessages = 60 * Retention::kStep;  // 12 s with a pause of kSoon after each step
  for (size_t i = 0; i < kMessages; i += 5'000) old.store_messages(5'000, DeliveryState::cancelled);
  old.clock.advance(kKept + Duration(1'000));
  old.store_messages(1, DeliveryState::cancelled);  // young
  Retention retention(old.loop, *old.store, old.clock, old.clock);
  retention.keep(kKept, std::chrono::hours(100));
  CHECK(old.loop.run_until([&] { return old.store->stats().messages == 1; }, kLimit));
  CHECK(old.store->stats().events == kMessages + 1);
  old.store->close();
}

TEST_CASE("retention_passes_over_what_waits_to_what_ended_behind_it") {
  Old old;
  old.store_messages(4 * Retention::kStep + 1, DeliveryState::queued);  // more than a step looks at
  old.store_messages(10, DeliveryState::cancelled);
  old.clock.advance(kKept + Duration(1'000));
  Retention retention(old.loop, *old.store, old.clock, old.clock);
  retention.keep(kKept, kKept);
  CHECK(old.loop.run_until([&] { return old.store->stats().messages == 4 * Retention::kStep + 1; }, Retention::kEvery / 2));
  old.store->close();
}

TEST_CASE("retention_keeps_up_with_the_blocks_of_the_books") {
  Old old;
  constexpr uint64_t kBlocks = Retention::kStep + 20;
  for (uint64_t i = 0; i < kBlocks; ++i) {  // a commit each
    REQUIRE(commit(*old.store, put(old.maker.message({"crm"}, "x"))).ok());
  }
  CHECK(old.store->stats().events == kBlocks);
  old.clock.advance(kKept + Duration(1'000));
  Retention retention(old.loop, *old.store, old.clock, old.clock);
  retention.keep(std::chrono::hours(100), kKept);
  CHECK(old.loop.run_until([&] { return old.store->stats().events == 0; }, Retention::kEvery / 2));
  CHECK(old.store->stats().messages == kBlocks);
  old.store->close();
}

TEST_CASE("what_is_old_by_one_clock_alone_stays") {
  for (const bool spools_is_ahead : {true, false}) {
    Old old;
    ManualClock right;
    old.store_messages(10, DeliveryState::cancelled);
    old.clock.advance(std::chrono::years(10));
    Retention retention(old.loop, *old.store, spools_is_ahead ? static_cast<const Clock&>(old.clock) : right, spools_is_ahead ? right : old.clock);
    retention.keep(kKept, kKept);
    old.loop.run_until([] { return false; }, Duration(100));
    CHECK(old.store->stats().messages == 10);
    CHECK(old.store->stats().events == 10);
    old.store->close();
  }
}

TEST_CASE("retention_that_is_held_back_forgets_nothing_until_its_time_has_passed") {
  constexpr Duration kHeld{50};
  Old old;
  old.store_messages(10, DeliveryState::cancelled);
  old.clock.advance(std::chrono::years(10));
  look_at_clock(*old.store, old.clock);
  Retention retention(old.loop, *old.store, old.clock, old.clock, kHeld);
  retention.keep(kKept, kKept);
  old.loop.run_until([] { return false; }, kHeld * 4);
  CHECK(old.store->stats().messages == 10);
  old.clock.advance(kHeld);
  CHECK(old.loop.run_until([&] { return old.store->stats().messages == 0; }, Retention::kEvery / 2));
  old.store->close();
}

TEST_CASE("a_doubt_in_the_clock_outlives_a_restart_and_what_is_stored_meanwhile_and_ends_with_its_time") {
  constexpr Duration kHeld{50};
  Old old;
  old.store_messages(10, DeliveryState::cancelled);
  look_at_clock(*old.store, old.clock);
  CHECK_FALSE(old.store->time_in_doubt());
  old.clock.advance(std::chrono::years(10));
  look_at_clock(*old.store, old.clock);
  old.store_messages(1, DeliveryState::cancelled);
  for (int life = 0; life < 2; ++life) {  // the second one finds nothing that is far away
    old.reopen();
    look_at_clock(*old.store, old.clock);
    CHECK(old.store->time_in_doubt());
    Retention retention(old.loop, *old.store, old.clock, old.clock, kHeld);
    retention.keep(kKept, kKept);
    old.loop.run_until([] { return false; }, kHeld * 4);
    CHECK(old.store->stats().messages == 11);
  }
  Retention retention(old.loop, *old.store, old.clock, old.clock, kHeld);
  retention.keep(kKept, kKept);
  old.clock.advance(kHeld);
  CHECK(old.loop.run_until([&] { return old.store->stats().messages == 1; }, Retention::kEvery / 2));
  old.reopen();
  CHECK_FALSE(old.store->time_in_doubt());
  old.store->close();
}

TEST_CASE("a_stopped_retention_takes_no_further_step") {
  Old old;
  old.store_messages(3 * Retention::kStep, DeliveryState::cancelled);
  old.clock.advance(kKept + Duration(1'000));
  Retention retention(old.loop, *old.store, old.clock, old.clock);
  retention.keep(kKept, kKept);
  retention.stop();
  old.loop.run_until([] { return false; }, Duration(100));
  CHECK(old.store->stats().messages >= 2 * Retention::kStep);
  old.store->close();
}

}  // namespace

}  // namespace belay::spool::test
