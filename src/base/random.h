// Randomness as an interface: ids and jitter take it, the simulator seeds it. SystemRandom draws from a buffer that
// getrandom(2) fills, fit for ids that must not be guessed; one instance per thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace belay {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;
  // Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
};

class SystemRandom final : public Random {
 public:
  uint64_t next() override;

 private:
  std::array<uint64_t, 32> buffer_{};
  size_t left_ = 0;
};

// xorshift64*; for tests and the simulator only.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed != 0 ? seed : 1) {}
  uint64_t next() override {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }

 private:
  uint64_t state_;
};

}  // namespace belay
