// What became of deliveries, on its way into the store: collected over a turn of the loop, committed together with the stops
// that dead letters cause. What could not be committed is kept, with its leases, and tried again: in smaller commits when the store is
// full, after kAgain else. One thread, the dispatcher's. Limits: Dispatcher::kMaxInFlight, kMost in one commit. Failure: logged once in a row, and pending() says how many are not safe yet.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "event/loop.h"
#include "spool/store.h"

namespace belay::spool {

class Settlements {
 public:
  static constexpr Duration kAgain{500};
  static constexpr Duration kHeld{600'000};  // of leases, from each failure on
  static constexpr size_t kMost = 4'096;    // all that can be pending: Dispatcher::kMaxInFlight

  // `committed` runs with what the store has.
  Settlements(event::Loop& loop, Store& store, const Clock& clock, std::function<void(const std::vector<Settlement>&)> committed);

  void add(Delivery delivery) { waiting_.push_back({std::move(delivery)}); }
  void add(StopOrder order) { orders_.push_back(std::move(order)); }
  void commit();
  size_t pending() const { return waiting_.size() + under_way_; }

 private:
  void answered(std::vector<Settlement> settled, std::vector<StopOrder> orders, const Result<Committed>& result);

  event::Loop& loop_;
  Store& store_;
  const Clock& clock_;
  std::function<void(const std::vector<Settlement>&)> committed_;
  std::vector<Settlement> waiting_;
  std::vector<StopOrder> orders_;
  size_t under_way_ = 0, step_ = kMost;
  bool failed_ = false;
  MonotonicTime again_at_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace belay::spool
