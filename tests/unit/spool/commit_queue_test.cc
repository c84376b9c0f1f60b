// How long the writer waits for company: by what the group before it held, from when that was taken.
#include <doctest/doctest.h>

#include <thread>

#include "spool/commit_queue.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

namespace {

using SteadyTime = std::chrono::steady_clock;
constexpr Duration kLong{20'000};
constexpr Duration kNow{0};

struct Offering {
  void puts(size_t count) {
    Work work;
    for (size_t i = 0; i < count; ++i) work.batch.puts.push_back(maker.message({"crm"}));
    REQUIRE(queue.offer(std::move(work)));
  }
  void task() {
    Work work;
    work.task = [](Change&) {};
    REQUIRE(queue.offer(std::move(work)));
  }

  ManualClock clock;
  Maker maker{clock};
  CommitQueue queue;
};

}  // namespace

TEST_CASE("the_pace_grows_with_the_changes_of_the_last_group_to_its_limit") {
  using std::chrono::microseconds;
  CHECK(CommitQueue::pace(0) == microseconds(0));
  CHECK(CommitQueue::pace(1) == StoreOptions::kPacePerChange);
  CHECK(CommitQueue::pace(39) == microseconds(390));
  CHECK(CommitQueue::pace(40) == StoreOptions::kPaceMax);
  CHECK(CommitQueue::pace(41) == StoreOptions::kPaceMax);
  CHECK(CommitQueue::pace(1'000'000) == StoreOptions::kPaceMax);
}

TEST_CASE("behind_a_group_of_many_changes_the_next_waits_for_company") {
  Offering offering;
  for (int i = 0; i < 20; ++i) {
    offering.puts(41);
    const auto before = SteadyTime::now();
    REQUIRE(offering.queue.take(kLong).size() == 1);
    offering.puts(1);
    offering.puts(1);
    CHECK(offering.queue.take(kLong).size() == 2);
    CHECK(SteadyTime::now() - before >= StoreOptions::kPaceMax);
  }
}

TEST_CASE("behind_a_group_without_changes_the_next_goes_at_once") {
  Offering offering;
  offering.task();
  REQUIRE(offering.queue.take(kNow).size() == 1);
  offering.puts(1);
  CHECK(offering.queue.take(kNow).size() == 1);
}

TEST_CASE("a_commit_that_took_longer_than_the_pace_costs_the_next_no_wait") {
  Offering offering;
  offering.puts(41);
  REQUIRE(offering.queue.take(kLong).size() == 1);
  std::this_thread::sleep_for(2 * StoreOptions::kPaceMax);  // so slow is its fsync
  offering.puts(1);
  CHECK(offering.queue.take(kNow).size() == 1);
}

TEST_CASE("a_group_that_is_full_waits_for_no_company") {
  Offering offering;
  NewMessage large = offering.maker.message({"crm"});
  auto message = std::make_shared<Message>(*large.message);
  message->request.body.assign(size_t{1} << 20, 'x');
  large.message = message;
  Work work;
  work.batch.puts.assign(StoreOptions::kMaxGroupBytes >> 20, large);  // one body for all
  offering.puts(41);
  REQUIRE(offering.queue.take(kLong).size() == 1);
  REQUIRE(offering.queue.offer(std::move(work)));
  CHECK(offering.queue.take(kNow).size() == 1);
}

TEST_CASE("what_fills_a_group_goes_before_its_patience_ends") {
  Offering offering;
  Work lines;  // they would wait for kEventsWait
  lines.batch.events.emplace_back();
  Work many;
  many.batch.events.resize(1);
  wire::Event event = offering.maker.event(wire::Outcome::forwarded);
  event.path.assign(60'000, 'p');
  while (many.batch.events[0].lines.bytes().size() < StoreOptions::kMaxGroupBytes) many.batch.events[0].lines.add(event);
  REQUIRE(offering.queue.offer(std::move(lines)));
  REQUIRE(offering.queue.offer(std::move(many)));
  CHECK(offering.queue.take(kNow).size() == 2);
}

TEST_CASE("a_stopped_queue_gives_what_is_left_at_once") {
  Offering offering;
  offering.puts(41);
  REQUIRE(offering.queue.take(kLong).size() == 1);
  offering.puts(1);
  offering.queue.stop();
  CHECK(offering.queue.take(kNow).size() == 1);
  CHECK(offering.queue.take(kLong).empty());
}

}  // namespace belay::spool::test
