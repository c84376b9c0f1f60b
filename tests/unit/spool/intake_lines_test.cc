// Lines of the books rest in their socket: for how long, what does not wait behind them, and that none is lost there. On a clock
// that stands still, so that a rest ends when a test says so.
#include <doctest/doctest.h>

#include "spool/intake.h"
#include "tests/store/harness.h"
#include "wire/client.h"

namespace belay::spool::test {

namespace {

struct Worker {
  Worker() {
    IntakeHooks hooks;
    hooks.wants = [](DestinationId) { return false; };
    hooks.stored = [](const std::vector<Leased>&) {};
    hooks.wake = [](const std::vector<DestinationId>&) {};
    hooks.counters = [this](const wire::Counters&) { ++seen; };
    intake = std::make_unique<Intake>(loop, *store, clock, std::move(hooks));
    REQUIRE(intake->listen(folder.path() + "/spool.sock").ok());
    client = wire::connect_spool(loop, {.socket_path = folder.path() + "/spool.sock"});
    REQUIRE(until([&] { return client->available(); }));
  }

  bool until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      loop.step();
    }
    return true;
  }
  // Until nothing happens any more at this time.
  void settle() {
    while (loop.step()) {
    }
  }
  void record() { client->record(maker.event(wire::Outcome::forwarded)); }
  // A line, and counters beside it: they tell when the intake has read both.
  void record_seen() {
    record();
    client->send_counters({1, {}});
    client->flush();
  }
  // A worker that has just been read, and rests.
  void let_rest() {
    record_seen();
    REQUIRE(until([&] { return seen == 1; }));
    settle();
  }
  void put() {
    wire::Put put;
    put.event = maker.event(wire::Outcome::spooled);
    put.request.method = "POST";
    put.request.target = "/in";
    put.deliveries = {{"crm", 0, 0, {}}};
    client->put(put, [this](const Result<wire::PutResult>& result) { stored += result && result->state == wire::PutState::stored ? 1 : 0; });
    client->flush();
  }
  uint64_t lines() const { return store->stats().events; }

  Folder folder;
  ManualClock clock;
  Maker maker{clock};
  event::Loop loop{clock};
  std::unique_ptr<Store> store = open_memory_store(clock);
  std::unique_ptr<Intake> intake;
  std::unique_ptr<wire::SpoolClient> client;
  int seen = 0, stored = 0;
};

}  // namespace

TEST_CASE("lines_of_many_turns_are_read_when_the_rest_of_their_connection_ends") {
  Worker worker;
  worker.let_rest();
  for (int turn = 0; turn < 50; ++turn) {
    worker.record_seen();
    worker.settle();
  }
  CHECK(worker.seen == 1);
  CHECK(worker.lines() == 1);
  worker.clock.advance(Intake::kLinesRest);
  worker.settle();
  CHECK(worker.seen == 51);
  CHECK(worker.lines() == 51);
  CHECK(worker.client->waiting() == 0);
}

TEST_CASE("a_put_behind_resting_lines_waits_for_one_rest_and_those_that_follow_for_none") {
  Worker worker;
  worker.let_rest();
  worker.record();
  worker.put();
  worker.settle();
  CHECK(worker.stored == 0);
  worker.clock.advance(Intake::kLinesRest);
  worker.settle();
  CHECK(worker.stored == 1);
  worker.record();
  worker.settle();
  worker.put();
  worker.settle();
  CHECK(worker.stored == 2);
  worker.clock.advance(Intake::kAskedLately);  // nothing was asked since: lines rest again
  worker.record();
  worker.settle();
  worker.put();
  worker.settle();
  CHECK(worker.stored == 2);
  worker.clock.advance(Intake::kLinesRest);
  worker.settle();
  CHECK(worker.stored == 3);
}

TEST_CASE("lines_that_fill_their_socket_do_not_rest_and_a_put_behind_30_MB_of_them_does_not_wait") {
  Worker worker;
  worker.let_rest();
  wire::Event event = worker.maker.event(wire::Outcome::forwarded);
  event.path.assign(2'000, 'p');
  constexpr uint64_t kLines = 15'000;
  for (uint64_t i = 0; i < kLines; ++i) {
    event.id = worker.maker.id();
    worker.client->record(event);
  }
  worker.client->flush();
  worker.put();
  Duration waited{0};
  while (worker.stored == 0 && waited < Duration(10'000)) {
    if (worker.loop.step()) continue;
    worker.clock.advance(Duration(1));
    waited += Duration(1);
  }
  CHECK(waited <= 2 * Intake::kLinesRest);
  REQUIRE(worker.until([&] { return worker.client->waiting() == 0; }));
  CHECK(worker.lines() == kLines + 2);
}

TEST_CASE("a_worker_that_goes_while_its_lines_rest_in_the_socket_loses_none") {
  Worker worker;
  worker.let_rest();
  worker.record();
  worker.client->flush();
  worker.client.reset();
  worker.settle();
  CHECK(worker.lines() == 1);
  worker.clock.advance(Intake::kLinesRest);
  worker.settle();
  CHECK(worker.lines() == 2);
}

TEST_CASE("an_intake_that_stops_takes_the_lines_that_rest_in_the_socket") {
  Worker worker;
  worker.let_rest();
  worker.record();
  worker.client->flush();
  worker.intake->stop();
  worker.settle();
  CHECK(worker.lines() == 2);
}

}  // namespace belay::spool::test
