// Operations on a store: what the spool process offers to its admin API. Also keeps the workers' counters. Thread-safe; must
// not outlive the store.
#pragma once

#include <functional>
#include <mutex>
#include <unordered_map>

#include "spool/destination_control.h"
#include "base/id.h"
#include "base/random.h"
#include "spool/operations.h"

namespace belay::spool {

class StoreOperations final : public Operations {
 public:
  static constexpr size_t kMaxWorkers = 256;    // more: the one silent the longest is added to the entry of ended workers
  static constexpr Duration kSilent{5'000};     // a worker reports every second: what is only true of living ones is left out
  static constexpr uint32_t kReplayPage = 500;  // rows looked at, and deliveries queued again, at a time

  // `wake` is told the destinations of what was queued again, `stopped` what stands still, or goes on, from now on.
  StoreOperations(Store& store, const Clock& clock, std::function<void(std::vector<DestinationId>)> wake,
                  std::function<void(StopOrder)> stopped = {})
      : ids_(clock, random_), store_(store), clock_(clock), wake_(std::move(wake)), control_(store, clock, std::move(stopped)) {}

  StoreStats stats() const override { return store_.stats(); }
  void events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) override {
    store_.events(query, before, max, std::move(done));
  }
  Changes changes(uint64_t after, size_t max) const override { return feed_ == nullptr ? Changes{} : feed_->after(after, max); }
  void rows(const EventQuery& query, std::vector<MessageId> ids, Done<std::vector<EventRow>> done) override {
    store_.rows(query, std::move(ids), std::move(done));
  }
  void message(MessageId id, Done<MessageDetail> done) override;
  void replay(const ReplayRequest& request, Done<ReplayResult> done) override;
  void stop(const StopRequest& request, Done<StopResult> done) override { control_.stop(request, std::move(done)); }
  void announce(const Announcement& announcement, Done<MessageId> done) override;
  DestinationReports destinations() const override { return control_.reports(); }
  std::vector<AttemptTimes::Row> attempts() const override {
    return times_ == nullptr ? std::vector<AttemptTimes::Row>() : times_->rows();
  }
  std::vector<wire::Counters> counters() const override;

  void set_counters(wire::Counters counters);
  // What store and dispatcher fill; both outlive this. Before anybody else has this.
  void watch(const Feed& feed, const AttemptTimes& times) {
    feed_ = &feed;
    times_ = &times;
  }
  DestinationControl& control() { return control_; }

 private:
  struct Replay;
  struct Known {
    wire::Counters counters;
    MonotonicTime seen;
  };
  void fold_one();

  SystemRandom random_;
  IdGenerator ids_;  // of announcements
  Store& store_;
  const Feed* feed_ = nullptr;
  const AttemptTimes* times_ = nullptr;
  const Clock& clock_;
  std::function<void(std::vector<DestinationId>)> wake_;
  DestinationControl control_;
  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, Known> workers_;
  wire::Counters ended_;  // worker 0: the sum of those forgotten
};

}  // namespace belay::spool
