// Reading side of the LMDB store: short snapshots, nothing changed. What turns out to be damaged is reported, and repaired
// by the writer. Any thread, one transaction per call.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "spool/event_filter.h"
#include "spool/leases.h"
#include "spool/environment.h"
#include "spool/store.h"
#include "spool/tables.h"

namespace belay::spool {

// What a reader found wrong, for the writer to set right.
struct Damage {
  enum class Kind : uint8_t { message, delivery, block, stray_due, member };
  Kind kind = Kind::message;
  DueEntry entry;     // message, delivery, stray_due; of a member the batch's first
  MessageId member{};
  std::string key;    // block
  std::string reason;
};

// What there is in all, to choose the shortest way of a search.
struct EventTotals {
  uint64_t messages = 0, waiting = 0;  // waiting: deliveries
  int64_t widest_ms = 0;               // Totals::widest_ms
};

class StoreReader {
 public:
  using Report = std::function<void(Damage)>;
  StoreReader(lmdb::Environment& environment, const Tables& tables, LeaseTable& leases, Report report)
      : environment_(environment), tables_(tables), leases_(leases), report_(std::move(report)) {}

  // `care`: what is due and cannot be sent before the writer has looked after it (Groups::take_care), without a lease.
  Result<Leases> lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease, std::vector<DueEntry>& care) const;
  Result<Message> load(const MessageId& id) const;
  Result<std::vector<Delivery>> deliveries(const MessageId& id, WallTime now) const;
  // The same in a snapshot of the caller's; damage is told by the answer alone. One whose record is damaged is dead, with kDamaged.
  Result<Message> load(lmdb::Transaction& transaction, const MessageId& id) const;
  Result<std::vector<Delivery>> deliveries(lmdb::Transaction& transaction, const MessageId& id, WallTime now) const;
  static constexpr std::string_view kDamaged = "its record is damaged";
  Result<EventPage> events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, WallTime now,
                           const EventTotals& totals) const;
  Result<std::vector<EventRow>> rows(const EventQuery& query, std::vector<MessageId> ids, WallTime now, int64_t widest_ms) const;
  Result<std::vector<std::optional<wire::ClaimedBy>>> find_claims(const std::vector<wire::ClaimKey>& keys, WallTime now) const;
  Result<KeptPage> kept(const KeptQuery& query, const std::string& before, uint32_t max) const;
  Result<ActPage> acts(std::optional<MessageId> before, uint32_t max) const;
  // Of what waits for it, the oldest one, which came in this minute (Ages). Among too many of that minute: when it began.
  WallTime oldest(lmdb::Transaction& transaction, DestinationId to, int64_t minute) const;
  std::optional<WallTime> newest_message() const;

 private:
  struct Search;
  Result<void> load_body(lmdb::Transaction& transaction, const MessageId& id, uint16_t shape, uint64_t bytes, std::string& body) const;
  std::optional<Leased> lease(lmdb::Transaction& transaction, const DueEntry& entry, WallTime now, std::vector<DueEntry>& care, size_t& loads) const;
  std::optional<Leased> lease_batch(lmdb::Transaction& transaction, const DueEntry& entry, Leased first, size_t& loads) const;
  enum class Turn : uint8_t { yes, no, needs_care };
  Turn turn_of(lmdb::Transaction& transaction, const Delivery& delivery, WallTime now) const;
  void find_place(lmdb::Transaction& transaction, Delivery& delivery, WallTime now) const;
  void search_journal(Search& search, int64_t widest_ms) const;
  void search_block(Search& search, const Block& block, std::string_view key) const;
  void search_ended(Search& search, DeliveryState state) const;
  void search_waiting(Search& search, DeliveryState state) const;
  void search_sending(Search& search) const;
  bool search_deliveries(Search& search, DeliveryState state, uint64_t most) const;
  void search_these(Search& search, std::vector<MessageId> ids) const;
  void search_lines(Search& search, const std::vector<MessageId>& ids, int64_t widest_ms) const;
  Result<void> add_deliveries(Search& search, std::vector<EventRow>& rows) const;
  void consider(Search& search, const MessageId& id) const;
  void consider(Search& search, const wire::EventView& event) const;

  lmdb::Environment& environment_;
  const Tables& tables_;
  LeaseTable& leases_;
  Report report_;
};

}  // namespace belay::spool
