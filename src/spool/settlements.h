// What became of deliveries, on its way into the store: collected over a turn of the loop, each committed together with the stop
// that it causes as a dead letter. What could not be committed is kept, with its leases, and tried again: in smaller commits when the store is
// full, after kAgain else. A webhook that comes is committed behind what is with the store by then: as much as takes the time of
// a flush, at least kFew. One thread, the dispatcher's. Limits: Dispatcher::kMaxInFlight, kMost with the store. Failure: logged
// once until nothing waits, and pending() says how many are not safe yet.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "event/loop.h"
#include "spool/store.h"

namespace belay::spool {

class Settlements {
 public:
  static constexpr Duration kAgain{500};
  static constexpr Duration kHeld{600'000};  // of leases, from each failure on
  static constexpr size_t kMost = 4'096;    // all that can be pending: Dispatcher::kMaxInFlight
  static constexpr size_t kFew = 256;

  struct Waiting {
    Settlement settlement;
    std::optional<StopOrder> stops;
  };
  // `committed` runs with each that the store has.
  Settlements(event::Loop& loop, Store& store, const Clock& clock, std::function<void(const Waiting&)> committed);

  void add(Delivery delivery, std::optional<StopOrder> stops = std::nullopt) { waiting_.push_back({{std::move(delivery)}, std::move(stops)}); }
  void commit();
  size_t pending() const { return waiting_.size() + under_way_; }

 private:
  void answered(std::vector<Waiting> settled, std::chrono::microseconds took, const Result<Committed>& result);
  void learn(size_t count, std::chrono::microseconds took);

  event::Loop& loop_;
  Store& store_;
  const Clock& clock_;
  const std::function<void(const Waiting&)> committed_;
  std::vector<Waiting> waiting_;
  size_t under_way_ = 0, at_once_ = kFew, step_ = kMost;
  bool failed_ = false;
  MonotonicTime again_at_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace belay::spool
