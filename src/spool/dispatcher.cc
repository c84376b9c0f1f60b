#include "spool/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "spool/dispatcher_impl.h"

namespace belay::spool {

namespace {

// Of a message's bodies all are in memory, whichever is sent.
size_t held_by(const Leased& leased) { return leased.message->body_bytes(); }

}  // namespace

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
  if (lane.takes_nothing()) release_pending(lane);
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
    if (!lane->nothing_in_hand()) mark_ready(*lane);
    lane->look_drained(loop.now());
  }
  report();
}

// The lanes are compared with each tick, the list is made at most every kReportEvery.
void Dispatcher::Impl::report() {
  for (auto& [id, lane] : lanes) {
    auto now = lane->standing(loop.now());
    if (now == lane->reported) continue;
    lane->reported = now;
    report_wanted = true;
  }
  if (!report_wanted || !reports_changed || loop.now() < next_report) return;
  report_wanted = false;
  next_report = loop.now() + kReportEvery;
  auto reports = std::make_shared<DestinationReports>();
  for (const auto& [id, lane] : lanes) {
    if (lane->reported) reports->push_back(lane->report(loop.now()));
  }
  reports_changed(std::move(reports));
}

void Dispatcher::Impl::end_turn() {
  if (!stopping) pump();
  settlements.commit();
  check_stopped();
}

void Dispatcher::Impl::scan(Lane& lane) {
  if (lane.takes_nothing() || lane.broken_off(loop.now()) || lane.scanning || stopping) return;
  size_t room = lane.max_pending() - std::min(lane.pending.size(), lane.max_pending());
  if (room == 0 || room < lane.max_pending() / 2) return;
  if (held_bytes >= kMaxHeldBytes || lane.held >= kMaxLaneBytes) {
    if (!lane.holds_nothing()) return;
    room = 1;
  }
  lane.scanning = true;
  lane.more_in_store = false;
  const auto known = std::exchange(lane.next_due, std::nullopt);  // what is settled meanwhile may be due before what the scan will find
  const auto most = static_cast<uint32_t>(std::min<size_t>(room, kMaxScan));
  store.lease_due(lane.id, clock.wall(), most, kLease,
                  [this, guard = std::weak_ptr(alive), &to = loop, id = lane.id, known](Result<Leases> result) {
                    to.post([this, guard, id, known, result = std::move(result)]() mutable {
                      if (guard.lock()) scanned(id, known, std::move(result));
                    });
                  });
}

// `known`: what was due next before the scan.
void Dispatcher::Impl::scanned(DestinationId id, std::optional<WallTime> known, Result<Leases> result) {
  Lane& lane = lane_of(id);
  lane.scanning = false;
  if (!result) {
    log::error("spool: looking for due deliveries failed: {}", result.error().message);
    // What is due already, or not known, waits for the full scan; a ramp must not take it for nothing.
    const WallTime now = clock.wall();
    const WallTime next = known && *known > now ? *known : now + kFullScan;
    lane.next_due = std::min(lane.next_due.value_or(next), next);
    return;
  }
  for (Leased& leased : result->leased) add(lane, std::move(leased));
  if (!lane.next_due || (result->next_due && *result->next_due < *lane.next_due)) lane.next_due = result->next_due;
  const bool due_already = result->next_due && *result->next_due <= clock.wall();
  lane.more_in_store = std::exchange(lane.wake_again, false) || due_already || lane.more_in_store;  // some may have been given back
  tell_hot(lane);
  if (lane.more_in_store) scan(lane);
}

void Dispatcher::Impl::give_back(const Leased& leased) {
  store.release(leased.delivery.message, leased.delivery.destination);
}

void Dispatcher::Impl::hold(Lane& lane, const Leased& leased) {
  held_bytes += held_by(leased);
  lane.held += held_by(leased);
}

void Dispatcher::Impl::let_go(Lane& lane, const Leased& leased) {
  held_bytes -= held_by(leased);
  lane.held -= held_by(leased);
}

void Dispatcher::Impl::release(Lane& lane, std::deque<Lane::Pending>& from) {
  for (const Lane::Pending& pending : from) {
    let_go(lane, pending.leased);
    give_back(pending.leased);
  }
  from.clear();
  lane.more_in_store = true;
}

void Dispatcher::Impl::release_pending(Lane& lane) {
  release(lane, lane.pending);
  release(lane, lane.live);
}

// What a slow backend or a low rate kept in hand for long goes back before its lease runs out, so that nothing is sent that
// another scan may take at the same time.
void Dispatcher::Impl::release_stale(Lane& lane) {
  for (auto* from : {&lane.pending, &lane.live}) {
    while (!from->empty() && from->front().since + kLease / 2 < loop.now()) {
      let_go(lane, from->front().leased);
      give_back(from->front().leased);
      from->pop_front();
      lane.more_in_store = true;
    }
  }
}

// A destination that fails holds what it can use soon; the memory is for the others.
void Dispatcher::Impl::release_surplus(Lane& lane) {
  while (lane.pending.size() > lane.max_pending()) {
    let_go(lane, lane.pending.back().leased);
    give_back(lane.pending.back().leased);
    lane.pending.pop_back();
    lane.more_in_store = true;
  }
}

void Dispatcher::Impl::add(Lane& lane, Leased leased, bool live) {
  if (stopping || lane.takes_nothing() || lane.broken_off(loop.now())) {
    lane.more_in_store = true;
    return give_back(leased);
  }
  hold(lane, leased);
  (live && lane.ramp.on() ? lane.live : lane.pending).push_back({std::move(leased), loop.now()});
  mark_ready(lane);
}

void Dispatcher::Impl::mark_ready(Lane& lane) {
  if (lane.ready) return;
  lane.ready = true;
  round.push_back(&lane);
}

// Direct handing over only while nothing older waits in the store and there is room: else new ones would overtake, and memory
// would fill with what a slow backend cannot take. While a ramp is on they are to overtake: that is their share.
void Dispatcher::Impl::tell_hot(Lane& lane) {
  const bool now_hot = !stopping && has_room() && !lane.takes_nothing() && !lane.broken_off(loop.now()) && held_bytes < kMaxHeldBytes && lane.held < kMaxLaneBytes &&
                       (lane.ramp.on() ? lane.live.size() < lane.max_pending()
                                       : !lane.more_in_store && !lane.scanning && lane.pending.size() < lane.max_pending());
  if (now_hot == lane.told_hot) return;
  lane.told_hot = now_hot;
  const std::lock_guard lock(hot_mutex);
  if (now_hot) hot.insert(lane.id);
  else hot.erase(lane.id);
}

// One send per destination and round.
void Dispatcher::Impl::pump() {
  const MonotonicTime now = loop.now();
  while (!round.empty() && has_room()) {
    Lane& lane = *round.front();
    round.pop_front();
    lane.ready = false;
    if (has_its_share(lane)) continue;
    std::deque<Lane::Pending>* const from = lane.next(now);
    if (from == nullptr) continue;  // an answer, a tick or a scan brings it back
    if (expire(lane, *from) || ended(lane, *from)) continue;
    const auto ticket = lane.enter(now);
    if (!ticket) continue;
    send(lane, *from, *ticket);
    if (!lane.nothing_in_hand()) mark_ready(lane);
    if (lane.pending.empty() && lane.more_in_store) scan(lane);
  }
}

bool Dispatcher::Impl::has_its_share(const Lane& lane) const {
  constexpr size_t kHalf = kMaxInFlight / 2;
  return flights.size() >= kHalf && static_cast<size_t>(lane.in_flight) >= kHalf / std::max<size_t>(1, busy);
}

void Dispatcher::Impl::apply_stop(const StopOrder& order) {
  Lane& lane = lane_of(order.destination);
  if (!apply(order, lane.stop)) return;
  lane.outage();
  reconsider(lane);
}

// Whether it takes something may have changed.
void Dispatcher::Impl::reconsider(Lane& lane) {
  if (lane.takes_nothing()) {
    release_pending(lane);
  } else {
    lane.more_in_store = true;
    scan(lane);
  }
  tell_hot(lane);
}

// Of its health check.
void Dispatcher::Impl::heard(DestinationId id, uint64_t down) {
  Lane& lane = lane_of(id);
  if (lane.destination == nullptr) return;
  const bool was_down = lane.down();
  lane.urls_down = down;
  if (lane.down()) lane.outage();
  if (was_down && !lane.down()) lane.breaker.try_now();
  reconsider(lane);
}

void Dispatcher::Impl::give_up() {
  for (const Flight& flight : flights) {
    let_go(*flight.lane, flight.leased);
    give_back(flight.leased);
  }
  if (!flights.empty()) log::warn("spool: {} deliveries did not end in time and are queued again", flights.size());
  flights.clear();
  flying = 0;
  settle_timer.start(settle_limit);
}

void Dispatcher::Impl::check_stopped() {
  if (stopping && flights.empty() && settlements.pending() == 0) end_stop(0);
}

void Dispatcher::Impl::end_stop(size_t unsettled) {
  if (!stopped) return;
  stop_timer.cancel();
  settle_timer.cancel();
  loop.post([tell = std::exchange(stopped, nullptr), unsettled] { tell(unsettled); });
}

Dispatcher::Dispatcher(event::Loop& loop, Store& store, const Clock& clock, Outside outside)
    : impl_(std::make_unique<Impl>(loop, store, clock, outside)) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::measure(AttemptTimes& times) { impl_->times = &times; }

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
  impl_->health.use(impl_->by_id);
}

void Dispatcher::set_stops(const std::vector<Stop>& stops) {
  for (const Stop& stop : stops) {
    Lane& lane = impl_->lane_of(stop.destination);
    lane.stop = stop;
    impl_->attach(lane);
  }
}

void Dispatcher::stop_destination(const StopOrder& order) { impl_->apply_stop(order); }

void Dispatcher::on_reports(std::function<void(std::shared_ptr<const DestinationReports>)> changed) {
  impl_->reports_changed = std::move(changed);
  impl_->report_wanted = true;
}

void Dispatcher::take(std::vector<Leased> leased) {
  for (Leased& one : leased) {
    Lane& lane = impl_->lane_of(one.delivery.destination);
    one.delivery.state = DeliveryState::queued;
    impl_->add(lane, std::move(one), true);
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

}  // namespace belay::spool
