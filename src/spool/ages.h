// How many deliveries of each destination wait, by the minute in which their webhooks came: kept in memory beside the books, so
// that asking how old a backlog is costs no walk over it. Counted from the store once when it is opened. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/id.h"
#include "spool/environment.h"
#include "spool/record.h"
#include "spool/store.h"
#include "spool/tables.h"

namespace belay::spool {

class Ages {
 public:
  static int64_t minute_of(const MessageId& id) { return to_ms(id.time()) / 60'000; }
  void add(DestinationId destination, int64_t minute, int64_t by);
  // Those that have waited longer than each of kOlder_s; a minute counts when all of it has.
  Older older(DestinationId destination, WallTime now) const;
  std::optional<int64_t> oldest_minute(DestinationId destination) const;
  // What waits in the store, whether it has its turn or not.
  void load(lmdb::Transaction& transaction, const Tables& tables);

 private:
  std::unordered_map<DestinationId, std::map<int64_t, uint64_t>> minutes_;
};

}  // namespace belay::spool
