#include "upstream/breaker.h"

#include <algorithm>
#include <bit>

namespace belay::upstream {

namespace {

// A gate: milliseconds of the monotonic clock << 8 | probes that succeeded << 2 | state. It is also the ticket of who finds it
// so. A closed one says since when, so that it differs from the one before the last outage.
constexpr uint64_t kClosed = 0, kOpen = 1, kHalfOpen = 2;

uint64_t gate_of(uint64_t state, uint64_t probes, uint64_t ms) { return ms << 8 | probes << 2 | state; }
uint64_t until_ms(uint64_t gate) { return gate >> 8; }
uint64_t probes(uint64_t gate) { return gate >> 2 & 0x3F; }
bool is_open(uint64_t gate) { return (gate & 3) == kOpen; }
bool is_closed(uint64_t gate) { return (gate & 3) == kClosed; }
uint64_t ms_of(MonotonicTime time) {
  return static_cast<uint64_t>(std::chrono::ceil<Duration>(time.time_since_epoch()).count());
}

}  // namespace

std::string_view to_string(Breaker::State state) {
  switch (state) {
    case Breaker::State::closed: return "closed";
    case Breaker::State::open: return "open";
    case Breaker::State::half_open: return "half_open";
  }
  return "unknown";
}

Breaker::State Breaker::state(MonotonicTime now) const {
  const uint64_t gate = gate_.load(std::memory_order_relaxed);
  if (is_closed(gate)) return State::closed;
  return is_open(gate) && until_ms(gate) > ms_of(now) ? State::open : State::half_open;
}

std::optional<uint64_t> Breaker::enter(const BreakerRule& rule, MonotonicTime now) {
  uint64_t gate = gate_.load(std::memory_order_relaxed);
  if (is_closed(gate)) return gate;
  if (until_ms(gate) > ms_of(now)) return std::nullopt;  // open, or a probe is under way
  const uint64_t probe = gate_of(kHalfOpen, is_open(gate) ? 0 : probes(gate), ms_of(now + std::max(rule.open_for, rule.probe_for)));
  if (gate_.compare_exchange_strong(gate, probe, std::memory_order_relaxed)) return probe;
  return is_closed(gate) ? std::optional<uint64_t>(gate) : std::nullopt;  // somebody else closed it, or has the probe
}

Breaker::Turn Breaker::leave(const BreakerRule& rule, uint64_t ticket, std::optional<bool> failed, MonotonicTime now) {
  if (is_closed(ticket)) return failed ? remember(rule, ticket, *failed, now) : Turn::none;
  if (failed && *failed) return open(rule, ticket, now) ? Turn::opened : Turn::none;
  const uint64_t succeeded = std::min(kProbes, probes(ticket) + (failed ? 1 : 0));
  if (succeeded >= kProbes) return close(rule, ticket, now) ? Turn::closed : Turn::none;
  uint64_t gate = ticket;  // a probe that was given up meanwhile changes nothing
  gate_.compare_exchange_strong(gate, gate_of(kHalfOpen, succeeded, 0), std::memory_order_relaxed);
  return Turn::none;
}

bool Breaker::open(const BreakerRule& rule, uint64_t gate, MonotonicTime now) {
  return gate_.compare_exchange_strong(gate, gate_of(kOpen, 0, ms_of(now + rule.open_for)), std::memory_order_relaxed);
}

// Who takes the probe's place first forgets the history, and only then lets others write a new one. Killed between the two, it
// leaves a probe that nobody answers for.
bool Breaker::close(const BreakerRule& rule, uint64_t gate, MonotonicTime now) {
  uint64_t closing = gate_of(kHalfOpen, kProbes, ms_of(now + rule.open_for));
  if (!gate_.compare_exchange_strong(gate, closing, std::memory_order_relaxed)) return false;
  history_.store(0, std::memory_order_relaxed);
  return gate_.compare_exchange_strong(closing, gate_of(kClosed, 0, ms_of(now)), std::memory_order_release);
}

Breaker::Turn Breaker::remember(const BreakerRule& rule, uint64_t ticket, bool failed, MonotonicTime now) {
  uint64_t seen = history_.load(std::memory_order_relaxed);
  if (seen == 0 && !failed) return Turn::none;  // all is well: nothing is written
  if (gate_.load(std::memory_order_acquire) != ticket) return Turn::none;
  const uint64_t window = rule.of_last >= BreakerRule::kMaxOfLast ? ~uint64_t{0} : (uint64_t{1} << rule.of_last) - 1;
  uint64_t next = 0;
  do {
    next = (seen << 1 | (failed ? 1 : 0)) & window;
  } while (!history_.compare_exchange_weak(seen, next, std::memory_order_relaxed));
  if (!failed || std::popcount(next) < rule.failures) return Turn::none;
  return open(rule, ticket, now) ? Turn::opened : Turn::none;
}

void Breaker::try_now() {
  uint64_t gate = gate_.load(std::memory_order_relaxed);
  if (is_open(gate)) gate_.compare_exchange_strong(gate, gate_of(kHalfOpen, 0, 0), std::memory_order_relaxed);
}

bool Breaker::knows_nothing() const {
  return is_closed(gate_.load(std::memory_order_relaxed)) && history_.load(std::memory_order_relaxed) == 0;
}

void Breaker::reset() {
  history_.store(0, std::memory_order_relaxed);
  gate_.store(0, std::memory_order_relaxed);
}

}  // namespace belay::upstream
