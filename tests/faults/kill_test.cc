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
// Those that a worker lives by, and those that a master needs for a reload.
constexpr const char* kWorkerCalls[] = {"accept4", "recvfrom", "sendmsg", "write", "close", "epoll_wait"};
constexpr const char* kMasterCalls[] = {"openat", "read", "clone", "pipe2", "kill", "wait4"};
static_assert(std::size(kWorkerCalls) == std::size(kMasterCalls));
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
  static std::vector<std::string> strace(const std::string& call, int when) {
    return {"strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=" + call + ":signal=KILL:when=" + std::to_string(when)};
  }
  static std::vector<std::string> strace_of(pid_t pid, const std::string& call, int when) {
    auto command = strace(call, when);
    command.insert(command.end(), {"-p", std::to_string(pid)});
    return command;
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
    Process tracer(strace_of(spool.pid(), call, when), folder / "tracer");
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

TEST_CASE("a_worker_and_the_master_are_killed_at_every_kind_of_system_call_and_come_back") {
  if (!can_trace()) return;
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = two_ways(backend), .proxy = "  workers: 1\n"});
  Senders senders(gateway.address(), 4);
  std::mt19937 random(29);
  int injected = 0, by_pid = 0;
  const auto kill_at = [&](pid_t victim, const std::string& call, int when, const std::function<void()>& while_traced) {
    REQUIRE_GT(victim, 0);
    Process tracer(Sweep::strace_of(victim, call, when), folder / ("tracer" + std::to_string(injected + by_pid)));
    REQUIRE(wait_for([&] { return tracer.err().find("attached") != std::string::npos; }));
    while_traced();
    if (wait_for([&] { return gone(victim); }, kLongest)) {
      ++injected;
    } else {
      kill(victim, SIGKILL);
      ++by_pid;
    }
    // Both are back, and so is the traffic.
    CHECK(wait_for([&] { return gone(victim) && gateway.workers().size() == 1 && gateway.spool() > 0; }));
    const size_t before = senders.acknowledged_count();
    CHECK(wait_for([&] { return senders.acknowledged_count() > before + 10; }));
  };
  const auto connections = [&] {
    for (int i = 0; i < 8; ++i) {
      try {
        send_once(gateway.address(), request("POST", "/now", {}, "{}"));
      } catch (const std::runtime_error&) {  // it is gone
      }
    }
  };
  for (size_t i = 0; i < std::size(kWorkerCalls); ++i) {  // in turn: a new master starts workers at once, however many died
    CAPTURE(i);
    kill_at(gateway.workers().at(0), kWorkerCalls[i], 1 + static_cast<int>(random() % 6), connections);
    kill_at(gateway.master(), kMasterCalls[i], 1, [&] { kill(gateway.master(), SIGHUP); });
  }
  MESSAGE("killed at a system call ", injected, " times, by pid ", by_pid, " times");
  CHECK_GT(injected, 7);
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
