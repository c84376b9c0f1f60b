#include "spool/settlements.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"

namespace belay::spool {

Settlements::Settlements(event::Loop& loop, Store& store, std::function<void(const std::vector<Settlement>&)> committed)
    : loop_(loop), store_(store), committed_(std::move(committed)) {}

void Settlements::commit() {
  if (waiting_.empty() || loop_.now() < again_at_) return;
  Batch batch;
  batch.settlements = waiting_;
  batch.stops = orders_;
  under_way_ += waiting_.size();
  store_.commit(std::move(batch), [this, guard = std::weak_ptr(alive_), &to = loop_, kept = std::exchange(waiting_, {}),
                                   orders = std::exchange(orders_, {})](Result<Committed> result) mutable {
    to.post([this, guard, kept = std::move(kept), orders = std::move(orders), result = std::move(result)]() mutable {
      if (guard.lock()) answered(std::move(kept), std::move(orders), result);
    });
  });
}

void Settlements::answered(std::vector<Settlement> settled, std::vector<StopOrder> orders, const Result<Committed>& result) {
  under_way_ -= settled.size();
  if (!result) {  // leases stay until it is known
    if (!std::exchange(failed_, true)) log::error("spool: settling failed: {}", result.error().message);
    again_at_ = loop_.now() + kAgain;
    waiting_.insert(waiting_.end(), std::make_move_iterator(settled.begin()), std::make_move_iterator(settled.end()));
    orders_.insert(orders_.begin(), std::make_move_iterator(orders.begin()), std::make_move_iterator(orders.end()));
    return;
  }
  failed_ = false;
  const auto refused = std::count(result->refused.begin(), result->refused.end(), true);
  if (refused > 0) {
    log::warn("spool: {} answers came for deliveries that ended meanwhile (cancelled, or sent twice); they count nothing", refused);
  }
  committed_(settled);
}

}  // namespace belay::spool
