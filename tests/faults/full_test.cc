// No room: on the disk, in the map. Intake is refused with 503 and nothing is acknowledged; deliveries go on and free room;
// intake resumes by itself.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "faults/disk.h"
#include "faults/fault.h"

using namespace belay::test;

namespace {

GatewayOptions with(const Backend& backend, const std::string& spool) {
  return {.rules = two_ways(backend), .spool = spool, .expect_alerts = true};
}

// Every sender is refused, and stays refused.
bool all_refused(const Senders& senders) {
  const size_t before = senders.acknowledged_count();
  const auto refused = senders.statuses()[503];
  return wait_for([&] { return senders.statuses()[503] > refused + 30; }) && senders.acknowledged_count() == before;
}

void fill_and_drain(Gateway& gateway, Backend& backend, const std::string& reason, const std::function<void()>& when_full, const std::function<void()>& before_drain) {
  Senders senders(gateway.address(), 4, {.paths = {"/later"}, .pace = Milliseconds(1), .padding = 24'000});
  REQUIRE(wait_for([&] { return gateway.log().find("intake is refused: " + reason) != std::string::npos; }, Milliseconds(25'000)));
  CHECK(wait_for([&] { return all_refused(senders); }));
  CHECK_FALSE(totals(gateway)->accepting);
  when_full();
  CHECK(wait_for([&] { return all_refused(senders); }));
  before_drain();
  const size_t before = senders.acknowledged_count();
  backend.mode("ok");
  CHECK(wait_for([&] { return gateway.log().find("intake resumes") != std::string::npos; }, Milliseconds(20'000)));
  CHECK(wait_for([&] { return senders.acknowledged_count() > before + 50; }, Milliseconds(20'000)));
  senders.finish();
  check_promises(gateway, backend, senders);
  CHECK(gateway.process().running());
  CHECK_LE(count_of(gateway.log(), "could not be committed"), 4);  // said when it begins, not each time
  CHECK_EQ(gateway.log().find("spool ends"), std::string::npos);
}

}  // namespace

TEST_CASE("a_full_map_refuses_intake_until_deliveries_have_made_room") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("status 503");
  Gateway gateway(folder, with(backend, "{ size: 16MB }"));
  fill_and_drain(gateway, backend, "map", [] {}, [] {});
}

TEST_CASE("a_full_disk_refuses_intake_until_deliveries_have_made_room") {
  if (!own_mounts()) return;
  const TempFolder folder;
  const MemoryDisk disk(folder / "state/var", "24m");
  Backend backend(folder);
  backend.mode("status 503");
  Gateway gateway(folder, with(backend, "{ size: 1GB }"));
  // Somebody else takes the rest, to the last byte: attempts are settled in the room there is.
  const std::string rest = folder / "state/var/rest";
  const auto take_the_rest = [&] {
    const int fd = open(rest.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string page(4096, 'x');
    while (write(fd, page.data(), page.size()) > 0) {
    }
    close(fd);
    struct statvfs status {};
    CHECK_EQ(statvfs(disk.folder().c_str(), &status), 0);
    CHECK_EQ(status.f_bavail, 0);
  };
  fill_and_drain(gateway, backend, "disk", take_the_rest, [&] { unlink(rest.c_str()); });
}
