#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "pipeline/shared_memory.h"

using belay::IpAddress;
using belay::pipeline::ClientCounts;
using belay::pipeline::SharedMemory;

namespace {

IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

}  // namespace

TEST_CASE("connections_of_a_client_are_counted_over_all_workers") {
  ClientCounts& clients = SharedMemory::create().value()->clients;
  const auto first = clients.add(0, ip("192.0.2.1"), 2);
  REQUIRE(first.has_value());
  CHECK(clients.add(1, ip("192.0.2.1"), 2).has_value());
  CHECK_FALSE(clients.add(2, ip("192.0.2.1"), 2).has_value());
  CHECK(clients.add(2, ip("192.0.2.2"), 2).has_value());
  clients.remove(0, *first);
  CHECK(clients.add(2, ip("192.0.2.1"), 2).has_value());
  CHECK_FALSE(clients.add(0, ip("192.0.2.1"), 2).has_value());
}

TEST_CASE("an_ipv6_network_is_one_client") {
  ClientCounts& clients = SharedMemory::create().value()->clients;
  CHECK(clients.add(0, ip("2001:db8::1"), 1).has_value());
  CHECK_FALSE(clients.add(0, ip("2001:db8::2"), 1).has_value());
  CHECK(clients.add(0, ip("2001:db8:0:1::1"), 1).has_value());
}

TEST_CASE("what_a_killed_worker_counted_is_given_back_and_nothing_else") {
  ClientCounts& clients = SharedMemory::create().value()->clients;
  CHECK(clients.add(1, ip("192.0.2.1"), 3).has_value());
  const pid_t child = fork();
  if (child == 0) {
    clients.add(0, ip("192.0.2.1"), 3);
    clients.add(0, ip("192.0.2.1"), 3);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK_FALSE(clients.add(1, ip("192.0.2.1"), 3).has_value());
  clients.forget(0);
  CHECK(clients.add(1, ip("192.0.2.1"), 3).has_value());
  CHECK(clients.add(1, ip("192.0.2.1"), 3).has_value());
  CHECK_FALSE(clients.add(1, ip("192.0.2.1"), 3).has_value());
}

TEST_CASE("a_full_table_turns_nobody_away_and_places_are_used_again") {
  ClientCounts& clients = SharedMemory::create().value()->clients;
  const auto address = [](uint32_t i) {
    return ip("10." + std::to_string(i >> 16) + "." + std::to_string((i >> 8) & 255) + "." + std::to_string(i & 255));
  };
  std::vector<uint32_t> places;
  size_t uncounted = 0;
  for (uint32_t i = 0; i < 3 * ClientCounts::kEntries; ++i) {
    const auto place = clients.add(0, address(i), 1);
    REQUIRE(place.has_value());
    uncounted += *place == ClientCounts::kUncounted ? 1 : 0;
    places.push_back(*place);
  }
  CHECK(uncounted > ClientCounts::kEntries);
  for (const uint32_t place : places) clients.remove(0, place);
  CHECK(clients.add(0, ip("192.0.2.1"), 1).value() != ClientCounts::kUncounted);
  CHECK_FALSE(clients.add(0, ip("192.0.2.1"), 1).has_value());
}
