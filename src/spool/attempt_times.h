// How long the spool's attempts took, by destination, and how many of them succeeded. Filled by the dispatcher, read by /metrics;
// thread-safe. Limits: kDestinations by name, all others together as "other". Since the start; a destination that leaves the rules
// keeps its numbers, because counters must not fall.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/latency.h"

namespace belay::spool {

class AttemptTimes {
 public:
  static constexpr size_t kDestinations = 1'000;

  struct Row {
    std::string destination;
    LatencyBuckets times;
    uint64_t succeeded = 0, failed = 0;
  };

  void add(const std::string& destination, uint64_t us, bool success);
  std::vector<Row> rows() const;  // in no order

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Row> rows_;
};

}  // namespace belay::spool
