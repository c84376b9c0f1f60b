// What an operator may ask of a running spool: the only thing admin/ knows of it. Implemented by the spool process around
// its store and dispatcher, and by a fake in the unit tests of admin/. Members may be called from any thread; `done` runs
// exactly once, on any thread (perhaps before the member returns): a caller hands over to its own loop. Nothing here waits for
// a commit; stats() reads up to 256 records for each destination with a backlog.
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

// The smallest id above, for the end of a range; one of all ones does not occur.
inline MessageId id_after(MessageId id) {
  for (size_t i = id.bytes.size(); i-- > 0 && ++id.bytes[i] == 0;) {
  }
  return id;
}

// What an operator does to many at once.
enum class Deed : uint8_t {
  replay,   // ended deliveries are queued again: the same id, the same bytes
  reapply,  // the present rules decide anew over the request as it was received; what they make goes out under a new id, and what
            // was dead is cancelled in its favour
  cancel,   // what waits, or is dead, is given up
  release,  // what is in quarantine goes through the present rules, and out when they accept it
  drop,     // what is in quarantine is forgotten
};
std::string_view to_string(Deed deed);

// Which: either ids or a filter, never both. A destination or a delivery state in the filter chooses single deliveries, too.
struct BulkRequest {
  static constexpr size_t kMaxIds = 1000;
  Deed deed = Deed::replay;
  std::vector<std::string> keys;     // of drop and release: Kept::key, for what is damaged has no id
  std::vector<MessageId> ids;        // of the others
  std::optional<EventQuery> filter;
  std::optional<KeptKind> kind;      // with a filter, of release and drop
  bool dry_run = false;              // only count
  std::string who = "nobody";
  std::string what;                  // which, in the words of the audit log
};

struct BulkResult {
  static constexpr size_t kMaxListed = 1000;
  MessageId id;                      // its entry in the audit log; empty with dry_run
  Deed deed = Deed::replay;
  std::string who, what;
  std::string outcome{Act::kRunning};
  bool running() const { return outcome == Act::kRunning; }
  uint64_t looked_at = 0;            // webhooks
  uint64_t messages = 0;
  uint64_t deliveries = 0;           // changed, or would be with dry_run
  uint64_t left_out = 0;             // chosen, and not changed
  std::vector<std::string> ids;      // of the first kMaxListed that were changed
  std::vector<std::pair<std::string, std::string>> skipped;  // the first kMaxListed left out: why
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
  // Answers when all is done; begin() as soon as it is written down, for bulk() and halt() to ask for by its id.
  virtual void act(const BulkRequest& request, Done<BulkResult> done) = 0;
  virtual void begin(const BulkRequest& request, Done<BulkResult> done) = 0;
  // invalid: nothing of that id is known.
  virtual void bulk(MessageId id, Done<BulkResult> done) = 0;
  // It ends after the step under way; the answer says how far it came until now.
  virtual void halt(MessageId id, std::string who, Done<BulkResult> done) = 0;
  virtual void kept(const KeptQuery& query, std::string before, uint32_t max, Done<KeptPage> done) = 0;
  // The audit log, newest first.
  virtual void acts(std::optional<MessageId> before, uint32_t max, Done<ActPage> done) = 0;
  virtual void recount(Done<BooksReport> done) = 0;
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
