// What holds a destination back, with the real dispatcher, a real backend and a store in memory: stops, on_dead, the
// breaker, the ramp, health checks.
#include <doctest/doctest.h>

#include <ctime>

#include "event/simple_server.h"
#include "spool/dispatcher.h"
#include "spool/health.h"
#include "spool/lane.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

namespace {

constexpr Duration kLimit{20'000};

struct Protected {
  Protected() { REQUIRE(backend.listen("127.0.0.1:0").ok()); }
  upstream::Destination crm() const {
    upstream::Destination to;
    to.name = "crm";
    to.key = destination_id("crm");
    to.urls = {*http::parse_url("http://127.0.0.1:" + std::to_string(backend.port()) + "/")};
    to.timeout = Duration(5'000);
    to.connect_timeout = Duration(2'000);
    to.success = *upstream::StatusSet::parse({"2xx"});
    to.retry_on = *upstream::StatusSet::parse({"5xx"});
    to.retry.schedule = std::vector<Duration>(50, Duration(0));
    to.concurrency = 8;
    to.network_allow = {*Cidr::parse("127.0.0.0/8")};
    return to;
  }
  void start(upstream::Destination to) {
    dispatcher = std::make_unique<Dispatcher>(loop, *store, clock);
    dispatcher->on_reports([this](std::shared_ptr<const DestinationReports> now) { reports = std::move(now); });
    dispatcher->set_stops(*store->stops());
    auto made = std::make_shared<upstream::Destinations>();
    (*made)["crm"] = std::make_shared<const upstream::Destination>(std::move(to));
    dispatcher->set_destinations(made);
  }
  void put_messages(size_t count) {
    for (size_t i = 0; i < count; ++i) REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
    dispatcher->wake({destination_id("crm")});
  }
  // Of one key; `expires_in`: zero for never.
  MessageId put_in(wire::GroupKind kind, const std::string& body, Duration expires_in = Duration(0)) {
    NewMessage message = maker.message({"crm"}, body);
    Delivery& delivery = message.deliveries[0];
    delivery.grouping.kind = kind;
    delivery.grouping.max = 100;
    delivery.grouping.bytes = 10'000;
    delivery.grouping.wait_ms = 1'000;
    if (expires_in > Duration(0)) delivery.expires = clock.wall() + expires_in;
    const MessageId id = message.message->event.id;
    REQUIRE(commit(*store, put(std::move(message))).ok());
    dispatcher->wake({destination_id("crm")});
    return id;
  }
  Delivery delivery_of(const MessageId& id) { return deliveries(*store, id)->front(); }
  void order(StopKind kind, bool on) {
    const StopOrder order{destination_id("crm"), "crm", kind, on, "anna", {}, clock.wall()};
    Batch batch;
    batch.stops.push_back(order);
    REQUIRE(commit(*store, std::move(batch)).ok());
    dispatcher->stop_destination(order);
  }
  std::string_view state() const { return reports->empty() ? "none" : reports->front().state(); }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, kLimit); }
  void pass(Duration time) {
    const MonotonicTime end = loop.now() + time;
    REQUIRE(until([&] { return loop.now() >= end; }));
  }

  ManualClock clock;
  std::unique_ptr<Store> store = open_memory_store(clock);
  Maker maker{clock};
  event::Loop loop;
  int status = 200;
  size_t seen = 0;
  size_t healthy_requests = 0;  // of them, health checks
  std::vector<std::string> bodies;
  event::SimpleServer backend{loop, [this](const event::SimpleRequest& request, const event::SimpleServer::Respond& respond) {
                                ++seen;
                                if (request.path == "/healthz") ++healthy_requests;
                                bodies.emplace_back(request.body);
                                respond({status, {}, ""});
                              }};
  std::shared_ptr<const DestinationReports> reports = std::make_shared<DestinationReports>();
  std::unique_ptr<Dispatcher> dispatcher;
};

TEST_CASE("a_paused_destination_gets_nothing_and_goes_on_when_it_is_resumed") {
  Protected p;
  p.start(p.crm());
  p.order(StopKind::paused, true);
  p.put_messages(5);
  REQUIRE(p.until([&] { return p.state() == "paused"; }));
  CHECK_FALSE(p.dispatcher->wants(destination_id("crm")));
  p.pass(Duration(200));
  CHECK(p.seen == 0);
  CHECK(backlog(*p.store, "crm").sending == 0);
  p.order(StopKind::disabled, true);
  p.order(StopKind::paused, false);  // two reasons: one of them stands
  REQUIRE(p.until([&] { return p.state() == "disabled"; }));
  p.pass(Duration(100));
  CHECK(p.seen == 0);
  p.order(StopKind::disabled, false);
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered == 5; }));
  REQUIRE(p.until([&] { return p.state() == "none"; }));
}

TEST_CASE("what_stood_still_before_a_start_stands_still_after_it") {
  Protected p;
  p.start(p.crm());
  p.order(StopKind::paused, true);
  p.put_messages(2);
  p.start(p.crm());
  p.pass(Duration(150));
  CHECK(p.seen == 0);
  CHECK(p.state() == "paused");
  p.order(StopKind::paused, false);
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered == 2; }));
}

TEST_CASE("on_dead_disable_stops_the_destination_durably_and_enable_lets_the_others_go") {
  Protected p;
  upstream::Destination to = p.crm();
  to.disable_on_dead = true;
  to.retry.schedule = {Duration(0), Duration(0)};
  to.concurrency = 1;
  p.status = 500;
  p.start(to);
  p.put_messages(3);
  REQUIRE(p.until([&] { return p.state() == "disabled"; }));
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").dead == 1; }));
  const auto stops = p.store->stops();
  REQUIRE(stops->size() == 1);
  CHECK(stops->front().disabled.by == "on_dead");
  CHECK(stops->front().disabled.why.find("attempts used up") != std::string::npos);
  const size_t seen = p.seen;
  p.status = 200;
  p.start(to);  // as after a crash
  p.pass(Duration(150));
  CHECK(p.seen == seen);
  CHECK(backlog(*p.store, "crm").waiting == 2);
  p.order(StopKind::disabled, false);
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered == 2; }));
  CHECK(backlog(*p.store, "crm").dead == 1);
}

TEST_CASE("an_open_breaker_sends_nothing_uses_up_no_attempts_and_closes_by_probes") {
  Protected p;
  upstream::Destination to = p.crm();
  to.breaker = {.failures = 5, .of_last = 10, .open_for = Duration(200)};
  p.status = 503;
  p.start(to);
  p.put_messages(20);
  REQUIRE(p.until([&] { return p.state() == "breaker_open"; }));
  const size_t at_opening = p.seen;
  CHECK(at_opening >= 5);
  CHECK(at_opening <= 5 + 8);  // what was under way
  p.pass(Duration(120));
  CHECK(p.seen == at_opening);
  p.pass(Duration(400));  // probes, one at a time
  CHECK(p.seen > at_opening);
  CHECK(p.seen <= at_opening + 4);
  p.status = 200;
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered == 20; }));
  CHECK(backlog(*p.store, "crm").dead == 0);
  REQUIRE(p.until([&] { return p.state() == "ok"; }));
}

TEST_CASE("after_an_outage_the_drain_rises_slowly_and_what_comes_now_does_not_queue_behind_it") {
  Protected p;
  upstream::Destination to = p.crm();
  to.ramp = Duration(60'000);
  to.retry.schedule = std::vector<Duration>(90, Duration(0));
  p.status = 503;
  p.start(to);
  p.put_messages(200);
  REQUIRE(p.until([&] { return p.state() == "ramping"; }));
  p.pass(Duration(300));
  const size_t before = p.seen;
  p.status = 200;
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered >= 1; }));
  p.pass(Duration(1'000));
  CHECK(p.seen <= before + 20);  // 1 a second at first, rising by some 16 a second every second
  CHECK(p.dispatcher->wants(destination_id("crm")));
  const uint64_t drained = backlog(*p.store, "crm").delivered;
  std::vector<Leased> live;
  for (int i = 0; i < 50; ++i) {
    NewMessage message = p.maker.message({"crm"});
    message.deliveries[0].state = DeliveryState::sending;
    const auto shared = message.message;
    Delivery delivery = message.deliveries[0];
    REQUIRE(commit(*p.store, put(std::move(message))).ok());
    live.push_back({std::move(delivery), shared});
  }
  p.dispatcher->take(std::move(live));
  const MonotonicTime start = p.loop.now();
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered >= drained + 50; }));
  CHECK(p.loop.now() - start < Duration(1'500));
  CHECK(backlog(*p.store, "crm").waiting > 50);
}

TEST_CASE("a_destination_whose_health_check_fails_gets_nothing_and_goes_on_when_it_passes") {
  Protected p;
  upstream::Destination to = p.crm();
  to.health = {.path = "/healthz", .every = Duration(30), .timeout = Duration(1'000)};
  p.status = 500;
  p.start(to);
  REQUIRE(p.until([&] { return p.state() == "down"; }));
  p.put_messages(3);
  const size_t checks = p.seen;
  REQUIRE(p.until([&] { return p.seen >= checks + 5; }));
  CHECK(backlog(*p.store, "crm").waiting == 3);
  CHECK(p.healthy_requests == p.seen);  // only checks came
  p.status = 200;
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered == 3; }));
  REQUIRE(p.until([&] { return p.state() == "ok"; }));
}

TEST_CASE("of_two_urls_the_one_that_is_down_gets_nothing") {
  Protected p;
  upstream::Destination to = p.crm();
  to.urls.push_back(*http::parse_url("http://127.0.0.1:1/"));
  to.health = {.path = "/healthz", .every = Duration(30), .timeout = Duration(1'000)};
  p.start(to);
  REQUIRE(p.until([&] { return !p.reports->empty() && p.reports->front().urls_down == 0b10; }));
  CHECK(p.state() == "ok");
  p.put_messages(20);
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered == 20; }));
  CHECK(told(*p.reports) == wire::DestinationStates{{destination_id("crm"), 0, 0b10}});
}

TEST_CASE("what_waits_for_a_paused_destination_expires_and_the_rest_of_its_key_keeps_its_order") {
  Protected p;
  p.start(p.crm());
  p.order(StopKind::paused, true);
  p.put_in(wire::GroupKind::order_skip, "1");
  const MessageId late = p.put_in(wire::GroupKind::order_skip, "2", Duration(60'000));
  for (const char* body : {"3", "4", "5"}) p.put_in(wire::GroupKind::order_skip, body);
  p.clock.advance(Duration(61'000));
  prune(*p.store, WallTime{}, WallTime{});  // as retention does every minute
  CHECK(p.delivery_of(late).reason == "expired");
  CHECK(p.seen == 0);
  p.order(StopKind::paused, false);
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").delivered == 4; }));
  CHECK(p.bodies == std::vector<std::string>{"1", "3", "4", "5"});
}

TEST_CASE("what_waits_behind_an_open_breaker_expires_and_is_superseded_as_anything_that_waits") {
  Protected p;
  upstream::Destination to = p.crm();
  to.breaker = {.failures = 2, .of_last = 2, .open_for = Duration(60'000)};
  p.status = 503;
  p.start(to);
  p.put_messages(2);
  REQUIRE(p.until([&] { return p.state() == "breaker_open"; }));
  const MessageId late = p.put_in(wire::GroupKind::none, "late", Duration(60'000));
  const MessageId older = p.put_in(wire::GroupKind::debounce, "older");
  p.clock.advance(Duration(61'000));
  p.pass(Duration(100));
  CHECK(backlog(*p.store, "crm").sending == 0);  // nothing is in hand, so nothing keeps a newer one waiting
  p.put_in(wire::GroupKind::debounce, "newer");
  CHECK(p.delivery_of(older).state == DeliveryState::superseded);
  prune(*p.store, WallTime{}, WallTime{});
  CHECK(p.delivery_of(late).reason == "expired");
  CHECK(p.seen == 2);
}

TEST_CASE("a_batch_is_one_request_to_the_breaker_and_one_attempt_of_each_member") {
  Protected p;
  upstream::Destination to = p.crm();
  to.breaker = {.failures = 2, .of_last = 10, .open_for = Duration(60'000)};
  to.retry.schedule = {Duration(0), Duration(3'600'000), Duration(3'600'000)};
  to.retry.jitter = 0;
  p.status = 503;
  p.start(to);
  std::vector<MessageId> members;
  for (int i = 0; i < 20; ++i) members.push_back(p.put_in(wire::GroupKind::batch_array, "{}"));
  p.clock.advance(Duration(1'000));
  REQUIRE(p.until([&] { return p.delivery_of(members.back()).attempts == 1; }));
  p.pass(Duration(50));
  CHECK(p.seen == 1);
  CHECK(p.state() == "ok");
  for (const MessageId& id : members) CHECK(p.delivery_of(id).attempts == 1);
  p.clock.advance(std::chrono::hours(1));
  REQUIRE(p.until([&] { return p.state() == "breaker_open"; }));
  CHECK(p.seen == 2);
  CHECK(p.bodies[0] == p.bodies[1]);
}

TEST_CASE("while_the_drain_rises_and_both_wait_what_comes_now_leaves_the_drain_its_share") {
  auto to = std::make_shared<upstream::Destination>();
  to->concurrency = 8;
  to->ramp = Duration(60'000);
  to->rate_per_second = 50;
  ManualClock clock;
  Lane lane;
  lane.use(to);
  lane.ramp.out();
  lane.ramp.succeeded(clock.monotonic());
  clock.advance(Duration(60'000));  // risen: half of the rate
  int drained = 0, live = 0;
  for (int ms = 0; ms < 10'000; ms += 25) {
    clock.advance(Duration(25));
    lane.pending.resize(100);
    lane.live.resize(100);
    while (const auto* from = lane.next(clock.monotonic())) {
      const bool is_live = from == &lane.live;
      ++(is_live ? live : drained);
      if (lane.sent(is_live)) --lane.draining;
      --lane.in_flight;
    }
  }
  CHECK(drained >= 230);
  CHECK(drained <= 260);
  CHECK(live >= 230);
  to->rate_per_second = 0;
  to->concurrency = 1;  // nothing but turns is left to share
  lane.allowed = 1;
  std::vector<int> turns;
  for (int i = 0; i < 4; ++i) {
    const bool is_live = lane.next(clock.monotonic()) == &lane.live;
    turns.push_back(is_live);
    if (lane.sent(is_live)) --lane.draining;
    --lane.in_flight;
  }
  CHECK(turns[0] != turns[1]);
  CHECK(turns[0] == turns[2]);
  CHECK(turns[1] == turns[3]);
}

TEST_CASE("what_the_sender_made_impossible_to_send_is_no_outage_of_the_backend") {
  Protected p;
  upstream::Destination to = p.crm();
  to.append_path = true;
  to.ramp = Duration(60'000);
  to.breaker = {.failures = 2, .of_last = 2, .open_for = Duration(60'000)};
  to.retry.schedule = std::vector<Duration>(4, Duration(0));
  p.start(to);
  NewMessage climbs = p.maker.message({"crm"});
  auto message = std::make_shared<Message>(*climbs.message);
  message->request.path_rest = "/../secret";
  climbs.message = message;
  REQUIRE(commit(*p.store, put(std::move(climbs))).ok());
  p.dispatcher->wake({destination_id("crm")});
  REQUIRE(p.until([&] { return backlog(*p.store, "crm").dead == 1; }));
  p.pass(Duration(50));
  CHECK(p.state() == "ok");
  CHECK(p.seen == 0);
}

TEST_CASE("a_health_check_is_healthy_with_2xx_whatever_success_says_of_webhooks") {
  Protected p;
  upstream::Destination to = p.crm();
  to.success = *upstream::StatusSet::parse({"202"});
  to.health = {.path = "/healthz", .every = Duration(30), .timeout = Duration(1'000)};
  p.start(to);
  REQUIRE(p.until([&] { return p.healthy_requests >= 4; }));
  CHECK(p.state() == "ok");
}

TEST_CASE("health_checks_of_many_destinations_are_spread_and_keep_no_connection") {
  Protected p;
  event::Resolver resolver(p.loop);
  upstream::Client client(p.loop, resolver, HealthChecks::kConnections);
  HealthChecks checks(p.loop, client, [](DestinationId, uint64_t) {});
  std::unordered_map<DestinationId, std::shared_ptr<const upstream::Destination>> all;
  constexpr size_t kMany = 100;
  for (size_t i = 0; i < kMany; ++i) {
    auto to = std::make_shared<upstream::Destination>(p.crm());
    to->key = i + 1;
    to->health = {.path = "/healthz", .every = Duration(2'000), .timeout = Duration(1'000)};
    all[to->key] = std::move(to);
  }
  const MonotonicTime start = p.loop.now();
  checks.use(all);
  REQUIRE(p.until([&] { return p.seen >= kMany; }));
  CHECK(p.loop.now() - start >= Duration(1'500));
  CHECK(checks.under_way() <= 2);
}

TEST_CASE("ten_thousand_destinations_that_change_all_the_time_are_reported_four_times_a_second") {
  Protected p;
  auto made = std::make_shared<upstream::Destinations>();
  constexpr size_t kMany = 10'000;
  std::vector<StopOrder> orders;
  for (size_t i = 0; i < kMany; ++i) {
    auto to = std::make_shared<upstream::Destination>(p.crm());
    to->name = "tenant-" + std::to_string(i);
    to->key = destination_id(to->name);
    to->breaker = {.failures = 2, .of_last = 2, .open_for = Duration(60'000)};
    orders.push_back({to->key, to->name, StopKind::paused, true, "anna", "an outage", p.clock.wall()});
    (*made)[to->name] = std::move(to);
  }
  Dispatcher dispatcher(p.loop, *p.store, p.clock);
  size_t reports = 0, told_of = 0, next = 0;
  dispatcher.on_reports([&](std::shared_ptr<const DestinationReports> now) {
    ++reports;
    told_of = told(*now).size();
  });
  dispatcher.set_destinations(made);
  p.pass(Duration(300));
  reports = 0;
  event::Timer changes(p.loop, [&] {
    dispatcher.stop_destination(orders[next++]);
    changes.start(Duration(5));
  });
  changes.start(Duration(0));
  const std::clock_t before = std::clock();
  p.pass(Duration(1'000));
  MESSAGE("1 s of 10,000 lanes, 40 ticks: " << 1'000.0 * static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC << " ms of processor time");
  CHECK(reports >= 1);
  CHECK(reports <= 5);
  changes.cancel();
  REQUIRE(p.until([&] { return told_of == next; }));  // the last of them, too
}

TEST_CASE("when_more_is_to_be_told_than_a_frame_holds_stops_are_told_first") {
  DestinationReports reports(4);
  for (size_t i = 0; i < reports.size(); ++i) reports[i].destination = i;
  for (const size_t broken : {0, 1, 2}) reports[broken].breaker = upstream::Breaker::State::open;
  reports[3].stop.disabled.on = true;
  size_t left_out = 0;
  CHECK(told(reports, 4, &left_out).size() == 4);
  CHECK(left_out == 0);
  const auto states = told(reports, 2, &left_out);
  REQUIRE(states.size() == 2);
  CHECK(left_out == 2);
  CHECK(states[0].destination == 3);
  CHECK(states[1].destination == 0);
}

TEST_CASE("what_workers_hear_is_what_they_need_to_hold_back") {
  DestinationReport report;
  report.destination = 7;
  CHECK(told({report}).empty());
  report.breaker = upstream::Breaker::State::half_open;
  CHECK(told({report}).empty());  // forwards may have to be the probes
  report.breaker = upstream::Breaker::State::open;
  report.stop.paused.on = true;
  const auto states = told({report});
  REQUIRE(states.size() == 1);
  CHECK(states[0] == wire::DestinationState{7, wire::DestinationState::kPaused | wire::DestinationState::kBroken, 0});
  CHECK(report.state() == "paused");
}

}  // namespace

}  // namespace belay::spool::test
