// The dispatcher's view of one destination: what is leased and waits to be sent, what is in flight, how much more it may
// take. Pure bookkeeping on the dispatcher's thread; time comes in as a value.
//   slow start  after a failure that is retried half as many are sent at once, down to one; every success allows one more.
//               A backend that comes back after a long outage is not run over by what waited for it.
//   credential  while none is valid nothing is sent and no attempt is counted: the lane is looked at again after a wait that
//               doubles up to kCredentialWaitMax, at once when new rules come
//   stopped     by an operator, or on_dead: nothing is taken from the store and nothing is sent
//   breaker     while it is open nothing is taken from the store, nothing is sent and no attempt is counted
//   down        says its health check: nothing is sent
//   ramp        after an outage what waited goes slowly and leaves half of the limits to what comes now (ramp.h), which then
//               does not queue up behind it
//   rate        a token bucket that holds kBurst of the rate, so that the dispatcher's tick is fine enough
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "spool/destination_report.h"
#include "spool/ramp.h"
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
  // What changes in its report, cheap to compare.
  struct Standing {
    std::optional<WallTime> paused, disabled;  // since when
    std::optional<upstream::Breaker::State> breaker;
    bool ramping = false;
    uint64_t urls_down = 0;
    size_t urls = 0;
    bool operator==(const Standing&) const = default;
  };
  std::deque<Pending> pending;         // the longest in hand first
  std::deque<Pending> live;            // while a ramp is on: what the intake handed over; else empty
  size_t held = 0;                     // bytes of bodies of all these and of what is in flight
  int in_flight = 0;
  int draining = 0;                    // of them, from the store, while a ramp is on
  int allowed = 1;                     // at once, now
  double tokens = 1;
  MonotonicTime filled_at{};
  MonotonicTime paused_until{};
  Duration credential_wait{0};         // the last one; 0: there is a credential, or none is needed
  bool more_in_store = true;           // a scan may find something due
  bool scanning = false, wake_again = false;
  std::optional<WallTime> next_due;    // of what is in the store
  Stop stop;
  upstream::Breaker breaker;
  uint64_t urls_down = 0;
  Ramp ramp;
  bool drained_last = false;           // of two that wait while the ramp rises, the other one is next
  int failures_in_a_row = 0;
  std::optional<Standing> reported;    // last
  bool ready = false;                  // stands in the dispatcher's round
  bool told_hot = false;               // the intake may hand over directly

  bool holds_nothing() const { return nothing_in_hand() && in_flight == 0; }
  bool nothing_in_hand() const { return pending.empty() && live.empty(); }
  bool takes_nothing() const { return destination == nullptr || stop.any() || down(); }
  bool down() const {
    return destination != nullptr && urls_down != 0 && static_cast<size_t>(std::popcount(urls_down)) >= destination->urls.size();
  }
  bool broken_off(MonotonicTime now) const {
    return destination != nullptr && destination->breaker.on() && breaker.state(now) == upstream::Breaker::State::open;
  }
  bool ramps() const { return destination != nullptr && destination->ramp.count() > 0; }
  void outage() {
    if (ramps()) ramp.out();
  }
  int concurrency() const { return std::max(1, destination->concurrency); }
  size_t max_pending() const {
    const size_t by_slots = std::max(kMinPending, kPendingPerSlot * static_cast<size_t>(allowed));
    if (destination == nullptr || destination->rate_per_second <= 0) return by_slots;
    return std::min(by_slots, 1 + static_cast<size_t>(destination->rate_per_second * kRatePending));
  }
  void use(std::shared_ptr<const upstream::Destination> now_known) {
    const bool fresh = destination == nullptr;
    if (destination != now_known) {
      if (credential_wait != Duration{0}) paused_until = {};
      urls_down = 0;  // its urls may be others; the health checks say so at once what they know of them
    }
    destination = std::move(now_known);
    if (!ramps()) ramp = Ramp();
    if (destination == nullptr || !destination->breaker.on()) breaker.reset();
    if (destination != nullptr) allowed = fresh ? concurrency() : std::min(allowed, concurrency());
  }
  void fill(MonotonicTime now) {
    const double rate = destination->rate_per_second;
    if (rate <= 0) return;
    const double passed = std::chrono::duration<double>(now - filled_at).count();
    tokens = std::min(std::max(1.0, rate * kBurst), tokens + passed * rate);
    filled_at = now;
  }
  // What goes next may come from here; null: nothing may now.
  std::deque<Pending>* next(MonotonicTime now) {
    if (takes_nothing() || nothing_in_hand() || in_flight >= allowed || paused_until > now) return nullptr;
    if (destination->rate_per_second > 0) {
      fill(now);
      if (tokens < 1) return nullptr;
    }
    if (!ramp.on()) return live.empty() ? &pending : &live;
    const bool live_waits = !live.empty();
    if (!ramp.rising()) return !drain_may_send(now) ? nullptr : live_waits ? &live : &pending;
    const bool drains = !pending.empty() && (!live_waits || !drained_last) && drain_may_send(now);
    return drains ? &pending : live_waits ? &live : nullptr;
  }
  bool drain_may_send(MonotonicTime now) {
    return draining < ramp.slots(destination->ramp, concurrency(), now) && ramp.may_send(destination->ramp, destination->rate_per_second, now);
  }
  // A ticket for the breaker; none while it lets nothing pass.
  std::optional<uint64_t> enter(MonotonicTime now) { return destination->breaker.on() ? breaker.enter(destination->breaker, now) : 0; }
  upstream::Breaker::Turn leave(uint64_t ticket, std::optional<bool> failed_now, MonotonicTime now) {
    const bool on = destination != nullptr && destination->breaker.on();
    return on ? breaker.leave(destination->breaker, ticket, failed_now, now) : upstream::Breaker::Turn::none;
  }
  // True: it counts as `draining` until it is answered.
  bool sent(bool from_live) {
    ++in_flight;
    const bool drains = ramp.on() && !(from_live && ramp.rising());
    drained_last = drains;
    if (drains) {
      ++draining;
      ramp.sent();
    }
    if (destination->rate_per_second > 0) tokens -= 1;
    return drains;
  }
  void succeeded(MonotonicTime now) {
    failures_in_a_row = 0;
    if (ramp.on()) ramp.succeeded(now);
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
  // None: nobody stopped it and nothing protects it, so that there is nothing to report.
  std::optional<Standing> standing(MonotonicTime now) const {
    Standing made;
    if (stop.paused.on) made.paused = stop.paused.since;
    if (stop.disabled.on) made.disabled = stop.disabled.since;
    if (destination != nullptr && destination->breaker.on()) made.breaker = breaker.state(now);
    if (destination != nullptr) made.urls = destination->urls.size();
    made.ramping = ramp.on();
    made.urls_down = urls_down;
    const bool guarded = destination != nullptr && (destination->health.on() || ramps());
    return guarded || stop.any() || made.breaker ? std::optional<Standing>(made) : std::nullopt;
  }
  DestinationReport report(MonotonicTime now) const {
    DestinationReport made;
    made.destination = id;
    made.name = destination != nullptr ? destination->name : stop.name;
    made.stop = stop;
    if (destination != nullptr && destination->breaker.on()) made.breaker = breaker.state(now);
    if (destination != nullptr) made.urls = destination->urls.size();
    made.ramping = ramp.on();
    made.urls_down = urls_down;
    return made;
  }
  void failed() {
    allowed = std::max(1, allowed / 2);
    if (++failures_in_a_row >= Ramp::kOutage) outage();
  }
  // To be asked now and then: whether nothing of what waited is left, or, at the end of the rise, all that is left waits for its
  // next attempt.
  void look_drained(MonotonicTime now) {
    if (!ramp.on() || takes_nothing() || !nothing_in_hand() || more_in_store || scanning) return;
    const bool nothing_waits = !next_due && in_flight == 0;
    if (ramp.rising() ? nothing_waits || ramp.risen(destination->ramp, now) >= 1 : nothing_waits && failures_in_a_row == 0) ramp.drained();
  }
};

}  // namespace belay::spool
