// How `belay run` ends, and what it does not end for: SIGTERM under load, a second SIGTERM, a half that does not stop, a disk
// that fails while the proxy forwards.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"
#include "support/senders.h"
#include "support/skip.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend) {
  const std::string url = "{ url: \"http://" + backend.address() + "\", timeout: 60s, retry: { first: 200ms, max: 1s, attempts: 100 }";
  return "sources:\n  now: { match: { path: /now }, trust: open, routes: [{ to: now }] }\n"
         "  later: { match: { path: /later }, trust: open, mode: spool, routes: [{ to: later }] }\n"
         "destinations:\n  now: " + url + " }\n  later: " + url + ", concurrency: 1 }\n";
}

bool refuses(const std::string& address) {
  try {
    const Connection connection(address);
  } catch (const std::runtime_error&) {
    return true;
  }
  return false;
}

bool gone(pid_t pid) { return command_line(pid).empty(); }
bool all_gone(const std::vector<pid_t>& pids) { return std::all_of(pids.begin(), pids.end(), gone); }

std::vector<pid_t> everything_of(const Gateway& gateway) {
  std::vector<pid_t> pids = gateway.workers();
  pids.push_back(gateway.master());
  pids.push_back(gateway.spool());
  return pids;
}

}  // namespace

TEST_CASE("after_sigterm_under_load_every_acknowledged_webhook_is_delivered_or_in_the_spool") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("slow 20");
  const GatewayOptions options{.rules = rules(backend), .proxy = "  workers: 2\n  limits: { stop_timeout: 5s }\n"};
  std::set<std::string> acknowledged;
  {
    Gateway gateway(folder, options);
    Senders senders(gateway.address(), 16);
    REQUIRE(wait_for([&] { return senders.acknowledged().size() > 300; }));
    const auto began = std::chrono::steady_clock::now();
    gateway.process().signal(SIGTERM);
    const Exit exit = gateway.process().wait(Milliseconds(20'000));
    CHECK_EQ(exit.code, 0);
    CHECK_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));
    senders.finish();
    acknowledged = senders.acknowledged();
  }
  backend.mode("ok");
  const auto missing = [&] {
    std::set<std::string> left = acknowledged;
    for (const Seen& seen : backend.seen()) left.erase(seen.body);
    return left.size();
  };
  const size_t in_the_spool = missing();
  MESSAGE("acknowledged ", acknowledged.size(), ", in the spool ", in_the_spool);
  CHECK_GT(in_the_spool, 0);
  Gateway again(folder, options);
  CHECK(wait_for([&] { return missing() == 0; }, Milliseconds(30'000)));
}

TEST_CASE("who_connects_while_requests_under_way_end_is_refused_and_does_not_hang") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("hang");
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 2\n  limits: { stop_timeout: 60s }\n"});
  Connection connection(gateway.address());
  connection.send(request("POST", "/now", {}, "{}"));
  REQUIRE(wait_for([&] { return backend.seen_count() == 1; }));
  gateway.process().signal(SIGTERM);
  CHECK(wait_for([&] { return refuses(gateway.address()); }, Milliseconds(5'000)));
  CHECK(wait_for([&] { return refuses(gateway.unix_address()); }, Milliseconds(5'000)));
  CHECK_FALSE(connection.closed_by_peer(Milliseconds(100)));
  gateway.process().signal(SIGTERM);  // nobody waits for the backend
  CHECK(wait_for([&] { return !gateway.process().running(); }));
}

TEST_CASE("a_second_sigterm_ends_everything_at_once") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("hang");
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  limits: { stop_timeout: 60s }\n"});
  Connection connection(gateway.address());
  connection.send(request("POST", "/now", {}, "{}"));
  REQUIRE(wait_for([&] { return backend.seen_count() == 1; }));
  const auto pids = everything_of(gateway);
  gateway.process().signal(SIGTERM);
  REQUIRE(wait_for([&] { return gateway.log().find("stopping") != std::string::npos; }));
  CHECK_FALSE(connection.closed_by_peer(Milliseconds(300)));  // the request may take its time
  gateway.process().signal(SIGTERM);
  CHECK(wait_for([&] { return !gateway.process().running(); }, Milliseconds(5'000)));
  CHECK(wait_for([&] { return all_gone(pids); }));
  CHECK(connection.closed_by_peer(Milliseconds(1'000)));
}

TEST_CASE("a_proxy_that_does_not_stop_in_time_is_killed_with_its_workers") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  limits: { stop_timeout: 100ms }\n"});
  const auto pids = everything_of(gateway);
  kill(gateway.master(), SIGSTOP);
  gateway.process().signal(SIGTERM);
  const Exit exit = gateway.process().wait(Milliseconds(20'000));
  CHECK_EQ(exit.code, 1);
  CHECK_NE(gateway.log().find("did not stop in time"), std::string::npos);
  CHECK(wait_for([&] { return all_gone(pids); }));
}

TEST_CASE("a_disk_that_fails_right_after_the_start_leaves_forwarding_alone_and_the_spool_comes_back") {
  if (run({"strace", "-f", "-o", "/dev/null", "true"}).code != 0) {
    skip("strace cannot trace here");
    return;
  }
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .expect_alerts = true});
  const pid_t first = gateway.spool();
  Process disk({"strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "-p", std::to_string(first)},
               folder / "strace");
  REQUIRE(wait_for([&] { return disk.err().find("attached") != std::string::npos; }));
  CHECK_EQ(send_once(gateway.address(), request("POST", "/later", {}, "{\"lost\":0}"))->status, 503);
  REQUIRE(wait_for([&] { return gone(first); }));
  CHECK_EQ(send_once(gateway.address(), request("POST", "/now", {}, "{}"))->status, 200);
  CHECK(wait_for([&] { return send_once(gateway.address(), request("POST", "/later", {}, "{}"))->status == 202; }));
  CHECK(gateway.process().running());
  CHECK_NE(gateway.log().find("ended with exit code 3 and is started again"), std::string::npos);
}
