#include "pipeline/forward_place.h"

#include <utility>

#include "base/check.h"
#include "pipeline/rate_rule.h"

namespace belay::pipeline {

namespace {

// Destinations and the keys of `limit` share the table of buckets: their hashes must not meet.
constexpr uint64_t kRateOfDestination = 0x9E3779B97F4A7C15;

}  // namespace

std::string_view to_string(ForwardPlace::Taken taken) {
  switch (taken) {
    case ForwardPlace::Taken::yes: return "free";
    case ForwardPlace::Taken::too_many: return "over its concurrency";
    case ForwardPlace::Taken::too_fast: return "over its rate";
    case ForwardPlace::Taken::broken: return "its breaker is open";
    case ForwardPlace::Taken::paused: return "paused";
    case ForwardPlace::Taken::disabled: return "disabled";
    case ForwardPlace::Taken::down: return "down, says its health check";
  }
  return "unknown";
}

ForwardPlace::Taken ForwardPlace::take(SharedMemory& shared, size_t worker, const upstream::Destination& to, MonotonicTime now) {
  BELAY_CHECK_NOTE(shared_ == nullptr, "an exchange forwards one request at a time");
  urls_down_ = 0;
  if (to.breaker.on() || shared.states.any_told()) {
    if (const Taken taken = pass(shared.states, to, now); taken != Taken::yes) return taken;
  }
  const auto place = to.concurrency > 0 ? shared.forwards.add(worker, to.key, to.concurrency) : ForwardCounts::kUncounted;
  shared_ = &shared;
  worker_ = worker;
  place_ = place.value_or(ForwardCounts::kUncounted);
  Taken taken = place ? Taken::yes : Taken::too_many;
  if (place && to.rate_per_second > 0) {
    const auto now_us = static_cast<uint64_t>(now.time_since_epoch().count());
    const RateRule rate = RateRule::of(to.rate_per_second, static_cast<uint64_t>(to.rate_per_second * kBurstSeconds));
    if (shared.charge(to.key ^ kRateOfDestination, rate, now_us) != 0) taken = Taken::too_fast;
  }
  if (taken != Taken::yes) give_back();
  return taken;
}

// What the spool says, and the breaker, whose ticket is held with the place.
ForwardPlace::Taken ForwardPlace::pass(DestinationStates& states, const upstream::Destination& to, MonotonicTime now) {
  using Told = wire::DestinationState;
  DestinationStates::Entry* const entry = to.breaker.on() ? states.place(to.key) : const_cast<DestinationStates::Entry*>(states.find(to.key));
  if (entry == nullptr) return Taken::yes;
  if (const uint64_t told = entry->told.load(std::memory_order_relaxed); told != 0) {
    if ((told & Told::kDisabled) != 0) return Taken::disabled;
    if ((told & Told::kPaused) != 0) return Taken::paused;
    if ((told & Told::kDown) != 0) return Taken::down;
    if ((told & Told::kBroken) != 0) return Taken::broken;
  }
  urls_down_ = entry->urls_down.load(std::memory_order_relaxed);
  if (!to.breaker.on()) return Taken::yes;
  const auto ticket = entry->breaker.enter(to.breaker, now);
  if (!ticket) return Taken::broken;
  entry_ = entry;
  destination_ = to.key;
  rule_ = to.breaker;
  ticket_ = *ticket;
  return Taken::yes;
}

upstream::Breaker::Turn ForwardPlace::give_back(std::optional<bool> failed, MonotonicTime now) {
  if (shared_ == nullptr) return upstream::Breaker::Turn::none;
  shared_->forwards.remove(worker_, place_);
  shared_ = nullptr;
  DestinationStates::Entry* const entry = std::exchange(entry_, nullptr);
  if (entry == nullptr || !entry->is_of(destination_)) return upstream::Breaker::Turn::none;
  return entry->breaker.leave(rule_, ticket_, failed, now);
}

}  // namespace belay::pipeline
