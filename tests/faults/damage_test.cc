// What a disk, a copy or an operator did to the store's file while the spool was stopped: it starts and sets aside what is
// damaged, or refuses with the reason. It never dies of it, never loops, never deletes the file.
#include <doctest/doctest.h>
#include <signal.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/bytes.h"
#include "faults/fault.h"
#include "spool/record.h"
#include "spool/tables.h"

using namespace belay::test;

namespace {

constexpr size_t kPage = 4096;

// A store's file with webhooks that wait, of bodies below and above what is kept inline.
struct Original {
  std::string bytes;
  size_t waiting = 0;

  Original() {
    const TempFolder folder;
    Backend backend(folder);
    backend.mode("status 503");
    Gateway gateway(folder, {.rules = two_ways(backend, "timeout: 5s, retry: { first: 1s, factor: 1, attempts: 1000 }")});
    for (int i = 0; i < 240; ++i) {
      const std::string body = "{\"n\":" + std::to_string(i) + ",\"p\":\"" + std::string(i % 8 == 0 ? 9'000 : 300, 'p') + "\"}";
      const auto answer = send_once(gateway.address(), request("POST", "/later", {}, body));
      REQUIRE(answer.has_value());
      REQUIRE_EQ(answer->status, 202);
    }
    waiting = totals(gateway)->waiting;
    gateway.stop();
    bytes = read_text(gateway.state() + "/var/spool/data.mdb");
    REQUIRE_GT(bytes.size(), 100 * kPage);
  }
};

const Original& original() {
  static const Original made;
  return made;
}

struct Outcome {
  enum { refused, died, served, stuck } how = refused;
  std::string log;
  Totals sums;
};

// A spool on a copy of that content, with a backend that answers.
Outcome start_on(const std::string& content) {
  const TempFolder folder;
  const std::string file = folder.write("state/var/spool/data.mdb", content);
  Backend backend(folder);
  Outcome outcome;
  const auto started = std::chrono::steady_clock::now();
  try {
    Gateway gateway(folder, {.rules = two_ways(backend, "timeout: 5s, retry: { first: 1s, factor: 1, attempts: 1000 }"), .expect_alerts = true});
    const pid_t spool = gateway.spool();
    // What waits for its retry is sent within a second or two.
    const bool done = wait_for([&] {
      if (gone(spool)) return true;
      const auto sums = totals(gateway);
      if (sums) outcome.sums = *sums;
      return sums && sums->waiting == 0;
    }, Milliseconds(4000));
    outcome.how = gone(spool) ? Outcome::died : done ? Outcome::served : Outcome::stuck;
    outcome.log = gateway.log();
  } catch (const std::runtime_error& refusal) {
    outcome.log = refusal.what();
    const bool by_signal = outcome.log.find("was ended by signal") != std::string::npos;
    outcome.how = by_signal ? Outcome::died : Outcome::refused;
    CHECK_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(9));
  }
  CHECK(std::filesystem::exists(file));
  return outcome;
}

[[maybe_unused]] void check_refused(const std::string& content, const std::string& reason) {
  CAPTURE(reason);
  const Outcome outcome = start_on(content);
  CHECK_EQ(static_cast<int>(outcome.how), static_cast<int>(Outcome::refused));
  INFO(outcome.log);
  CHECK_EQ(count_of(outcome.log, reason), 1);
}

}  // namespace

TEST_CASE("bit rot") {
  std::mt19937 random(3);
  const std::string& whole = original().bytes;
  int counts[4] = {};
  const int rounds = getenv("ROUNDS") ? atoi(getenv("ROUNDS")) : 24;
  for (int round = 0; round < rounds; ++round) {
    std::string rotten = whole;
    const size_t page = 2 + random() % (whole.size() / kPage - 2);
    switch (round % 3) {
      case 0: rotten[page * kPage + random() % kPage] ^= static_cast<char>(1 << random() % 8); break;
      case 1: std::memset(rotten.data() + page * kPage, 0, kPage); break;
      default:
        for (size_t i = 0; i < kPage; ++i) rotten[page * kPage + i] = static_cast<char>(random());
    }
    const Outcome outcome = start_on(rotten);
    ++counts[outcome.how];
    MESSAGE("round ", round, " page ", page, " how ", static_cast<int>(outcome.how), " delivered ", outcome.sums.delivered, " dead ", outcome.sums.dead, " quarantined ", outcome.sums.quarantined, " waiting ", outcome.sums.waiting, " flags ", int(whole[page*kPage+10]));
    if (outcome.how != Outcome::served || getenv("VERBOSE")) MESSAGE(outcome.log.substr(0, 3000));
  }
  MESSAGE("refused ", counts[0], " died ", counts[1], " served ", counts[2], " stuck ", counts[3]);
}
