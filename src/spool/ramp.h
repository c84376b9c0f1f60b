// How a destination is caught up with after an outage (`ramp`): pure, time as a value. From kOutage failures in a row, a
// breaker that opens, failed health checks, or a stop, until nothing waits any more:
//   out       one a second, until one succeeds
//   rising    over `ramp` the drain's rate grows from kFirst to half of the destination's limit (kUnlimited without one), and
//             so does the number of requests at once, to half of `concurrency`. The other halves are for live traffic: what
//             comes now, forwarded or handed over by the intake
//   after it  the drain keeps to its half until nothing waits
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace belay::spool {

class Ramp {
 public:
  static constexpr int kOutage = 3;
  static constexpr double kFirst = 1;          // per second
  static constexpr double kUnlimited = 1'000;  // per second at the end of the rise, where no rate is set
  static constexpr double kShare = 0.5;        // of the limits, for the drain
  static constexpr double kBurst = 0.1;        // seconds of the rate

  void out() { phase_ = Phase::out; }
  void succeeded(MonotonicTime now) {
    if (phase_ != Phase::out) return;
    phase_ = Phase::rising;
    since_ = now;
  }
  void drained() { phase_ = Phase::calm; }
  bool on() const { return phase_ != Phase::calm; }
  bool rising() const { return phase_ == Phase::rising; }

  // Of the way from the first to the last, 0..1.
  double risen(Duration over, MonotonicTime now) const {
    if (phase_ == Phase::out) return 0;
    return std::clamp(std::chrono::duration<double>(now - since_) / std::chrono::duration<double>(over), 0.0, 1.0);
  }
  // Requests a second of the drain; 0: no limit.
  double rate(Duration over, double limit, MonotonicTime now) const {
    const double share = risen(over, now);
    if (share >= 1 && limit <= 0) return 0;
    const double last = limit > 0 ? limit * kShare : kUnlimited;
    return std::min(last, kFirst) + share * std::max(0.0, last - kFirst);
  }
  int slots(Duration over, int concurrency, MonotonicTime now) const {
    return std::max(1, static_cast<int>(risen(over, now) * concurrency * kShare));
  }
  bool may_send(Duration over, double limit, MonotonicTime now) {
    const double per_second = rate(over, limit, now);
    if (per_second <= 0) return true;
    const double passed = std::clamp(std::chrono::duration<double>(now - filled_at_).count(), 0.0, 1.0);
    tokens_ = std::min(std::max(1.0, per_second * kBurst), tokens_ + passed * per_second);
    filled_at_ = now;
    return tokens_ >= 1;
  }
  void sent() { tokens_ = std::max(0.0, tokens_ - 1); }

 private:
  enum class Phase : uint8_t { calm, out, rising };
  Phase phase_ = Phase::calm;
  MonotonicTime since_{}, filled_at_{};
  double tokens_ = 1;
};

}  // namespace belay::spool
