// What holds a destination back, with the real dispatcher, a real backend and a store in memory: stops, on_dead, the
// breaker, the ramp, health checks.
#include <doctest/doctest.h>

#include "event/simple_server.h"
#include "spool/dispatcher.h"
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
