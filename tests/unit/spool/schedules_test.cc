// The schedules that systems promise, attempt by attempt: presets from the files, the real dispatcher, a real backend on
// loopback, days on a clock that the test moves.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "event/simple_server.h"
#include "spool/dispatcher.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

namespace {

using namespace std::chrono_literals;
constexpr Duration kLimit{20'000};

struct Promised {
  // The destination "erp" as its rules say it; presets are those of the source tree.
  Promised(const std::string& keys) {  // NOLINT: implicit on purpose
    REQUIRE(backend.listen("127.0.0.1:0").ok());
    const std::string rules = "sources: { s: { match: /s, trust: open, mode: spool, routes: [{ to: erp }] } }\ndestinations:\n  erp: { url: \"http://127.0.0.1:" +
                              std::to_string(backend.port()) + "/\", " + keys + " }\n";
    std::ofstream(folder.path() + "/rules.yaml") << rules;
    std::ofstream(folder.path() + "/belay.yaml") << "proxy: { listen: [\"127.0.0.1:0\"] }\nadmin: { token: t }\nrules: [rules.yaml]\n";
    conf::Problems problems;
    const auto configuration = conf::load({.main_file = folder.path() + "/belay.yaml"}, problems);
    REQUIRE_MESSAGE(configuration != nullptr, problems.to_string());
    destinations = std::make_shared<const upstream::Destinations>(upstream::build_destinations(*configuration, problems));
    REQUIRE_MESSAGE(problems.empty(), problems.to_string());
    start();
  }
  void start() {
    dispatcher = std::make_unique<Dispatcher>(loop, *store, clock);
    dispatcher->set_stops(*store->stops());
    dispatcher->set_destinations(destinations);
  }
  MessageId put_message() {
    NewMessage message = maker.message({"erp"});
    const MessageId id = message.message->event.id;
    REQUIRE(commit(*store, put(std::move(message))).ok());
    dispatcher->wake({destination_id("erp")});
    return id;
  }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, kLimit); }
  bool settled() { return backlog(*store, "erp").sending == 0 && dispatcher->in_flight() == 0; }
  // Moves the clock to each wait's end and one millisecond before it, and sees what the backend sees.
  void follow(const std::vector<Duration>& waits) {
    for (size_t i = 0; i < waits.size(); ++i) {
      if (waits[i] > 0ms) {
        clock.advance(waits[i] - 1ms);
        const MonotonicTime end = loop.now() + 80ms;  // three ticks of the dispatcher
        REQUIRE(until([&] { return loop.now() >= end; }));
        CHECK_MESSAGE(times.size() == i, "attempt ", i + 1, " came before its time");
        clock.advance(1ms);
      }
      REQUIRE_MESSAGE(until([&] { return times.size() == i + 1; }), "attempt ", i + 1, " did not come at its time");
      REQUIRE(until([&] { return settled(); }));
      const auto since = std::chrono::duration_cast<std::chrono::seconds>(times[i] - times[0]);
      CHECK(times[i] - times[i == 0 ? 0 : i - 1] == waits[i]);
      MESSAGE("attempt ", i + 1, " at +", since / 1h, " h ", since % 1h / 1min, " m ", since % 1min / 1s, " s");
    }
  }

  Folder folder;
  ManualClock clock;
  std::unique_ptr<Store> store = open_memory_store(clock);
  Maker maker{clock};
  event::Loop loop;
  int status = 500;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<WallTime> times;
  event::SimpleServer backend{loop, [this](const event::SimpleRequest&, const event::SimpleServer::Respond& respond) {
                                times.push_back(clock.wall());
                                respond({status, fields, ""});
                              }};
  std::shared_ptr<const upstream::Destinations> destinations;
  std::unique_ptr<Dispatcher> dispatcher;
};

TEST_CASE("netx: at_once_5m_30m_30m_12h_24h_then_failed_and_the_destination_is_disabled_until_somebody_enables_it") {
  Promised netx("retry: { preset: netx }, retry_on: [network, 3xx, 4xx, 5xx], on_dead: disable");  // as conf/rules.d/netx.yaml
  netx.status = 404;                                                                                // it counts whatever is not 2xx
  const MessageId id = netx.put_message();
  netx.follow({0ms, 5min, 30min, 30min, 12h, 24h});
  REQUIRE(netx.until([&] { return backlog(*netx.store, "erp").dead == 1; }));
  CHECK(netx.clock.wall() - netx.times.front() == 5min + 30min + 30min + 12h + 24h);
  CHECK(deliveries(*netx.store, id)->front().reason == "6 attempts used up; the last: status 404");
  REQUIRE(netx.store->stops()->size() == 1);
  CHECK(netx.store->stops()->front().disabled.by == "on_dead");

  netx.status = 200;
  netx.put_message();
  netx.start();  // the spool is restarted: it is disabled all the same
  netx.clock.advance(48h);
  const MonotonicTime end = netx.loop.now() + 100ms;
  REQUIRE(netx.until([&] { return netx.loop.now() >= end; }));
  CHECK(netx.times.size() == 6);
  const StopOrder enable{destination_id("erp"), "erp", StopKind::disabled, false, "anna", {}, netx.clock.wall()};
  Batch batch;
  batch.stops.push_back(enable);
  REQUIRE(commit(*netx.store, std::move(batch)).ok());
  netx.dispatcher->stop_destination(enable);
  REQUIRE(netx.until([&] { return backlog(*netx.store, "erp").delivered == 1; }));
  CHECK(netx.times.size() == 7);
}

TEST_CASE("acumatica: at_once_then_1_2_4_8_and_16_seconds") {
  Promised acumatica("retry: { preset: acumatica }");
  acumatica.put_message();
  acumatica.follow({0ms, 1s, 2s, 4s, 8s, 16s});
  REQUIRE(acumatica.until([&] { return backlog(*acumatica.store, "erp").dead == 1; }));
}

TEST_CASE("standard_webhooks_and_svix: their_days_of_attempts") {
  for (const auto& [preset, waits] : {std::pair<std::string, std::vector<Duration>>{"standard_webhooks", {0ms, 5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h}},
                                      {"svix", {0ms, 5s, 5min, 30min, 2h, 5h, 10h, 10h}}}) {
    Promised promised("retry: { preset: " + preset + " }");
    promised.put_message();
    promised.follow(waits);
    REQUIRE(promised.until([&] { return backlog(*promised.store, "erp").dead == 1; }));
  }
}

TEST_CASE("bigledger: three_attempts_with_growing_waits_that_vary_by_a_fifth") {
  Promised bigledger("retry: { preset: bigledger }");
  bigledger.put_message();
  REQUIRE(bigledger.until([&] { return bigledger.times.size() == 1 && bigledger.settled(); }));
  bigledger.clock.advance(1200ms);
  REQUIRE(bigledger.until([&] { return bigledger.times.size() == 2 && bigledger.settled(); }));
  bigledger.clock.advance(2400ms);
  REQUIRE(bigledger.until([&] { return bigledger.times.size() == 3; }));
  REQUIRE(bigledger.until([&] { return backlog(*bigledger.store, "erp").dead == 1; }));
}

TEST_CASE("retry_after_moves_an_attempt_behind_its_schedule_and_a_status_that_is_excepted_ends_it") {
  Promised promised("retry: { preset: acumatica }, retry_on: [\">=500\", \"!501\"]");
  promised.fields = {{"Retry-After", "60"}};
  promised.status = 503;
  const MessageId id = promised.put_message();
  promised.follow({0ms});
  promised.fields.clear();
  promised.status = 501;
  promised.clock.advance(1s);
  const MonotonicTime end = promised.loop.now() + 80ms;
  REQUIRE(promised.until([&] { return promised.loop.now() >= end; }));
  CHECK(promised.times.size() == 1);
  promised.clock.advance(59s);
  REQUIRE(promised.until([&] { return backlog(*promised.store, "erp").dead == 1; }));
  CHECK(deliveries(*promised.store, id)->front().reason == "status 501 is not retried");
}

}  // namespace

}  // namespace belay::spool::test
