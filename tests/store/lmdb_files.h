// The production engine's store as files: opened, and changed behind its back while it is closed.
#pragma once

#include <lmdb.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "spool/tables.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

inline StoreOptions options_of(const Folder& folder, uint64_t map_bytes = uint64_t{64} << 20) {
  StoreOptions options;
  options.folder = folder.path();
  options.map_bytes = map_bytes;
  return options;
}

inline std::unique_ptr<Store> open(const Folder& folder, const Clock& clock, uint64_t map_bytes = uint64_t{64} << 20) {
  auto store = open_lmdb_store(options_of(folder, map_bytes), clock);
  REQUIRE(store.ok());
  return std::move(*store);
}

// What the writer does by itself is waited for.
inline bool eventually(const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

// Does something to a table behind the closed store's back.
inline void behind(const Folder& folder, const char* table, const std::function<void(MDB_txn*, MDB_dbi)>& change) {
  MDB_env* env = nullptr;
  REQUIRE(mdb_env_create(&env) == 0);
  REQUIRE(mdb_env_set_maxdbs(env, 32) == 0);
  REQUIRE(mdb_env_open(env, folder.path().c_str(), 0, 0600) == 0);
  MDB_txn* txn = nullptr;
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  MDB_dbi dbi = 0;
  REQUIRE(mdb_dbi_open(txn, table, 0, &dbi) == 0);
  change(txn, dbi);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

// Changes one stored value: that of `key`, or the first of its table.
inline void damage(const Folder& folder, const char* table, const std::function<void(std::string&)>& change, const std::string& key = {}) {
  behind(folder, table, [&](MDB_txn* txn, MDB_dbi dbi) {
    MDB_cursor* cursor = nullptr;
    REQUIRE(mdb_cursor_open(txn, dbi, &cursor) == 0);
    MDB_val at{key.size(), const_cast<char*>(key.data())}, value{};
    REQUIRE(mdb_cursor_get(cursor, &at, &value, key.empty() ? MDB_FIRST : MDB_SET_KEY) == 0);
    std::string changed(static_cast<const char*>(value.mv_data), value.mv_size);
    const std::string of(static_cast<const char*>(at.mv_data), at.mv_size);
    change(changed);
    mdb_cursor_close(cursor);
    MDB_val new_key{of.size(), const_cast<char*>(of.data())};
    MDB_val new_value{changed.size(), changed.data()};
    REQUIRE(mdb_put(txn, dbi, &new_key, &new_value, 0) == 0);
  });
}

// One bit in the middle of it.
inline void damage_record(const Folder& folder, const char* table, const std::string& key = {}) {
  damage(folder, table, [](std::string& value) { value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 1); }, key);
}

inline size_t entries(const Folder& folder, const char* table) {
  MDB_stat stat{};
  behind(folder, table, [&](MDB_txn* txn, MDB_dbi dbi) { REQUIRE(mdb_stat(txn, dbi, &stat) == 0); });
  return stat.ms_entries;
}

}  // namespace belay::spool::test
