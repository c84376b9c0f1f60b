#include "spool/environment.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/check.h"
#include "base/log.h"

namespace belay::spool::lmdb {

namespace {

// For one copy alone as long as `fd` is open. A copy that ended meanwhile gave the file another name, or none.
Result<void> hold_piece(int fd, const std::string& part) {
  const bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
  if (!locked && errno != EWOULDBLOCK) return errno_error("lock " + part);
  struct stat held {}, named {};
  const bool mine = locked && fstat(fd, &held) == 0 && stat(part.c_str(), &named) == 0 && held.st_ino == named.st_ino;
  return mine ? Result<void>() : invalid(part + ": another copy is being written there");
}

constexpr MDB_dbi kFreeList = 0;  // LMDB's own: transaction → count and numbers of the pages it freed

MDB_val to_val(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string_view to_view(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

// RULE: ENOSPC is `full`, not `io`, although it comes from the commit: LMDB writes the pages before it syncs and before the
// meta page, so nothing refers to what was not written, and a disk that is full must not end the process.
// A write that found room for its first pages only is EIO to LMDB: WriteTransaction::commit() looks at the disk then.
bool is_full(int code) {
  return code == MDB_MAP_FULL || code == MDB_TXN_FULL || code == ENOSPC || code == EDQUOT;
}

// Pages of the file that do not fit together: no disk says so, what was written is not what is read.
bool is_damage(int code) {
  return code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_CURSOR_FULL || code == MDB_PAGE_FULL;
}

Error to_error(int code) {
  if (is_damage(code)) return {ErrorKind::corrupt, std::string("store: data.mdb is damaged: ") + mdb_strerror(code)};
  return {is_full(code) ? ErrorKind::full : ErrorKind::io, std::string("store: ") + mdb_strerror(code)};
}

// LMDB found its pages wrong where it cannot return an error; by itself it would abort() without a line in our log.
void end_damaged(MDB_env* /*env*/, const char* what) {
  log::alert("spool ends: store: data.mdb is damaged: {}", what);
  std::_Exit(kDamagedExit);
}

Error open_error(int code, const std::string& folder) {
  const std::string where = "spool path " + folder + ": ";
  switch (code) {
    case MDB_INVALID: return {ErrorKind::corrupt, where + "data.mdb is not an LMDB file; move it away or name another path"};
    case MDB_VERSION_MISMATCH:
      return {ErrorKind::corrupt, where + "data.mdb was written by another LMDB format version"};
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED: return {ErrorKind::corrupt, where + "data.mdb is damaged: " + mdb_strerror(code)};
    default: return {ErrorKind::io, where + mdb_strerror(code)};
  }
}

}  // namespace

Result<std::unique_ptr<Environment>> Environment::open(const std::string& folder, uint64_t map_bytes) {
  MDB_env* env = nullptr;
  if (const int code = mdb_env_create(&env); code != 0) return open_error(code, folder);
  std::unique_ptr<Environment> environment(new Environment(env));
  int code = mdb_env_set_mapsize(env, map_bytes);
  if (code == 0) code = mdb_env_set_maxdbs(env, kMaxTables);
  if (code == 0) code = mdb_env_set_maxreaders(env, kMaxReaders);
  if (code == 0) code = mdb_env_set_assert(env, end_damaged);
  // MDB_NOTLS: a read transaction belongs to its object, not to the thread. No flag that weakens syncing (P1).
  if (code == 0) code = mdb_env_open(env, folder.c_str(), MDB_NOTLS, 0600);
  if (code != 0) return open_error(code, folder);
  if (auto length = environment->check_length(folder); !length) return length.error();
  int dead_readers = 0;
  mdb_reader_check(env, &dead_readers);
  return environment;
}

Result<std::unique_ptr<Environment>> Environment::open_to_read(const std::string& folder) {
  MDB_env* env = nullptr;
  if (access((folder + "/data.mdb").c_str(), R_OK) != 0) return invalid("no spool is in " + folder + " (data.mdb cannot be read)");
  if (const int code = mdb_env_create(&env); code != 0) return open_error(code, folder);
  std::unique_ptr<Environment> environment(new Environment(env));
  environment->read_only_ = true;
  int code = mdb_env_set_maxdbs(env, kMaxTables);
  if (code == 0) code = mdb_env_set_maxreaders(env, kMaxReaders);
  if (code == 0) code = mdb_env_open(env, folder.c_str(), MDB_NOTLS | MDB_RDONLY, 0600);
  if (code != 0) return open_error(code, folder);
  struct stat status {};
  if (stat((folder + "/data.mdb").c_str(), &status) != 0) return errno_error("spool path " + folder + ": stat data.mdb");
  // LMDB would die of SIGBUS at the first page that is missing.
  if (static_cast<uint64_t>(status.st_size) < environment->touched_bytes()) {
    return Error{ErrorKind::corrupt, "spool path " + folder + ": data.mdb is shorter than it says; start the spool on it once, which tells whether anything is lost"};
  }
  return environment;
}

std::string Environment::piece_of(const std::string& folder) { return folder + "/data.mdb.part"; }

// LMDB's own way to a path syncs nothing and leaves a piece of a file when it fails. The piece keeps its lock until it has its
// name or none.
Result<void> Environment::copy_to(const std::string& folder) {
  const std::string file = folder + "/data.mdb", part = piece_of(folder);
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error(part);
  Result<void> copied = hold_piece(fd, part);
  if (!copied) {
    ::close(fd);
    return copied;
  }
  // What a copy that was killed left in it goes.
  if (access(file.c_str(), F_OK) == 0) copied = invalid(file + " is there");
  else if (ftruncate(fd, 0) != 0) copied = errno_error("truncate " + part);
  else if (const int code = mdb_env_copyfd2(env_, fd, MDB_CP_COMPACT); code != 0) copied = to_error(code);
  else if (fsync(fd) != 0) copied = errno_error("fsync " + part);
  else if (std::rename(part.c_str(), file.c_str()) != 0) copied = errno_error("rename " + part);
  if (!copied) ::unlink(part.c_str());
  ::close(fd);
  return copied;
}

int Environment::clear_dead_readers() {
  int dead = 0;
  mdb_reader_check(env_, &dead);
  return dead;
}

// How many pages with number >= `first` are in the free list.
Result<uint64_t> Environment::free_pages_from(uint64_t first) const {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn); code != 0) return to_error(code);
  uint64_t found = 0;
  MDB_cursor* cursor = nullptr;
  int code = mdb_cursor_open(txn, kFreeList, &cursor);
  if (code == 0) {
    MDB_val key{}, value{};
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
      std::vector<size_t> pages(value.mv_size / sizeof(size_t));  // their count, then their numbers; not aligned as stored
      __builtin_memcpy(pages.data(), value.mv_data, pages.size() * sizeof(size_t));
      const size_t count = pages.empty() ? 0 : std::min(pages[0], pages.size() - 1);
      for (size_t i = 1; i <= count; ++i) found += pages[i] >= first ? 1 : 0;
    }
    mdb_cursor_close(cursor);
  }
  mdb_txn_abort(txn);
  if (code != MDB_NOTFOUND) return to_error(code);
  return found;
}

// LMDB maps the file and would die of SIGBUS at the first missing page. A healthy file may be short, though: pages that a
// transaction took and gave back before its commit are never written. Then all that is missing is in the free list. The file
// is made longer before that list is read, because part of it may be what is missing; zeros there are no pages of a tree.
Result<void> Environment::check_length(const std::string& folder) const {
  mdb_filehandle_t file = -1;
  mdb_env_get_fd(env_, &file);
  struct stat status {};
  if (fstat(file, &status) != 0) return errno_error("spool path " + folder + ": stat data.mdb");
  const uint64_t expected = touched_bytes();
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size >= expected) return {};
  if (ftruncate(file, static_cast<off_t>(expected)) != 0) return errno_error("spool path " + folder + ": extend data.mdb");
  MDB_stat stat{};
  mdb_env_stat(env_, &stat);
  const uint64_t first_missing = size / stat.ms_psize;
  const auto free_pages = free_pages_from(first_missing);
  if (free_pages && *free_pages == expected / stat.ms_psize - first_missing) return {};
  // As it was found: a copy may be wanted, and the next start must not take it for whole.
  if (ftruncate(file, status.st_size) != 0) return errno_error("spool path " + folder + ": shorten data.mdb again");
  return Error{ErrorKind::corrupt, "spool path " + folder + ": data.mdb is truncated (" + std::to_string(size) + " bytes, " +
                                       std::to_string(expected) + " expected); restore it or name another path"};
}

Environment::~Environment() { mdb_env_close(env_); }

Result<Table> Environment::table(const char* name) {
  MDB_txn* txn = nullptr;
  int code = mdb_txn_begin(env_, nullptr, read_only_ ? MDB_RDONLY : 0, &txn);
  if (code != 0) return to_error(code);
  MDB_dbi dbi = 0;
  code = mdb_dbi_open(txn, name, read_only_ ? 0 : MDB_CREATE, &dbi);
  if (code != 0) {
    mdb_txn_abort(txn);
    if (code == MDB_NOTFOUND) return invalid(std::string("the store has no table '") + name + "'");
    return to_error(code);
  }
  if (code = mdb_txn_commit(txn); code != 0) return to_error(code);
  return Table{dbi};
}

bool Environment::disk_is_full() const {
  mdb_filehandle_t file = -1;
  struct statvfs disk {};
  return mdb_env_get_fd(env_, &file) == 0 && fstatvfs(file, &disk) == 0 && disk.f_bavail * disk.f_frsize < kNoRoom;
}

uint64_t Environment::map_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return info.me_mapsize;
}

uint64_t Environment::touched_bytes() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

uint64_t Environment::used_bytes() const {
  MDB_stat stat{};
  mdb_env_stat(env_, &stat);
  MDB_txn* txn = nullptr;
  if (mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn) != 0) return touched_bytes();
  uint64_t free_pages = 0;
  MDB_cursor* cursor = nullptr;
  if (mdb_cursor_open(txn, kFreeList, &cursor) == 0) {
    MDB_val key{}, value{};
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
      size_t pages = 0;  // a free-list value starts with its count
      __builtin_memcpy(&pages, value.mv_data, sizeof pages);
      free_pages += pages;
    }
    mdb_cursor_close(cursor);
  }
  mdb_txn_abort(txn);
  const uint64_t touched = touched_bytes();
  return touched - std::min(touched, free_pages * stat.ms_psize);
}

Transaction::Transaction(Environment& environment, unsigned flags) : environment_(environment) {
  int code = mdb_txn_begin(environment.raw(), nullptr, flags, &txn_);
  if (code == MDB_MAP_RESIZED) {  // another process grew the map: take its size
    mdb_env_set_mapsize(environment.raw(), 0);
    code = mdb_txn_begin(environment.raw(), nullptr, flags, &txn_);
  }
  if (!check(code)) txn_ = nullptr;
}

Transaction::~Transaction() {
  if (txn_ != nullptr) mdb_txn_abort(txn_);
}

bool Transaction::check(int code) {
  if (code != 0 && code_ == 0) code_ = code;
  return code == 0;
}

Error Transaction::error() const { return to_error(code_); }

std::optional<std::string_view> Transaction::get(Table table, std::string_view key) {
  if (failed()) return std::nullopt;
  MDB_val wanted = to_val(key);
  MDB_val found{};
  const int code = mdb_get(txn_, table, &wanted, &found);
  if (code == MDB_NOTFOUND || !check(code)) return std::nullopt;
  return to_view(found);
}

uint64_t Transaction::entries(Table table) {
  MDB_stat stat{};
  if (failed() || !check(mdb_stat(txn_, table, &stat))) return 0;
  return stat.ms_entries;
}

ReadTransaction::ReadTransaction(Environment& environment) : Transaction(environment, MDB_RDONLY) {}

void ReadTransaction::renew() {
  if (failed()) return;
  mdb_txn_reset(txn_);
  check(mdb_txn_renew(txn_));
}

void WriteTransaction::put(Table table, std::string_view key, std::string_view value) {
  if (failed()) return;
  MDB_val at = to_val(key);
  MDB_val what = to_val(value);
  check(mdb_put(txn_, table, &at, &what, 0));
}

void WriteTransaction::append(Table table, std::string_view key, std::string_view value) {
  if (failed()) return;
  MDB_val at = to_val(key);
  MDB_val what = to_val(value);
  check(mdb_put(txn_, table, &at, &what, MDB_APPEND));
}

bool WriteTransaction::remove(Table table, std::string_view key) {
  if (failed()) return false;
  MDB_val at = to_val(key);
  const int code = mdb_del(txn_, table, &at, nullptr);
  return code != MDB_NOTFOUND && check(code);
}

Result<void> WriteTransaction::commit() {
  if (failed()) return error();
  MDB_txn* txn = txn_;
  txn_ = nullptr;  // gone whatever happens
  const int code = mdb_txn_commit(txn);
  if (!check(code == EIO && environment_.disk_is_full() ? ENOSPC : code)) return error();
  return {};
}

Cursor::Cursor(Transaction& transaction, Table table) : transaction_(transaction) {
  if (transaction.failed() || !transaction.check(mdb_cursor_open(transaction.txn_, table, &cursor_))) cursor_ = nullptr;
}

Cursor::~Cursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

bool Cursor::move(unsigned operation, std::string_view key) {
  if (cursor_ == nullptr || transaction_.failed()) return false;
  MDB_val at = to_val(key);
  MDB_val what{};
  const int code = mdb_cursor_get(cursor_, &at, &what, static_cast<MDB_cursor_op>(operation));
  if (code == MDB_NOTFOUND || !transaction_.check(code)) return false;
  key_ = to_view(at);
  value_ = to_view(what);
  return true;
}

bool Cursor::first() { return move(MDB_FIRST); }
bool Cursor::last() { return move(MDB_LAST); }
bool Cursor::seek(std::string_view key) { return key.empty() ? first() : move(MDB_SET_RANGE, key); }  // LMDB refuses empty keys
bool Cursor::seek_before(std::string_view key) { return seek(key) ? previous() : last(); }
bool Cursor::next() { return move(MDB_NEXT); }
bool Cursor::previous() { return move(MDB_PREV); }

}  // namespace belay::spool::lmdb
