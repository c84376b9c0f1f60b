// The system's clock jumps under a running gateway, and lies at its start: no storm of attempts, no stall, nothing lost.
#include <doctest/doctest.h>

#include "faults/fake_time.h"
#include "faults/fault.h"

using namespace belay::test;

namespace {

constexpr const char* kJumps[] = {"+3600", "+0", "-3600", "@1970-01-01 00:10:00", "+315360000", "+0"};
// Waits that a storm would shorten and a stall would lengthen.
constexpr const char* kRetry = "timeout: 5s, retry: { first: 1s, factor: 1, max: 1s, attempts: 1000 }";

}  // namespace

TEST_CASE("a_clock_that_jumps_makes_no_storm_of_attempts_and_no_stall") {
  if (!FakeTime::possible()) return;
  const TempFolder folder;
  const FakeTime time(folder);
  Backend backend(folder);
  backend.mode("status 503");
  Gateway gateway(folder, {.rules = two_ways(backend, kRetry), .environment = time.environment()});
  Senders senders(gateway.address(), 2, {.pace = Milliseconds(5)});
  REQUIRE(wait_for([&] { return senders.acknowledged_count() > 20; }));
  senders.finish();
  Arrived arrived(backend);
  for (const std::string jump : kJumps) {
    CAPTURE(jump);
    time.set(jump);
    const auto count = [&] { return arrived.update(), arrived.attempts(); };
    const size_t before = count();
    // Each that waits is tried about once a second; slow start lets even fewer through. A second is enough for a storm.
    CHECK(wait_for([&] { return count() > before + 1; }, Milliseconds(6'000)));
    CHECK_FALSE(wait_for([&] { return count() > before + 3 * senders.acknowledged_count(); }, Milliseconds(1'500)));
  }
  backend.mode("ok");
  check_promises(gateway, backend, senders);
}

TEST_CASE("webhooks_pass_whatever_the_clock_says_while_they_come") {
  if (!FakeTime::possible()) return;
  const TempFolder folder;
  const FakeTime time(folder);
  Backend backend(folder);
  Gateway gateway(folder, {.rules = two_ways(backend, kRetry), .environment = time.environment()});
  Senders senders(gateway.address(), 2, {.pace = Milliseconds(3)});
  for (const std::string jump : kJumps) {
    CAPTURE(jump);
    time.set(jump);
    const size_t before = senders.acknowledged_count();
    CHECK(wait_for([&] { return senders.acknowledged_count() > before + 40; }));
  }
  senders.finish();
  for (const auto& [status, count] : senders.statuses()) CHECK_EQ(status / 100, 2);
  check_promises(gateway, backend, senders);
}

TEST_CASE("what_waits_is_delivered_after_a_start_with_another_clock") {
  if (!FakeTime::possible()) return;
  for (const std::string jump : {"+3600", "-3600", "@1970-01-01 00:10:00", "+315360000"}) {
    CAPTURE(jump);
    const TempFolder folder;
    const FakeTime time(folder);
    Backend backend(folder);
    backend.mode("status 503");
    const GatewayOptions options{.rules = two_ways(backend, kRetry), .environment = time.environment()};
    auto gateway = std::make_unique<Gateway>(folder, options);
    auto senders = std::make_unique<Senders>(gateway->address(), 1);
    REQUIRE(wait_for([&] { return senders->acknowledged_count() > 10; }));
    senders->finish();
    gateway->stop();
    time.set(jump);
    backend.mode("ok");
    gateway.reset();
    gateway = std::make_unique<Gateway>(folder, options);
    check_promises(*gateway, backend, *senders, Milliseconds(10'000));
    const auto answer = send_once(gateway->address(), request("POST", "/later", {}, "{\"after\":1}"));
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, 202);
    CHECK(wait_for([&] { return totals(*gateway)->waiting == 0; }));
  }
}
