// How many requests all workers of one master together have under way to each destination: a part of SharedMemory. Costs one
// shared atomic operation when a forward begins and one when it ends, besides the worker's own share, which the master gives
// back when the worker dies. A worker killed between the two leaves a count too low by one, never too high: a crash may let
// one request more through, it never locks a destination out. Limits: kDestinations named since the master started; a
// destination beyond them has no place, and its `concurrency` holds for each worker by itself (upstream::Client).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace belay::pipeline {

class ForwardCounts {
 public:
  static constexpr size_t kWorkers = 256;
  static constexpr size_t kDestinations = size_t{1} << 14;
  static constexpr uint32_t kUncounted = UINT32_MAX;

  // One more to the destination with this key: where it is counted, for remove(). Nothing when `most` are under way already.
  std::optional<uint32_t> add(size_t worker, uint64_t destination, int64_t most);
  void remove(size_t worker, uint32_t place);
  // By the master, once the worker is dead: gives back what it still counted.
  void forget(size_t worker);

 private:
  struct Entry {
    std::atomic<uint64_t> destination;  // 0: free
    std::atomic<int64_t> count;
  };

  uint32_t place_of(uint64_t destination);

  Entry entries_[kDestinations];
  std::atomic<uint32_t> shares_[kWorkers][kDestinations];  // a row has one writer; pages that nobody needs are never touched
};

}  // namespace belay::pipeline
