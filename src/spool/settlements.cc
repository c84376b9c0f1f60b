#include "spool/settlements.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"

namespace belay::spool {

Settlements::Settlements(event::Loop& loop, Store& store, const Clock& clock, std::function<void(const Waiting&)> committed)
    : loop_(loop), store_(store), clock_(clock), committed_(std::move(committed)) {}

void Settlements::commit() {
  if (waiting_.empty() || loop_.now() < again_at_ || under_way_ >= at_once_) return;
  const auto end = waiting_.begin() + static_cast<ptrdiff_t>(std::min({step_, waiting_.size(), at_once_ - under_way_}));
  std::vector<Waiting> now(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  Batch batch;
  batch.settlements.reserve(now.size());
  for (const Waiting& one : now) {
    batch.settlements.push_back(one.settlement);
    if (one.stops) batch.stops.push_back(*one.stops);
  }
  under_way_ += now.size();
  // Called by the store's thread, which only hands the answer over.
  auto committed = [this, guard = std::weak_ptr(alive_), &to = loop_, &clock = clock_, begun = clock_.monotonic(),
                    kept = std::move(now)](Result<Committed> result) mutable {
    to.post([this, guard, took = clock.monotonic() - begun, kept = std::move(kept), result = std::move(result)]() mutable {
      if (guard.lock()) answered(std::move(kept), took, result);
    });
  };
  store_.commit(std::move(batch), std::move(committed));
}

void Settlements::answered(std::vector<Waiting> settled, std::chrono::microseconds took, const Result<Committed>& result) {
  under_way_ -= settled.size();
  if (!result) {
    if (!std::exchange(failed_, true)) log::error("spool: settling failed: {}; it is tried again until it succeeds", result.error().message);
    // Each page that a commit changes is written anew: in the little room that is left, fewer may fit.
    const bool fewer = result.error().kind == ErrorKind::full && settled.size() > 1;
    if (fewer) step_ = settled.size() / 2;
    else again_at_ = loop_.now() + kAgain;
    waiting_.insert(waiting_.begin(), std::make_move_iterator(settled.begin()), std::make_move_iterator(settled.end()));
    // Nobody else may send them until this is known; those behind the ones that were tried wait as long.
    for (const auto& [one, stops] : waiting_) store_.extend(one.delivery.message, one.delivery.destination, clock_.wall() + kHeld);
    if (fewer) commit();
    return;
  }
  if (waiting_.empty()) failed_ = false;
  step_ = std::min(kMost, std::max(step_, settled.size()) * 2);
  const auto refused = std::count(result->refused.begin(), result->refused.end(), true);
  if (refused > 0) {
    log::warn("spool: {} answers came for deliveries that ended meanwhile (cancelled, or sent twice); they count nothing", refused);
  }
  learn(settled.size(), took);
  for (const Waiting& one : settled) committed_(one);
  commit();  // what waits
}

// What a commit of so many took beyond them is the disk's flush: as many may be with the store as take no longer than that.
void Settlements::learn(size_t count, std::chrono::microseconds took) {
  const auto flush = took / StoreOptions::kPacePerChange - static_cast<int64_t>(count);
  at_once_ = std::clamp(static_cast<size_t>(std::max<int64_t>(flush, 0)), kFew, kMost);
}

}  // namespace belay::spool
