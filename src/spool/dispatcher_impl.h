// The dispatcher's working parts, shared by its two files: dispatcher.cc (whose turn it is, and what stands still) and
// dispatcher_attempts.cc (an attempt from its request to its commit). One per dispatcher, on its loop.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "base/random.h"
#include "event/loop.h"
#include "http/message.h"
#include "spool/dispatcher.h"
#include "spool/health.h"
#include "spool/lane.h"
#include "spool/settlements.h"
#include "upstream/client.h"

namespace belay::spool {

struct Dispatcher::Impl {
  // One delivery under way; what the request points into lives here.
  struct Flight {
    Lane* lane;
    Leased leased;
    MonotonicTime since;
    uint64_t ticket;  // of the lane's breaker
    bool drains;      // of what waited, while the lane's ramp is on
    bool live;        // the intake handed it over
    std::shared_ptr<const upstream::Destination> destination;
    http::Fields fields;
    std::unique_ptr<upstream::Sender::Call> call;
  };
  using Flights = std::list<Flight>;
  struct Network {
    explicit Network(event::Loop& loop) : resolver(loop), client(loop, resolver), health(loop, resolver, HealthChecks::kConnections) {}
    event::Resolver resolver;
    upstream::Client client, health;
  };

  Impl(event::Loop& event_loop, Store& the_store, const Clock& the_clock, Outside outside)
      : loop(event_loop),
        store(the_store),
        clock(the_clock),
        network(outside.sender != nullptr ? nullptr : std::make_unique<Network>(loop)),
        random(outside.random != nullptr ? *outside.random : system_random),
        sender(outside.sender != nullptr ? *outside.sender : network->client),
        settlements(loop, store, clock, [this](const Settlements::Waiting& settled) { committed(settled); }),
        health(loop, network != nullptr ? network->health : sender, [this](DestinationId id, uint64_t down) { heard(id, down); }),
        tick_timer(loop, [this] { tick(); }),
        stop_timer(loop, [this] { give_up(); }),
        settle_timer(loop, [this] { end_stop(settlements.pending()); }),
        turn_end(loop, [this] { end_turn(); }) {
    tick_timer.start(kTick);
  }

  Lane& lane_of(DestinationId id);
  void attach(Lane& lane);
  void tick();
  void end_turn();
  void scan(Lane& lane);
  void scanned(DestinationId id, std::optional<WallTime> known, Result<Leases> result);
  void add(Lane& lane, Leased leased, bool live = false);
  void hold(Lane& lane, const Leased& leased);
  void let_go(Lane& lane, const Leased& leased);
  void release(Lane& lane, std::deque<Lane::Pending>& from);
  void give_back(const Leased& leased);
  void release_pending(Lane& lane);
  void release_stale(Lane& lane);
  void release_surplus(Lane& lane);
  void mark_ready(Lane& lane);
  void tell_hot(Lane& lane);
  void pump();
  bool expire(Lane& lane, std::deque<Lane::Pending>& from);
  bool ended(Lane& lane, std::deque<Lane::Pending>& from);
  void look_again(Lane& lane);
  void send(Lane& lane, std::deque<Lane::Pending>& from, uint64_t ticket);
  bool has_its_share(const Lane& lane) const;
  // What was answered and is not committed counts: a store that takes nothing must not see the whole backlog sent, for all of it
  // would be sent again after an end.
  bool has_room() const { return flights.size() + settlements.pending() < kMaxInFlight; }
  void heard(DestinationId id, uint64_t down);
  void reconsider(Lane& lane);
  void answered(Flights::iterator flight, const upstream::Attempt& attempt);
  void learn(Lane& lane, uint64_t ticket, const upstream::Attempt& attempt, const upstream::Destination& destination);
  StopOrder disable(Lane& lane, const Delivery& dead);
  void apply_stop(const StopOrder& order);
  void report();
  void settle(Lane& lane, Delivery delivery, const upstream::Attempt& attempt, const upstream::Destination& destination);
  void committed(const Settlements::Waiting& settled);
  void give_up();
  void check_stopped();
  void end_stop(size_t unsettled);

  event::Loop& loop;
  Store& store;
  const Clock& clock;
  AttemptTimes* times = nullptr;
  SystemRandom system_random;
  std::unique_ptr<Network> network;
  Random& random;
  upstream::Sender& sender;
  Settlements settlements;
  HealthChecks health;
  std::shared_ptr<const upstream::Destinations> destinations = std::make_shared<upstream::Destinations>();
  std::unordered_map<DestinationId, std::shared_ptr<const upstream::Destination>> by_id;
  std::unordered_map<DestinationId, std::unique_ptr<Lane>> lanes;
  std::deque<Lane*> round;
  Flights flights;
  size_t held_bytes = 0;
  size_t busy = 0;  // lanes with something in flight
  std::function<void(std::shared_ptr<const DestinationReports>)> reports_changed;
  bool report_wanted = false;
  MonotonicTime next_report{};
  MonotonicTime next_full_scan{};
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

}  // namespace belay::spool
