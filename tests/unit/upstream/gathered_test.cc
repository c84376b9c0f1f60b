// Between send() and the end of its turn a request is gathered, not written: what comes in between, and when all are written.
#include <doctest/doctest.h>

#include "tests/unit/upstream/scripted_backend.h"

using namespace belay;
using namespace belay::test;
using namespace belay::upstream;
using namespace std::chrono_literals;

namespace {

Answer always_ok(const std::string&) { return ok(); }

// A clock that stands still: only what a test does makes a turn.
struct Standing {
  ManualClock clock;
  belay::event::Loop loop{clock};
  ScriptedBackend backend{loop, always_ok};
  std::shared_ptr<upstream::Destination> to = destination({backend.url()});

  bool until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      loop.step();
    }
    return true;
  }
  // Until nothing happens any more.
  void settle() {
    while (loop.step()) {
    }
  }
};

}  // namespace

TEST_CASE("a_gathered_request_that_is_cancelled_is_never_written") {
  Standing standing;
  Caller sender(standing.loop);
  auto first = sender.begin(standing.to);
  REQUIRE(standing.until([&] { return first->done; }));
  auto sent = sender.begin(standing.to);
  sent->call.reset();
  REQUIRE(standing.until([&] { return standing.backend.open_connections() == 0; }));
  CHECK_FALSE(sent->done);
  CHECK_EQ(standing.backend.requests.size(), 1);
  CHECK_EQ(sender.client.in_flight(), 0);
  sent = sender.begin(standing.to);
  REQUIRE(standing.until([&] { return sent->done; }));
  CHECK_EQ(sent->status, 200);
  CHECK_EQ(standing.backend.connections, 2);
}

TEST_CASE("a_gathered_request_goes_with_its_client") {
  Standing standing;
  auto sender = std::make_unique<Caller>(standing.loop);
  auto first = sender->begin(standing.to);
  REQUIRE(standing.until([&] { return first->done; }));
  const auto sent = sender->begin(standing.to);
  sender.reset();
  REQUIRE(standing.until([&] { return standing.backend.open_connections() == 0; }));
  CHECK_FALSE(sent->done);
  CHECK_EQ(standing.backend.requests.size(), 1);
}

TEST_CASE("a_gathered_request_whose_connection_is_closed_goes_out_on_another_one") {
  Standing standing;
  Caller sender(standing.loop);
  auto first = sender.begin(standing.to);
  REQUIRE(standing.until([&] { return first->done; }));
  const auto sent = sender.begin(standing.to);
  standing.backend.close_all();
  REQUIRE(standing.until([&] { return sent->done; }));
  CHECK_EQ(sent->status, 200);
  CHECK_EQ(standing.backend.connections, 2);
  CHECK_EQ(standing.backend.requests.size(), 2);
}

TEST_CASE("a_gathered_request_whose_deadline_passes_is_a_timeout_and_never_written") {
  Standing standing;
  Caller sender(standing.loop);
  auto first = sender.begin(standing.to);
  REQUIRE(standing.until([&] { return first->done; }));
  auto sent = sender.begin(standing.to);
  standing.clock.advance(standing.to->timeout + belay::event::DeadlineList::kSweep);  // found before the turn ends
  REQUIRE(standing.until([&] { return standing.backend.open_connections() == 0; }));
  REQUIRE(sent->done);
  CHECK(sent->outcome == Outcome::timeout);
  CHECK_EQ(standing.backend.requests.size(), 1);
  sent = sender.begin(standing.to);
  REQUIRE(standing.until([&] { return sent->done; }));
  CHECK_EQ(sent->status, 200);
}

TEST_CASE("what_a_hook_sends_is_written_in_the_same_turn_whoever_was_there_first") {
  Standing standing;
  Caller sender(standing.loop);
  auto sent = sender.begin(standing.to);
  REQUIRE(standing.until([&] { return sent->done; }));
  bool wanted = true;
  const belay::event::Loop::TurnEnd late(standing.loop, [&] {
    if (std::exchange(wanted, false)) sent = sender.begin(standing.to);
  });
  standing.loop.post([] {});
  standing.settle();
  CHECK(sent->done);
  CHECK_EQ(standing.backend.requests.size(), 2);
}

TEST_CASE("many_requests_of_one_turn_do_not_all_wait_for_its_end") {
  constexpr size_t kMany = 70;  // more than are written at once
  Standing standing;
  Caller sender(standing.loop, {.idle_per_destination = kMany});
  std::vector<std::unique_ptr<Sent>> all;
  const auto all_done = [&] { return std::all_of(all.begin(), all.end(), [](const auto& one) { return one->done; }); };
  for (size_t i = 0; i < kMany; ++i) all.push_back(sender.begin(standing.to));
  REQUIRE(standing.until(all_done));
  for (auto& one : all) one = sender.begin(standing.to);
  standing.loop.step();  // nothing happens unless some were written before
  CHECK_GT(standing.backend.requests.size(), kMany);
  standing.loop.post([] {});
  REQUIRE(standing.until(all_done));
  CHECK_EQ(standing.backend.requests.size(), 2 * kMany);
  CHECK_EQ(standing.backend.connections, static_cast<int>(kMany));
}
