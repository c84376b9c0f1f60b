// What workers of one master share: one anonymous mapping made before the first fork and kept over reloads, so that rate
// limits, caps and counters survive a reload and hold for all workers together. Only lock-free atomics: a worker killed at any
// point leaves nothing locked. Size is fixed at start (kBuckets); when a limit table is full, the least recently used of a
// probe run is replaced, which forgives that key, never locks it out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "pipeline/client_counts.h"
#include "pipeline/destination_states.h"
#include "pipeline/forward_counts.h"
#include "pipeline/rate_rule.h"

namespace belay::pipeline {

class SharedMemory {
 public:
  static constexpr size_t kBuckets = size_t{1} << 17;
  static constexpr size_t kProbe = 8;
  static constexpr size_t kWorkers = ClientCounts::kWorkers;

  // GCRA state of one limit key: the theoretical arrival time in microseconds of the monotonic clock.
  struct Bucket {
    std::atomic<uint64_t> key;
    std::atomic<uint64_t> arrival_us;

    // The bucket may have gone to another key since it was found: then the key that asks is forgiven, and what it charged is
    // given back.
    uint64_t wait_us(uint64_t own_key, const RateRule& rule, uint64_t now_us) const;
    uint64_t charge(uint64_t own_key, const RateRule& rule, uint64_t now_us);
    void give_back(const RateRule& rule);

   private:
    bool is_of(uint64_t own_key) const;
  };

  static Result<SharedMemory*> create();  // lives until the process ends
  // The bucket of `key`, found or taken: then arrival_us is now, which owes nothing and is not the next to be replaced.
  Bucket& bucket(uint64_t key, uint64_t now_us);
  uint64_t charge(uint64_t key, const RateRule& rule, uint64_t now_us) { return bucket(key, now_us).charge(key, rule, now_us); }

  // Connections and bytes held by all workers, for the caps.
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> buffered_bytes{0};
  std::atomic<uint64_t> evicted{0};  // limit keys that lost their debt because the table was full

  ClientCounts clients;  // connections of each sender

  ForwardCounts forwards;  // requests under way to each destination

  DestinationStates states;  // breakers of destinations, and what the spool says of them

  // Per worker share of connections and buffered_bytes, so that the master can take back what a killed worker held.
  struct Worker {
    std::atomic<int32_t> pid;
    std::atomic<int64_t> connections;
    std::atomic<int64_t> buffered_bytes;
    std::atomic<uint64_t> requests;
  };
  Worker workers[kWorkers];

 private:
  Bucket buckets_[kBuckets];
};

}  // namespace belay::pipeline
