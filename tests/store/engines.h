// Every engine, to run the same cases on each: TEST_CASE_TEMPLATE("…", Engine, ENGINES) { Fixture<Engine> f; … }
#pragma once

#include "tests/store/harness.h"

namespace belay::spool::test {

struct Memory {
  std::unique_ptr<Store> open(const Clock& clock) { return open_memory_store(clock); }
};

struct Lmdb {
  Folder folder;
  std::unique_ptr<Store> open(const Clock& clock) {
    StoreOptions options;
    options.folder = folder.path();
    options.map_bytes = uint64_t{1} << 30;
    auto store = open_lmdb_store(options, clock);
    REQUIRE(store.ok());
    return std::move(*store);
  }
};

template <typename Engine>
struct Fixture {
  ManualClock clock;
  Engine engine;
  std::unique_ptr<Store> store = engine.open(clock);
  Maker maker{clock};
  WallTime now() const { return clock.wall(); }
  // Stores a message for `to` and gives its delivery under lease.
  Leased leased(const std::string& to = "crm") {
    REQUIRE(commit(*store, put(maker.message({to}))).ok());
    auto leases = lease(*store, to, now());
    REQUIRE(leases.ok());
    REQUIRE(leases->leased.size() == 1);
    return leases->leased.front();
  }
  DeliveryState state_of(const MessageId& id) { return deliveries(*store, id)->front().state; }
};

#define ENGINES Memory, Lmdb

}  // namespace belay::spool::test
