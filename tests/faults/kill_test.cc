// kill -9 of spool, worker and master while senders send: whatever was acknowledged is delivered, the books balance, and the
// halves come back by themselves.
#include <doctest/doctest.h>
#include <signal.h>

#include <random>

#include "faults/fault.h"

using namespace belay::test;

namespace {

// The system calls that the spool lives by; it is killed at the Nth of one of its threads.
constexpr const char* kCalls[] = {"pwrite64", "writev", "fdatasync", "sendto", "lseek", "recvfrom", "read", "write", "epoll_wait", "accept4", "connect", "futex", "mmap", "openat"};
constexpr int kTimes[] = {1, 2, 3, 7, 20, 60};
constexpr Milliseconds kLongest(500);  // a call that does not come so often is killed by pid then

struct Sweep {
  const TempFolder& folder;
  const Gateway& gateway;
  const Senders& senders;
  int injected = 0, by_pid = 0, by_itself = 0;

  void wait_for_the_end(SpoolHalf& spool, const std::function<bool()>& ended) {
    if (!wait_for(ended, kLongest)) {
      spool.end();
      ++by_pid;
      return;
    }
    const Exit exit = spool.process().wait();
    if (exit.signal == SIGKILL || exit.code == 128 + SIGKILL) ++injected;
    else ++by_itself;
  }
  std::vector<std::string> strace(const std::string& call, int when) const {
    return {"strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=" + call + ":signal=KILL:when=" + std::to_string(when)};
  }
  void while_it_starts(const std::string& call, int when) {
    SpoolHalf spool(folder, gateway, strace(call, when));
    wait_for_the_end(spool, [&] { return !spool.running(); });
  }
  void under_load(const std::string& call, int when) {
    SpoolHalf spool(folder, gateway);
    REQUIRE(spool.wait_until_ready());
    const size_t before = senders.acknowledged_count();
    REQUIRE(wait_for([&] { return senders.acknowledged_count() > before + 3; }));
    auto command = strace(call, when);
    command.insert(command.end(), {"-p", std::to_string(spool.pid())});
    Process tracer(command, folder / "tracer");
    wait_for_the_end(spool, [&] { return !spool.running(); });
  }
};

}  // namespace

TEST_CASE("the_spool_is_killed_at_every_kind_of_system_call_and_keeps_what_it_acknowledged") {
  if (!can_trace()) return;
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = two_ways(backend), .proxy = "  workers: 2\n", .command = "proxy"});
  Senders senders(gateway.address(), 4, {.paths = {"/later"}, .pace = Milliseconds(4)});
  Sweep sweep{folder, gateway, senders};
  for (size_t i = 0; i < std::size(kCalls); ++i) {
    CAPTURE(i);
    sweep.while_it_starts(kCalls[i], kTimes[i % std::size(kTimes)]);
    sweep.under_load(kCalls[i], kTimes[(i + 3) % std::size(kTimes)]);
  }
  MESSAGE("killed at a system call ", sweep.injected, " times, by pid ", sweep.by_pid, " times, acknowledged ", senders.acknowledged_count());
  CHECK_EQ(sweep.by_itself, 0);
  CHECK_GT(sweep.injected, 10);
  SpoolHalf spool(folder, gateway);
  REQUIRE(spool.wait_until_ready());
  const size_t before = senders.acknowledged_count();
  CHECK(wait_for([&] { return senders.acknowledged_count() > before + 20; }));
  senders.finish();
  check_promises(gateway, backend, senders);
}

TEST_CASE("spool_worker_and_master_are_killed_by_pid_in_a_loop_and_come_back") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = two_ways(backend), .proxy = "  workers: 2\n"});
  Senders senders(gateway.address(), 6, {.pace = Milliseconds(3)});
  std::mt19937 random(5);
  for (int round = 0; round < 12; ++round) {
    const auto workers = gateway.workers();
    const pid_t victims[] = {gateway.spool(), workers.empty() ? -1 : workers[random() % workers.size()], gateway.master()};
    const pid_t victim = victims[round % 3];
    CAPTURE(round);
    if (victim > 0) {
      kill(victim, SIGKILL);
      CHECK(wait_for([&] { return gone(victim); }));
    }
    const size_t before = senders.acknowledged_count();
    const size_t further = 10 + random() % 100;
    CHECK(wait_for([&] { return senders.acknowledged_count() > before + further; }, Milliseconds(20'000)));
  }
  senders.finish();
  CHECK(wait_for([&] { return gateway.workers().size() == 2; }));
  check_promises(gateway, backend, senders);
  CHECK_EQ(count_of(gateway.log(), "was ended by signal 9"), 12);
}
