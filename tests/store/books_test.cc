// The books of every engine: lines, one outcome for a request, pages and filters of events.
#include <algorithm>

#include "tests/store/engines.h"

namespace belay::spool::test {

namespace {

TEST_CASE_TEMPLATE("lines_repeated_by_a_client_are_taken_once", Engine, ENGINES) {
  Fixture<Engine> f;
  Batch batch = lines({f.maker.event(wire::Outcome::forwarded), f.maker.event(wire::Outcome::rejected)});
  batch.events[0].client.fill(9);
  batch.events[0].number = 1;
  REQUIRE(commit(*f.store, batch).ok());
  REQUIRE(commit(*f.store, batch).ok());
  CHECK(f.store->stats().events == 2);
  batch.events[0].number = 2;
  REQUIRE(commit(*f.store, batch).ok());
  CHECK(f.store->stats().events == 4);
  batch.events[0].client.fill(8);  // another worker counts for itself
  batch.events[0].number = 1;
  REQUIRE(commit(*f.store, batch).ok());
  CHECK(f.store->stats().events == 6);
}

TEST_CASE_TEMPLATE("a_stored_message_whose_answer_was_lost_counts_as_spooled_not_as_failed", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage message = f.maker.message({"crm"});
  wire::Event told = message.message->event;
  told.outcome = wire::Outcome::failed;
  told.status = 503;
  REQUIRE(commit(*f.store, put(message)).ok());
  REQUIRE(commit(*f.store, lines({told, f.maker.event(wire::Outcome::failed)})).ok());
  CHECK(f.store->stats().events == 2);
  CHECK(events(*f.store, {.state = "failed"})->rows.size() == 1);
  const NewMessage same_batch = f.maker.message({"crm"});
  told = same_batch.message->event;
  told.outcome = wire::Outcome::failed;
  Batch both = lines({told});
  both.puts.push_back(same_batch);
  REQUIRE(commit(*f.store, both).ok());
  CHECK(f.store->stats().events == 3);
  CHECK(events(*f.store, {.state = "failed"})->rows.size() == 1);
  CHECK(backlog(*f.store, "crm").spooled == 2);
}

TEST_CASE_TEMPLATE("a_put_that_comes_after_the_line_that_it_failed_is_not_stored", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage late = f.maker.message({"crm"});
  const NewMessage good = f.maker.message({"crm"});
  wire::Event told = late.message->event;
  told.outcome = wire::Outcome::failed;
  REQUIRE(commit(*f.store, lines({told})).ok());
  Batch batch = put(late);
  batch.puts.push_back(good);
  auto done = commit(*f.store, batch);
  REQUIRE(done.ok());
  CHECK(done->failed == std::vector<bool>{true, false});
  CHECK(done->duplicate == std::vector<bool>{false, false});
  CHECK_FALSE(load(*f.store, late.message->event.id).ok());
  CHECK(f.store->stats().messages == 1);
  CHECK(f.store->stats().events == 2);
  CHECK(backlog(*f.store, "crm").spooled == 1);
}

TEST_CASE_TEMPLATE("pages_of_events_are_newest_first_and_hold_every_line_once", Engine, ENGINES) {
  Fixture<Engine> f;
  std::vector<MessageId> all;
  std::vector<wire::Event> slow;  // requests that took long: recorded late under early ids
  for (int i = 0; i < 40; ++i) {
    std::vector<wire::Event> block;
    for (int n = 0; n < 7; ++n) {
      wire::Event event = f.maker.event(wire::Outcome::forwarded);
      all.push_back(event.id);
      if (n == 3) slow.push_back(event);
      else block.push_back(event);
    }
    if (i % 10 == 9) {
      block.insert(block.end(), slow.begin(), slow.end());
      slow.clear();
    }
    REQUIRE(commit(*f.store, lines(block)).ok());
    const NewMessage message = f.maker.message({"crm"});
    all.push_back(message.message->event.id);
    REQUIRE(commit(*f.store, put(message)).ok());
    f.clock.advance(Duration(137));
  }
  std::sort(all.begin(), all.end(), std::greater<>());
  for (const uint32_t size : {1U, 7U, 50U, 319U, 320U, 1000U}) {
    std::vector<MessageId> seen;
    std::optional<MessageId> before;
    do {
      auto page = events(*f.store, {}, before, size);
      REQUIRE(page.ok());
      REQUIRE(page->rows.size() <= size);
      for (const EventRow& row : page->rows) seen.push_back(row.event.id);
      before = page->next;
    } while (before);
    CHECK(seen == all);
  }
}

TEST_CASE_TEMPLATE("every_filter_finds_its_lines_and_no_others", Engine, ENGINES) {
  Fixture<Engine> f;
  std::vector<wire::Event> block;
  for (int i = 0; i < 30; ++i) {
    wire::Event event = f.maker.event(i % 3 == 0 ? wire::Outcome::rejected : wire::Outcome::forwarded,
                                      i % 2 == 0 ? "acme" : "globex");
    event.destination = i % 3 == 0 ? "" : "crm";
    event.type = "type" + std::to_string(i % 5);
    event.resource = "order-" + std::to_string(i);
    event.reason = i % 3 == 0 ? "verify: signature does not match" : "";
    block.push_back(event);
    f.clock.advance(Duration(10));
  }
  const WallTime middle = block[15].id.time();
  REQUIRE(commit(*f.store, lines(block)).ok());
  REQUIRE(commit(*f.store, put(f.maker.message({"crm", "erp"}))).ok());

  const auto count = [&](EventQuery query) {
    auto page = events(*f.store, query, {}, 1000);
    REQUIRE(page.ok());
    return page->rows.size();
  };
  CHECK(count({}) == 31);
  CHECK(count({.source = "globex"}) == 15);
  CHECK(count({.source = "nobody"}) == 0);
  CHECK(count({.destination = "crm"}) == 21);
  CHECK(count({.destination = "erp"}) == 1);  // the second destination of a stored message
  CHECK(count({.type = "type3"}) == 6);
  CHECK(count({.resource = "order-7"}) == 1);
  CHECK(count({.text = "signature does not"}) == 10);
  CHECK(count({.text = block[4].id.to_string()}) == 1);
  CHECK(count({.state = "rejected"}) == 10);
  CHECK(count({.state = "queued"}) == 1);
  CHECK(count({.state = "dead"}) == 0);
  CHECK(count({.state = "no such state"}) == 0);
  CHECK(count({.since = middle}) == 16);
  CHECK(count({.until = middle - Duration(1)}) == 15);
  CHECK(count({.source = "acme", .type = "type0", .state = "rejected"}) == 1);
}

TEST_CASE_TEMPLATE("events_show_deliveries_as_they_are_now", Engine, ENGINES) {
  Fixture<Engine> f;
  const Leased dead = f.leased();
  const Leased sending = f.leased();
  const Leased delivered = f.leased();
  REQUIRE(commit(*f.store, settle(with_state(dead.delivery, DeliveryState::dead))).ok());
  REQUIRE(commit(*f.store, settle(with_state(delivered.delivery, DeliveryState::delivered))).ok());
  const std::pair<const char*, const Leased*> expected[] = {
      {"dead", &dead}, {"sending", &sending}, {"delivered", &delivered}};
  for (const auto& [state, leased] : expected) {
    auto page = events(*f.store, {.destination = "crm", .state = state});
    REQUIRE(page.ok());
    REQUIRE(page->rows.size() == 1);
    CHECK(page->rows[0].event.id == leased->delivery.message);
    REQUIRE(page->rows[0].deliveries.size() == 1);
    CHECK(to_string(page->rows[0].deliveries[0].state) == state);
  }
}

TEST_CASE_TEMPLATE("dead_ones_page_newest_first", Engine, ENGINES) {
  Fixture<Engine> f;
  std::vector<MessageId> dead;
  for (int i = 0; i < 25; ++i) {
    const Leased leased = f.leased();
    REQUIRE(commit(*f.store, settle(with_state(leased.delivery, i % 2 == 0 ? DeliveryState::dead
                                                                           : DeliveryState::delivered))).ok());
    if (i % 2 == 0) dead.insert(dead.begin(), leased.delivery.message);
  }
  std::vector<MessageId> seen;
  std::optional<MessageId> before;
  do {
    auto page = events(*f.store, {.state = "dead"}, before, 4);
    for (const EventRow& row : page->rows) seen.push_back(row.event.id);
    before = page->next;
  } while (before);
  CHECK(seen == dead);
}

}  // namespace

}  // namespace belay::spool::test
