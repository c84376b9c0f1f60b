#include "sim/damage.h"

#include <lmdb.h>

#include "base/check.h"

namespace belay::sim {

void damage_record(const std::string& folder, Dice& dice, Oracle& oracle) {
  static const std::vector<std::string> kTables = {"messages", "deliveries", "chunks"};
  const std::string& table = dice.pick(kTables);
  MDB_env* env = nullptr;
  BELAY_CHECK(mdb_env_create(&env) == 0);
  BELAY_CHECK(mdb_env_set_maxdbs(env, 32) == 0);
  BELAY_CHECK(mdb_env_open(env, folder.c_str(), 0, 0600) == 0);
  MDB_txn* txn = nullptr;
  BELAY_CHECK(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  MDB_dbi dbi = 0;
  MDB_stat stat{};
  if (mdb_dbi_open(txn, table.c_str(), 0, &dbi) == 0 && mdb_stat(txn, dbi, &stat) == 0 && stat.ms_entries > 0) {
    MDB_cursor* cursor = nullptr;
    BELAY_CHECK(mdb_cursor_open(txn, dbi, &cursor) == 0);
    MDB_val key{}, value{};
    auto skip = dice.between(0, static_cast<int64_t>(stat.ms_entries) - 1);
    BELAY_CHECK(mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0);
    while (skip-- > 0) BELAY_CHECK(mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0);
    const std::string name(static_cast<const char*>(key.mv_data), key.mv_size);
    std::string changed(static_cast<const char*>(value.mv_data), value.mv_size);
    if (!changed.empty()) {
      changed[dice.next() % changed.size()] ^= static_cast<char>(1 << dice.between(0, 7));
      MDB_val new_value{changed.size(), changed.data()};
      MDB_val new_key{name.size(), const_cast<char*>(name.data())};
      BELAY_CHECK(mdb_cursor_put(cursor, &new_key, &new_value, MDB_CURRENT) == 0);
      if (const auto id = MessageId::from_bytes(std::string_view(name).substr(0, 16))) oracle.damage(*id, table);
    }
    mdb_cursor_close(cursor);
  }
  BELAY_CHECK(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

}  // namespace belay::sim
