// The spool's store, in the spool's own words: messages, deliveries, due times, leases, settlements, the books. Engines:
// store_lmdb (production), store_memory (tests, simulator); both pass tests/store. Completion is asynchronous although LMDB
// is not, because a shared engine for several machines comes behind the same interface. Members may be called from any
// thread; `done` runs on the engine's thread and must only hand over to the caller's own.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/latency.h"
#include "base/result.h"
#include "spool/act.h"
#include "spool/books_report.h"
#include "spool/record.h"
#include "spool/stop.h"

namespace belay::spool {

class Executor;

template <typename T>
using Done = std::function<void(Result<T>)>;

// A message to store with its deliveries, all or nothing. A delivery given as `sending` is stored as queued and leased to
// the caller as part of the commit (for Batch::lease), so that what was just stored can be sent without reading it again; not
// one of a group (Delivery::grouped), whose place the commit decides.
// With a claim that another message has, nothing of it is stored. Without deliveries it is kept for quarantine, as long as
// fewer than StoreOptions::kMaxQuarantined are, and they take no more than kQuarantinePart: beyond that only its line is.
struct NewMessage {
  std::shared_ptr<const Message> message;
  std::vector<Delivery> deliveries;
  std::vector<wire::Claim> claims;
  MessageId in_place_of{};  // one in quarantine, without deliveries: it goes when this one is stored
};

// The end of one attempt, a replay or a cancellation: the delivery as it now is. A step that may_become() does not allow
// from what is stored (somebody else was faster) is refused alone. What waits counts as being sent for whoever holds its
// lease, and for whoever made the very next attempt: a lease that ran out takes nothing back that was sent. A settled lease
// is dropped by the commit. Of a batch its first delivery stands for all, but each is cancelled alone; what is being sent and
// belongs to a group is not cancelled.
struct Settlement {
  Delivery delivery;
};

// Lines of the books about requests that were not stored. With a client, numbers up to its last committed one are known
// and taken as done: a repeated batch counts nothing twice.
struct EventBatch {
  std::array<uint8_t, 16> client{};  // zero: nobody repeats these
  uint64_t number = 0;
  wire::EventLines lines;
  std::vector<wire::Confirmed> confirmed;  // a claim that another message has by now is left to it
};

struct Batch {
  std::vector<NewMessage> puts;
  std::vector<Settlement> settlements;
  std::vector<EventBatch> events;
  std::vector<StopOrder> stops;
  std::vector<Act> acts;            // written, or written anew, with the rest
  std::vector<std::string> drops;   // Kept::key of what is refused or damaged: forgotten
  Duration lease{600'000};
  bool own = false;  // puts are Belay's own word about itself: few and small, taken while lines of the books still are
  bool empty() const { return puts.empty() && settlements.empty() && events.empty() && stops.empty() && acts.empty() && drops.empty(); }
};

// What became of a StopOrder: the destination's stop as it now is.
struct Stopped {
  bool changed = false;
  Stop stop;
};

// One id has one outcome (P11), also when the answer to a put got lost and the sender was told that it failed: the line
// about that is dropped when the message is stored, and a message whose line came first is not stored.
struct Committed {
  std::vector<bool> duplicate;  // per put: the id was stored before (a repeated put after `unknown`): nothing was changed
  std::vector<bool> failed;     // per put: the books say that its request failed: nothing was changed
  std::vector<std::optional<wire::ClaimedBy>> claimed;  // per put: who has one of its claims; nothing was changed
  std::vector<bool> refused;    // per settlement: not a legal step from what is stored; nothing was changed
  std::vector<Stopped> stops;   // per stop
  std::vector<bool> dropped;    // per drop: it was there
};

// A delivery that is due and now belongs to the caller until settled or the lease runs out. Of a batch it is the first one,
// and the message is what all of them make together.
struct Leased {
  Delivery delivery;
  std::shared_ptr<const Message> message;
};

struct Leases {
  std::vector<Leased> leased;
  std::optional<WallTime> next_due;  // of those that stay, leased by nobody; none: nothing else waits
};

struct EventQuery {
  std::string source, destination, type, resource, text;
  std::string id;  // how the message's id begins, or the one that identify found
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

// What is set aside: requests that a source's rules refused and it keeps (`reject`), deliveries for which a transform could make
// nothing, and stored records that turned out to be damaged.
enum class KeptKind : uint8_t { refused = 1, unmade = 2, damaged = 3 };
std::string_view to_string(KeptKind kind);
struct Kept {
  KeptKind kind = KeptKind::refused;
  std::string key;                   // of a damaged one "m-0190…": its table's letter, its key in hex; of others the message's id
  wire::Event event;                 // of a damaged one only the id, when its key holds one
  std::optional<Delivery> delivery;  // unmade
  uint64_t bytes = 0;                // of the record, or of the request's body
  std::string_view table;            // damaged: where it stood
  std::string why, begins;           // damaged: what does not fit; its first kBegins bytes
  static constexpr size_t kBegins = 256;
};
struct KeptQuery {
  EventQuery filter;                 // without a state
  std::optional<KeptKind> kind;
};
struct KeptPage {
  std::vector<Kept> rows;            // newest first, then those that are damaged
  std::string next;                  // pass as `before` for the next page; empty: the end
};

// Ages that a backlog is counted by, in seconds.
inline constexpr std::array<int64_t, 6> kOlder_s = {60, 600, 3'600, 21'600, 86'400, 604'800};
using Older = std::array<uint64_t, kOlder_s.size()>;

struct DestinationBacklog {
  DestinationId destination = 0;
  std::string name;
  uint64_t spooled = 0;               // all that were ever stored for it: waiting + delivered + dead + cancelled + superseded
  uint64_t waiting = 0, sending = 0, delivered = 0, dead = 0, cancelled = 0, superseded = 0;
  std::optional<WallTime> oldest;     // of those waiting, whether they have their turn or not
  Older older{};                      // of those waiting: how many came longer ago than each of kOlder_s
};

// What one step of retention did.
struct Pruned {
  uint64_t messages = 0, lines = 0;  // gone
  uint64_t claims = 0;
  uint64_t expired = 0;              // deliveries that became dead
  bool more = false;                 // the step ended at its limit, not at the end of what is old
};

struct StoreStats {
  uint64_t messages = 0, events = 0, quarantined = 0;
  uint64_t map_bytes = 0, used_bytes = 0, commits = 0, last_commit_us = 0;
  LatencyBuckets commit_times;        // since the start
  double disk_used = 0;               // part of the disk, or of the map when that is fuller, that is in use
  std::vector<DestinationBacklog> destinations;
  bool accepting = true;
  std::string refusing_because;       // "map 85% full", "disk 85% full", "commit failed: …"
};

class Store {
 public:
  virtual ~Store() = default;

  // Answers what it has taken, ends its threads and returns when no `done` will run any more: whoever it hands over to may
  // go then. Later calls answer an error at once. Called by the owner, before anything `done` refers to is destroyed.
  virtual void close() = 0;

  // One atomic unit, grouped with other callers' batches into one durable commit. done(ok): durable. An error: nothing was
  // applied, except `unavailable`: not known, repeat the same batch (ids make that harmless). `full`: intake is refused,
  // settlements are still taken (send them in a batch of
  // their own), lines of the books up to StoreOptions::kLinesStop.
  virtual void commit(Batch batch, Done<Committed> done) = 0;
  // False while puts are refused as full or after a storage error; `because` says why.
  virtual bool accepting(std::string* because = nullptr) const = 0;

  // Up to `max` deliveries of the destination with due <= now, oldest due first, then those that claim to be due later than
  // Delivery::kFarthestDue; each leased until now + lease. A damaged message is quarantined here and its delivery becomes dead.
  virtual void lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease, Done<Leases> done) = 0;
  // A lease in hand holds at least until then; false: nobody has it.
  virtual bool extend(MessageId message, DestinationId destination, WallTime until) = 0;
  // Gives a lease back unused (shutdown, destination gone).
  virtual void release(MessageId message, DestinationId destination) = 0;
  virtual std::vector<DestinationId> waiting_destinations() const = 0;
  // Of all destinations that stand still. Reads the disk: for the start. A damaged one is left out: the destination goes on.
  virtual Result<std::vector<Stop>> stops() const = 0;

  // Per key: who claimed it, if it has not ended at `now`.
  virtual void find_claims(std::vector<wire::ClaimKey> keys, WallTime now, Done<std::vector<std::optional<wire::ClaimedBy>>> done) = 0;

  virtual void load(MessageId id, Done<Message> done) = 0;  // invalid: no such message; corrupt: quarantined
  virtual void deliveries(MessageId id, Done<std::vector<Delivery>> done) = 0;
  virtual void events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) = 0;
  // Those of `ids` that answer the query, in order of ids: lines as they are, deliveries as they are now. Unknown ids are left
  // out. An engine that cannot look single ones up refuses.
  virtual void rows(const EventQuery& query, std::vector<MessageId> ids, Done<std::vector<EventRow>> done);
  // The three below: an engine that cannot refuses.
  virtual void kept(const KeptQuery& query, std::string before, uint32_t max, Done<KeptPage> done);
  // The audit log, newest first.
  virtual void acts(std::optional<MessageId> before, uint32_t max, Done<ActPage> done);
  // Counts all again and compares (P11). One at a time: `refused` while another is under way.
  virtual void recount(Done<BooksReport> done);
  virtual StoreStats stats() const = 0;
  // While the time is in doubt prune() takes nothing for its age, ends nothing as expired and forgets no claim; only a full store makes
  // room. What is sent goes on by that clock: a delivery whose turn comes past its `expire` ends, and a claim past its window is
  // taken anew. Durable: who closes a store in doubt opens it so. An engine that forgets nothing by itself needs none of it.
  virtual bool time_in_doubt() const { return false; }
  virtual void doubt_time(bool on, Done<Committed> done);
  // Time of the greatest id it holds. Ids are of workers' clocks: SteadyClock::start_at_least() knows what to believe.
  virtual std::optional<WallTime> newest() const = 0;

  // Retention: ends up to `max` deliveries that have expired, forgets up to `max` messages older than `messages` whose deliveries all ended, and lines of the books older
  // than `history`, and claims that have ended. While intake is refused as full, and the store's own file is what fills it, delivered
  // messages and the oldest lines go whatever their age; not what is in quarantine, which never takes more than its part of it.
  virtual void prune(WallTime messages, WallTime history, uint32_t max, Done<Pruned> done) = 0;
};

struct StoreOptions {
  std::string folder;
  uint64_t map_bytes = uint64_t{20} << 30;
  // Called once, on a thread of the engine's, when the disk failed (io) or the file is damaged (corrupt): everything waiting has
  // failed, nothing is taken any more, the process must end (P10).
  std::function<void(const Error& error)> on_fatal;
  // Called on the engine's thread after a commit, with the ids of lines that were added and of messages whose deliveries were
  // added or took another step.
  std::function<void(const std::vector<MessageId>& changed)> on_changed;
  Executor* executor = nullptr;       // null: threads of its own
  std::function<double()> disk_used;  // the part of the disk that is in use; none: as the system says
  static constexpr double kIntakeStops = 0.85;    // of map or disk
  static constexpr double kIntakeResumes = 0.80;
  static constexpr double kLinesStop = 0.92;      // the rest is for settlements and for making room
  static constexpr Duration kFailedKept{3'600'000};  // that a request failed, for a put of it that comes later
  static constexpr size_t kMaxGroup = 4096;       // batches in one commit
  static constexpr size_t kMaxGroupBytes = size_t{32} << 20;
  static constexpr size_t kMaxQueuedBytes = size_t{512} << 20;  // of batches waiting; more is refused as full
  static constexpr size_t kMaxLeaseBytes = size_t{32} << 20;    // bodies read by one lease_due(); one more may go over
  static constexpr size_t kMaxLeaseLoads = 16'384;              // messages read by one lease_due(); one more batch may go over
  // A commit costs as much as ten changes of it: the next one is begun so much later for each put and settlement of the last, at
  // most kPaceMax, so that more come along; counted from when the last was begun, and a full one waits for nothing.
  static constexpr std::chrono::microseconds kPacePerChange{10};
  static constexpr std::chrono::microseconds kPaceMax{400};
  static constexpr Duration kEventsWait{50};      // lines alone wait this long for company
  static constexpr Duration kSettlementsWait{3};
  static constexpr uint64_t kMaxQuarantined = 10'000;           // rejected messages kept
  static constexpr double kQuarantinePart = 0.1;                // of the map, at most, for rejected messages
  static constexpr uint64_t kMaxDamaged = 10'000;               // damaged records kept
  static constexpr size_t kInlineBody = 1536;     // larger bodies go to chunks
  static constexpr size_t kBodyChunk = (64 << 10) - 64;  // fills whole pages with its seal and the page head
};

// Refuses with the reason: another spool has it, a newer schema, damaged beyond reading, no permission.
Result<std::unique_ptr<Store>> open_lmdb_store(const StoreOptions& options, const Clock& clock);
std::unique_ptr<Store> open_memory_store(const Clock& clock);

}  // namespace belay::spool
