#include "pipeline/forward_place.h"

#include "base/check.h"
#include "pipeline/rate_rule.h"

namespace belay::pipeline {

namespace {

// Destinations and the keys of `limit` share the table of buckets: their hashes must not meet.
constexpr uint64_t kRateOfDestination = 0x9E3779B97F4A7C15;

}  // namespace

ForwardPlace::Taken ForwardPlace::take(SharedMemory& shared, size_t worker, const upstream::Destination& to, MonotonicTime now) {
  BELAY_CHECK_NOTE(shared_ == nullptr, "an exchange forwards one request at a time");
  const auto place = to.concurrency > 0 ? shared.forwards.add(worker, to.key, to.concurrency) : ForwardCounts::kUncounted;
  if (!place) return Taken::too_many;
  shared_ = &shared;
  worker_ = worker;
  place_ = *place;
  if (to.rate_per_second <= 0) return Taken::yes;
  const auto now_us = static_cast<uint64_t>(now.time_since_epoch().count());
  const RateRule rate = RateRule::of(to.rate_per_second, static_cast<uint64_t>(to.rate_per_second * kBurstSeconds));
  if (shared.charge(to.key ^ kRateOfDestination, rate, now_us) == 0) return Taken::yes;
  give_back();
  return Taken::too_fast;
}

void ForwardPlace::give_back() {
  if (shared_ == nullptr) return;
  shared_->forwards.remove(worker_, place_);
  shared_ = nullptr;
}

}  // namespace belay::pipeline
