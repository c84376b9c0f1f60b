// The outage: a backend is dead while 100,000 webhooks come for it and those for another destination flow. It returns, what
// waited drains with `ramp`; each arrives once, the books balance, and the others have not felt it. Figures are printed;
// what is asserted about time is generous, for the machine may be busy. BELAY_OUTAGE_MESSAGES: another number of webhooks.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kConnections = 64;
constexpr double kRamp = 5;  // seconds, as in the rules below

size_t messages() {
  const char* wanted = getenv("BELAY_OUTAGE_MESSAGES");
  return wanted != nullptr ? static_cast<size_t>(std::atoll(wanted)) : 100'000;
}

std::string rules(const Backend& legacy, const Backend& shop) {
  return R"(sources:
  legacy:     { match: { path: /legacy }, trust: open, mode: spool, routes: [{ to: legacy }] }
  shop:       { match: { path: /shop }, trust: open, routes: [{ to: shop }] }
  shop_later: { match: { path: /shop/later }, trust: open, mode: spool, routes: [{ to: shop }] }
destinations:
  legacy: { url: "http://)" + legacy.address() + R"(", concurrency: 32, ramp: 5s, breaker: { failures: 50%, of_last: 10, open_for: 1s }, retry: { first: 500ms, max: 2s, attempts: 1000 } }
  shop:   { url: "http://)" + shop.address() + R"(", concurrency: 32 }
)";
}

std::string webhook(const std::string& path, const std::string& body) {
  return request("POST", path, {{"Content-Type", "application/json"}}, body);
}

int64_t now_us() { return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count(); }

enum Phase : size_t { calm, piling_up, waiting, draining, kPhases };
constexpr std::array<const char*, kPhases> kNames = {"calm", "piling up", "waiting", "draining"};

// Webhooks for the shop at a steady pace, forwarded and stored first in turn.
class Shoppers {
 public:
  Shoppers(std::string address, const Backend& shop) : address_(std::move(address)), shop_(shop), thread_([this] { run(); }) {}
  ~Shoppers() { stop(); }
  void enter(Phase phase) { phase_ = phase; }
  void stop() {
    ended_ = true;
    if (thread_.joinable()) thread_.join();
  }
  size_t sent() const { return sent_; }
  size_t refused() const { return refused_; }
  // Milliseconds by phase: until the answer of what is forwarded; until the shop has what is stored first.
  struct Latencies {
    std::vector<double> forwarded, stored;
  };
  std::array<Latencies, kPhases> latencies() const {
    std::array<Latencies, kPhases> made;
    std::map<std::string, int64_t> arrived;
    for (const Seen& seen : shop_.seen()) arrived.emplace(seen.body, seen.at_us);
    for (const Sent& one : all_) {
      const auto at = arrived.find(one.body);
      REQUIRE_MESSAGE(at != arrived.end(), "never arrived: ", one.body);
      const double took = static_cast<double>((one.stored_first ? at->second : one.answered_us) - one.sent_us) / 1000;
      (one.stored_first ? made[one.phase].stored : made[one.phase].forwarded).push_back(took);
    }
    return made;
  }

 private:
  struct Sent {
    Phase phase;
    bool stored_first;
    std::string body;
    int64_t sent_us, answered_us;
  };
  void run() {
    Connection connection(address_);
    for (auto next = Clock::now(); !ended_; next += Milliseconds(5)) {
      std::this_thread::sleep_until(next);
      Sent one{phase_, sent_ % 2 == 1, "{\"order\":" + std::to_string(sent_) + "}", now_us(), 0};
      const bool written = connection.send(webhook(one.stored_first ? "/shop/later" : "/shop", one.body));
      const auto answer = written ? connection.read_answer(false, Milliseconds(30'000)) : std::nullopt;
      one.answered_us = now_us();
      ++sent_;
      if (!answer || answer->status != (one.stored_first ? 202 : 200)) ++refused_;
      if (!answer) return;
      all_.push_back(std::move(one));
    }
  }

  std::string address_;
  const Backend& shop_;
  std::atomic<Phase> phase_{calm};
  std::atomic<bool> ended_{false};
  std::atomic<size_t> sent_{0}, refused_{0};
  std::vector<Sent> all_;  // read when the thread has ended
  std::thread thread_;
};

double share(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(part * static_cast<double>(values.size())))];
}

std::string stats(const Gateway& gateway) { return gateway.belay({"stats", "--json"}).out; }

// A number of an object that is told by its name.
size_t number(const std::string& stats, const std::string& object, const std::string& key) {
  const size_t at = stats.find(object);
  if (at == std::string::npos) return 0;
  const size_t value = stats.find("\"" + key + "\":", at);
  return value == std::string::npos ? 0 : std::strtoull(stats.c_str() + value + key.size() + 3, nullptr, 10);
}
size_t of_destination(const std::string& stats, const std::string& name, const std::string& key) {
  return number(stats, "\"name\":\"" + name + "\"", key);
}

size_t of_source(const std::string& stats, const std::string& name, const std::string& outcome) {
  return number(stats, "\"source\":\"" + name + "\"", outcome);
}

bool pass(Milliseconds time) {
  const auto end = Clock::now() + time;
  return wait_for([&] { return Clock::now() >= end; }, time + Milliseconds(1'000));
}

// Stores that many for the dead backend, kConnections at once; how many were acknowledged.
size_t pile_up(const std::string& address, size_t count) {
  std::vector<Connection> connections;
  for (size_t i = 0; i < kConnections; ++i) connections.emplace_back(address);
  size_t acknowledged = 0;
  for (size_t sent = 0; sent < count;) {
    const size_t turn = std::min(kConnections, count - sent);
    for (size_t i = 0; i < turn; ++i) REQUIRE(connections[i].send(webhook("/legacy", "{\"number\":" + std::to_string(sent++) + "}")));
    for (size_t i = 0; i < turn; ++i) {
      const auto answer = connections[i].read_answer(false, Milliseconds(30'000));
      REQUIRE(answer);
      if (answer->status == 202) ++acknowledged;
    }
  }
  return acknowledged;
}

// Looks until nothing waits for the legacy backend. While the ramp rises its requests a second do: never more than the
// line from 1/s to 1,000/s allows, with some air.
void watch_the_drain(const Gateway& gateway, size_t before, Clock::time_point returned) {
  std::string curve;
  double next_line = 0;
  const bool drained = wait_for([&] {
    const std::string now = stats(gateway);
    const double since = std::chrono::duration<double>(Clock::now() - returned).count();
    const size_t delivered = of_destination(now, "legacy", "delivered") - before;
    if (since < kRamp) CHECK_LE(static_cast<double>(delivered), 200 + since + since * since / kRamp * 1'000 / 2);
    if (since >= next_line) {
      curve += (curve.empty() ? "" : ", ") + std::to_string(static_cast<int>(since)) + " s: " + std::to_string(delivered);
      next_line = since + 1;
    }
    return of_destination(now, "legacy", "waiting") == 0 && delivered > 0;
  }, Milliseconds(150'000));
  MESSAGE("delivered after its return: ", curve);
  REQUIRE(drained);
}

void compare(std::array<Shoppers::Latencies, kPhases>& latencies) {
  const std::array<double, 2> usual = {share(latencies[calm].forwarded, 0.5), share(latencies[calm].stored, 0.5)};
  for (size_t phase = 0; phase < kPhases; ++phase) {
    const std::array<std::vector<double>*, 2> kinds = {&latencies[phase].forwarded, &latencies[phase].stored};
    for (size_t kind = 0; kind < kinds.size(); ++kind) {
      const double median = share(*kinds[kind], 0.5);
      MESSAGE("the others, ", std::string(kNames[phase]), ", ", std::string(kind == 0 ? "forwarded" : "stored first"), ": ", kinds[kind]->size(),
              ", median ", median, " ms (", median / usual[kind], " of calm), 99 % within ", share(*kinds[kind], 0.99), " ms");
      // Piling up and draining keep both cores busy, which is not what is looked for here.
      CHECK_LE(median, phase == waiting ? 5 * usual[kind] + 20 : 20 * usual[kind] + 200);
    }
  }
}

}  // namespace

TEST_CASE("a_hundred_thousand_wait_for_a_dead_backend_and_drain_slowly_when_it_returns_while_the_others_feel_nothing") {
  const TempFolder folder;
  Backend legacy(folder, "legacy"), shop(folder, "shop");
  Gateway gateway(folder, {.rules = rules(legacy, shop), .proxy = "  workers: 2\n"});
  constexpr size_t kBefore = 100;
  REQUIRE_EQ(pile_up(gateway.address(), kBefore), kBefore);
  REQUIRE(wait_for([&] { return of_destination(stats(gateway), "legacy", "delivered") == kBefore; }));
  Shoppers shoppers(gateway.address(), shop);
  REQUIRE(pass(Milliseconds(2'000)));

  legacy.stop();
  shoppers.enter(piling_up);
  const size_t count = messages();
  auto begin = Clock::now();
  REQUIRE_EQ(pile_up(gateway.address(), count), count);
  MESSAGE(count, " stored in ", std::chrono::duration<double>(Clock::now() - begin).count(), " s");
  shoppers.enter(waiting);
  CHECK_GE(of_destination(stats(gateway), "legacy", "waiting"), count);
  REQUIRE(pass(Milliseconds(3'000)));

  shoppers.enter(draining);
  legacy.start();
  const auto returned = Clock::now();
  watch_the_drain(gateway, kBefore, returned);
  MESSAGE("drained in ", std::chrono::duration<double>(Clock::now() - returned).count(), " s");
  shoppers.stop();

  REQUIRE(wait_for([&] { return of_destination(stats(gateway), "shop", "waiting") == 0; }));
  CHECK_EQ(shoppers.refused(), 0);
  auto latencies = shoppers.latencies();
  compare(latencies);

  const std::vector<std::string> arrived = legacy.delivered_ids();
  CHECK_EQ(arrived.size(), kBefore + count);  // nothing crashed: each one once
  CHECK_EQ(std::set<std::string>(arrived.begin(), arrived.end()).size(), kBefore + count);
  CHECK_EQ(shop.delivered_ids().size(), shoppers.sent());

  const size_t later = shoppers.sent() / 2;
  std::string books;
  CHECK(wait_for([&] {  // what the workers count comes now and then
    books = stats(gateway);
    return of_source(books, "legacy", "spooled") == kBefore + count && of_source(books, "shop", "forwarded") == shoppers.sent() - later &&
           of_source(books, "shop_later", "spooled") == later;
  }));
  INFO(books);
  for (const char* name : {"legacy", "shop"}) {
    CHECK_EQ(of_destination(books, name, "spooled"), of_destination(books, name, "delivered"));
    for (const char* key : {"waiting", "sending", "dead", "cancelled", "superseded"}) CHECK_EQ(of_destination(books, name, key), 0);
  }
  CHECK_EQ(of_destination(books, "legacy", "spooled"), kBefore + count);
  CHECK_EQ(of_destination(books, "shop", "spooled"), later);
  CHECK(books.find("\"state\":\"ok\"") != std::string::npos);
}
