#include "pipeline/shared_memory.h"

#include <sys/mman.h>

#include "base/random.h"

namespace belay::pipeline {

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
  if (key == 0) key = 1;  // 0 marks a free bucket
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
    oldest->arrival_us.store(0, std::memory_order_relaxed);
    return *oldest;
  }
}

}  // namespace belay::pipeline
