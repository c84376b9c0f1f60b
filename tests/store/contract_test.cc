// What every engine must do, run on each of them.
#include <atomic>

#include "tests/store/engines.h"

namespace belay::spool::test {

namespace {

TEST_CASE_TEMPLATE("a_put_message_comes_back_byte_for_byte", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage sent = f.maker.message({"crm", "erp"}, f.maker.bytes(1000));
  const Message& message = *sent.message;
  auto done = commit(*f.store, put(sent));
  REQUIRE(done.ok());
  CHECK(done->duplicate == std::vector<bool>{false});
  auto got = load(*f.store, message.event.id);
  REQUIRE(got.ok());
  CHECK(got->request.body == message.request.body);
  CHECK(got->request.fields == message.request.fields);
  CHECK(got->request.target == message.request.target);
  CHECK(got->request.has_body);
  CHECK(got->event.source == "acme");
  auto states = deliveries(*f.store, message.event.id);
  REQUIRE(states.ok());
  REQUIRE(states->size() == 2);
  for (const Delivery& delivery : *states) CHECK(delivery.state == DeliveryState::queued);
}

TEST_CASE_TEMPLATE("bodies_of_every_size_around_the_chunk_limits_survive", Engine, ENGINES) {
  Fixture<Engine> f;
  for (const size_t size : {size_t{0}, size_t{1}, StoreOptions::kInlineBody, StoreOptions::kInlineBody + 1,
                            StoreOptions::kBodyChunk - 1, StoreOptions::kBodyChunk, StoreOptions::kBodyChunk + 1,
                            3 * StoreOptions::kBodyChunk, size_t{10} << 20}) {
    const NewMessage sent = f.maker.message({"crm"}, f.maker.bytes(size));
    REQUIRE(commit(*f.store, put(sent)).ok());
    auto got = load(*f.store, sent.message->event.id);
    REQUIRE(got.ok());
    CHECK(got->request.body == sent.message->request.body);
  }
}

TEST_CASE_TEMPLATE("a_repeated_put_is_reported_and_changes_nothing", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage first = f.maker.message({"crm"});
  REQUIRE(commit(*f.store, put(first)).ok());
  auto leases = lease(*f.store, "crm", f.now());
  REQUIRE(leases->leased.size() == 1);
  REQUIRE(commit(*f.store, settle(with_state(leases->leased[0].delivery, DeliveryState::delivered))).ok());

  auto again = commit(*f.store, put(first));
  REQUIRE(again.ok());
  CHECK(again->duplicate == std::vector<bool>{true});
  CHECK(f.state_of(first.message->event.id) == DeliveryState::delivered);
  CHECK(lease(*f.store, "crm", f.now())->leased.empty());
  CHECK(f.store->stats().messages == 1);
  CHECK(backlog(*f.store, "crm").spooled == 1);
}

TEST_CASE_TEMPLATE("what_is_due_is_leased_once_oldest_due_first", Engine, ENGINES) {
  Fixture<Engine> f;
  std::vector<MessageId> by_due;
  for (int i = 0; i < 5; ++i) {
    NewMessage message = f.maker.message({"crm"});
    message.deliveries[0].due = f.now() - Duration(i * 1000);  // the last one stored is due first
    by_due.insert(by_due.begin(), message.message->event.id);
    REQUIRE(commit(*f.store, put(message)).ok());
  }
  NewMessage later = f.maker.message({"crm"});
  later.deliveries[0].due = f.now() + Duration(5000);
  REQUIRE(commit(*f.store, put(later)).ok());

  auto first = lease(*f.store, "crm", f.now(), 2);
  REQUIRE(first.ok());
  REQUIRE(first->leased.size() == 2);
  CHECK(first->leased[0].delivery.message == by_due[0]);
  CHECK(first->leased[1].delivery.message == by_due[1]);
  REQUIRE(first->next_due.has_value());
  CHECK(*first->next_due <= f.now());  // more is due already

  auto rest = lease(*f.store, "crm", f.now(), 10);
  REQUIRE(rest->leased.size() == 3);
  CHECK(rest->leased[0].delivery.message == by_due[2]);
  CHECK(rest->next_due == f.now() + Duration(5000));
  CHECK(lease(*f.store, "crm", f.now(), 10)->leased.empty());
  CHECK(lease(*f.store, "crm", f.now() + Duration(5000), 10)->leased.size() == 1);
}

TEST_CASE_TEMPLATE("what_a_wrong_clock_put_years_ahead_is_due_now_after_all_that_is_due", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto store = [&](Duration ahead) {
    NewMessage message = f.maker.message({"crm"});
    message.deliveries[0].due = f.now() + ahead;
    REQUIRE(commit(*f.store, put(message)).ok());
    return message.message->event.id;
  };
  const MessageId lost = store(std::chrono::years(10));
  const MessageId as_well = store(std::chrono::years(11));
  store(Delivery::kLongestWait);
  const MessageId due = store(Duration(0));
  auto first = lease(*f.store, "crm", f.now(), 2);
  REQUIRE(first->leased.size() == 2);
  CHECK(first->leased[0].delivery.message == due);
  CHECK(first->leased[1].delivery.message == lost);
  auto second = lease(*f.store, "crm", f.now(), 2);
  REQUIRE(second->leased.size() == 1);
  CHECK(second->leased[0].delivery.message == as_well);
  CHECK(second->next_due == f.now() + Delivery::kLongestWait);
  // Tried once, it waits as its rules say.
  Delivery tried = first->leased[1].delivery;
  add_attempt(tried, {f.now(), 5, 503, "status 503", ""});
  REQUIRE(commit(*f.store, settle(with_state(tried, DeliveryState::scheduled, f.now() + Duration(1000)))).ok());
  CHECK(lease(*f.store, "crm", f.now())->leased.empty());
  CHECK(lease(*f.store, "crm", f.now() + Duration(1000))->leased.size() == 1);
}

TEST_CASE_TEMPLATE("nothing_is_due_for_a_destination_without_messages", Engine, ENGINES) {
  Fixture<Engine> f;
  REQUIRE(commit(*f.store, put(f.maker.message({"crm"}))).ok());
  auto leases = lease(*f.store, "erp", f.now());
  REQUIRE(leases.ok());
  CHECK(leases->leased.empty());
  CHECK_FALSE(leases->next_due.has_value());
}

TEST_CASE_TEMPLATE("a_lease_that_ran_out_or_was_given_back_is_given_again", Engine, ENGINES) {
  Fixture<Engine> f;
  REQUIRE(commit(*f.store, put(f.maker.message({"crm"}))).ok());
  auto first = lease(*f.store, "crm", f.now(), 1, Duration(1000));
  REQUIRE(first->leased.size() == 1);
  CHECK(lease(*f.store, "crm", f.now() + Duration(999))->leased.empty());
  CHECK(lease(*f.store, "crm", f.now() + Duration(1000), 1, Duration(1000))->leased.size() == 1);
  f.store->release(first->leased[0].delivery.message, destination_id("crm"));
  CHECK(lease(*f.store, "crm", f.now())->leased.size() == 1);
}

TEST_CASE_TEMPLATE("a_put_given_as_sending_is_stored_queued_and_leased_to_its_caller", Engine, ENGINES) {
  Fixture<Engine> f;
  NewMessage message = f.maker.message({"crm"});
  message.deliveries[0].state = DeliveryState::sending;
  REQUIRE(commit(*f.store, put(message)).ok());
  CHECK(f.state_of(message.message->event.id) == DeliveryState::sending);
  CHECK(lease(*f.store, "crm", f.now())->leased.empty());
  CHECK(backlog(*f.store, "crm").sending == 1);
  f.store->release(message.message->event.id, destination_id("crm"));
  auto leases = lease(*f.store, "crm", f.now());
  REQUIRE(leases->leased.size() == 1);
  CHECK(leases->leased[0].delivery.state == DeliveryState::queued);
}

TEST_CASE_TEMPLATE("a_delivered_message_is_never_leased_again", Engine, ENGINES) {
  Fixture<Engine> f;
  Leased leased = f.leased();
  add_attempt(leased.delivery, {f.now(), 12, 200, "", "ok"});
  auto done = commit(*f.store, settle(with_state(leased.delivery, DeliveryState::delivered)));
  REQUIRE(done.ok());
  CHECK(done->refused == std::vector<bool>{false});
  auto after = deliveries(*f.store, leased.delivery.message);
  REQUIRE(after->size() == 1);
  CHECK(after->front().state == DeliveryState::delivered);
  CHECK(after->front().attempts == 1);
  REQUIRE(after->front().history.size() == 1);
  CHECK(after->front().history[0].status == 200);
  CHECK(after->front().history[0].answer == "ok");
  CHECK(lease(*f.store, "crm", f.now() + Duration(1'000'000))->leased.empty());
  CHECK(f.store->waiting_destinations().empty());
}

TEST_CASE_TEMPLATE("a_scheduled_message_waits_for_its_new_due_time", Engine, ENGINES) {
  Fixture<Engine> f;
  const Leased leased = f.leased();
  const WallTime due = f.now() + Duration(300'000);
  REQUIRE(commit(*f.store, settle(with_state(leased.delivery, DeliveryState::scheduled, due))).ok());
  auto early = lease(*f.store, "crm", due - Duration(1));
  CHECK(early->leased.empty());
  CHECK(early->next_due == due);
  auto at_time = lease(*f.store, "crm", due);
  REQUIRE(at_time->leased.size() == 1);
  CHECK(at_time->leased[0].delivery.state == DeliveryState::scheduled);
}

TEST_CASE_TEMPLATE("a_step_the_table_does_not_allow_is_refused_alone", Engine, ENGINES) {
  Fixture<Engine> f;
  const Leased first = f.leased();
  const Leased second = f.leased();
  Batch both;
  both.settlements.push_back({with_state(first.delivery, DeliveryState::queued)});  // sending does not become queued
  both.settlements.push_back({with_state(second.delivery, DeliveryState::delivered)});
  auto done = commit(*f.store, both);
  REQUIRE(done.ok());
  CHECK(done->refused == std::vector<bool>{true, false});
  CHECK(f.state_of(second.delivery.message) == DeliveryState::delivered);

  auto twice = commit(*f.store, settle(with_state(second.delivery, DeliveryState::dead)));
  REQUIRE(twice.ok());
  CHECK(twice->refused == std::vector<bool>{true});
  Delivery unknown = first.delivery;
  unknown.message = f.maker.id();
  CHECK(commit(*f.store, settle(unknown))->refused == std::vector<bool>{true});
}

TEST_CASE_TEMPLATE("an_attempt_counts_also_when_its_lease_ran_out", Engine, ENGINES) {
  Fixture<Engine> f;
  REQUIRE(commit(*f.store, put(f.maker.message({"crm"}))).ok());
  Delivery delivery = lease(*f.store, "crm", f.now(), 1, Duration(1000))->leased.at(0).delivery;
  f.clock.advance(Duration(2000));
  add_attempt(delivery, {f.now(), 1900, 503, "status 503", ""});
  const Delivery first = with_state(delivery, DeliveryState::scheduled, f.now() + Duration(500));
  CHECK(commit(*f.store, settle(first))->refused == std::vector<bool>{false});
  CHECK(deliveries(*f.store, delivery.message)->front().attempts == 1);
  CHECK(commit(*f.store, settle(first))->refused == std::vector<bool>{true});  // the same attempt again
  add_attempt(delivery, {f.now(), 5, 200, "", ""});
  CHECK(commit(*f.store, settle(with_state(delivery, DeliveryState::delivered)))->refused == std::vector<bool>{false});
  CHECK(f.state_of(delivery.message) == DeliveryState::delivered);
  add_attempt(delivery, {f.now(), 5, 503, "", ""});
  CHECK(commit(*f.store, settle(with_state(delivery, DeliveryState::dead)))->refused == std::vector<bool>{true});
}

TEST_CASE_TEMPLATE("a_lease_can_be_made_longer_never_shorter", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage message = f.maker.message({"crm"});
  const MessageId id = message.message->event.id;
  REQUIRE(commit(*f.store, put(message)).ok());
  CHECK_FALSE(f.store->extend(id, destination_id("crm"), f.now() + Duration(5000)));
  REQUIRE(lease(*f.store, "crm", f.now(), 1, Duration(1000))->leased.size() == 1);
  CHECK(f.store->extend(id, destination_id("crm"), f.now() + Duration(5000)));
  CHECK(f.store->extend(id, destination_id("crm"), f.now() + Duration(10)));
  CHECK(lease(*f.store, "crm", f.now() + Duration(4999))->leased.empty());
  CHECK(lease(*f.store, "crm", f.now() + Duration(5000))->leased.size() == 1);
}

TEST_CASE_TEMPLATE("without_a_lease_and_without_an_attempt_nothing_is_settled_as_sent", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage message = f.maker.message({"crm"});
  REQUIRE(commit(*f.store, put(message)).ok());
  auto done = commit(*f.store, settle(with_state(message.deliveries[0], DeliveryState::delivered)));
  REQUIRE(done.ok());
  CHECK(done->refused == std::vector<bool>{true});
  CHECK(f.state_of(message.message->event.id) == DeliveryState::queued);
}

TEST_CASE_TEMPLATE("a_closed_store_has_answered_everything_and_refuses_what_comes_later", Engine, ENGINES) {
  Fixture<Engine> f;
  std::atomic<int> answered{0};
  const NewMessage message = f.maker.message({"crm"});
  f.store->commit(put(message), [&](Result<Committed>) { ++answered; });
  f.store->lease_due(destination_id("crm"), f.now(), 10, Duration(1000), [&](Result<Leases>) { ++answered; });
  f.store->load(message.message->event.id, [&](Result<Message>) { ++answered; });
  f.store->close();
  CHECK(answered == 3);
  CHECK(commit(*f.store, put(f.maker.message({"crm"}))).error().kind == ErrorKind::refused);
  CHECK(lease(*f.store, "crm", f.now()).error().kind == ErrorKind::refused);
  CHECK(load(*f.store, message.message->event.id).error().kind == ErrorKind::refused);
  CHECK(deliveries(*f.store, message.message->event.id).error().kind == ErrorKind::refused);
  CHECK(events(*f.store, {}).error().kind == ErrorKind::refused);
  f.store->close();  // once more changes nothing
}

TEST_CASE_TEMPLATE("dead_and_delivered_go_on_only_by_replay_with_history_and_bytes_kept", Engine, ENGINES) {
  Fixture<Engine> f;
  Leased leased = f.leased();
  const MessageId id = leased.delivery.message;
  add_attempt(leased.delivery, {f.now(), 5, 503, "status 503", "busy"});
  leased.delivery.reason = "1 attempt used up";
  REQUIRE(commit(*f.store, settle(with_state(leased.delivery, DeliveryState::dead))).ok());
  CHECK(backlog(*f.store, "crm").dead == 1);
  CHECK(lease(*f.store, "crm", f.now())->leased.empty());

  Delivery again = deliveries(*f.store, id)->front();
  REQUIRE(commit(*f.store, settle(with_state(again, DeliveryState::queued, f.now()))).ok());
  CHECK(commit(*f.store, settle(with_state(again, DeliveryState::queued, f.now())))->refused ==
        std::vector<bool>{true});
  auto leases = lease(*f.store, "crm", f.now());
  REQUIRE(leases->leased.size() == 1);
  CHECK(leases->leased[0].delivery.history.size() == 1);
  CHECK(leases->leased[0].message->request.body == leased.message->request.body);
  REQUIRE(commit(*f.store, settle(with_state(leases->leased[0].delivery, DeliveryState::delivered))).ok());
  const DestinationBacklog counts = backlog(*f.store, "crm");
  CHECK(counts.spooled == 1);
  CHECK(counts.delivered == 1);
  CHECK(counts.dead == 0);
}

TEST_CASE_TEMPLATE("an_operator_may_cancel_what_waits_or_is_being_sent", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage waiting = f.maker.message({"crm"});
  REQUIRE(commit(*f.store, put(waiting)).ok());
  CHECK(commit(*f.store, settle(with_state(waiting.deliveries[0], DeliveryState::cancelled)))->refused ==
        std::vector<bool>{false});
  const Leased sending = f.leased();
  REQUIRE(commit(*f.store, settle(with_state(sending.delivery, DeliveryState::cancelled))).ok());
  CHECK(commit(*f.store, settle(with_state(sending.delivery, DeliveryState::delivered)))->refused ==
        std::vector<bool>{true});
  CHECK(backlog(*f.store, "crm").cancelled == 2);
  CHECK(backlog(*f.store, "crm").waiting == 0);
}

TEST_CASE_TEMPLATE("spooled_is_always_waiting_plus_delivered_plus_dead_plus_cancelled", Engine, ENGINES) {
  Fixture<Engine> f;
  SeededRandom random(7);
  std::vector<Delivery> all;
  for (int round = 0; round < 200; ++round) {
    REQUIRE(commit(*f.store, put(f.maker.message({"crm", "erp"}))).ok());
    const std::string to = random.next() % 2 == 0 ? "crm" : "erp";
    auto leases = lease(*f.store, to, f.now(), 1 + static_cast<uint32_t>(random.next() % 3));
    Batch batch;
    for (const Leased& leased : leases->leased) {
      constexpr DeliveryState kEnds[] = {DeliveryState::delivered, DeliveryState::dead, DeliveryState::cancelled,
                                         DeliveryState::scheduled};
      batch.settlements.push_back({with_state(leased.delivery, kEnds[random.next() % 4], f.now())});
      all.push_back(batch.settlements.back().delivery);
    }
    const Delivery& replayed = all[random.next() % all.size()];
    batch.settlements.push_back({with_state(replayed, DeliveryState::queued, f.now())});
    REQUIRE(commit(*f.store, batch).ok());
  }
  for (const char* name : {"crm", "erp"}) {
    const DestinationBacklog counts = backlog(*f.store, name);
    CHECK(counts.spooled == 200);
    CHECK(counts.spooled == counts.waiting + counts.delivered + counts.dead + counts.cancelled);
    f.clock.advance(Duration(600'000));
    auto rest = lease(*f.store, name, f.now(), 1000, Duration(1));
    CHECK(rest->leased.size() == counts.waiting);
  }
}

TEST_CASE_TEMPLATE("a_step_of_retention_says_whether_more_is_old", Engine, ENGINES) {
  Fixture<Engine> f;
  for (int i = 0; i < 5; ++i) {
    const Leased leased = f.leased();
    REQUIRE(commit(*f.store, settle(with_state(leased.delivery, DeliveryState::delivered))).ok());
  }
  f.clock.advance(Duration(1000));
  REQUIRE(commit(*f.store, put(f.maker.message({"crm"}))).ok());
  const WallTime old = f.now() - Duration(500);
  const Pruned first = prune(*f.store, old, WallTime{}, 3);
  CHECK(first.messages == 3);
  CHECK(first.lines == 0);
  CHECK(first.more);
  const Pruned second = prune(*f.store, old, WallTime{}, 3);
  CHECK(second.messages == 2);
  CHECK_FALSE(second.more);
  const Pruned last = prune(*f.store, old, old);
  CHECK(last.messages == 0);
  CHECK(last.lines == 5);
  CHECK_FALSE(last.more);
}

TEST_CASE_TEMPLATE("retention_takes_what_ended_and_leaves_what_waits", Engine, ENGINES) {
  Fixture<Engine> f;
  const Leased delivered = f.leased();
  const Leased dead = f.leased();
  REQUIRE(commit(*f.store, settle(with_state(delivered.delivery, DeliveryState::delivered))).ok());
  REQUIRE(commit(*f.store, settle(with_state(dead.delivery, DeliveryState::dead))).ok());
  const NewMessage waiting = f.maker.message({"crm"}, f.maker.bytes(200'000));
  REQUIRE(commit(*f.store, put(waiting)).ok());
  f.clock.advance(std::chrono::hours(1));
  const Leased young = [&] {
    REQUIRE(commit(*f.store, put(f.maker.message({"erp"}))).ok());
    return lease(*f.store, "erp", f.now())->leased.at(0);
  }();
  REQUIRE(commit(*f.store, settle(with_state(young.delivery, DeliveryState::delivered))).ok());

  CHECK(prune(*f.store, f.now() - std::chrono::minutes(30), WallTime{}).messages == 2);
  CHECK_FALSE(load(*f.store, delivered.delivery.message).ok());
  CHECK_FALSE(load(*f.store, dead.delivery.message).ok());
  CHECK(load(*f.store, waiting.message->event.id).ok());
  CHECK(load(*f.store, young.delivery.message).ok());
  CHECK(f.store->stats().messages == 2);
  CHECK(events(*f.store, {})->rows.size() == 4);  // the books remember
  CHECK(backlog(*f.store, "crm").delivered == 1);
  CHECK(events(*f.store, {.state = "dead"})->rows.empty());

  prune(*f.store, WallTime{}, f.now());  // history too
  CHECK(events(*f.store, {})->rows.size() == 1);
}

TEST_CASE_TEMPLATE("an_unknown_message_is_invalid", Engine, ENGINES) {
  Fixture<Engine> f;
  auto got = load(*f.store, f.maker.id());
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().kind == ErrorKind::invalid);
  auto none = deliveries(*f.store, f.maker.id());
  REQUIRE(none.ok());
  CHECK(none->empty());
}

TEST_CASE_TEMPLATE("the_newest_id_tells_the_time", Engine, ENGINES) {
  Fixture<Engine> f;
  CHECK_FALSE(f.store->newest().has_value());
  REQUIRE(commit(*f.store, put(f.maker.message({"crm"}))).ok());
  f.clock.advance(Duration(5000));
  REQUIRE(commit(*f.store, lines({f.maker.event(wire::Outcome::forwarded)})).ok());
  REQUIRE(f.store->newest().has_value());
  CHECK(*f.store->newest() == f.now());
}

}  // namespace

}  // namespace belay::spool::test
