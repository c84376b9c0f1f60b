// One rate in microseconds: the generic cell rate algorithm, whose whole state is the time at which the next webhook would
// arrive if all kept to the rate. Pure but for charge(), which many workers may call on one bucket of the shared memory.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

namespace belay::pipeline {

struct RateRule {
  uint64_t interval_us = 0;   // between two webhooks at the rate
  uint64_t tolerance_us = 0;  // (burst - 1) intervals

  // `burst` webhooks, at least one, may come at once.
  static RateRule of(double per_second, uint64_t burst) {
    const uint64_t interval = std::max<uint64_t>(static_cast<uint64_t>(std::llround(1e6 / per_second)), 1);
    return {.interval_us = interval, .tolerance_us = (std::max<uint64_t>(burst, 1) - 1) * interval};
  }

  // How long until one more would pass; 0: now.
  uint64_t wait_us(uint64_t arrival_us, uint64_t now_us) const {
    const uint64_t earliest = arrival_us > tolerance_us ? arrival_us - tolerance_us : 0;
    return earliest > now_us ? earliest - now_us : 0;
  }
  uint64_t next_arrival_us(uint64_t arrival_us, uint64_t now_us) const {
    return (arrival_us > now_us ? arrival_us : now_us) + interval_us;
  }

  // Takes one webhook from the allowance unless another worker was faster and left none; then the time to wait.
  uint64_t charge(std::atomic<uint64_t>& arrival, uint64_t now_us) const {
    uint64_t seen = arrival.load(std::memory_order_relaxed);
    for (;;) {
      if (const uint64_t wait = wait_us(seen, now_us); wait > 0) return wait;
      if (arrival.compare_exchange_weak(seen, next_arrival_us(seen, now_us), std::memory_order_relaxed)) return 0;
    }
  }
};

}  // namespace belay::pipeline
