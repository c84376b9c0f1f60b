// A spool out of descriptors, a spool or a whole gateway out of memory: what was acknowledged is delivered, nothing spins,
// webhooks are taken again when there is room.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include "faults/fault.h"
#include "faults/memory_group.h"

using namespace belay::test;

namespace {

constexpr Milliseconds kSpinning(1'400);  // of processor time in two seconds
constexpr size_t kGroup = 256 << 20, kTooLittle = 40 << 20;

void limit(pid_t pid, __rlimit_resource what, rlim_t soft) {
  rlimit now{};
  REQUIRE_EQ(prlimit(pid, what, nullptr, &now), 0);
  now.rlim_cur = soft;
  REQUIRE_EQ(prlimit(pid, what, &now, nullptr), 0);
}

}  // namespace

TEST_CASE("a_spool_without_descriptors_delivers_by_those_it_has_and_does_not_spin") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("slow 100");
  Gateway gateway(folder, {.rules = two_ways(backend, "timeout: 5s, concurrency: 64, retry: { first: 100ms, max: 500ms, attempts: 1000 }")});
  const pid_t spool = gateway.spool();
  limit(spool, RLIMIT_NOFILE, open_descriptors(spool) + 8);
  Senders senders(gateway.address(), 4, {.paths = {"/later"}, .pace = Milliseconds(2)});
  REQUIRE(wait_for([&] { return senders.acknowledged_count() > 300; }, Milliseconds(20'000)));
  senders.finish();
  // Out of descriptors and with nothing else to do it must wait, not turn.
  const Milliseconds before = cpu_time(spool);
  CHECK_FALSE(wait_for([&] { return cpu_time(spool) - before > kSpinning; }, Milliseconds(2'000)));
  MESSAGE("processor time in two seconds: ", (cpu_time(spool) - before).count(), " ms");
  CHECK_EQ(gateway.spool(), spool);
  limit(spool, RLIMIT_NOFILE, 1'024);
  backend.mode("ok");
  check_promises(gateway, backend, senders);
  CHECK_LT(count_of(gateway.log(), "\n"), 200);
}

TEST_CASE("a_spool_out_of_memory_ends_and_comes_back_with_what_it_acknowledged") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("status 503");
  Gateway gateway(folder, {.rules = two_ways(backend), .expect_alerts = true});
  const pid_t spool = gateway.spool();
  Senders senders(gateway.address(), 4, {.paths = {"/later"}, .padding = 9'000'000});
  REQUIRE(wait_for([&] { return senders.acknowledged_count() > 1; }));
  limit(spool, RLIMIT_AS, 4'096);  // what it has it keeps; a body more and there is none
  CHECK(wait_for([&] { return gone(spool); }));
  const size_t before = senders.acknowledged_count();
  CHECK(wait_for([&] { return senders.acknowledged_count() > before + 3; }));
  senders.finish();
  backend.mode("ok");
  check_promises(gateway, backend, senders);
}

TEST_CASE("limits_memory_keeps_the_gateway_below_the_limit_of_its_control_group") {
  const TempFolder folder;
  const MemoryGroup group(kGroup);
  if (!group.ready()) return;
  Backend backend(folder);
  backend.mode("slow 300");
  Gateway gateway(folder, {.rules = two_ways(backend), .proxy = "  workers: 2\n  limits: { memory: 24MB }\n"});
  group.take(gateway);
  const auto workers = gateway.workers();
  const pid_t spool = gateway.spool(), master = gateway.master();
  Senders senders(gateway.address(), 24, {.padding = 3'000'000});
  CHECK(wait_for([&] { return senders.acknowledged_count() > 60 && senders.statuses()[503] > 20; }, Milliseconds(30'000)));
  senders.finish();
  CHECK_EQ(group.killed(), 0);
  CHECK(gateway.workers() == workers);
  CHECK_EQ(gateway.spool(), spool);
  CHECK_EQ(gateway.master(), master);
  backend.mode("ok");
  check_promises(gateway, backend, senders);
}

TEST_CASE("what_the_kernel_ends_for_want_of_memory_comes_back_and_nothing_that_was_acknowledged_is_lost") {
  const TempFolder folder;
  const MemoryGroup group(kGroup);
  if (!group.ready()) return;
  Backend backend(folder);
  backend.mode("slow 300");
  Gateway gateway(folder, {.rules = two_ways(backend), .proxy = "  workers: 2\n", .expect_alerts = true});
  group.take(gateway);
  Senders senders(gateway.address(), 24, {.padding = 5'000'000});
  REQUIRE(wait_for([&] { return senders.acknowledged_count() > 10; }));
  group.limit(kTooLittle);
  CHECK(wait_for([&] { return group.killed() > 1; }, Milliseconds(20'000)));
  group.limit(2 * kGroup);
  backend.mode("ok");
  const size_t before = senders.acknowledged_count();
  CHECK(wait_for([&] { return senders.acknowledged_count() > before + 30; }, Milliseconds(20'000)));
  senders.finish();
  MESSAGE("ended for want of memory: ", group.killed());
  check_promises(gateway, backend, senders);
}
