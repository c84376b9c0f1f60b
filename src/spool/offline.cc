#include "spool/offline.h"

#include <filesystem>

#include "spool/books.h"
#include "spool/checker.h"
#include "spool/environment.h"
#include "spool/folder_lock.h"
#include "spool/recount.h"

namespace belay::spool {

Result<OpenedFolder> open_folder_to_read(const std::string& folder) {
  auto environment = lmdb::Environment::open_to_read(folder);
  if (!environment) return environment.error();
  auto tables = Tables::open(**environment, folder);
  if (!tables) return tables.error();
  return OpenedFolder{std::move(*environment), *tables};
}

Result<BooksReport> audit_folder(const std::string& folder, const Step& step) {
  auto opened = open_folder_to_read(folder);
  if (!opened) return opened.error();
  auto lock = FolderLock::take(folder);  // after it: a folder without a spool is not made one
  if (!lock) {
    return lock.error().kind == ErrorKind::refused ? invalid("a spool runs on " + folder + "; ask it: belay audit -c FILE") : lock.error();
  }
  lmdb::ReadTransaction transaction(*opened->environment);
  const uint64_t all = transaction.entries(opened->tables.deliveries);
  Recount recount;
  for (uint64_t done = 0; !recount.step(transaction, opened->tables, Recount::kStep); done += Recount::kStep) step(std::min(done, all), all);
  const auto books = Books::read(transaction, opened->tables);
  if (!books) return books.error();
  if (transaction.failed()) return transaction.error();
  return report_of(*books, recount, transaction, opened->tables);
}

Result<CheckReport> check_folder(const std::string& folder, const Step& step) {
  auto opened = open_folder_to_read(folder);
  if (!opened) return opened.error();
  Checker checker(*opened->environment, opened->tables);
  while (!checker.step()) step(checker.done(), checker.all());
  return checker.report();
}

Result<void> compact_folder(const std::string& folder, const std::string& to) {
  auto environment = lmdb::Environment::open_to_read(folder);
  if (!environment) return environment.error();
  std::error_code failure;
  const bool fresh = std::filesystem::create_directories(to, failure);
  if (failure) return io_error(to + ": " + failure.message());
  const std::filesystem::path piece = lmdb::Environment::piece_of(to);
  for (std::filesystem::directory_iterator at(to, failure), end; !failure && at != end; at.increment(failure)) {
    if (at->path().filename() != piece.filename()) return invalid(to + " is not empty; name a folder that is empty or missing");
  }
  if (failure) return io_error(to + ": " + failure.message());
  std::filesystem::permissions(to, std::filesystem::perms::owner_all, failure);
  if (auto copied = (*environment)->copy_to(to); !copied) {
    if (fresh) std::filesystem::remove(to, failure);
    return copied;
  }
  return sync_folder(to);
}

}  // namespace belay::spool
