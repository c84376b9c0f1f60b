// LMDB as few typed words: environment, transactions, cursors. The only file pair that sees <lmdb.h>; knows nothing of
// messages. Default sync flags, always. Thread: a WriteTransaction stays on the thread that began it; a ReadTransaction belongs
// to one thread at a time and must be short (an old one keeps every freed page from being used again). Views live until
// their transaction ends or, in a write transaction, until its next change. Failure: the first error sticks to the
// transaction (failed()); later calls do nothing and commit() returns it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace belay::spool::lmdb {

using Table = unsigned int;
// The process ends with it where LMDB finds damage that it cannot report.
inline constexpr int kDamagedExit = 4;

class Environment {
 public:
  static constexpr unsigned kMaxTables = 32;
  static constexpr unsigned kMaxReaders = 126;
  static constexpr uint64_t kNoRoom = 64 << 10;  // a disk with less is full

  // Opens or creates `folder`/data.mdb and lock.mdb. corrupt: not an LMDB file, or pages in use are
  // missing at its end.
  static Result<std::unique_ptr<Environment>> open(const std::string& folder, uint64_t map_bytes);
  // Of an existing file, to be read only: nothing is created, made longer or changed.
  static Result<std::unique_ptr<Environment>> open_to_read(const std::string& folder);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // Created when missing, unless it is to be read only: then that is `invalid`. Before any other thread uses the environment.
  Result<Table> table(const char* name);
  // A copy without free pages, in an empty folder: its bytes are on the disk when ok, its name with sync_folder(); else nothing is
  // left of it. Readers and writers go on. `invalid`: another one is writing there, or was.
  Result<void> copy_to(const std::string& folder);
  // What copy_to() writes there until it is whole; one that was killed leaves it.
  static std::string piece_of(const std::string& folder);
  // Gives up the snapshots of processes that are gone: they keep freed pages from being used again. How many.
  int clear_dead_readers();
  bool read_only() const { return read_only_; }
  uint64_t map_bytes() const;
  uint64_t touched_bytes() const;  // up to the last page ever used: an upper bound of used_bytes(), cheap
  uint64_t used_bytes() const;     // without free pages; reads the free list
  bool disk_is_full() const;
  MDB_env* raw() const { return env_; }

 private:
  explicit Environment(MDB_env* env) : env_(env) {}
  Result<void> check_length(const std::string& folder) const;
  Result<uint64_t> free_pages_from(uint64_t first) const;
  MDB_env* env_;
  bool read_only_ = false;
};

class Transaction {
 public:
  ~Transaction();  // aborts unless committed
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // nullopt: no such key, or failed().
  std::optional<std::string_view> get(Table table, std::string_view key);
  uint64_t entries(Table table);
  bool failed() const { return code_ != 0; }
  Error error() const;  // full: no room in map or on disk; corrupt: its pages do not fit together; io: everything else

 protected:
  friend class Cursor;
  Transaction(Environment& environment, unsigned flags);
  bool check(int code);  // true for success; remembers the first failure
  Environment& environment_;
  MDB_txn* txn_ = nullptr;
  int code_ = 0;
};

class ReadTransaction final : public Transaction {
 public:
  explicit ReadTransaction(Environment& environment);
  void renew();  // a fresh snapshot; every view and cursor of the old one is void
};

class WriteTransaction final : public Transaction {
 public:
  explicit WriteTransaction(Environment& environment) : Transaction(environment, 0) {}
  void put(Table table, std::string_view key, std::string_view value);
  // The key must be greater than every key of the table.
  void append(Table table, std::string_view key, std::string_view value);
  bool remove(Table table, std::string_view key);  // false: there was none
  // Durable when ok. After an io error the environment must not be used again.
  Result<void> commit();
};

class Cursor {
 public:
  Cursor(Transaction& transaction, Table table);
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // True: stands on an entry, key() and value() are set.
  bool first();
  bool last();
  bool seek(std::string_view key);         // first entry >= key
  bool seek_before(std::string_view key);  // last entry < key
  bool next();
  bool previous();
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

 private:
  bool move(unsigned operation, std::string_view key = {});
  Transaction& transaction_;
  MDB_cursor* cursor_ = nullptr;
  std::string_view key_, value_;
};

}  // namespace belay::spool::lmdb
