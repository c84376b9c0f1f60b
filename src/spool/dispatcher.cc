#include "spool/dispatcher.h"

#include <algorithm>
#include <deque>
#include <list>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "http/message.h"
#include "spool/groups.h"
#include "spool/lane.h"
#include "spool/retry.h"

namespace belay::spool {

namespace {

// Of a message's bodies all are in memory, whichever is sent.
size_t held_by(const Leased& leased) { return leased.message->body_bytes(); }

}  // namespace

struct Dispatcher::Impl {
  // One delivery under way; what the request points into lives here.
  struct Flight {
    Lane* lane;
    Leased leased;
    MonotonicTime since;
    std::shared_ptr<const upstream::Destination> destination;
    http::Fields fields;
    std::unique_ptr<upstream::Client::Call> call;
  };
  using Flights = std::list<Flight>;

  Impl(event::Loop& event_loop, Store& the_store, const Clock& the_clock)
      : loop(event_loop),
        store(the_store),
        clock(the_clock),
        resolver(loop),
        client(loop, resolver),
        tick_timer(loop, [this] { tick(); }),
        stop_timer(loop, [this] { give_up(); }),
        settle_timer(loop, [this] { end_stop(settlements.size() + settling); }),
        turn_end(loop, [this] { end_turn(); }) {
    tick_timer.start(kTick);
  }

  Lane& lane_of(DestinationId id);
  void attach(Lane& lane);
  void tick();
  void end_turn();
  void scan(Lane& lane);
  void scanned(DestinationId id, Result<Leases> result);
  void add(Lane& lane, Leased leased);
  void give_back(const Leased& leased);
  void release_pending(Lane& lane);
  void release_stale(Lane& lane);
  void mark_ready(Lane& lane);
  void tell_hot(Lane& lane);
  void pump();
  void send(Lane& lane);
  void expire(Lane& lane);
  void look_again(Lane& lane);
  void answered(Flights::iterator flight, const upstream::Attempt& attempt);
  void settle(Lane& lane, Delivery delivery, const upstream::Attempt& attempt, const upstream::Destination& destination);
  void commit_settlements();
  void committed(std::vector<Settlement> settled, const Result<Committed>& result);
  void give_up();
  void check_stopped();
  void end_stop(size_t unsettled);

  event::Loop& loop;
  Store& store;
  const Clock& clock;
  SystemRandom random;
  event::Resolver resolver;
  upstream::Client client;
  std::shared_ptr<const upstream::Destinations> destinations = std::make_shared<upstream::Destinations>();
  std::unordered_map<DestinationId, std::shared_ptr<const upstream::Destination>> by_id;
  std::unordered_map<DestinationId, std::unique_ptr<Lane>> lanes;
  std::deque<Lane*> round;
  Flights flights;
  size_t held_bytes = 0;
  std::vector<Settlement> settlements;
  size_t settling = 0;
  bool settle_failed = false;
  MonotonicTime next_full_scan{}, settle_again_at{};
  bool stopping = false;
  Duration settle_limit{};
  std::function<void(size_t)> stopped;
  mutable std::mutex hot_mutex;
  std::unordered_set<DestinationId> hot;
  std::atomic<size_t> flying{0};
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  event::Timer tick_timer, stop_timer, settle_timer;
  event::Loop::TurnEnd turn_end;
};

Lane& Dispatcher::Impl::lane_of(DestinationId id) {
  auto [at, fresh] = lanes.try_emplace(id);
  if (fresh) {
    at->second = std::make_unique<Lane>();
    at->second->id = id;
    at->second->filled_at = loop.now();
    attach(*at->second);
  }
  return *at->second;
}

void Dispatcher::Impl::attach(Lane& lane) {
  const auto known = by_id.find(lane.id);
  lane.use(known == by_id.end() ? nullptr : known->second);
  lane.more_in_store = true;
  if (lane.destination == nullptr) release_pending(lane);
  tell_hot(lane);
}

void Dispatcher::Impl::tick() {
  tick_timer.start(kTick);
  if (stopping) return;
  if (loop.now() >= next_full_scan) {
    next_full_scan = loop.now() + kFullScan;
    for (const DestinationId id : store.waiting_destinations()) lane_of(id).more_in_store = true;
  }
  const WallTime now = clock.wall();
  for (auto& [id, lane] : lanes) {
    release_stale(*lane);
    if (lane->next_due && *lane->next_due <= now) lane->more_in_store = true;
    if (lane->more_in_store) scan(*lane);
    if (!lane->pending.empty()) mark_ready(*lane);
  }
}

void Dispatcher::Impl::end_turn() {
  if (!stopping) pump();
  commit_settlements();
  check_stopped();
}

void Dispatcher::Impl::scan(Lane& lane) {
  if (lane.destination == nullptr || lane.scanning || stopping) return;
  size_t room = lane.max_pending() - std::min(lane.pending.size(), lane.max_pending());
  if (room == 0 || room < lane.max_pending() / 2) return;
  if (held_bytes >= kMaxHeldBytes) {
    if (!lane.holds_nothing()) return;
    room = 1;
  }
  lane.scanning = true;
  lane.more_in_store = false;
  const auto most = static_cast<uint32_t>(std::min<size_t>(room, kMaxScan));
  store.lease_due(lane.id, clock.wall(), most, kLease,
                  [this, guard = std::weak_ptr(alive), &to = loop, id = lane.id](Result<Leases> result) {
                    to.post([this, guard, id, result = std::move(result)]() mutable {
                      if (guard.lock()) scanned(id, std::move(result));
                    });
                  });
}

void Dispatcher::Impl::scanned(DestinationId id, Result<Leases> result) {
  Lane& lane = lane_of(id);
  lane.scanning = false;
  if (!result) {
    log::error("spool: looking for due deliveries failed: {}", result.error().message);
    return;  // the full scan tries again
  }
  for (Leased& leased : result->leased) add(lane, std::move(leased));
  lane.next_due = result->next_due;
  const bool due_already = result->next_due && *result->next_due <= clock.wall();
  lane.more_in_store = due_already || std::exchange(lane.wake_again, false);
  tell_hot(lane);
  if (lane.more_in_store) scan(lane);
}

void Dispatcher::Impl::give_back(const Leased& leased) {
  store.release(leased.delivery.message, leased.delivery.destination);
}

void Dispatcher::Impl::release_pending(Lane& lane) {
  for (const Lane::Pending& pending : lane.pending) {
    held_bytes -= held_by(pending.leased);
    give_back(pending.leased);
  }
  lane.pending.clear();
  lane.more_in_store = true;
}

// What a slow backend or a low rate kept in hand for long goes back before its lease runs out, so that nothing is sent that
// another scan may take at the same time.
void Dispatcher::Impl::release_stale(Lane& lane) {
  while (!lane.pending.empty() && lane.pending.front().since + kLease / 2 < loop.now()) {
    held_bytes -= held_by(lane.pending.front().leased);
    give_back(lane.pending.front().leased);
    lane.pending.pop_front();
    lane.more_in_store = true;
  }
}

void Dispatcher::Impl::add(Lane& lane, Leased leased) {
  if (stopping || lane.destination == nullptr) return give_back(leased);
  held_bytes += held_by(leased);
  lane.pending.push_back({std::move(leased), loop.now()});
  mark_ready(lane);
}

void Dispatcher::Impl::mark_ready(Lane& lane) {
  if (lane.ready) return;
  lane.ready = true;
  round.push_back(&lane);
}

// Direct handing over only while nothing older waits in the store and there is room: else new ones would overtake, and memory
// would fill with what a slow backend cannot take.
void Dispatcher::Impl::tell_hot(Lane& lane) {
  const bool now_hot = !stopping && lane.destination != nullptr && !lane.more_in_store && !lane.scanning &&
                       lane.pending.size() < lane.max_pending() && held_bytes < kMaxHeldBytes;
  if (now_hot == lane.told_hot) return;
  lane.told_hot = now_hot;
  const std::lock_guard lock(hot_mutex);
  if (now_hot) hot.insert(lane.id);
  else hot.erase(lane.id);
}

// One send per destination and round.
void Dispatcher::Impl::pump() {
  const MonotonicTime now = loop.now();
  while (!round.empty() && flights.size() < kMaxInFlight) {
    Lane& lane = *round.front();
    round.pop_front();
    lane.ready = false;
    if (!lane.may_send(now)) continue;  // an answer, a tick or a scan brings it back
    send(lane);
    if (!lane.pending.empty()) mark_ready(lane);
    else if (lane.more_in_store) scan(lane);
  }
}

void Dispatcher::Impl::send(Lane& lane) {
  Lane::Pending& next = lane.pending.front();
  if (next.leased.delivery.expires != WallTime{} && next.leased.delivery.expires <= clock.wall()) return expire(lane);
  flights.push_front({&lane, std::move(next.leased), next.since, lane.destination, {}, nullptr});
  lane.pending.pop_front();
  lane.sent();
  Flight& flight = flights.front();
  store.extend(flight.leased.delivery.message, lane.id, clock.wall() + lane.destination->timeout + kLeaseMargin);
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
  outbound.vouched = true;  // what nobody vouched for was not stored
  flying = flights.size();
  flight.call = client.send(flight.destination, outbound, [this, at = flights.begin()](const upstream::Attempt& attempt) {
    answered(at, attempt);
  });
}

// It became too old in hand: nothing is sent.
void Dispatcher::Impl::expire(Lane& lane) {
  Leased leased = std::move(lane.pending.front().leased);
  lane.pending.pop_front();
  held_bytes -= held_by(leased);
  leased.delivery.state = DeliveryState::dead;
  leased.delivery.reason = Groups::kExpired;
  settlements.push_back({std::move(leased.delivery)});
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
  --lane.in_flight;
  const bool no_credential = attempt.outcome == upstream::Outcome::no_credential;
  if (no_credential || attempt.outcome == upstream::Outcome::over_limit) {  // nothing was sent: not an attempt
    if (!no_credential) lane.paused_until = loop.now() + kPause;
    else if (lane.lacks_credential(loop.now())) log::warn("spool: {}: {}; nothing is sent to it until one is", flight->destination->name, attempt.error);
    lane.pending.push_front({std::move(flight->leased), flight->since});
    if (stopping) release_pending(lane);
    return;
  }
  lane.credential_wait = Duration{0};
  held_bytes -= held_by(flight->leased);
  settle(lane, std::move(flight->leased.delivery), attempt, *flight->destination);
  if (!lane.pending.empty()) mark_ready(lane);
  else if (lane.more_in_store) scan(lane);
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
  made.answer = attempt.body.substr(0, Attempt::kAnswerBytes);
  add_attempt(delivery, std::move(made));
  Verdict verdict = judge(destination, attempt, delivery.attempts - delivery.attempts_before, random);
  delivery.state = verdict.state;
  delivery.reason = std::move(verdict.reason);
  if (verdict.state == DeliveryState::scheduled) delivery.due = clock.wall() + verdict.wait;
  if (attempt.success(destination)) lane.succeeded();
  else if (attempt.retryable(destination)) lane.failed();
  settlements.push_back({std::move(delivery)});
}

void Dispatcher::Impl::commit_settlements() {
  if (settlements.empty() || loop.now() < settle_again_at) return;
  Batch batch;
  batch.settlements = settlements;
  settling += settlements.size();
  store.commit(std::move(batch), [this, guard = std::weak_ptr(alive), &to = loop,
                                  kept = std::exchange(settlements, {})](Result<Committed> result) mutable {
    to.post([this, guard, kept = std::move(kept), result = std::move(result)]() mutable {
      if (guard.lock()) committed(std::move(kept), result);
    });
  });
}

void Dispatcher::Impl::committed(std::vector<Settlement> settled, const Result<Committed>& result) {
  settling -= settled.size();
  if (!result) {  // leases stay until it is known
    if (!std::exchange(settle_failed, true)) log::error("spool: settling failed: {}", result.error().message);
    settle_again_at = loop.now() + kSettleAgain;
    settlements.insert(settlements.end(), std::make_move_iterator(settled.begin()),
                       std::make_move_iterator(settled.end()));
    return;
  }
  settle_failed = false;
  const auto refused = std::count(result->refused.begin(), result->refused.end(), true);
  if (refused > 0) {
    log::warn("spool: {} answers came for deliveries that ended meanwhile (cancelled, or sent twice); they count nothing", refused);
  }
  for (const Settlement& one : settled) {
    Lane& lane = lane_of(one.delivery.destination);
    if (one.delivery.grouped()) look_again(lane);  // the next of its key may have its turn
    if (one.delivery.state != DeliveryState::scheduled) continue;
    if (!lane.next_due || one.delivery.due < *lane.next_due) lane.next_due = one.delivery.due;
  }
}

void Dispatcher::Impl::give_up() {
  for (const Flight& flight : flights) {
    held_bytes -= held_by(flight.leased);
    give_back(flight.leased);
  }
  if (!flights.empty()) log::warn("spool: {} deliveries did not end in time and are queued again", flights.size());
  flights.clear();
  flying = 0;
  settle_timer.start(settle_limit);
}

void Dispatcher::Impl::check_stopped() {
  if (stopping && flights.empty() && settlements.empty() && settling == 0) end_stop(0);
}

void Dispatcher::Impl::end_stop(size_t unsettled) {
  if (!stopped) return;
  stop_timer.cancel();
  settle_timer.cancel();
  loop.post([tell = std::exchange(stopped, nullptr), unsettled] { tell(unsettled); });
}

Dispatcher::Dispatcher(event::Loop& loop, Store& store, const Clock& clock)
    : impl_(std::make_unique<Impl>(loop, store, clock)) {}

Dispatcher::~Dispatcher() = default;

bool Dispatcher::wants(DestinationId destination) const {
  const std::lock_guard lock(impl_->hot_mutex);
  return impl_->hot.contains(destination);
}

size_t Dispatcher::in_flight() const { return impl_->flying; }

void Dispatcher::set_destinations(std::shared_ptr<const upstream::Destinations> destinations) {
  impl_->destinations = std::move(destinations);
  impl_->by_id.clear();
  for (const auto& [name, destination] : *impl_->destinations) impl_->by_id[destination->key] = destination;
  for (auto& [id, lane] : impl_->lanes) impl_->attach(*lane);
  for (const auto& [id, destination] : impl_->by_id) static_cast<void>(impl_->lane_of(id));
}

void Dispatcher::take(std::vector<Leased> leased) {
  for (Leased& one : leased) {
    Lane& lane = impl_->lane_of(one.delivery.destination);
    one.delivery.state = DeliveryState::queued;
    impl_->add(lane, std::move(one));
    impl_->tell_hot(lane);
  }
}

void Dispatcher::wake(const std::vector<DestinationId>& destinations) {
  for (const DestinationId id : destinations) {
    impl_->look_again(impl_->lane_of(id));
  }
}

void Dispatcher::stop(Duration limit, Duration settle_limit, std::function<void(size_t unsettled)> stopped) {
  impl_->stopping = true;
  impl_->settle_limit = settle_limit;
  impl_->stopped = std::move(stopped);
  for (auto& [id, lane] : impl_->lanes) {
    impl_->release_pending(*lane);
    impl_->tell_hot(*lane);
  }
  impl_->stop_timer.start(limit);
}

Verdict judge(const upstream::Destination& destination, const upstream::Attempt& attempt, uint32_t attempts_made,
              Random& random) {
  if (attempt.success(destination)) return {DeliveryState::delivered, {}, {}};
  const std::string last = attempt.outcome == upstream::Outcome::answered ? "status " + std::to_string(attempt.status())
                                                                           : std::string(upstream::to_string(attempt.outcome));
  if (!attempt.retryable(destination)) return {DeliveryState::dead, {}, last + " is not retried"};
  const auto wait = next_wait(destination.retry, attempts_made, attempt.retry_after, random);
  if (!wait) {
    return {DeliveryState::dead, {}, std::to_string(attempts_made) + " attempts used up; the last: " + last};
  }
  return {DeliveryState::scheduled, *wait, {}};
}

}  // namespace belay::spool
