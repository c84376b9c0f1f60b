// What a store of an older schema lacks, filled in from its records: once, when it is opened, in one transaction. Tables are made by
// Tables::open(), records are read as they are. A million messages take a few seconds.
#pragma once

#include "base/result.h"
#include "spool/environment.h"
#include "spool/tables.h"

namespace belay::spool {

// Nothing when there is nothing to do (the key "upgrade" of `meta`, which goes with the commit).
Result<void> upgrade(lmdb::Environment& environment, const Tables& tables);

}  // namespace belay::spool
