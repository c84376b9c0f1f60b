// Running counters of the store, kept in its own transactions so that a start needs no count over millions of records:
// totals, and per destination how many deliveries stand where (P11: spooled = waiting + delivered + dead +
// cancelled + superseded).
// Books is what is committed; a BooksChange collects one transaction's changes and becomes part of it. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "spool/ages.h"
#include "spool/environment.h"
#include "spool/record.h"
#include "spool/tables.h"

namespace belay::spool {

struct DestinationCounts {
  std::string name;
  uint64_t spooled = 0, waiting = 0, delivered = 0, dead = 0, cancelled = 0, superseded = 0;
  uint64_t& of(DeliveryState state);
};

struct Totals {
  uint64_t messages = 0;     // on disk
  uint64_t events = 0;       // lines on disk
  uint64_t quarantined = 0;
  uint64_t blocks = 0;       // ever written: the number of the next
  uint64_t rejected = 0;     // messages kept for quarantine: without deliveries
  uint64_t turns = 0;        // given to deliveries of a group, ever: the last one's
  int64_t widest_ms = 0;     // most time between the smallest and the greatest id of a block
};

using ClientId = std::array<uint8_t, 16>;
struct ClientHash {
  size_t operator()(const ClientId& id) const {
    size_t value = 0;
    __builtin_memcpy(&value, id.data(), sizeof value);
    return value;
  }
};

struct Books {
  Totals totals;
  std::unordered_map<DestinationId, DestinationCounts> destinations;
  std::unordered_map<ClientId, uint64_t, ClientHash> clients;  // last committed number of events
  Ages ages;  // of what waits; not on disk
  uint64_t waiting() const;
  // Reads everything kept and forgets clients that have been silent for a day. Damaged counters are an error: they are rebuilt by nobody else.
  static Result<Books> load(lmdb::Environment& environment, const Tables& tables, WallTime now);
};

class BooksChange {
 public:
  explicit BooksChange(const Books& base) : totals(base.totals), base_(base) {}

  Totals totals;
  void added(const Delivery& delivery);  // a new one, waiting
  void moved(const Delivery& delivery, DeliveryState from, DeliveryState to);
  // True once per number of a client: false for lines that were committed before.
  bool first_time(const ClientId& client, uint64_t number);
  void write(lmdb::WriteTransaction& transaction, const Tables& tables, WallTime now);
  void apply_to(Books& books) const;  // after the commit

 private:
  struct AgeStep {
    DestinationId destination;
    int64_t minute, by;
  };
  DestinationCounts& touch(const Delivery& delivery);
  void age(const Delivery& delivery, int64_t by);
  const Books& base_;
  std::unordered_map<DestinationId, DestinationCounts> destinations_;
  std::unordered_map<ClientId, uint64_t, ClientHash> clients_;
  std::vector<AgeStep> ages_;
};

}  // namespace belay::spool
