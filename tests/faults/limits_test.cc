// A spool out of descriptors, and one out of memory: what it has acknowledged is delivered, it does not spin, it takes webhooks
// again when it can.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include "faults/fault.h"

using namespace belay::test;

namespace {

constexpr Milliseconds kSpinning(1'400);  // of processor time in two seconds

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
