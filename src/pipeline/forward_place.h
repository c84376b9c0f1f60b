// A place among the requests that all proxy workers together have under way to one destination: its `concurrency` and `rate`
// over the shared memory, its breaker, and what the spool says of it (paused, disabled, down). Held by the exchange while its
// call is under way; one thread. The spool is another process and keeps the same limits, by itself, for what it sends.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "pipeline/shared_memory.h"
#include "upstream/destination.h"

namespace belay::pipeline {

class ForwardPlace {
 public:
  static constexpr double kBurstSeconds = 1;  // of the rate may be forwarded at once, one webhook at least

  enum class Taken : uint8_t { yes, too_many, too_fast, broken, paused, disabled, down };

  ForwardPlace() = default;
  ForwardPlace(const ForwardPlace&) = delete;
  ForwardPlace& operator=(const ForwardPlace&) = delete;
  ~ForwardPlace() { give_back(); }

  // `worker`: the row of the calling process in the shared memory. Nothing is held unless the answer is yes.
  [[nodiscard]] Taken take(SharedMemory& shared, size_t worker, const upstream::Destination& to, MonotonicTime now);
  // Of its urls, by bit: those that the spool found down.
  uint64_t urls_down() const { return urls_down_; }
  // The end of the request: what the breaker learns from it.
  upstream::Breaker::Turn give_back(std::optional<bool> failed, MonotonicTime now);
  // It was given up: nobody knows what became of it.
  void give_back() { static_cast<void>(give_back(std::nullopt, {})); }

 private:
  Taken pass(DestinationStates& states, const upstream::Destination& to, MonotonicTime now);

  SharedMemory* shared_ = nullptr;  // null: holds none
  size_t worker_ = 0;
  uint32_t place_ = 0;
  DestinationStates::Entry* entry_ = nullptr;  // of a destination with a breaker
  uint64_t destination_ = 0;
  upstream::BreakerRule rule_;
  uint64_t ticket_ = 0;
  uint64_t urls_down_ = 0;
};

// "over its rate": for reasons and the books.
std::string_view to_string(ForwardPlace::Taken taken);

}  // namespace belay::pipeline
