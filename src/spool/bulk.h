// One act of an operator on many: a replay, a cancellation, a release from quarantine. It goes through what was chosen page by
// page; each page is one commit, which also brings its entry in the audit log up to date. So nothing is held for longer than a
// page takes, what is said to be done is durable, and it can be stopped between two pages. An end of the process interrupts it: what
// was done stays done, and asking for the same again does the rest. A replay by filter first notes whom it has chosen and then goes
// from the oldest to the newest, so that a backend's last word on a thing is the newest one. Steps follow each other through the store's callbacks, one
// at a time; snapshot() and halt() are for any thread. Must not outlive the store.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "spool/operations.h"

namespace belay::spool {

// Asks the present rules what they make of a stored request, as a message of its own under the id `as`, with all deliveries that
// they would make; `why` is its reason in the books. refused: they do not accept it; the message says why. Any thread; `done` on
// any thread.
using Rerun = std::function<void(std::shared_ptr<const Message> stored, MessageId as, std::string why, Done<NewMessage> done)>;

class Bulk : public std::enable_shared_from_this<Bulk> {
 public:
  static constexpr uint32_t kPage = 500;               // webhooks in a commit
  static constexpr size_t kMaxChosen = 4'000'000;      // webhooks of one replay by filter: their ids are in memory
  static constexpr size_t kPageBytes = size_t{4} << 20;  // of bodies that rules made anew; one more may go over

  struct Parts {
    Store& store;
    const Clock& clock;
    std::function<void(std::vector<DestinationId>)> wake;
    Rerun rerun;
  };
  Bulk(Parts parts, BulkRequest request, MessageId id);

  void run(Done<BulkResult> done);    // `done` at the end
  void begin(Done<BulkResult> done);  // `done` when its entry in the audit log is durable
  BulkResult snapshot() const;
  void halt(std::string who);
  void wait() const { ended_.wait(false); }  // until it touches the store no more

 private:
  // A webhook to be looked at.
  struct Candidate {
    MessageId id;
    std::string key;                   // how it is listed
    std::vector<Delivery> deliveries;
    std::optional<Kept> kept;          // of the quarantine
  };

  void next_page();
  bool goes_by_age() const;
  void choose(const EventPage& page);
  void page_of_ids();
  void page_of_keys();
  void look_up(size_t at, size_t end);
  void look_up_key(size_t at, size_t end);
  void add_page(EventPage page);
  void add_kept(KeptPage page);
  void next();
  bool take(const Candidate& one);
  void queue_again(const Candidate& one);
  void cancel(const Candidate& one);
  void drop(const Candidate& one);
  void commit(std::function<void()> then);
  void committed(const Committed& result, std::vector<DestinationId> wake);
  void finish(std::string outcome);

  // bulk_rerun.cc
  void rerun(const Candidate& one);
  void ask_rules(const Candidate& one, const std::vector<Delivery>& chosen);
  void take_over(const Candidate& one, const std::vector<Delivery>& chosen, const Message& stored, NewMessage made);
  bool wanted(const Candidate& one, const std::vector<Delivery>& chosen, const Message& stored, const Delivery& delivery) const;

  bool chooses(const Delivery& delivery) const;
  std::string why_not(const Candidate& one) const;
  std::string why_gone(const wire::Event* line) const;
  void count(const Candidate& one, size_t deliveries);
  void leave_out(const std::string& key, std::string why);
  Act entry() const;
  void end();

  const Parts parts_;
  const BulkRequest request_;
  Done<BulkResult> done_;
  std::optional<DeliveryState> only_;
  std::deque<Candidate> page_;
  std::vector<MessageId> ids_;           // asked for, or chosen by a filter
  bool chosen_ = false;
  size_t at_ = 0;                        // of ids or keys
  std::optional<MessageId> before_;
  std::string kept_before_;
  bool last_page_ = false;
  Batch batch_;
  size_t batch_bytes_ = 0;
  std::vector<std::string> batch_keys_;  // of its puts, then of its drops
  SystemRandom random_;
  IdGenerator new_ids_;
  mutable std::mutex mutex_;             // the two below
  BulkResult result_;
  std::string halted_by_;
  std::atomic<bool> ended_{false};
};

}  // namespace belay::spool
