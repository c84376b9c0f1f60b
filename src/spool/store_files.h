// A spool's folder opened to be written: locked, of this release's schema, with its books. The way in of the engine (store_lmdb)
// and of an import. Refused with the reason: another spool has it, a newer schema, damaged beyond reading, no permission, an import
// into it that was not finished (but to go on with it).
#pragma once

#include <memory>

#include "spool/books.h"
#include "spool/environment.h"
#include "spool/folder_lock.h"
#include "spool/store.h"
#include "spool/tables.h"

namespace belay::spool {

struct StoreFiles {
  FolderLock lock;
  std::unique_ptr<lmdb::Environment> environment;
  Tables tables;
  Books books;
};

enum class OpenFor : uint8_t { running, import };
Result<StoreFiles> open_store_files(const StoreOptions& options, OpenFor purpose);

}  // namespace belay::spool
