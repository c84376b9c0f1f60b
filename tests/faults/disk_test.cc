// A disk that fails or stands still under the running gateway: the spool stops taking, says one line and ends; webhooks are
// forwarded all the same; when the disk works again the spool is back by itself.
#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>

#include "faults/fault.h"

using namespace belay::test;

namespace {

struct Running {
  const TempFolder folder;
  Backend backend{folder};
  Gateway gateway;
  Senders later, now;

  explicit Running(const std::vector<std::pair<std::string, std::string>>& environment = {})
      : gateway(folder, {.rules = two_ways(backend), .proxy = "  workers: 2\n", .environment = environment, .expect_alerts = true}),
        later(gateway.address(), 3, {.paths = {"/later"}}),
        now(gateway.address(), 1, {.paths = {"/now"}}) {
    REQUIRE(more(later));
  }
  static bool more(const Senders& of, size_t count = 20) {
    const size_t before = of.acknowledged_count();
    return wait_for([&] { return of.acknowledged_count() > before + count; });
  }
  void end() {
    CHECK(more(later));
    now.finish();
    later.finish();
    for (const auto& [status, count] : now.statuses()) CHECK_EQ(status, 200);
    check_promises(gateway, backend, later);
  }
};

size_t ends_of(const Gateway& gateway, pid_t spool) { return count_of(gateway.log(), "spool[" + std::to_string(spool) + "] ALERT spool ends"); }

std::vector<std::string> tracer(pid_t pid, const std::string& injection) {
  return {"strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:" + injection, "-p", std::to_string(pid)};
}

}  // namespace

TEST_CASE("a_meta_page_that_cannot_be_written_ends_the_spool_and_nothing_else") {
  const TempFolder triggers;
  const char* library = getenv("BELAY_FAULTY_DISK");
  REQUIRE(library != nullptr);
  Running running({{"LD_PRELOAD", library}, {"FAULTY_DISK_META", triggers / "fail"}});
  const pid_t spool = running.gateway.spool();
  triggers.write("fail", "");
  REQUIRE(wait_for([&] { return gone(spool); }));
  CHECK(Running::more(running.now, 100));
  CHECK_EQ(ends_of(running.gateway, spool), 1);
  unlink((triggers / "fail").c_str());
  running.end();
}

TEST_CASE("a_flush_that_fails_under_load_ends_the_spool_and_nothing_else") {
  if (!can_trace()) return;
  for (const int when : {1, 2, 9}) {
    CAPTURE(when);
    Running running;
    const pid_t spool = running.gateway.spool();
    const Process disk(tracer(spool, "error=EIO:when=" + std::to_string(when) + "+"), running.folder / "strace");
    REQUIRE(wait_for([&] { return gone(spool); }));
    CHECK(Running::more(running.now, 50));
    CHECK_EQ(ends_of(running.gateway, spool), 1);
    running.end();
  }
}

TEST_CASE("while_a_disk_stalls_webhooks_are_forwarded_and_nothing_is_acknowledged_that_is_not_stored") {
  if (!can_trace()) return;
  Running running;
  {
    const Process disk(tracer(running.gateway.spool(), "delay_enter=2500000"), running.folder / "strace");
    REQUIRE(wait_for([&] { return disk.err().find("attached") != std::string::npos; }));
    const size_t before = running.later.acknowledged_count();
    CHECK(Running::more(running.now, 300));
    // One commit may have been under way when the disk stopped, one takes its two seconds.
    CHECK_LE(running.later.acknowledged_count(), before + 9);
    const auto began = std::chrono::steady_clock::now();
    CHECK_EQ(send_once(running.gateway.address(), request("POST", "/now", {}, "{\"n\":0}"))->status, 200);
    CHECK_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  }
  running.end();
}
