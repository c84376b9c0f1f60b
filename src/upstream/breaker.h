// The circuit breaker of a destination: pure but for its two words, which are lock-free atomics, so that all proxy workers
// share one in their common memory and a worker killed at any point leaves nothing locked. The spool's lanes each have one
// of their own. Zeroed memory is a closed breaker. Time comes in as a value.
//   closed      everything passes; the last `of_last` outcomes are remembered, and `failures` among them open it
//   open        nothing passes for `open_for`
//   half open   one probe at a time; kProbes successes in a row close it, one failure opens it again. A probe that nobody
//               answers for (its process died) is over after `open_for`, or `probe_for` if that is longer
// Outcomes of what passed before it opened say nothing about how it is now: a ticket counts only while the gate stands as it
// stood when the ticket was given.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace belay::upstream {

struct BreakerRule {
  static constexpr int kMaxOfLast = 64;
  static constexpr Duration kProbeMargin{5'000};  // over the request's timeout: a busy machine tells the end of it late
  int failures = 0;      // of the last `of_last`; 0: there is no breaker
  int of_last = 0;
  Duration open_for{0};
  Duration probe_for{0};  // how long a probe may be under way, so that a slow answer is still its answer
  bool on() const { return failures > 0; }
};

class Breaker {
 public:
  static constexpr uint64_t kProbes = 3;
  enum class State : uint8_t { closed, open, half_open };
  // What the end of a request changed.
  enum class Turn : uint8_t { none, opened, closed };

  State state(MonotonicTime now) const;
  // A ticket for one request, to be given to leave() with what became of it; none while nothing passes.
  std::optional<uint64_t> enter(const BreakerRule& rule, MonotonicTime now);
  // `failed`: none when the request said nothing about the backend (it was not sent).
  Turn leave(const BreakerRule& rule, uint64_t ticket, std::optional<bool> failed, MonotonicTime now);
  // Somebody else knows that the backend is back: an open one lets the next request pass as a probe.
  void try_now();
  void reset();
  // Closed, and no failure is remembered.
  bool knows_nothing() const;

 private:
  bool open(const BreakerRule& rule, uint64_t gate, MonotonicTime now);
  bool close(const BreakerRule& rule, uint64_t gate, MonotonicTime now);
  Turn remember(const BreakerRule& rule, uint64_t ticket, bool failed, MonotonicTime now);

  std::atomic<uint64_t> gate_{0};     // until when (ms; closed: since when), probes that succeeded, state
  std::atomic<uint64_t> history_{0};  // the last outcomes, newest in the lowest bit; 1: failed
};

std::string_view to_string(Breaker::State state);

}  // namespace belay::upstream
