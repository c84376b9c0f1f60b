// The power goes while senders send: the spool's ext4 is shut down by the kernel with all that was not flushed, also while
// flushes are held. Mounted again, it has every acknowledged webhook. Needs root and loop devices.
#include <doctest/doctest.h>

#include "faults/disk.h"
#include "faults/fault.h"

using namespace belay::test;

namespace {

void cut_the_power_while(const std::string& flushes) {
  const TempFolder folder;
  const std::string image = folder / "image";
  if (!own_mounts() || !LoopDisk::make(image)) return;
  LoopDisk disk(image, folder / "state/var");
  if (!disk.mount()) return;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = two_ways(backend), .proxy = "  workers: 2\n", .command = "proxy"});
  Senders senders(gateway.address(), 6, {.paths = {"/later"}, .padding = 300});
  for (int cut = 0; cut < 4; ++cut) {
    CAPTURE(cut);
    SpoolHalf spool(folder, gateway);
    REQUIRE(spool.wait_until_ready());
    std::unique_ptr<Process> holder;
    if (flushes == "held") {
      holder = std::make_unique<Process>(std::vector<std::string>{"strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=60000",
                                                                  "-p", std::to_string(spool.pid())}, folder / "holder");
    }
    const size_t before = senders.acknowledged_count();
    REQUIRE(wait_for([&] { return senders.acknowledged_count() > before + 30; }));
    REQUIRE(disk.cut());
    // What senders send now fails on that disk: the spool says so once and ends.
    CHECK(wait_for([&] { return !spool.running(); }));
    CHECK_EQ(spool.process().wait().code, 3);
    CHECK_EQ(count_of(spool.log(), "ALERT spool ends"), 1);
    spool.end();
    disk.unmount();
    REQUIRE(disk.mount());
  }
  SpoolHalf spool(folder, gateway);
  REQUIRE(spool.wait_until_ready());
  senders.finish();
  check_promises(gateway, backend, senders);
  spool.end();
}

}  // namespace

TEST_CASE("a_power_cut_takes_nothing_that_was_acknowledged") { cut_the_power_while("as they are"); }

TEST_CASE("a_power_cut_while_flushes_are_held_takes_nothing_that_was_acknowledged") {
  if (can_trace()) cut_the_power_while("held");
}

TEST_CASE("a_device_that_stalls_and_then_fails_stops_the_spool_not_the_forwarding") {
  const TempFolder folder;
  if (!own_mounts() || !BlockDevice::possible()) return;
  BlockDevice device(folder);
  if (!device.ready()) return skip("nbdfuse does not show nbdkit's device here");
  if (!LoopDisk::make(device.image())) return;
  LoopDisk disk(device.image(), folder / "state/var");
  if (!disk.mount()) return;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = two_ways(backend), .proxy = "  workers: 2\n", .command = "proxy"});
  auto spool = std::make_unique<SpoolHalf>(folder, gateway);
  REQUIRE(spool->wait_until_ready());
  Senders senders(gateway.address(), 3, {.paths = {"/later"}});
  Senders forwarded(gateway.address(), 1, {.paths = {"/now"}});
  const auto more = [](const Senders& of, size_t count) {
    const size_t before = of.acknowledged_count();
    return wait_for([&] { return of.acknowledged_count() > before + count; });
  };
  CHECK(more(senders, 20));

  device.stalled(true);
  REQUIRE(wait_for([&] {  // whatever was under way has been answered
    const size_t before = senders.acknowledged_count();
    return !wait_for([&] { return senders.acknowledged_count() > before; }, Milliseconds(300));
  }));
  CHECK(more(forwarded, 50));
  device.stalled(false);
  CHECK(more(senders, 20));

  device.errors(true);
  CHECK(wait_for([&] { return !spool->running(); }));
  CHECK_EQ(spool->process().wait().code, 3);
  CHECK_EQ(count_of(spool->log(), "ALERT spool ends"), 1);
  CHECK(more(forwarded, 50));
  disk.unmount();
  device.errors(false);
  REQUIRE(disk.mount());
  spool = std::make_unique<SpoolHalf>(folder, gateway);
  REQUIRE(spool->wait_until_ready());
  CHECK(more(senders, 20));
  forwarded.finish();
  senders.finish();
  for (const auto& [status, count] : forwarded.statuses()) CHECK_EQ(status, 200);
  check_promises(gateway, backend, senders);
  spool.reset();
}
