// Time and chance of one simulated run. The steady time only goes on; the wall clock jumps as its operators please. What is to
// happen stands in the agenda; those of the same moment happen in the order they were written down. One thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace belay::sim {

class SimClock final : public Clock {
 public:
  WallTime wall() const override { return wall_ + std::chrono::floor<Duration>(monotonic_ - kStart); }
  MonotonicTime monotonic() const override { return monotonic_; }
  void advance_to(MonotonicTime time) { monotonic_ = std::max(monotonic_, time); }
  void jump(Duration by) { wall_ += by; }
  void set_wall(WallTime time) { wall_ += time - wall(); }
  Duration since_start() const { return std::chrono::floor<Duration>(monotonic_ - kStart); }

 private:
  static constexpr MonotonicTime kStart{std::chrono::seconds(1'000)};
  WallTime wall_{std::chrono::seconds(1'790'000'000)};
  MonotonicTime monotonic_ = kStart;
};

// All that is decided by the seed. Streams with other numbers do not disturb each other.
class Dice final : public Random {
 public:
  Dice(uint64_t seed, uint64_t stream) : random_(mix(mix(seed) + stream)) {}
  uint64_t next() override { return random_.next(); }
  bool chance(double probability) { return unit() < probability; }
  int64_t between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(next() % static_cast<uint64_t>(most - least + 1));
  }
  Duration ms(int64_t least, int64_t most) { return Duration(between(least, most)); }
  template <typename T>
  const T& pick(const std::vector<T>& from) { return from[next() % from.size()]; }

 private:
  static uint64_t mix(uint64_t x) {  // splitmix64
    x += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
  }
  SeededRandom random_;
};

class Agenda {
 public:
  explicit Agenda(const SimClock& clock) : clock_(clock) {}
  void after(std::chrono::microseconds wait, std::function<void()> what) { entries_.emplace(clock_.monotonic() + wait, std::move(what)); }
  std::optional<MonotonicTime> next() const { return entries_.empty() ? std::nullopt : std::optional(entries_.begin()->first); }
  std::vector<std::function<void()>> take_due() {
    std::vector<std::function<void()>> due;
    while (!entries_.empty() && entries_.begin()->first <= clock_.monotonic()) {
      due.push_back(std::move(entries_.begin()->second));
      entries_.erase(entries_.begin());
    }
    return due;
  }

 private:
  const SimClock& clock_;
  std::multimap<MonotonicTime, std::function<void()>> entries_;
};

}  // namespace belay::sim
