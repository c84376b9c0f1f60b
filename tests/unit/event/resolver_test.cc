#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "event/resolver.h"
#include "tests/unit/event/name_server.h"

using namespace belay;
using namespace belay::event;
using namespace belay::test;
using namespace std::chrono_literals;

TEST_CASE("literals_and_localhost_are_answered_at_once") {
  Loop loop;
  Resolver resolver(loop, "127.0.0.1:1");
  int answered = 0;
  for (const std::string host : {"127.0.0.1", "::1", "localhost", "api.localhost", "LOCALHOST"}) {
    resolver.resolve(host, [&](const Result<std::vector<IpAddress>>& found) {
      ++answered;
      REQUIRE(found.ok());
      CHECK((*found)[0].is_loopback());
    });
  }
  CHECK_EQ(answered, 5);
}

TEST_CASE("names_asked_together_are_asked_once_and_kept_for_their_time_to_live") {
  NameServer server;
  Loop loop;
  Resolver resolver(loop, server.address());
  int answered = 0;
  const auto done = [&](const Result<std::vector<IpAddress>>& found) {
    ++answered;
    REQUIRE(found.ok());
    REQUIRE_EQ(found->size(), 1);
    CHECK_EQ((*found)[0].to_string(), "192.0.2.7");
  };
  for (int i = 0; i < 5; ++i) resolver.resolve("backend.example", done);
  REQUIRE(loop.run_until([&] { return answered == 5; }, 60s));
  resolver.resolve("backend.example", done);
  CHECK_EQ(answered, 6);
  CHECK_EQ(server.questions, 1);
}

TEST_CASE("a_name_that_does_not_exist_is_an_error_in_words_and_is_asked_again_next_time") {
  NameServer server;
  Loop loop;
  Resolver resolver(loop, server.address());
  std::string error;
  for (int i = 1; i <= 2; ++i) {
    error.clear();
    resolver.resolve("gone.example", [&](const Result<std::vector<IpAddress>>& found) {
      REQUIRE_FALSE(found.ok());
      error = found.error().message;
    });
    REQUIRE(loop.run_until([&] { return !error.empty(); }, 60s));
    CHECK_EQ(error, "DNS: gone.example: Domain name not found");
    CHECK_EQ(server.questions, i);
  }
}

TEST_CASE("a_silent_name_server_is_a_timeout_in_bounded_time") {
  NameServer server;
  Loop loop;
  Resolver resolver(loop, server.address());
  bool timed_out = false;
  const auto start = std::chrono::steady_clock::now();
  resolver.resolve("mute.example", [&](const Result<std::vector<IpAddress>>& found) {
    REQUIRE_FALSE(found.ok());
    timed_out = found.error().kind == ErrorKind::timeout;
  });
  CHECK(loop.run_until([&] { return timed_out; }, 60s));
  CHECK(std::chrono::steady_clock::now() - start < 4 * Resolver::kTimeout);
}

TEST_CASE("a_resolver_destroyed_with_questions_under_way_calls_nobody") {
  NameServer server;
  Loop loop;
  auto resolver = std::make_unique<Resolver>(loop, server.address());
  resolver->resolve("mute.example", [&](const Result<std::vector<IpAddress>>&) { FAIL("called back"); });
  loop.run_until([] { return false; }, 20ms);
  resolver.reset();
}
