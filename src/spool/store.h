// The spool's store, in the spool's own words: messages, deliveries, due times, leases, settlements, the books. Engines:
// store_lmdb (production), store_memory (tests, simulator); both pass tests/store. Completion is asynchronous although LMDB
// is not, because a shared engine for several machines comes behind the same interface. Members may be called from any
// thread; `done` runs on the engine's thread and must only hand over to the caller's own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "spool/record.h"

namespace belay::spool {

template <typename T>
using Done = std::function<void(Result<T>)>;

// A message to store with its deliveries, all or nothing.
struct NewMessage {
  Message message;
  std::vector<Delivery> deliveries;
};

// The end of one attempt: the delivery as it now is. The engine checks may_become() against what it has.
struct Settlement {
  Delivery delivery;
};

struct Batch {
  std::vector<NewMessage> puts;
  std::vector<Settlement> settlements;
  std::vector<wire::Event> events;  // lines about requests that were not stored
  bool empty() const { return puts.empty() && settlements.empty() && events.empty(); }
};

struct Committed {
  std::vector<bool> duplicate;  // per put: the id was stored before (a repeated put after `unknown`): nothing was changed
};

// A delivery that is due and now belongs to the caller until settled or the lease runs out.
struct Leased {
  Delivery delivery;
  std::shared_ptr<const Message> message;
};

struct EventQuery {
  std::string source, destination, type, resource, text;
  std::optional<std::string> state;  // an outcome ("forwarded", "rejected", …) or a delivery state ("dead", "scheduled", …)
  std::optional<WallTime> since, until;
};

// A row of `belay events`: the line of the books, and for stored messages the deliveries as they are now.
struct EventRow {
  wire::Event event;
  std::vector<Delivery> deliveries;
};

struct EventPage {
  std::vector<EventRow> rows;         // newest first
  std::optional<MessageId> next;      // pass as `before` for the next page; none: the end
};

struct DestinationBacklog {
  DestinationId destination = 0;
  std::string name;
  uint64_t waiting = 0, sending = 0, delivered = 0, dead = 0, cancelled = 0;
  std::optional<WallTime> oldest;     // of those waiting
};

struct StoreStats {
  uint64_t messages = 0, events = 0, quarantined = 0;
  uint64_t map_bytes = 0, used_bytes = 0, commits = 0, last_commit_us = 0;
  std::vector<DestinationBacklog> destinations;
  bool accepting = true;
  std::string refusing_because;       // "map 85% full", "disk 85% full", "commit failed: …"
};

class Store {
 public:
  virtual ~Store() = default;

  // One atomic unit, grouped with other callers' batches into one durable commit. done(ok): durable. An error: nothing was
  // applied, except `unavailable`: not known, repeat the same batch (ids make that harmless). `full`: intake is refused,
  // settlements are still taken.
  virtual void commit(Batch batch, Done<Committed> done) = 0;

  // Up to `max` deliveries of the destination with due <= now, oldest due first, each leased until now + lease.
  virtual void lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease, Done<std::vector<Leased>> done) = 0;
  // Gives a lease back unused (shutdown, destination gone).
  virtual void release(MessageId message, DestinationId destination) = 0;
  // When the next delivery of the destination is due that nobody has leased; nullopt: none waits.
  virtual std::optional<WallTime> next_due(DestinationId to) const = 0;
  virtual std::vector<DestinationId> waiting_destinations() const = 0;

  virtual void load(MessageId id, Done<Message> done) = 0;  // invalid: no such message; corrupt: quarantined
  virtual void deliveries(MessageId id, Done<std::vector<Delivery>> done) = 0;
  virtual void events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) = 0;
  virtual StoreStats stats() const = 0;
};

struct StoreOptions {
  std::string folder;
  uint64_t map_bytes = uint64_t{20} << 30;
  static constexpr double kIntakeStops = 0.85;    // of map or disk
  static constexpr size_t kMaxGroup = 4096;       // batches in one commit
  static constexpr size_t kInlineBody = 1536;     // larger bodies go to chunks
  static constexpr size_t kBodyChunk = 64 << 10;
};

// Refuses with the reason: another spool has it, a newer schema, damaged beyond reading, no permission.
Result<std::unique_ptr<Store>> open_lmdb_store(const StoreOptions& options, const Clock& clock);
std::unique_ptr<Store> open_memory_store(const Clock& clock);

}  // namespace belay::spool
