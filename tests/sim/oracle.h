// The model of a run: what senders were told, what backends saw and what operators did, and from that what must be so. It
// decides nothing and shares no code with what it judges: it only hears of events and looks into the store. The first broken
// promise (architecture.md, P1–P11) is kept and ends the run. One thread.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/rules.h"
#include "sim/chance.h"
#include "spool/store.h"
#include "upstream/client.h"

namespace belay::sim {

class SpoolNode;
struct Answer;

enum class Side : uint8_t { proxy, spool };

struct AttemptKey {
  Side side = Side::spool;
  MessageId id;
  std::string to;
  uint32_t life = 0;
};

// What a sender wants delivered. It may send it several times; every request is a message of its own.
struct Webhook {
  uint64_t number = 0;
  const SourceFacts* source = nullptr;
  std::string key, dedupe, body;
  bool forged = false;
  int requests = 0;
  // Of a batch, by destination: it goes by the webhook, because its requests carry no other name.
  MessageId batch;
  bool batch_taken = false, batch_touched = false;
  std::optional<uint32_t> batch_heard;  // a life
};

// One delivery of a message as seen from outside.
struct Leg {
  std::string to;
  std::string sent;                     // the bytes of the first attempt, of a batch
  uint32_t attempts = 0, life = 0;      // of the last attempt
  bool touched = false;                 // replayed or cancelled since then
  bool replay_asked = false;            // since then: it may be queued again at any time from now on
  int replays_under_way = 0;
  bool replayed = false, cancelled = false;  // ever, by an operator
  bool taken = false;                   // a backend said 2xx, whether it was heard or not
  std::optional<uint32_t> heard;        // the life that heard a 2xx
  bool final_answer = false;            // a status that is not retried was heard
  std::optional<MonotonicTime> not_before;
  Duration waits{0};
  uint32_t jumps = 0;                   // of the clock, when that was
  int flying = 0;
  std::optional<spool::DeliveryState> ended;  // as the store said
};

struct MessageFacts {
  MessageId id;
  Webhook* webhook = nullptr;
  MonotonicTime sent{};
  std::optional<MonotonicTime> answered, acked;
  int status = 0;
  wire::Outcome outcome = wire::Outcome::failed;
  bool accepted = false;   // 2xx as the first of its key
  bool unseen = false;     // forwarded while nobody knew the keys: its own may be left to somebody else
  bool damaged = false;    // its records were changed behind the store's back
  uint32_t jumps = 0, life = 0;  // when it was sent
  std::vector<Leg> legs;
  Leg* leg(std::string_view to);
};

class Oracle {
 public:
  struct Violation {
    std::string promise, what;
    MessageId id;
  };

  Oracle(const Rules& rules, const SimClock& clock, bool recording, bool verbose)
      : rules_(rules), clock_(clock), recording_(recording || verbose), verbose_(verbose) {}
  void use(SpoolNode& node) { node_ = &node; }
  const std::optional<Violation>& violation() const { return violation_; }
  std::string history() const;  // of the message that the violation is about
  uint64_t fingerprint() const { return fingerprint_; }

  // Senders.
  Webhook& webhook(const SourceFacts& source, std::string key, std::string dedupe, const std::string& more, bool forged);
  void request_begins(Webhook& webhook, const MessageId& id);
  void answered(const Answer& answer);
  // Backends.
  AttemptKey attempt_begins(Side side, const upstream::Destination& to, const upstream::Outbound& request, int flying);
  void backend_took(const AttemptKey& attempt);
  void answer_heard(const AttemptKey& attempt, const upstream::Destination& to, const upstream::Attempt& answer);
  // Operators and faults.
  void replayed(const MessageId& id, const std::string& to);
  void replay_done(const MessageId& id, const std::string& to);
  void cancelled(const MessageId& id, const std::string& to);
  void spool_ended(const char* how);
  void spool_started();
  void stop_asked(const std::string& to) { stops_.erase(to); }
  // A step is durable. One that stands still gets nothing, as soon as the dispatcher has heard.
  void stopped(const std::string& to, bool stands_still);
  void worker_died() { worker_died_ = true; }
  void spool_away() { away_ = clock_.monotonic(); }
  void clock_jumped(Duration by);
  void disk_was_full() { was_full_ = true; }
  void damage(const MessageId& id, const std::string& what);
  void happened(const std::string& what);

  // Between turns: what is cheap.
  void check_books();
  // Everything that was ever sent against what the store holds.
  void recount();
  // Nothing waits but what may; then what must be so at the end.
  bool drained();
  MessageId someone_waiting();  // the first that has a delivery that did not end
  void check_end();
  void fail(const char* promise, const std::string& what, const MessageId& id = {});

  const std::vector<MessageFacts*>& all() const { return in_order_; }
  size_t messages() const { return messages_.size(); }

 private:
  using Key = std::pair<const SourceFacts*, std::string>;
  template <typename... Args>
  void note(const MessageId& id, fmt::format_string<Args...> format, Args&&... args) {
    if (recording_) record(id, fmt::format(format, std::forward<Args>(args)...));
  }
  void record(const MessageId& id, const std::string& what);
  void mix(uint64_t value) { fingerprint_ = (fingerprint_ ^ value) * 0x100000001B3ULL; }
  void mix(const MessageId& id) { mix(std::hash<MessageId>()(id)); }
  MessageFacts* find(const MessageId& id);
  uint32_t life() const;
  Duration tolerance(Duration of, uint32_t jumps_then) const;
  // A spool that starts believes the wall clock, as far as it can: times before and after do not compare.
  bool time_broke(const MessageFacts& since) const { return jumps_ > 0 && life() != since.life; }

  void check_ack(MessageFacts& message);
  void check_accepted_once(MessageFacts& message);
  void check_duplicate(MessageFacts& message, const std::string& reason);
  void check_attempt(MessageFacts& message, Leg& leg, const upstream::Outbound& request);
  void check_order(MessageFacts& message, Leg& leg);
  void check_batch(MessageFacts& message, Leg& leg, std::string_view body);
  std::vector<uint64_t> members_of(const MessageFacts& message, std::string_view body);
  void check_stored(MessageFacts& message, const std::vector<spool::Delivery>& deliveries);
  void check_delivery(MessageFacts& message, Leg& leg, const spool::Delivery& delivery);
  void check_superseded(MessageFacts& message, const spool::Delivery& delivery);
  void check_lines();
  bool may_be_gone(const MessageFacts& message) const;
  bool waits_wrongly(const MessageFacts& message);
  bool rightly_waits(const MessageFacts& message, const spool::Delivery& delivery);

  const Rules& rules_;
  const SimClock& clock_;
  const bool recording_, verbose_;
  SpoolNode* node_ = nullptr;
  std::optional<Violation> violation_;
  std::vector<std::pair<MessageId, std::string>> history_;
  uint64_t fingerprint_ = 0xCBF29CE484222325ULL;
  std::vector<std::unique_ptr<Webhook>> webhooks_;
  std::unordered_map<MessageId, std::unique_ptr<MessageFacts>> messages_;
  std::vector<MessageFacts*> in_order_;
  std::map<Key, std::vector<MessageFacts*>> by_key_;      // of ordered and debounced ones
  std::map<Key, std::vector<MessageFacts*>> by_dedupe_;   // accepted
  std::map<std::string, MonotonicTime> stops_;  // since when, by destination
  uint32_t jumps_ = 0;
  std::optional<MonotonicTime> away_;
  bool worker_died_ = false, was_full_ = false;
};

}  // namespace belay::sim
