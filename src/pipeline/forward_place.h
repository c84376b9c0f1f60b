// A place among the requests that all proxy workers together have under way to one destination: its `concurrency` and `rate`
// over the shared memory. Held by the exchange while its call is under way; one thread. The spool is another process and
// keeps the same limits, by itself, for what it sends.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "pipeline/shared_memory.h"
#include "upstream/destination.h"

namespace belay::pipeline {

class ForwardPlace {
 public:
  static constexpr double kBurstSeconds = 1;  // of the rate may be forwarded at once, one webhook at least

  enum class Taken : uint8_t { yes, too_many, too_fast };

  ForwardPlace() = default;
  ForwardPlace(const ForwardPlace&) = delete;
  ForwardPlace& operator=(const ForwardPlace&) = delete;
  ~ForwardPlace() { give_back(); }

  // `worker`: the row of the calling process in the shared memory. Nothing is held unless the answer is yes.
  [[nodiscard]] Taken take(SharedMemory& shared, size_t worker, const upstream::Destination& to, MonotonicTime now);
  void give_back();

 private:
  SharedMemory* shared_ = nullptr;  // null: holds none
  size_t worker_ = 0;
  uint32_t place_ = 0;
};

}  // namespace belay::pipeline
