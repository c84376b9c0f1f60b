#include "spool/store_files.h"

#include "spool/upgrade.h"

namespace belay::spool {

namespace {

Result<void> check_import(lmdb::Environment& environment, const Tables& tables, const std::string& folder) {
  lmdb::ReadTransaction transaction(environment);
  if (!transaction.get(tables.meta, Tables::kImportKey)) return {};
  // corrupt: to start again would find the same.
  return Error{ErrorKind::corrupt, "spool path " + folder + ": an import into it was not finished; run it again, it goes on where it ended: belay spool import FILE --path " + folder};
}

}  // namespace

Result<StoreFiles> open_store_files(const StoreOptions& options, OpenFor purpose) {
  auto lock = FolderLock::take(options.folder);
  if (!lock) return lock.error();
  auto environment = lmdb::Environment::open(options.folder, options.map_bytes);
  if (!environment) return environment.error();
  auto tables = Tables::open(**environment, options.folder);
  if (!tables) return tables.error();
  if (auto upgraded = upgrade(**environment, *tables); !upgraded) return upgraded.error();
  if (purpose == OpenFor::running) {
    if (auto whole = check_import(**environment, *tables, options.folder); !whole) return whole.error();
  }
  if (auto synced = sync_folder(options.folder); !synced) return synced.error();
  auto books = Books::load(**environment, *tables);
  if (!books) return books.error();
  return StoreFiles{std::move(*lock), std::move(*environment), *tables, std::move(*books)};
}

}  // namespace belay::spool
