// The dispatcher's view of one destination: what is leased and waits to be sent, what is in flight, how much more it may
// take. Pure bookkeeping on the dispatcher's thread; time comes in as a value.
//   slow start  after a failure that is retried half as many are sent at once, down to one; every success allows one more.
//               A backend that comes back after a long outage is not run over by what waited for it.
//   credential  while none is valid nothing is sent and no attempt is counted: the lane is looked at again after a wait that
//               doubles up to kCredentialWaitMax, at once when new rules come
//   rate        a token bucket that holds kBurst of the rate, so that the dispatcher's tick is fine enough
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "spool/store.h"
#include "upstream/destination.h"

namespace belay::spool {

struct Lane {
  static constexpr size_t kMinPending = 16;
  static constexpr size_t kPendingPerSlot = 4;
  static constexpr double kBurst = 0.1;            // seconds of the rate
  static constexpr double kRatePending = 30;       // seconds of the rate that may wait in memory

  static constexpr Duration kCredentialWait{1'000};
  static constexpr Duration kCredentialWaitMax{60'000};

  DestinationId id = 0;
  std::shared_ptr<const upstream::Destination> destination;  // null: orphaned, it is not in the rules
  struct Pending {
    Leased leased;
    MonotonicTime since{};  // in hand
  };
  std::deque<Pending> pending;         // the longest in hand first
  int in_flight = 0;
  int allowed = 1;                     // at once, now
  double tokens = 1;
  MonotonicTime filled_at{};
  MonotonicTime paused_until{};
  Duration credential_wait{0};         // the last one; 0: there is a credential, or none is needed
  bool more_in_store = true;           // a scan may find something due
  bool scanning = false, wake_again = false;
  std::optional<WallTime> next_due;    // of what is in the store
  bool ready = false;                  // stands in the dispatcher's round
  bool told_hot = false;               // the intake may hand over directly

  bool holds_nothing() const { return pending.empty() && in_flight == 0; }
  int concurrency() const { return std::max(1, destination->concurrency); }
  size_t max_pending() const {
    const size_t by_slots = std::max(kMinPending, kPendingPerSlot * static_cast<size_t>(concurrency()));
    if (destination->rate_per_second <= 0) return by_slots;
    return std::min(by_slots, 1 + static_cast<size_t>(destination->rate_per_second * kRatePending));
  }
  void use(std::shared_ptr<const upstream::Destination> now_known) {
    const bool fresh = destination == nullptr;
    if (destination != now_known && credential_wait != Duration{0}) paused_until = {};
    destination = std::move(now_known);
    if (destination != nullptr) allowed = fresh ? concurrency() : std::min(allowed, concurrency());
  }
  void fill(MonotonicTime now) {
    const double rate = destination->rate_per_second;
    if (rate <= 0) return;
    const double passed = std::chrono::duration<double>(now - filled_at).count();
    tokens = std::min(std::max(1.0, rate * kBurst), tokens + passed * rate);
    filled_at = now;
  }
  bool may_send(MonotonicTime now) {
    if (destination == nullptr || pending.empty() || in_flight >= allowed || paused_until > now) return false;
    fill(now);
    return destination->rate_per_second <= 0 || tokens >= 1;
  }
  void sent() {
    ++in_flight;
    if (destination->rate_per_second > 0) tokens -= 1;
  }
  void succeeded() {
    if (destination != nullptr) allowed = std::min(allowed + 1, concurrency());
  }
  // True for the first of a row: then it is worth a word.
  bool lacks_credential(MonotonicTime now) {
    const bool first = credential_wait == Duration{0};
    if (paused_until > now) return first;  // of those sent together only one counts
    credential_wait = std::clamp(credential_wait * 2, kCredentialWait, kCredentialWaitMax);
    paused_until = now + credential_wait;
    return first;
  }
  void failed() { allowed = std::max(1, allowed / 2); }
};

}  // namespace belay::spool
