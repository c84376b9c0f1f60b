// What an operator may ask of a running spool: the only thing admin/ knows of it. Implemented by the spool process around
// its store and dispatcher, and by a fake in the unit tests of admin/. Members may be called from any thread; `done` runs
// exactly once, on any thread (perhaps before the member returns): a caller hands over to its own loop. Nothing here blocks
// on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "spool/attempt_times.h"
#include "spool/destination_report.h"
#include "spool/feed.h"
#include "spool/store.h"
#include "wire/messages.h"

namespace belay::spool {

// A stored message with what became of it.
struct MessageDetail {
  Message message;
  std::vector<Delivery> deliveries;
};

// Which finished deliveries (dead, delivered, cancelled) are to be queued again. Either ids or a filter, never both.
struct ReplayRequest {
  static constexpr size_t kMaxIds = 1000;
  std::vector<MessageId> ids;
  std::optional<EventQuery> filter;  // a destination or a delivery state in it chooses single deliveries, too
  bool dry_run = false;              // only count
};

struct ReplayResult {
  static constexpr size_t kMaxListed = 1000;
  uint64_t messages = 0;
  uint64_t deliveries = 0;                                    // queued again, or would be with dry_run
  std::vector<MessageId> ids;                                 // the first kMaxListed of them
  std::vector<std::pair<MessageId, std::string>> skipped;     // asked for by id and not replayed: why
};

// pause, resume (paused), disable, enable (disabled). `by`: who asks.
struct StopRequest {
  std::string destination;
  StopKind kind = StopKind::paused;
  bool on = true;
  std::string by, why;
};
using StopResult = Stopped;

// Words of Belay's own, as a webhook.
struct Announcement {
  std::string to;        // destination
  std::string source;    // of its line in the books
  std::string type, resource;
  std::string body;      // JSON
};

class Operations {
 public:
  virtual ~Operations() = default;

  virtual StoreStats stats() const = 0;
  // As Store::events: newest first, at most `max` rows.
  virtual void events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) = 0;
  // What has changed behind number `after`: see Feed.
  virtual Changes changes(uint64_t after, size_t max) const = 0;
  // As Store::rows.
  virtual void rows(const EventQuery& query, std::vector<MessageId> ids, Done<std::vector<EventRow>> done) = 0;
  // invalid: no such message; corrupt: quarantined.
  virtual void message(MessageId id, Done<MessageDetail> done) = 0;
  virtual void replay(const ReplayRequest& request, Done<ReplayResult> done) = 0;
  // invalid: no such destination. Not changed: it stood so already.
  virtual void stop(const StopRequest& request, Done<StopResult> done) = 0;
  virtual DestinationReports destinations() const = 0;
  // Stores a webhook of Belay's own for a destination of the rules: it is delivered, retried and kept like any other, and taken also
  // while intake refuses others, as long as there is room for it. `done` when it is durable.
  virtual void announce(const Announcement& announcement, Done<MessageId> done) = 0;
  // How long attempts took, by destination.
  virtual std::vector<AttemptTimes::Row> attempts() const = 0;
  // The last counters of every worker this spool has heard of. Those of workers that ended stay, or are added together in one
  // entry (worker = 0): the sum over all entries is the total and never falls, however often workers are restarted.
  // Gauges and facts (names without _total, _bucket and _sum_us) are those of workers that live.
  virtual std::vector<wire::Counters> counters() const = 0;
};

}  // namespace belay::spool
