#include <string>
#include <utility>

#include "base/log.h"
#include "spool/dispatcher_impl.h"
#include "spool/groups.h"
#include "spool/retry.h"

namespace belay::spool {

void Dispatcher::Impl::send(Lane& lane, std::deque<Lane::Pending>& from, uint64_t ticket) {
  const bool live = &from == &lane.live;
  Lane::Pending& next = from.front();
  flights.push_front({&lane, std::move(next.leased), next.since, ticket, false, live, lane.destination, {}, nullptr});
  from.pop_front();
  if (lane.in_flight == 0) ++busy;
  Flight& flight = flights.front();
  flight.drains = lane.sent(live);
  const wire::StoredRequest& request = flight.leased.message->shape(flight.leased.delivery.shape);
  if (!lane.told_hot || lane.more_in_store) {
    tell_hot(lane);
    if (lane.more_in_store) scan(lane);
  }
  for (const auto& [name, value] : request.fields) flight.fields.add(name, value);
  upstream::Outbound outbound;
  outbound.method = request.method;
  outbound.target = request.target;
  outbound.path_rest = request.path_rest;
  outbound.path = request.path;
  outbound.fields = &flight.fields;
  outbound.body = flight.leased.message->body(flight.leased.delivery.shape);
  outbound.has_body = request.has_body;
  outbound.id = flight.leased.delivery.message;
  outbound.attempt = flight.leased.delivery.attempts + 1;
  outbound.client = request.forwarded_for;
  outbound.client_tls = request.tls;
  outbound.urls_down = lane.urls_down;
  outbound.vouched = true;  // what nobody vouched for was not stored
  flying = flights.size();
  flight.call = sender.send(flight.destination, outbound, [this, at = flights.begin()](const upstream::Attempt& attempt) {
    answered(at, attempt);
  });
}

// The next one became too old in hand: nothing is sent.
bool Dispatcher::Impl::expire(Lane& lane, std::deque<Lane::Pending>& from) {
  const WallTime expires = from.front().leased.delivery.expires;
  if (expires == WallTime{} || expires > clock.wall()) return false;
  Leased leased = std::move(from.front().leased);
  from.pop_front();
  let_go(lane, leased);
  leased.delivery.state = DeliveryState::dead;
  leased.delivery.reason = Groups::kExpired;
  settlements.add(std::move(leased.delivery));
  if (!lane.nothing_in_hand()) mark_ready(lane);
  return true;
}

// An operator has cancelled the next one while it waited in hand: its lease went with it, and nothing is sent. Every other lease
// holds now until its attempt has ended.
bool Dispatcher::Impl::ended(Lane& lane, std::deque<Lane::Pending>& from) {
  const Leased& next = from.front().leased;
  if (store.extend(next.delivery.message, lane.id, clock.wall() + lane.destination->timeout + kLeaseMargin)) return false;
  let_go(lane, next);
  from.pop_front();
  if (!lane.nothing_in_hand()) mark_ready(lane);
  return true;
}

void Dispatcher::Impl::look_again(Lane& lane) {
  if (lane.scanning) lane.wake_again = true;
  else lane.more_in_store = true;
  scan(lane);
  tell_hot(lane);
}

void Dispatcher::Impl::answered(Flights::iterator flight, const upstream::Attempt& attempt) {
  Flights ended;  // destroys the call after everything of it was read
  ended.splice(ended.begin(), flights, flight);
  flying = flights.size();
  Lane& lane = *flight->lane;
  if (--lane.in_flight == 0) --busy;
  if (flight->drains) --lane.draining;
  learn(lane, flight->ticket, attempt, *flight->destination);
  const bool no_credential = attempt.outcome == upstream::Outcome::no_credential;
  if (no_credential || attempt.outcome == upstream::Outcome::over_limit) {  // nothing was sent: not an attempt
    if (!no_credential) lane.paused_until = loop.now() + kPause;
    else if (lane.lacks_credential(loop.now())) log::warn("spool: {}: {}; nothing is sent to it until one is", flight->destination->name, attempt.error);
    (flight->live ? lane.live : lane.pending).push_front({std::move(flight->leased), flight->since});
    if (stopping || lane.takes_nothing() || lane.broken_off(loop.now())) release_pending(lane);
    return;
  }
  lane.credential_wait = Duration{0};
  let_go(lane, flight->leased);
  settle(lane, std::move(flight->leased.delivery), attempt, *flight->destination);
  if (!lane.nothing_in_hand()) mark_ready(lane);
  if (lane.pending.empty() && lane.more_in_store) scan(lane);
}

void Dispatcher::Impl::learn(Lane& lane, uint64_t ticket, const upstream::Attempt& attempt, const upstream::Destination& destination) {
  using Turn = upstream::Breaker::Turn;
  const Turn turn = lane.leave(ticket, attempt.destination_failed(destination), loop.now());
  if (turn == Turn::opened) {
    log::warn("spool: {}: the breaker opens for {} s", destination.name, std::chrono::duration<double>(destination.breaker.open_for).count());
    lane.outage();
    release_pending(lane);  // others need the room more
    tell_hot(lane);
  } else if (turn == Turn::closed) {
    log::info("spool: {}: the breaker closes", destination.name);
  }
}

// on_dead: disable. What waits, waits until somebody enables it.
StopOrder Dispatcher::Impl::disable(Lane& lane, const Delivery& dead) {
  StopOrder order{lane.id, dead.destination_name, StopKind::disabled, true, "on_dead", "delivery of " + dead.message.to_string() + " is dead: " + dead.reason, clock.wall()};
  apply_stop(order);
  return order;
}

void Dispatcher::Impl::settle(Lane& lane, Delivery delivery, const upstream::Attempt& attempt,
                              const upstream::Destination& destination) {
  Attempt made;
  made.at = clock.wall() - attempt.total;
  made.duration_ms = static_cast<uint32_t>(attempt.total.count());
  made.status = static_cast<uint16_t>(attempt.status());
  if (!attempt.success(destination)) {
    made.error = attempt.outcome == upstream::Outcome::answered
                     ? "status " + std::to_string(attempt.status())
                     : std::string(upstream::to_string(attempt.outcome)) + ": " + attempt.error;
  }
  if (times != nullptr) times->add(destination.name, static_cast<uint64_t>(attempt.total.count()) * 1'000, made.error.empty());
  made.answer = attempt.body.substr(0, Attempt::kAnswerBytes);
  add_attempt(delivery, std::move(made));
  Verdict verdict = judge(destination, attempt, delivery.attempts - delivery.attempts_before, random);
  delivery.state = verdict.state;
  delivery.reason = std::move(verdict.reason);
  if (verdict.state == DeliveryState::scheduled) delivery.due = clock.wall() + verdict.wait;
  std::optional<StopOrder> stops;
  if (delivery.state == DeliveryState::dead && destination.disable_on_dead && !lane.stop.disabled.on) stops = disable(lane, delivery);
  if (attempt.success(destination)) lane.succeeded(loop.now());
  else if (attempt.destination_failed(destination) == true) {
    lane.failed();
    release_surplus(lane);
  }
  settlements.add(std::move(delivery), std::move(stops));
}

void Dispatcher::Impl::committed(const Settlements::Waiting& settled) {
  if (settled.stops) log::warn("spool: {}: disabled until 'belay enable {}': {}", settled.stops->name, settled.stops->name, settled.stops->why);
  const Delivery& delivery = settled.settlement.delivery;
  Lane& lane = lane_of(delivery.destination);
  if (delivery.grouped()) look_again(lane);  // the next of its key may have its turn
  if (delivery.state != DeliveryState::scheduled) return;
  if (!lane.next_due || delivery.due < *lane.next_due) lane.next_due = delivery.due;
}

Verdict judge(const upstream::Destination& destination, const upstream::Attempt& attempt, uint32_t attempts_made,
              Random& random) {
  if (attempt.success(destination)) return {DeliveryState::delivered, {}, {}};
  const std::string last = attempt.outcome == upstream::Outcome::answered ? "status " + std::to_string(attempt.status())
                                                                           : std::string(upstream::to_string(attempt.outcome));
  if (!attempt.retryable(destination)) return {DeliveryState::dead, {}, last + " is not retried"};
  const auto wait = next_wait(destination.retry, attempts_made, attempt.retry_after, random);
  if (!wait) {
    return {DeliveryState::dead, {}, std::to_string(attempts_made) + (attempts_made == 1 ? " attempt" : " attempts") + " used up; the last: " + last};
  }
  return {DeliveryState::scheduled, *wait, {}};
}

}  // namespace belay::spool
