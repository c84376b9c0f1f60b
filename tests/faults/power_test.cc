// The power goes while senders send: the spool's ext4 is shut down by the kernel with all that was not flushed, also while
// flushes are held. Mounted again, it has every acknowledged webhook. And devices that are slow, stand still, or fail with EIO
// at writes or at reads, as a kernel passes it on. Needs root and loop devices.
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

// A proxy with a spool of its own on ext4 over a device of ours; disk() is mounted unless ready() is false, which was said.
struct OnDevice {  // members go in reverse: the spool before its disk
  const TempFolder folder;
  std::unique_ptr<BlockDevice> device;
  std::unique_ptr<LoopDisk> disk;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Gateway> gateway;
  std::unique_ptr<SpoolHalf> spool;

  explicit OnDevice(Milliseconds write_delay = Milliseconds(0)) {
    if (!own_mounts() || !BlockDevice::possible()) return;
    device = std::make_unique<BlockDevice>(folder, write_delay);
    if (!device->ready()) {
      skip("nbdfuse does not show nbdkit's device here");
      return;
    }
    if (!LoopDisk::make(device->image())) return;
    disk = std::make_unique<LoopDisk>(device->image(), folder / "state/var");
    if (!disk->mount()) return;
    backend = std::make_unique<Backend>(folder);
    gateway = std::make_unique<Gateway>(folder, GatewayOptions{.rules = two_ways(*backend), .proxy = "  workers: 2\n", .command = "proxy"});
    start_spool();
  }
  bool ready() const { return spool != nullptr; }
  void start_spool() {
    spool = std::make_unique<SpoolHalf>(folder, *gateway);
    REQUIRE(spool->wait_until_ready());
  }
  void mount_again() {
    disk->unmount();
    REQUIRE(disk->mount());
  }
  void check_it_ends_with_one_line() {
    CHECK(wait_for([&] { return !spool->running(); }));
    const Exit exit = spool->process().wait();
    INFO(spool->log());
    CHECK_EQ(exit.signal, 0);
    CHECK_EQ(exit.code, 3);
    CHECK_EQ(count_of(spool->log(), "ALERT spool ends"), 1);
  }
};

bool more(const Senders& of, size_t count) {
  const size_t before = of.acknowledged_count();
  return wait_for([&] { return of.acknowledged_count() > before + count; });
}

void check_all_forwarded(Senders& forwarded) {
  forwarded.finish();
  for (const auto& [status, count] : forwarded.statuses()) CHECK_EQ(status, 200);
}

}  // namespace

TEST_CASE("a_power_cut_takes_nothing_that_was_acknowledged") { cut_the_power_while("as they are"); }

TEST_CASE("a_power_cut_while_flushes_are_held_takes_nothing_that_was_acknowledged") {
  if (can_trace()) cut_the_power_while("held");
}

TEST_CASE("a_device_that_stalls_and_then_fails_stops_the_spool_not_the_forwarding") {
  OnDevice on;
  if (!on.ready()) return;
  Senders senders(on.gateway->address(), 3, {.paths = {"/later"}});
  Senders forwarded(on.gateway->address(), 1, {.paths = {"/now"}});
  CHECK(more(senders, 20));

  on.device->stalled(true);
  REQUIRE(wait_for([&] {  // whatever was under way has been answered
    const size_t before = senders.acknowledged_count();
    return !wait_for([&] { return senders.acknowledged_count() > before; }, Milliseconds(300));
  }));
  CHECK(more(forwarded, 50));
  on.device->stalled(false);
  CHECK(more(senders, 20));

  on.device->write_errors(true);
  on.check_it_ends_with_one_line();
  CHECK(more(forwarded, 50));
  on.disk->unmount();
  on.device->write_errors(false);
  REQUIRE(on.disk->mount());
  on.start_spool();
  CHECK(more(senders, 20));
  check_all_forwarded(forwarded);
  senders.finish();
  check_promises(*on.gateway, *on.backend, senders);
}

TEST_CASE("a_slow_device_makes_storing_slow_and_nothing_else") {
  OnDevice on(Milliseconds(6));
  if (!on.ready()) return;
  Senders senders(on.gateway->address(), 6, {.paths = {"/later"}});
  Senders forwarded(on.gateway->address(), 1, {.paths = {"/now"}});
  CHECK(more(senders, 1));
  const int refused = senders.statuses()[503];  // before the workers had found the spool
  CHECK(more(senders, 40));
  const size_t stored = senders.acknowledged_count();
  CHECK(more(forwarded, 300));
  CHECK_LT(senders.acknowledged_count() - stored, 300);
  check_all_forwarded(forwarded);
  senders.finish();
  CHECK_EQ(senders.statuses()[503], refused);
  check_promises(*on.gateway, *on.backend, senders);
}

TEST_CASE("a_page_that_the_disk_cannot_read_ends_the_spool_with_one_line_and_not_the_forwarding") {
  OnDevice on;
  if (!on.ready()) return;
  on.backend->mode("status 503");
  Senders senders(on.gateway->address(), 4, {.paths = {"/later"}, .padding = 100'000});
  REQUIRE(more(senders, 200));
  senders.finish();
  on.backend->mode("ok");
  REQUIRE_EQ(on.gateway->belay({"pause", "later"}).code, 0);
  on.spool->end();
  on.mount_again();  // nothing of the file is in memory now
  on.start_spool();
  on.device->read_errors(true);
  on.gateway->belay({"resume", "later"});  // which may not hear the answer
  on.check_it_ends_with_one_line();
  Senders forwarded(on.gateway->address(), 1, {.paths = {"/now"}});
  CHECK(more(forwarded, 50));
  check_all_forwarded(forwarded);
  // From its first page on, too.
  on.device->read_errors(false);
  on.mount_again();
  on.device->read_errors(true);
  SpoolHalf refused(on.folder, *on.gateway);
  CHECK(wait_for([&] { return !refused.running(); }));
  CHECK_EQ(refused.process().wait().code, 3);
  CHECK_EQ(count_of(refused.log(), "Input/output error"), 1);

  on.device->read_errors(false);
  on.mount_again();
  on.start_spool();
  CHECK_EQ(on.gateway->belay({"resume", "later"}).code, 0);
  check_promises(*on.gateway, *on.backend, senders);
}
