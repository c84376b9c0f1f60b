// Running counters of the store, kept in its own transactions so that a start needs no count over millions of records:
// totals, per destination how many deliveries stand where, and per source how its requests ended (P11). What retention takes
// away stays counted, and is counted as forgotten beside it, so that a recount of what is left can be compared.
// Books is what is committed; a BooksChange collects one transaction's changes and becomes part of it. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "spool/ages.h"
#include "spool/environment.h"
#include "spool/books_report.h"
#include "spool/record.h"
#include "spool/recount.h"
#include "spool/tables.h"

namespace belay::spool {

struct DestinationCounts {
  std::string name;
  uint64_t spooled = 0, waiting = 0, delivered = 0, dead = 0, cancelled = 0, superseded = 0;
  // Of those, no longer in the store.
  uint64_t forgotten_delivered = 0, forgotten_dead = 0, forgotten_cancelled = 0, forgotten_superseded = 0;
  uint64_t& of(DeliveryState state);
  uint64_t& forgotten(DeliveryState state);  // of one that has ended
};

struct SourceCounts {
  std::array<uint64_t, 8> received{}, forgotten{};  // by wire::Outcome
};

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using SourceBooks = std::unordered_map<std::string, SourceCounts, TextHash, std::equal_to<>>;

// By the books and by a recount: `found` by DeliveryState, or by wire::Outcome.
BooksAccount account_of(const DestinationCounts& counts, const std::array<uint64_t, 8>& found);
BooksAccount account_of(const std::string& source, const SourceCounts& counts, const std::array<uint64_t, 8>& found);

struct Totals {
  uint64_t messages = 0;     // on disk
  uint64_t events = 0;       // lines on disk
  uint64_t quarantined = 0;
  uint64_t blocks = 0;       // ever written: the number of the next
  uint64_t rejected = 0;     // messages kept for quarantine: without deliveries
  uint64_t rejected_bytes = 0;  // that those take; not on disk: the sum over `kept`
  uint64_t turns = 0;        // given to deliveries of a group, ever: the last one's
  uint64_t damaged_lines = 0;  // that were lost with blocks of the books, ever: nobody knows any more of which sources
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
  // Workers whose last line is remembered, the latest ones: not by age, for a clock that jumped makes nobody old.
  static constexpr size_t kClientsKept = 1'024;
  Totals totals;
  std::unordered_map<DestinationId, DestinationCounts> destinations;
  SourceBooks sources;
  std::optional<Recount> recount;  // under way
  std::unordered_map<ClientId, uint64_t, ClientHash> clients;  // last committed number of events
  Ages ages;  // of what waits; not on disk
  uint64_t waiting() const;
  void write_counts(lmdb::WriteTransaction& transaction, const Tables& tables) const;  // of destinations and sources
  // Reads everything kept and forgets clients but the latest ones. Damaged counters are an error: they are rebuilt by nobody else.
  static Result<Books> load(lmdb::Environment& environment, const Tables& tables);
  // The counters alone, changing nothing.
  static Result<Books> read(lmdb::Transaction& transaction, const Tables& tables);
};

// What a message without deliveries takes in the map: what stands in its entry of `kept`, else (an older release wrote it) by its record.
uint64_t room_of_refusal(lmdb::Transaction& transaction, const Tables& tables, std::string_view id);
// A body that stands in chunks fills whole pages.
constexpr uint64_t room_of_chunks(uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

BooksReport report_of(const Books& books, const Recount& recount, lmdb::Transaction& transaction, const Tables& tables);

struct ForgottenDeliveries;
struct ForgottenLines;

class BooksChange {
 public:
  explicit BooksChange(const Books& base) : totals(base.totals), recount(base.recount), base_(base) {}

  Totals totals;
  std::optional<Recount> recount;
  void added(const Delivery& delivery);  // a new one
  void moved(const Delivery& delivery, DeliveryState from, DeliveryState to);
  void forgotten(std::string_view key, DestinationId destination, DeliveryState state);  // by its key in the table
  void received(std::string_view source, wire::Outcome outcome);
  void forgotten(std::string_view source, wire::Outcome outcome);
  // Of another store, whose books count it although it is gone (transfer.h).
  void restored(const ForgottenDeliveries& forgotten);
  void restored(const ForgottenLines& forgotten);
  // What the recount has found, against the books as they are now.
  BooksReport report(lmdb::Transaction& transaction, const Tables& tables) const;
  // True once per number of a client: false for lines that were committed before.
  bool first_time(const ClientId& client, uint64_t number);
  // Of twice as many as are kept those beyond; false: there are not so many.
  bool forget_clients(lmdb::WriteTransaction& transaction, const Tables& tables);
  void write(lmdb::WriteTransaction& transaction, const Tables& tables, WallTime now);
  void apply_to(Books& books) const;  // after the commit

 private:
  struct AgeStep {
    DestinationId destination;
    int64_t minute, by;
  };
  void age(const Delivery& delivery, int64_t by);
  DestinationCounts& touch(DestinationId destination);
  SourceCounts& touch(std::string_view source);
  const Books& base_;
  std::unordered_map<DestinationId, DestinationCounts> destinations_;
  SourceBooks sources_;
  std::unordered_map<ClientId, uint64_t, ClientHash> clients_;
  std::vector<ClientId> gone_clients_;
  std::vector<AgeStep> ages_;
};

}  // namespace belay::spool
