// One dead destination among 1,000, with the real dispatcher on real sockets: the others' deliveries take as long as without it.
#include <doctest/doctest.h>

#include <algorithm>
#include <unordered_map>

#include "event/simple_server.h"
#include "spool/dispatcher.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

namespace {

constexpr size_t kDestinations = 1'000;
constexpr Duration kLimit{60'000};

struct Many {
  Many() {
    REQUIRE(backend.listen("127.0.0.1:0").ok());
    REQUIRE(dead.listen("127.0.0.1:0").ok());
    auto made = std::make_shared<upstream::Destinations>();
    for (size_t i = 0; i < kDestinations; ++i) add(*made, "d" + std::to_string(i), backend.port());
    add(*made, "dead", dead.port());
    dispatcher = std::make_unique<Dispatcher>(loop, *store, clock);
    dispatcher->set_destinations(made);
  }
  static void add(upstream::Destinations& to, const std::string& name, uint16_t port) {
    upstream::Destination one;
    one.name = name;
    one.key = destination_id(name);
    one.urls = {*http::parse_url("http://127.0.0.1:" + std::to_string(port) + "/")};
    one.timeout = Duration(30'000);
    one.connect_timeout = Duration(5'000);
    one.success = *upstream::StatusSet::parse({"2xx"});
    one.retry_on = *upstream::StatusSet::parse({"5xx"});
    one.retry.schedule = std::vector<Duration>(100, Duration(0));
    one.concurrency = 512;
    one.network_allow = {*Cidr::parse("127.0.0.0/8")};
    to[name] = std::make_shared<const upstream::Destination>(std::move(one));
  }
  void put_dead(size_t count) {
    for (size_t i = 0; i < count; ++i) REQUIRE(commit(*store, put(maker.message({"dead"}, std::string(4'000, 'x')))).ok());
    dispatcher->wake({destination_id("dead")});
  }
  // One message for every destination; the median and the worst time from the commit to the backend.
  std::pair<Duration, Duration> measure() {
    arrived.clear();
    std::unordered_map<std::string, MonotonicTime> sent;
    std::vector<Duration> took;
    for (size_t i = 0; i < kDestinations; i += 50) {
      std::vector<DestinationId> wake;
      for (size_t k = i; k < i + 50; ++k) {
        NewMessage message = maker.message({"d" + std::to_string(k)});
        sent[message.message->event.id.to_string()] = SystemClock().monotonic();
        wake.push_back(message.deliveries[0].destination);
        REQUIRE(commit(*store, put(std::move(message))).ok());
      }
      dispatcher->wake(wake);
      REQUIRE(loop.run_until([&] { return arrived.size() == i + 50; }, kLimit));
    }
    for (const auto& [id, at] : arrived) took.push_back(std::chrono::duration_cast<Duration>(at - sent.at(id)));
    std::sort(took.begin(), took.end());
    return {took[took.size() / 2], took.back()};
  }

  ManualClock clock;
  std::unique_ptr<Store> store = open_memory_store(clock);
  Maker maker{clock};
  event::Loop loop;
  std::unordered_map<std::string, MonotonicTime> arrived;
  size_t dead_seen = 0;
  bool dead_hangs = false;
  std::vector<event::SimpleServer::Respond> hanging;
  event::SimpleServer backend{loop, [this](const event::SimpleRequest& request, const event::SimpleServer::Respond& respond) {
                                arrived[*request.header("webhook-id")] = SystemClock().monotonic();
                                respond({200, {}, ""});
                              }};
  event::SimpleServer dead{loop, [this](const event::SimpleRequest&, event::SimpleServer::Respond respond) {
                             ++dead_seen;
                             if (dead_hangs) hanging.push_back(std::move(respond));
                             else respond({503, {}, ""});
                           }};
  std::unique_ptr<Dispatcher> dispatcher;
};

TEST_CASE("a_destination_that_hangs_with_thousands_waiting_does_not_slow_a_thousand_others") {
  Many many;
  const auto alone = many.measure();
  many.dead_hangs = true;
  many.put_dead(5'000);
  REQUIRE(many.loop.run_until([&] { return many.dead_seen >= 200; }, kLimit));
  const auto beside = many.measure();
  MESSAGE("median ", alone.first.count(), " ms alone, ", beside.first.count(), " ms beside one that hangs; worst ", alone.second.count(), " and ", beside.second.count());
  CHECK(beside.first <= alone.first * 2 + Duration(50));
  CHECK(beside.second <= alone.second * 3 + Duration(250));
  CHECK(many.dead_seen <= 512);
}

TEST_CASE("a_destination_that_fails_at_once_and_is_tried_again_at_once_does_not_slow_a_thousand_others") {
  Many many;
  const auto alone = many.measure();
  many.put_dead(500);
  REQUIRE(many.loop.run_until([&] { return many.dead_seen >= 100; }, kLimit));
  const auto beside = many.measure();
  MESSAGE("median ", alone.first.count(), " ms alone, ", beside.first.count(), " ms beside one that fails; worst ", alone.second.count(), " and ", beside.second.count());
  CHECK(beside.first <= alone.first * 2 + Duration(50));
  CHECK(beside.second <= alone.second * 3 + Duration(250));
}

}  // namespace

}  // namespace belay::spool::test
