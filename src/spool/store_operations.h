// Operations on a store: what the spool process offers to its admin API. Also keeps the workers' counters. Thread-safe; must
// not outlive the store.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/random.h"
#include "spool/bulk.h"
#include "spool/destination_control.h"
#include "base/id.h"
#include "base/random.h"
#include "spool/operations.h"

namespace belay::spool {

class StoreOperations final : public Operations {
 public:
  static constexpr size_t kMaxWorkers = 256;    // more: the one silent the longest is added to the entry of ended workers
  static constexpr Duration kSilent{5'000};     // a worker reports every second: what is only true of living ones is left out
  static constexpr int64_t kMaxRunning = 8;     // acts on many at once
  static constexpr size_t kMaxKnown = 64;       // that ended and can be asked for without reading the log

  // `wake` is told the destinations of what was queued again, `stopped` what stands still, or goes on, from now on.
  StoreOperations(Store& store, const Clock& clock, std::function<void(std::vector<DestinationId>)> wake,
                  std::function<void(StopOrder)> stopped = {})
      : ids_(clock, random_), store_(store), clock_(clock), wake_(std::move(wake)), control_(store, clock, [this] { return next_id(); }, std::move(stopped)) {}

  // The store must be closed, or nothing under way.
  ~StoreOperations() override;

  StoreStats stats() const override { return store_.stats(); }
  void events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) override {
    store_.events(query, before, max, std::move(done));
  }
  Changes changes(uint64_t after, size_t max) const override { return feed_ == nullptr ? Changes{} : feed_->after(after, max); }
  void rows(const EventQuery& query, std::vector<MessageId> ids, Done<std::vector<EventRow>> done) override {
    store_.rows(query, std::move(ids), std::move(done));
  }
  void message(MessageId id, Done<MessageDetail> done) override;
  void act(const BulkRequest& request, Done<BulkResult> done) override;
  void begin(const BulkRequest& request, Done<BulkResult> done) override;
  void bulk(MessageId id, Done<BulkResult> done) override;
  void halt(MessageId id, std::string who, Done<BulkResult> done) override;
  void kept(const KeptQuery& query, std::string before, uint32_t max, Done<KeptPage> done) override {
    store_.kept(query, std::move(before), max, std::move(done));
  }
  void acts(std::optional<MessageId> before, uint32_t max, Done<ActPage> done) override;
  void recount(Done<BooksReport> done) override { store_.recount(std::move(done)); }
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
  // How to ask the present rules; without it reapply and release are refused.
  void set_rerun(Rerun rerun);
  DestinationControl& control() { return control_; }

 private:
  MessageId next_id();
  Result<std::shared_ptr<Bulk>> make(const BulkRequest& request);
  std::shared_ptr<Bulk> find(const MessageId& id) const;
  void correct(Act& act) const;
  struct Known {
    wire::Counters counters;
    MonotonicTime seen;
  };
  void fold_one();

  SystemRandom random_;
  IdGenerator ids_;  // of announcements and of the audit log
  Store& store_;
  const Feed* feed_ = nullptr;
  const AttemptTimes* times_ = nullptr;
  const Clock& clock_;
  std::function<void(std::vector<DestinationId>)> wake_;
  DestinationControl control_;
  mutable std::mutex mutex_;
  Rerun rerun_;
  std::map<MessageId, std::shared_ptr<Bulk>> bulks_;
  std::vector<std::weak_ptr<Bulk>> under_way_;  // also dry runs
  std::unordered_map<uint64_t, Known> workers_;
  wire::Counters ended_;  // worker 0: the sum of those forgotten
};

}  // namespace belay::spool
