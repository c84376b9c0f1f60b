// The pure parts: states, sealed records, retry, verdicts, plans, the steady clock, blocks of the books.
#include <doctest/doctest.h>

#include "spool/dispatcher.h"
#include "spool/journal.h"
#include "spool/plan.h"
#include "spool/retry.h"
#include "spool/steady_clock.h"
#include "tests/unit/wire/samples.h"

namespace belay::spool {

namespace {

using namespace std::chrono_literals;

TEST_CASE("retry_waits_longer_after_each_failure_until_the_maximum") {
  SeededRandom random(1);
  upstream::RetryPolicy policy;
  policy.jitter = 0;
  policy.first = Duration(1000);
  policy.factor = 2;
  policy.max = Duration(60'000);
  policy.attempts = 10;
  Duration last{0};
  for (uint32_t attempts = 1; attempts < 10; ++attempts) {
    const auto wait = next_wait(policy, attempts, Duration(-1), random);
    REQUIRE(wait.has_value());
    if (last < policy.max) CHECK(*wait > last);
    else CHECK(*wait == policy.max);
    CHECK(*wait <= policy.max);
    last = *wait;
  }
  CHECK_FALSE(next_wait(policy, 10, Duration(-1), random).has_value());
  CHECK(next_wait(policy, 0, Duration(-1), random) == Duration(0));
}

TEST_CASE("jitter_stays_inside_its_share_and_differs") {
  SeededRandom random(2);
  upstream::RetryPolicy policy;
  policy.first = Duration(10'000);
  policy.jitter = 0.2;
  bool lower = false, higher = false;
  for (int i = 0; i < 500; ++i) {
    const auto wait = next_wait(policy, 1, Duration(-1), random);
    CHECK(*wait >= Duration(8'000));
    CHECK(*wait <= Duration(12'000));
    lower = lower || *wait < Duration(9'000);
    higher = higher || *wait > Duration(11'000);
  }
  CHECK(lower);
  CHECK(higher);
}

TEST_CASE("a_schedule_is_followed_as_written_and_then_ends") {
  SeededRandom random(3);
  upstream::RetryPolicy policy;
  policy.jitter = 0;
  policy.schedule = {Duration(0), Duration(300'000), Duration(1'800'000)};
  CHECK(next_wait(policy, 0, Duration(-1), random) == Duration(0));
  CHECK(next_wait(policy, 1, Duration(-1), random) == Duration(300'000));
  CHECK(next_wait(policy, 2, Duration(-1), random) == Duration(1'800'000));
  CHECK_FALSE(next_wait(policy, 3, Duration(-1), random).has_value());
}

TEST_CASE("retry_after_is_a_lower_bound_of_at_most_an_hour") {
  SeededRandom random(4);
  upstream::RetryPolicy policy;
  policy.jitter = 0;
  policy.schedule = {Duration(0), Duration(1'000), Duration(10'000)};
  CHECK(next_wait(policy, 1, Duration(5'000), random) == Duration(5'000));
  CHECK(next_wait(policy, 2, Duration(5'000), random) == Duration(10'000));
  CHECK(next_wait(policy, 1, std::chrono::hours(30), random) == upstream::Destination::kMaxRetryAfter);
}

TEST_CASE("only_steps_of_the_table_are_legal") {
  using enum DeliveryState;
  const DeliveryState all[] = {queued, sending, scheduled, delivered, dead, cancelled, superseded};
  const std::vector<std::pair<DeliveryState, DeliveryState>> legal = {
      {queued, sending},    {scheduled, sending},  {queued, cancelled},  {scheduled, cancelled}, {sending, delivered},
      {sending, scheduled}, {sending, dead},       {sending, cancelled}, {delivered, queued},    {dead, queued},
      {cancelled, queued},  {dead, cancelled},     {queued, superseded}, {scheduled, superseded}, {sending, superseded}};
  for (const DeliveryState from : all) {
    for (const DeliveryState to : all) {
      INFO(to_string(from), " → ", to_string(to));
      CHECK(may_become(from, to) == (std::find(legal.begin(), legal.end(), std::pair(from, to)) != legal.end()));
    }
  }
}

Delivery random_delivery(Random& random) {
  Delivery delivery;
  delivery.message = wire::test::id(random);
  delivery.destination = random.next();
  delivery.destination_name = wire::test::bytes(random, 30);
  delivery.state = static_cast<DeliveryState>(1 + wire::test::below(random, 7));
  delivery.due = wall_from_ms(static_cast<int64_t>(random.next() >> 20));
  for (size_t i = wire::test::below(random, 5); i > 0; --i) {
    add_attempt(delivery, {wall_from_ms(static_cast<int64_t>(random.next() >> 20)), 7, 503,
                           wire::test::bytes(random, 60), wire::test::bytes(random, 60)});
  }
  delivery.attempts_before = delivery.attempts / 2;
  delivery.reason = wire::test::bytes(random, 50);
  if (wire::test::below(random, 2) == 1) delivery.expires = wall_from_ms(static_cast<int64_t>(random.next() >> 20));
  delivery.grouping = wire::test::grouping(random);
  if (!delivery.shaped()) return delivery;
  delivery.turn = random.next();
  delivery.batch = wire::test::id(random);
  delivery.since = wall_from_ms(static_cast<int64_t>(random.next() >> 20));
  return delivery;
}

TEST_CASE("records_come_back_as_they_were_and_any_damage_is_noticed") {
  SeededRandom random(5);
  for (int round = 0; round < 100; ++round) {
    const Delivery delivery = random_delivery(random);
    std::string stored;
    append_sealed(stored, delivery);
    auto got = read_delivery(stored);
    REQUIRE(got.ok());
    CHECK(got->message == delivery.message);
    CHECK(got->destination == delivery.destination);
    CHECK(got->state == delivery.state);
    CHECK(got->due == delivery.due);
    CHECK(got->attempts == delivery.attempts);
    CHECK(got->attempts_before == delivery.attempts_before);
    CHECK(got->reason == delivery.reason);
    CHECK(got->expires == delivery.expires);
    CHECK(got->grouping == delivery.grouping);
    CHECK(got->turn == delivery.turn);
    CHECK(got->batch == delivery.batch);
    CHECK(got->since == delivery.since);
    CHECK(read_delivery_head(stored)->shaped == delivery.shaped());
    REQUIRE(got->history.size() == delivery.history.size());
    for (size_t bit = 0; bit < stored.size() * 8; bit += 3) {
      std::string damaged = stored;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      CHECK_FALSE(read_delivery(damaged).ok());
    }
    for (size_t length = 0; length < stored.size(); ++length) {
      CHECK_FALSE(read_delivery(std::string_view(stored).substr(0, length)).ok());
    }

    Message message{wire::test::event(random), wire::test::request(random, 500), {wire::test::request(random, 500)}};
    stored.clear();
    append_sealed(stored, message, 1000);
    auto same = read_message(stored);
    REQUIRE(same.ok());
    CHECK(same->message.request.body == message.request.body);
    CHECK(same->message.request.fields == message.request.fields);
    REQUIRE(same->message.shapes.size() == 1);
    CHECK(same->message.shapes[0].body == message.shapes[0].body);
    CHECK(same->message.shapes[0].path == message.shapes[0].path);
    stored[stored.size() / 2] = static_cast<char>(stored[stored.size() / 2] ^ 1);
    CHECK_FALSE(read_message(stored).ok());
  }
}

TEST_CASE("the_history_keeps_first_and_last_attempts") {
  Delivery delivery;
  for (uint16_t i = 1; i <= 100; ++i) add_attempt(delivery, {{}, 0, i, "", std::string(5000, 'a')});
  CHECK(delivery.attempts == 100);
  REQUIRE(delivery.history.size() == Delivery::kMaxAttemptsKept);
  CHECK(delivery.history.front().status == 1);
  CHECK(delivery.history[15].status == 16);
  CHECK(delivery.history[16].status == 85);
  CHECK(delivery.history.back().status == 100);
  CHECK(delivery.history.back().answer.size() == Attempt::kAnswerBytes);
}

upstream::Destination destination() {
  upstream::Destination made;
  made.name = "crm";
  made.key = destination_id("crm");
  made.success = *upstream::StatusSet::parse({"2xx"});
  made.retry_on = *upstream::StatusSet::parse({"5xx", "429"});
  made.retry.jitter = 0;
  made.retry.schedule = {Duration(0), Duration(1000), Duration(2000)};
  return made;
}

upstream::Attempt answered(http::ResponseHead& head, int status) {
  head.status = status;
  upstream::Attempt attempt;
  attempt.head = &head;
  return attempt;
}

TEST_CASE("an_answer_becomes_delivered_scheduled_or_dead_with_the_reason") {
  SeededRandom random(6);
  const upstream::Destination to = destination();
  http::ResponseHead head;
  CHECK(judge(to, answered(head, 204), 1, random).state == DeliveryState::delivered);

  const Verdict later = judge(to, answered(head, 503), 1, random);
  CHECK(later.state == DeliveryState::scheduled);
  CHECK(later.wait == Duration(1000));

  const Verdict dead = judge(to, answered(head, 404), 1, random);
  CHECK(dead.state == DeliveryState::dead);
  CHECK(dead.reason == "status 404 is not retried");

  const Verdict used_up = judge(to, answered(head, 503), 3, random);
  CHECK(used_up.state == DeliveryState::dead);
  CHECK(used_up.reason == "3 attempts used up; the last: status 503");
  upstream::Destination once = to;
  once.retry.schedule = {Duration(0)};
  CHECK(judge(once, answered(head, 503), 1, random).reason == "1 attempt used up; the last: status 503");

  upstream::Attempt refused;
  refused.outcome = upstream::Outcome::refused;
  CHECK(judge(to, refused, 2, random).wait == Duration(2000));

  upstream::Attempt asked = answered(head, 429);
  asked.retry_after = Duration(90'000);
  CHECK(judge(to, asked, 1, random).wait == Duration(90'000));
}

TEST_CASE("a_put_becomes_one_delivery_per_destination_with_the_proxys_attempt_counted") {
  SeededRandom random(7);
  upstream::Destinations known;
  known["crm"] = std::make_shared<upstream::Destination>(destination());
  wire::Put put = wire::test::put(random);
  put.deliveries = {{"crm", 0, 0, {}}, {"gone", 3, 0, {}}, {"erp", 4, 0, "transform: no such key: total"}};
  put.first_attempt_failed = true;
  put.attempt_status = 503;
  put.delay_ms = 0;
  const WallTime now = wall_from_ms(1'700'000'000'000);
  const NewMessage planned = plan(put, known, now, random);
  REQUIRE(planned.deliveries.size() == 3);
  CHECK(planned.deliveries[0].attempts == 1);
  CHECK(planned.deliveries[0].history.at(0).status == 503);
  CHECK(planned.deliveries[0].due == now + Duration(1000));
  CHECK(planned.deliveries[1].attempts == 0);
  CHECK(planned.deliveries[1].due == now);
  CHECK(planned.deliveries[1].route == 3);
  CHECK(planned.deliveries[2].state == DeliveryState::dead);
  CHECK(planned.deliveries[2].reason == "transform: no such key: total");
  CHECK(planned.message->request.body == put.request.body);
}

TEST_CASE("a_clock_jump_neither_fires_everything_nor_stalls") {
  ManualClock system;
  SteadyClock clock(system);
  const WallTime start = clock.wall();
  system.advance(Duration(1000));
  CHECK(clock.wall() == start + Duration(1000));

  system.set_wall(system.wall() + std::chrono::hours(1));
  WallTime before = clock.wall();
  CHECK(before <= start + Duration(1001));
  system.advance(Duration(10'000));
  CHECK(clock.wall() >= before + Duration(10'000));
  CHECK(clock.wall() <= before + Duration(10'600));

  system.set_wall(WallTime{});  // 1970
  before = clock.wall();
  system.advance(Duration(10'000));
  CHECK(clock.wall() >= before + Duration(9'400));
  CHECK(clock.wall() <= before + Duration(10'000));

  SteadyClock woken(system);
  CHECK(woken.start_at_least(start));
  CHECK(woken.wall() >= start);
}

TEST_CASE("the_newest_id_is_believed_over_a_clock_that_is_a_little_behind_or_was_never_set") {
  ManualClock system;
  const WallTime right = system.wall();
  for (const WallTime wrong : {right - std::chrono::hours(1), WallTime{}, WallTime{} + std::chrono::years(10)}) {
    CAPTURE(to_ms(wrong));
    system.set_wall(wrong);
    SteadyClock clock(system);
    CHECK(clock.start_at_least(right));
    CHECK(clock.wall() == right);
    system.advance(Duration(10'000));
    CHECK(clock.wall() >= right + Duration(9'400));
    system.set_wall(right + Duration(10'000));  // the clock is set
    system.advance(Duration(1'000));
    CHECK(std::chrono::abs(clock.wall() - system.wall()) <= Duration(1'000));
  }
}

TEST_CASE("one_id_of_a_wrong_clock_does_not_move_the_time") {
  ManualClock system;
  const WallTime right = system.wall();
  for (const Duration ahead : {SteadyClock::kBelieved + Duration(1), Duration(std::chrono::years(10))}) {
    SteadyClock clock(system);
    CHECK_FALSE(clock.start_at_least(right + ahead));
    CHECK(clock.wall() == right);
  }
  SteadyClock clock(system);
  CHECK(clock.start_at_least(right + SteadyClock::kBelieved));
  CHECK(clock.start_at_least(right - std::chrono::years(10)));  // the system's clock is ahead: nothing to add
}

TEST_CASE("no_wait_is_longer_than_what_a_right_clock_would_ever_write") {
  SeededRandom random(11);
  upstream::RetryPolicy policy;
  policy.jitter = 0;
  policy.schedule = {Duration(0), std::chrono::years(1)};
  CHECK(next_wait(policy, 1, Duration(-1), random) == Delivery::kLongestWait);
}

TEST_CASE("the_steady_clock_follows_small_corrections_and_never_goes_back") {
  ManualClock system;
  SteadyClock clock(system);
  WallTime last = clock.wall();
  SeededRandom random(8);
  for (int i = 0; i < 1000; ++i) {
    system.advance(Duration(static_cast<int64_t>(random.next() % 50)));
    system.set_wall(system.wall() + Duration(static_cast<int64_t>(random.next() % 21) - 10));
    const WallTime now = clock.wall();
    CHECK(now >= last);
    last = now;
  }
  system.advance(Duration(100));
  CHECK(std::chrono::abs(clock.wall() - system.wall()) <= Duration(300));
}

TEST_CASE("a_large_step_is_followed_slowly_to_its_end") {
  for (const Duration step : {Duration(10'000), Duration(-10'000)}) {
    CAPTURE(step.count());
    ManualClock system;
    SteadyClock clock(system);
    system.set_wall(system.wall() + step);
    for (int i = 0; i < 3'000 && clock.wall() != system.wall(); ++i) {
      const WallTime before = clock.wall();
      system.advance(Duration(100));
      const Duration passed = clock.wall() - before;
      REQUIRE(passed >= Duration(94));
      REQUIRE(passed <= Duration(106));
    }
    CHECK(clock.wall() == system.wall());
    system.set_wall(system.wall() + Duration(500));  // a small one again
    system.advance(Duration(1));
    CHECK(clock.wall() == system.wall());
  }
}

TEST_CASE("a_block_finds_its_names_and_skips_others") {
  SeededRandom random(9);
  BlockBuilder builder;
  std::vector<wire::Event> events;
  for (int i = 0; i < 200; ++i) {
    events.push_back(wire::test::event(random));
    events.back().outcome = i % 2 == 0 ? wire::Outcome::forwarded : wire::Outcome::rejected;
    wire::EventLines line;
    line.add(events.back());
    std::string_view rest = line.bytes();
    builder.add(*wire::next_event(rest));
  }
  const std::string stored = builder.finish();
  CHECK(builder.empty());
  auto block = read_block(stored);
  REQUIRE(block.ok());
  CHECK(block->count == 200);
  CHECK(block->has(wire::Outcome::forwarded));
  CHECK_FALSE(block->has(wire::Outcome::spooled));
  int wrong = 0;
  for (const wire::Event& event : events) {
    CHECK(block->min <= event.id);
    CHECK(block->max >= event.id);
    if (!event.resource.empty()) CHECK(block->may_hold(index_hash(Indexed::resource, event.resource)));
    wrong += block->may_hold(index_hash(Indexed::resource, event.resource + "x")) ? 1 : 0;
  }
  CHECK(wrong < 20);
  REQUIRE(block->lines().ok());
  for (size_t at = 0; at < stored.size(); at += 7) {
    std::string damaged = stored;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    auto read = read_block(damaged);
    CHECK((!read.ok() || !read->lines().ok()));
  }
}

}  // namespace

}  // namespace belay::spool
