#include "pipeline/shared_memory.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/random.h"

namespace belay::pipeline {

namespace {

uint64_t stored(uint64_t key) { return key == 0 ? 1 : key; }  // 0 marks a free bucket

}  // namespace

Result<SharedMemory*> SharedMemory::create() {
  static_assert(std::atomic<uint64_t>::is_always_lock_free, "a killed worker must leave nothing locked");
  static_assert((kBuckets & (kBuckets - 1)) == 0);
  static_assert(ForwardCounts::kWorkers == kWorkers);
  // Most of it is never touched, and what is not touched takes no memory.
  void* memory = mmap(nullptr, sizeof(SharedMemory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return errno_error("map the memory that workers share");
  // Fresh anonymous memory is zero, which is what every member starts as; running the constructor would touch each page.
  auto* shared = static_cast<SharedMemory*>(memory);
  shared->clients.set_seed(SystemRandom().next());
  return shared;
}

SharedMemory::Bucket& SharedMemory::bucket(uint64_t key, uint64_t now_us) {
  key = stored(key);
  const size_t start = (key ^ (key >> 32)) & (kBuckets - 1);
  for (;;) {
    Bucket* oldest = nullptr;
    uint64_t oldest_key = 0, oldest_arrival = 0;
    for (size_t i = 0; i < kProbe; ++i) {
      Bucket& candidate = buckets_[(start + i) & (kBuckets - 1)];
      const uint64_t held = candidate.key.load(std::memory_order_relaxed);
      if (held == key) return candidate;
      const uint64_t arrival = held == 0 ? 0 : candidate.arrival_us.load(std::memory_order_relaxed);
      if (oldest == nullptr || arrival < oldest_arrival) {
        oldest = &candidate;
        oldest_key = held;
        oldest_arrival = arrival;
      }
      // Free buckets are never left behind in a probe run, so the key cannot stand further on.
      if (held == 0) break;
    }
    if (!oldest->key.compare_exchange_strong(oldest_key, key, std::memory_order_relaxed)) continue;
    // A key whose time is still to come loses its debt here; one whose time has passed loses nothing.
    if (oldest_arrival > now_us) evicted.fetch_add(1, std::memory_order_relaxed);
    oldest->arrival_us.store(now_us, std::memory_order_relaxed);
    return *oldest;
  }
}

bool SharedMemory::Bucket::is_of(uint64_t own_key) const { return key.load(std::memory_order_relaxed) == stored(own_key); }

uint64_t SharedMemory::Bucket::wait_us(uint64_t own_key, const RateRule& rule, uint64_t now_us) const {
  const uint64_t wait = rule.wait_us(arrival_us.load(std::memory_order_relaxed), now_us);
  return wait == 0 || is_of(own_key) ? wait : 0;
}

uint64_t SharedMemory::Bucket::charge(uint64_t own_key, const RateRule& rule, uint64_t now_us) {
  const uint64_t wait = rule.charge(arrival_us, now_us);
  if (is_of(own_key)) return wait;
  if (wait == 0) give_back(rule);
  return 0;
}

void SharedMemory::Bucket::give_back(const RateRule& rule) {
  uint64_t seen = arrival_us.load(std::memory_order_relaxed);
  while (!arrival_us.compare_exchange_weak(seen, seen - std::min(seen, rule.interval_us), std::memory_order_relaxed)) {}
}

}  // namespace belay::pipeline
