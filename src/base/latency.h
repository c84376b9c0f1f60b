// How long something took, counted in fixed buckets: what the Prometheus text format calls a histogram. Adding costs a short
// search and two increments, nothing is allocated. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace belay {

struct LatencyBuckets {
  static constexpr std::array<uint64_t, 14> kBounds_us = {500,     1'000,   2'500,     5'000,     10'000,     25'000,     50'000,
                                                          100'000, 250'000, 500'000, 1'000'000, 2'500'000, 10'000'000, 30'000'000};
  // The same in seconds, as they are written; the last bucket takes what is longer than all.
  static constexpr std::array<std::string_view, 15> kLabels = {"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
                                                               "0.25",   "0.5",   "1",      "2.5",   "10",   "30",    "+Inf"};
  static constexpr size_t kCount = kLabels.size();

  std::array<uint64_t, kCount> counts{};  // each by itself, not those below it, too
  uint64_t sum_us = 0;

  void add(uint64_t us) {
    const auto bound = std::lower_bound(kBounds_us.begin(), kBounds_us.end(), us);  // a bound belongs to its bucket
    ++counts[static_cast<size_t>(bound - kBounds_us.begin())];
    sum_us += us;
  }
  bool empty() const {
    return std::all_of(counts.begin(), counts.end(), [](uint64_t count) { return count == 0; });
  }
};

}  // namespace belay
