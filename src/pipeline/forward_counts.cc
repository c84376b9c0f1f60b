#include "pipeline/forward_counts.h"

namespace belay::pipeline {

uint32_t ForwardCounts::place_of(uint64_t destination) {
  if (destination == 0) destination = 1;
  for (size_t i = 0; i < kDestinations; ++i) {
    const auto place = static_cast<uint32_t>((destination + i) & (kDestinations - 1));
    uint64_t held = entries_[place].destination.load(std::memory_order_relaxed);
    if (held == 0 && entries_[place].destination.compare_exchange_strong(held, destination, std::memory_order_relaxed)) return place;
    if (held == destination) return place;
  }
  return kUncounted;
}

std::optional<uint32_t> ForwardCounts::add(size_t worker, uint64_t destination, int64_t most) {
  const uint32_t place = place_of(destination);
  if (place == kUncounted) return place;
  shares_[worker][place].fetch_add(1);
  if (entries_[place].count.fetch_add(1) < most) return place;
  remove(worker, place);
  return std::nullopt;
}

void ForwardCounts::remove(size_t worker, uint32_t place) {
  if (place == kUncounted) return;
  entries_[place].count.fetch_sub(1);
  shares_[worker][place].fetch_sub(1);
}

void ForwardCounts::forget(size_t worker) {
  for (size_t place = 0; place < kDestinations; ++place) {
    if (entries_[place].destination.load(std::memory_order_relaxed) == 0) continue;
    entries_[place].count.fetch_sub(shares_[worker][place].exchange(0));
  }
}

}  // namespace belay::pipeline
