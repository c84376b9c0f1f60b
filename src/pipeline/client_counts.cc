#include "pipeline/client_counts.h"

#include <xxhash.h>

namespace belay::pipeline {

namespace {

constexpr size_t kNetwork = 8;  // bytes of an IPv6 /64

}  // namespace

std::optional<uint32_t> ClientCounts::add(size_t worker, const IpAddress& client, int64_t most) {
  const uint64_t key = XXH3_64bits_withSeed(client.bytes.data(), client.is_v4() ? client.bytes.size() : kNetwork, seed_);
  const uint32_t place = place_of(key);
  if (place == kUncounted) return place;
  shares_[worker][place].fetch_add(1, std::memory_order_relaxed);
  if (entries_[place].open.fetch_add(1, std::memory_order_relaxed) < most) return place;
  remove(worker, place);
  return std::nullopt;
}

void ClientCounts::remove(size_t worker, uint32_t place) {
  if (place == kUncounted) return;
  entries_[place].open.fetch_sub(1, std::memory_order_relaxed);
  shares_[worker][place].fetch_sub(1, std::memory_order_relaxed);
}

void ClientCounts::forget(size_t worker) {
  for (size_t place = 0; place < kEntries; ++place) {
    const uint32_t share = shares_[worker][place].load(std::memory_order_relaxed);
    if (share == 0) continue;
    shares_[worker][place].store(0, std::memory_order_relaxed);
    entries_[place].open.fetch_sub(share, std::memory_order_relaxed);
  }
}

// Two workers may see the last connection of a place close and a new sender take it at the same time: then two senders share
// a count for as long as their connections last.
uint32_t ClientCounts::place_of(uint64_t key) {
  for (;;) {
    uint32_t free = kUncounted;
    uint64_t free_key = 0;
    for (size_t i = 0; i < kProbe; ++i) {
      const auto place = static_cast<uint32_t>((key + i) & (kEntries - 1));
      const uint64_t held = entries_[place].client.load(std::memory_order_relaxed);
      if (held == key) return place;
      if (free != kUncounted || entries_[place].open.load(std::memory_order_relaxed) > 0) continue;
      free = place;
      free_key = held;
    }
    if (free == kUncounted) return free;
    if (entries_[free].client.compare_exchange_strong(free_key, key, std::memory_order_relaxed)) return free;
  }
}

}  // namespace belay::pipeline
