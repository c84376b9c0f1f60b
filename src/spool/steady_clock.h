// The spool's own wall clock: starts at the system's (or at the newest stored id, when the system's is before that and
// the id can be believed), then runs on the monotonic clock. Steps of up to kFollowed are taken over at once (NTP); larger ones only at kSlew of the time
// that passes, to their end, so that a clock jump neither makes every waiting delivery due nor stalls them all (P7). Thread-safe.
#pragma once

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/clock.h"

namespace belay::spool {

class SteadyClock final : public Clock {
 public:
  static constexpr Duration kFollowed{2'000};
  static constexpr double kSlew = 0.05;

  // An id further ahead of the system's clock is of a clock that was wrong, unless the system's own is: one that was never
  // set is before kNoClockBefore.
  static constexpr Duration kBelieved = std::chrono::hours(24);
  static constexpr WallTime kNoClockBefore{std::chrono::sys_days{std::chrono::year{2025} / 1 / 1}};

  explicit SteadyClock(const Clock& system) : system_(system), wall_(system.wall()), at_(system.monotonic()) {}
  // Not before the newest thing that is stored: a machine that woke up in 1970 must not wait fifty years. False: that is
  // not believed, the clock stays the system's. Due times that the wrong clock wrote: Delivery::kFarthestDue.
  bool start_at_least(WallTime newest) {
    const std::lock_guard lock(mutex_);
    if (wall_ >= kNoClockBefore && newest > wall_ + kBelieved) return false;
    wall_ = std::max(wall_, newest);
    return true;
  }

  WallTime wall() const override {
    const std::lock_guard lock(mutex_);
    const MonotonicTime now = system_.monotonic();
    const auto passed = std::chrono::duration_cast<Duration>(now - at_);
    if (passed.count() <= 0) return wall_;
    wall_ += passed;
    at_ += passed;  // keeps the fraction of a millisecond
    const Duration off = system_.wall() - wall_;
    if (std::chrono::abs(off) > kFollowed) slewing_ = true;
    if (slewing_) {
      // To the end: the last kFollowed of a large step are no small step.
      carry_ += static_cast<double>(passed.count()) * kSlew;
      const auto whole = Duration(std::min(static_cast<int64_t>(carry_), std::abs(off.count())));
      wall_ += off.count() > 0 ? whole : -whole;
      carry_ -= static_cast<double>(whole.count());
      slewing_ = whole != std::chrono::abs(off);
      if (!slewing_) carry_ = 0;
    } else if (off.count() > 0) {
      // Forward at once, backward by standing still: due times compare against a clock that never goes back.
      wall_ += off;
    } else {
      wall_ -= std::min(passed, -off);
    }
    return wall_;
  }
  MonotonicTime monotonic() const override { return system_.monotonic(); }

 private:
  const Clock& system_;
  mutable std::mutex mutex_;
  mutable WallTime wall_;
  mutable MonotonicTime at_;
  mutable double carry_ = 0;  // of slewing: parts of a millisecond
  mutable bool slewing_ = false;
};

}  // namespace belay::spool
