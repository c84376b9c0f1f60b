// Which url is next: the policy alone, and with real backends that fall and return.
#include <doctest/doctest.h>

#include "tests/unit/upstream/scripted_backend.h"
#include "upstream/balance.h"

using namespace belay;
using namespace belay::upstream;

namespace {

struct Urls {
  explicit Urls(size_t count) : balancer(count) {}
  size_t next(Balance how, uint64_t down = 0) { return balancer.choose(how, down, clock.monotonic()); }
  void fail(size_t url, int times) {
    for (int i = 0; i < times; ++i) balancer.learn(url, true, clock.monotonic());
  }
  Balancer balancer;
  ManualClock clock;
};

}  // namespace

TEST_CASE("urls_take_turns_and_those_that_are_down_are_left_out") {
  Urls urls(3);
  std::vector<size_t> turns;
  for (int i = 0; i < 4; ++i) turns.push_back(urls.next(Balance::round_robin));
  CHECK(turns == std::vector<size_t>{0, 1, 2, 0});
  CHECK(urls.next(Balance::round_robin, 0b010) == 2);
  CHECK(urls.next(Balance::round_robin, 0b111) == 0);  // all down: one is tried all the same
}

TEST_CASE("the_one_with_the_fewest_requests_under_way_is_next") {
  Urls urls(3);
  urls.balancer.sent(0);
  urls.balancer.sent(1);
  CHECK(urls.next(Balance::least_pending) == 2);
  urls.balancer.sent(2);
  urls.balancer.sent(2);
  urls.balancer.ended(1);
  CHECK(urls.next(Balance::least_pending) == 1);
  CHECK(urls.next(Balance::least_pending, 0b010) == 0);
}

TEST_CASE("the_first_that_lives_gets_everything_and_gets_it_back") {
  Urls urls(3);
  for (int i = 0; i < 3; ++i) CHECK(urls.next(Balance::first_alive) == 0);
  urls.fail(0, Balancer::kEjectAfter - 1);
  CHECK(urls.next(Balance::first_alive) == 0);
  CHECK(urls.balancer.learn(0, true, urls.clock.monotonic()));
  CHECK(urls.next(Balance::first_alive) == 1);
  urls.clock.advance(Balancer::kEjectFor);
  CHECK(urls.next(Balance::first_alive) == 0);  // a probe
  urls.balancer.sent(0);
  CHECK(urls.next(Balance::first_alive) == 1);  // one at a time
  urls.balancer.ended(0);
  urls.fail(0, 1);
  CHECK(urls.next(Balance::first_alive) == 1);
  urls.clock.advance(Balancer::kEjectFor);
  urls.balancer.learn(0, false, urls.clock.monotonic());
  urls.balancer.sent(0);
  CHECK(urls.next(Balance::first_alive) == 0);
}

TEST_CASE("when_every_url_is_ejected_health_decides_and_then_nobody") {
  Urls urls(2);
  urls.fail(0, Balancer::kEjectAfter);
  urls.fail(1, Balancer::kEjectAfter);
  CHECK(urls.next(Balance::first_alive, 0b01) == 1);
  CHECK(urls.next(Balance::first_alive, 0b11) == 0);
}

TEST_CASE("a_backend_of_two_that_fails_is_left_out_after_five_answers_and_a_lone_one_never") {
  belay::event::Loop loop;
  test::Caller sender(loop);
  test::ScriptedBackend bad(loop, [](const std::string&) { return test::Answer{.bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"}; });
  test::ScriptedBackend good(loop, [](const std::string&) { return test::ok(); });
  const auto to = test::destination({bad.url(), good.url()});
  for (int i = 0; i < 40; ++i) sender.send(to);
  CHECK(bad.requests.size() == 5);
  CHECK(good.requests.size() == 35);
  const auto alone = test::destination({bad.url()});
  for (int i = 0; i < 20; ++i) CHECK(sender.send(alone)->status == 503);
}

TEST_CASE("a_url_that_refuses_passes_its_request_on_and_urls_known_to_be_down_are_not_tried") {
  belay::event::Loop loop;
  test::Caller sender(loop);
  test::ScriptedBackend one(loop, [](const std::string&) { return test::ok(); }), two(loop, [](const std::string&) { return test::ok(); });
  auto to = test::destination({"http://127.0.0.1:1", one.url(), two.url()});
  to->balance = Balance::first_alive;
  for (int i = 0; i < 10; ++i) CHECK(sender.send(to)->status == 200);
  CHECK(one.requests.size() == 10);
  auto outbound = sender.outbound();
  outbound.urls_down = 0b011;
  bool done = false;
  const auto call = sender.client.send(to, outbound, [&](const Attempt& attempt) { done = attempt.status() == 200; });
  REQUIRE(loop.run_until([&] { return done; }, Duration(10'000)));
  CHECK(two.requests.size() == 1);
}

TEST_CASE("a_url_that_fails_says_nothing_about_the_destination_while_another_is_well") {
  belay::event::Loop loop;
  test::Caller sender(loop);
  const auto busy = [](const std::string&) { return test::Answer{.bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}; };
  test::ScriptedBackend bad(loop, busy), worse(loop, busy);
  test::ScriptedBackend good(loop, [](const std::string&) { return test::ok(); });
  const auto failures_of = [&](const std::shared_ptr<upstream::Destination>& to, uint64_t down) {
    int failures = 0;
    for (int i = 0; i < 8; ++i) {
      auto outbound = sender.outbound();
      outbound.urls_down = down;
      bool done = false;
      const auto call = sender.client.send(to, outbound, [&](const Attempt& attempt) {
        done = true;
        failures += attempt.destination_failed(*to) == true ? 1 : 0;
      });
      REQUIRE(loop.run_until([&] { return done; }, Duration(10'000)));
    }
    return failures;
  };
  CHECK(failures_of(test::destination({bad.url(), good.url()}), 0) == 0);
  CHECK(failures_of(test::destination({bad.url(), worse.url()}), 0) == 7);  // the first could not know; no connection is kept between them
  CHECK(failures_of(test::destination({bad.url(), good.url()}), 0b10) == 8);
  CHECK(failures_of(test::destination({bad.url()}), 0) == 8);
}
