// The clock as an interface, so that tests and the simulator run on their own time. Wall time is for what is stored or
// shown (due times, log entries); monotonic time is for waiting (deadlines, retry timers). Owner: whoever builds the
// process; everybody else holds a reference. SystemClock is thread-safe.
#pragma once

#include <chrono>
#include <cstdint>

namespace belay {

using Duration = std::chrono::milliseconds;
// Milliseconds since 1970-01-01T00:00:00Z, as stored on disk.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
// Microseconds of CLOCK_MONOTONIC; comparable inside one machine's uptime, across its processes.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual MonotonicTime monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime wall() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  MonotonicTime monotonic() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::steady_clock::now());
  }
};

// For tests and the simulator: stands still until it is moved. One thread.
class ManualClock final : public Clock {
 public:
  WallTime wall() const override { return wall_; }
  MonotonicTime monotonic() const override { return monotonic_; }
  void set_wall(WallTime time) { wall_ = time; }
  void advance(Duration by) {
    wall_ += by;
    monotonic_ += by;
  }

 private:
  WallTime wall_{std::chrono::seconds(1'760'000'000)};
  MonotonicTime monotonic_{std::chrono::seconds(1'000)};
};

inline WallTime wall_from_ms(int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }
inline int64_t to_ms(WallTime time) { return time.time_since_epoch().count(); }

}  // namespace belay
