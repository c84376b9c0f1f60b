// Rules files that are wrong, half written or replaced at any moment of a reload, under load: the old rules stay until whole ones
// are there, and no request is lost, refused, or answered by rules that nobody wrote.
#include <doctest/doctest.h>

#include <fstream>
#include <random>

#include "faults/fault.h"

using namespace belay::test;

namespace {

// No part of it from its beginning on is valid rules: its sources come first and need all that follows.
std::string version(const Backend& backend, int number) {
  std::string rules = two_ways(backend);
  const std::string sources = "sources:\n";
  return rules.insert(sources.size(), "  v" + std::to_string(number) + ": { match: { path: /version }, trust: open, mode: spool, reply: { status: " +
                                          std::to_string(210 + number % 80) + " }, routes: [{ to: later }] }\n");
}

bool serves(const Gateway& gateway, int number) {
  const auto answer = send_once(gateway.address(), request("POST", "/version", {}, "{}"));
  REQUIRE(answer.has_value());
  REQUIRE_GE(answer->status, 210);
  return answer->status == 210 + number % 80;
}

}  // namespace

TEST_CASE("rules_that_are_written_over_while_they_are_read_lose_and_refuse_no_request") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = version(backend, 0), .proxy = "  workers: 2\n"});
  Senders senders(gateway.address(), 8, {.pace = Milliseconds(1)});
  const std::string file = folder / "rules.d/test.yaml";
  std::mt19937 random(13);
  int number = 0;
  for (int round = 1; round <= 40; ++round) {
    const std::string rules = round % 4 == 0 ? "sources: { v: { match: { pth: /x } } }\n" : version(backend, ++number);
    const size_t half = random() % rules.size();
    {
      std::ofstream out(file, std::ios::trunc);  // the file is empty, then it is half there, then it is whole
      if (random() % 2 == 0) gateway.reload();
      out << rules.substr(0, half) << std::flush;
      gateway.reload();
      out << rules.substr(half);
    }
    gateway.reload();
    const size_t before = senders.acknowledged_count();
    const size_t further = random() % 60;
    CHECK(wait_for([&] { return senders.acknowledged_count() > before + further; }));
    if (round % 8 == 7) CHECK(wait_for([&] { return serves(gateway, number); }));
  }
  gateway.write_rules(version(backend, ++number));
  gateway.reload();
  CHECK(wait_for([&] { return serves(gateway, number); }));
  senders.finish();
  for (const auto& [status, count] : senders.statuses()) CHECK_EQ(status / 100, 2);
  CHECK(wait_for([&] { return gateway.workers().size() == 2; }));
  check_promises(gateway, backend, senders);
}
