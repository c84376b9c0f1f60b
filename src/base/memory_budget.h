// limits.memory: bytes that several processes hold together under one cap. The counters stand in memory that they share;
// `own` is the part of this process, so that it can be taken back when it dies: it is never the smaller of the two, so that a
// process killed between them leaves nothing counted that nobody takes back. The cap may be passed by what is being allocated
// at the same moment.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace belay {

class MemoryBudget {
 public:
  MemoryBudget(std::atomic<int64_t>& all, std::atomic<int64_t>& own, uint64_t most)
      : all_(all), own_(own), most_(static_cast<int64_t>(most)) {}

  bool left(size_t more) const { return all_.load(std::memory_order_relaxed) + static_cast<int64_t>(more) <= most_; }
  bool half_used() const { return all_.load(std::memory_order_relaxed) > most_ / 2; }
  void add(int64_t bytes) {
    std::atomic<int64_t>& first = bytes > 0 ? own_ : all_;
    std::atomic<int64_t>& second = bytes > 0 ? all_ : own_;
    first.fetch_add(bytes, std::memory_order_relaxed);
    second.fetch_add(bytes, std::memory_order_release);
  }

 private:
  std::atomic<int64_t>& all_;
  std::atomic<int64_t>& own_;
  const int64_t most_;
};

// What one holder has counted in a budget; given back when it goes. Without a budget nothing is counted.
class MemoryShare {
 public:
  explicit MemoryShare(MemoryBudget* budget) : budget_(budget) {}
  ~MemoryShare() { hold(0); }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  // The holder has `bytes` now. False when that is more than before and the budget is exceeded; it is counted all the same.
  bool hold(size_t bytes) {
    if (budget_ == nullptr || bytes == counted_) return true;
    const bool grew = bytes > counted_;
    budget_->add(static_cast<int64_t>(bytes) - static_cast<int64_t>(counted_));
    counted_ = bytes;
    return !grew || budget_->left(0);
  }

 private:
  MemoryBudget* const budget_;
  size_t counted_ = 0;
};

}  // namespace belay
