// Order, debounce and batch as the store keeps them, on every engine.
#include "tests/store/groups_kit.h"

namespace belay::spool::test {

namespace {

// order

TEST_CASE_TEMPLATE("of_two_replays_of_one_delivery_the_second_is_refused_and_leaves_the_first_its_lease", Engine, ENGINES) {
  for (const GroupKind kind : {GroupKind::none, GroupKind::order_wait}) {
    Fixture<Engine> f;
    const MessageId id = put_in(f, grouping(kind));
    REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::dead));
    Delivery again = delivery_of(f, id);
    again.attempts_before = again.attempts;
    again = with_state(again, DeliveryState::queued, f.now());
    CHECK(commit(*f.store, settle(again))->refused == std::vector<bool>{false});
    const Leased sending = lease_one(f);
    CHECK(commit(*f.store, settle(again))->refused == std::vector<bool>{true});
    CHECK(leased_ids(f, f.now()).empty());
    CHECK(sent(f, sending.delivery, DeliveryState::delivered));
    check_books(f);
  }
}

TEST_CASE_TEMPLATE("order_sends_a_keys_next_only_when_the_one_before_has_ended", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_wait), other = grouping(GroupKind::order_wait, 2);
  const MessageId first = put_in(f, key), second = put_in(f, key), third = put_in(f, key), apart = put_in(f, other);
  auto leases = lease(*f.store, "crm", f.now());
  REQUIRE(leases->leased.size() == 2);
  CHECK(leases->leased[0].delivery.message == first);
  CHECK(leases->leased[1].delivery.message == apart);
  CHECK(delivery_of(f, second).waits_for == first);
  CHECK(delivery_of(f, first).waits_for.empty());
  CHECK(f.state_of(second) == DeliveryState::queued);

  REQUIRE(sent(f, leases->leased[0].delivery, DeliveryState::scheduled));
  CHECK(leased_ids(f, f.now()).empty());  // also while it waits to be tried again
  f.clock.advance(Duration(1'000));
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::delivered));
  CHECK(leased_ids(f, f.now()) == Ids{second});
  REQUIRE(sent(f, delivery_of(f, second), DeliveryState::delivered));
  CHECK(leased_ids(f, f.now()) == Ids{third});
  REQUIRE(sent(f, delivery_of(f, third), DeliveryState::delivered));
  const MessageId later = put_in(f, key);  // nothing is left of the key
  CHECK(leased_ids(f, f.now()) == Ids{later});
  check_books(f);
}

TEST_CASE_TEMPLATE("order_goes_by_arrival_whatever_the_ids_say", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_wait);
  const MessageId first = put_in(f, key);
  f.clock.set_wall(f.now() - std::chrono::hours(1));
  Maker slow(f.clock, 77);  // a worker whose clock was set back
  NewMessage message = slow.message({"crm"});
  message.deliveries[0].grouping = key;
  REQUIRE(message.message->event.id < first);
  REQUIRE(commit(*f.store, put(message)).ok());
  f.clock.set_wall(f.now() + std::chrono::hours(1));
  CHECK(leased_ids(f, f.now()) == Ids{first});
}

TEST_CASE_TEMPLATE("a_dead_head_keeps_its_key_until_it_is_replayed_or_cancelled", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_wait);
  const MessageId first = put_in(f, key), second = put_in(f, key), third = put_in(f, key);
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::dead));
  CHECK(leased_ids(f, f.now()).empty());
  CHECK(delivery_of(f, second).waits_for == first);

  REQUIRE(ask_for(f, first, DeliveryState::queued));
  CHECK(leased_ids(f, f.now()) == Ids{first});
  REQUIRE(sent(f, delivery_of(f, first), DeliveryState::delivered));
  CHECK(leased_ids(f, f.now()) == Ids{second});
  REQUIRE(sent(f, delivery_of(f, second), DeliveryState::dead));
  CHECK(leased_ids(f, f.now()).empty());
  REQUIRE(ask_for(f, second, DeliveryState::cancelled));
  CHECK(leased_ids(f, f.now()) == Ids{third});
  check_books(f);
}

TEST_CASE_TEMPLATE("on_stuck_skip_lets_the_next_go_and_a_replay_goes_before_those_that_came_later", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_skip);
  const MessageId first = put_in(f, key), second = put_in(f, key), third = put_in(f, key);
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::dead));
  const Leased sending = lease_one(f);
  CHECK(sending.delivery.message == second);
  REQUIRE(ask_for(f, first, DeliveryState::queued));
  CHECK(leased_ids(f, f.now()).empty());  // the second is being sent
  CHECK(delivery_of(f, first).waits_for == second);
  REQUIRE(sent(f, sending.delivery, DeliveryState::scheduled));
  CHECK(leased_ids(f, f.now()) == Ids{first});  // before the second's next attempt
  REQUIRE(sent(f, delivery_of(f, first), DeliveryState::delivered));
  f.clock.advance(Duration(1'000));
  CHECK(leased_ids(f, f.now()) == Ids{second});
  f.store->release(second, destination_id("crm"));
  REQUIRE(ask_for(f, first, DeliveryState::queued));  // nobody sends the second now
  CHECK(leased_ids(f, f.now()) == Ids{first});
  REQUIRE(sent(f, delivery_of(f, first), DeliveryState::delivered));
  CHECK(leased_ids(f, f.now()) == Ids{second});
  REQUIRE(sent(f, delivery_of(f, second), DeliveryState::delivered));
  CHECK(leased_ids(f, f.now()) == Ids{third});
  check_books(f);
}

TEST_CASE_TEMPLATE("a_cancelled_one_leaves_its_key_wherever_it_stands", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_wait);
  const MessageId first = put_in(f, key), second = put_in(f, key), third = put_in(f, key);
  REQUIRE(ask_for(f, second, DeliveryState::cancelled));
  const Leased sending = lease_one(f);
  CHECK_FALSE(ask_for(f, first, DeliveryState::cancelled));  // it is being sent: the third must not be sent beside it
  CHECK(leased_ids(f, f.now()).empty());
  REQUIRE(sent(f, sending.delivery, DeliveryState::scheduled));
  REQUIRE(ask_for(f, first, DeliveryState::cancelled));
  CHECK(leased_ids(f, f.now()) == Ids{third});
  check_books(f);
}

TEST_CASE_TEMPLATE("a_forgotten_dead_head_frees_its_key", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_wait);
  const MessageId first = put_in(f, key);
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::dead));
  f.clock.advance(Duration(10'000));
  const MessageId second = put_in(f, key);
  CHECK(leased_ids(f, f.now()).empty());
  CHECK(prune(*f.store, f.now() - Duration(5'000), WallTime{}).messages == 1);
  CHECK(deliveries(*f.store, first)->empty());
  CHECK(leased_ids(f, f.now()) == Ids{second});
}

TEST_CASE_TEMPLATE("whoever_waits_behind_another_is_found_among_what_waits", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_wait);
  put_in(f, key);
  const MessageId second = put_in(f, key);
  const auto page = events(*f.store, {.destination = "crm", .state = "queued"});
  REQUIRE(page->rows.size() == 2);
  CHECK(page->rows[0].event.id == second);
  CHECK_FALSE(page->rows[0].deliveries[0].waits_for.empty());
}

// debounce

TEST_CASE_TEMPLATE("debounce_delivers_the_latest_of_a_key_once_it_is_quiet", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::debounce);
  const MessageId first = put_in(f, key);
  f.clock.advance(Duration(4'000));
  const MessageId second = put_in(f, key), apart = put_in(f, grouping(GroupKind::debounce, 2));
  CHECK(f.state_of(first) == DeliveryState::superseded);
  CHECK(delivery_of(f, first).reason.find(second.to_string()) != std::string::npos);
  f.clock.advance(Duration(4'999));
  CHECK(leased_ids(f, f.now()).empty());
  f.clock.advance(Duration(1));
  CHECK(leased_ids(f, f.now()) == Ids{second, apart});
  CHECK(backlog(*f.store, "crm").superseded == 1);
  CHECK(backlog(*f.store, "crm").waiting == 2);
  CHECK_FALSE(ask_for(f, first, DeliveryState::queued));  // there is nothing to replay: a newer one went in its place
  CHECK(events(*f.store, {.state = "superseded"})->rows.size() == 1);
  check_books(f);
}

TEST_CASE_TEMPLATE("debounce_waits_at_most_as_long_as_its_rule_says", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::debounce);
  const WallTime began = f.now();
  MessageId last;
  for (int i = 0; i < 4; ++i) {
    last = put_in(f, key);
    f.clock.advance(Duration(3'000));
  }
  CHECK(f.now() == began + Duration(12'000));
  CHECK(leased_ids(f, f.now() - Duration(1)).empty());
  CHECK(leased_ids(f, f.now()) == Ids{last});
  REQUIRE(sent(f, delivery_of(f, last), DeliveryState::delivered));
  const MessageId fresh = put_in(f, key);  // a new series
  CHECK(delivery_of(f, fresh).due == f.now() + Duration(5'000));
}

TEST_CASE_TEMPLATE("a_newer_one_waits_behind_the_attempt_under_way_and_takes_its_place_when_that_fails", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::debounce);
  const MessageId first = put_in(f, key);
  f.clock.advance(Duration(5'000));
  const Leased sending = lease_one(f);
  const MessageId second = put_in(f, key);
  f.clock.advance(Duration(1'000));
  const MessageId third = put_in(f, key);
  CHECK(f.state_of(first) == DeliveryState::sending);
  CHECK(f.state_of(second) == DeliveryState::superseded);
  CHECK(delivery_of(f, third).waits_for == first);
  f.clock.advance(Duration(20'000));
  CHECK(leased_ids(f, f.now()).empty());
  REQUIRE(sent(f, sending.delivery, DeliveryState::scheduled));
  CHECK(f.state_of(first) == DeliveryState::superseded);
  CHECK(delivery_of(f, first).attempts == 1);
  CHECK(leased_ids(f, f.now()) == Ids{third});
  REQUIRE(sent(f, delivery_of(f, third), DeliveryState::delivered));
  check_books(f);
}

TEST_CASE_TEMPLATE("an_attempt_under_way_that_succeeds_counts_and_the_newer_one_follows_it", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::debounce);
  const MessageId first = put_in(f, key);
  f.clock.advance(Duration(5'000));
  const Leased sending = lease_one(f);
  const MessageId second = put_in(f, key);
  REQUIRE(sent(f, sending.delivery, DeliveryState::delivered));
  CHECK(f.state_of(first) == DeliveryState::delivered);
  CHECK(leased_ids(f, f.now()).empty());  // its own quiet time
  f.clock.advance(Duration(5'000));
  CHECK(leased_ids(f, f.now()) == Ids{second});
}

TEST_CASE_TEMPLATE("an_attempt_that_was_lost_is_not_made_again_when_a_newer_one_waits", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::debounce);
  const MessageId first = put_in(f, key);
  f.clock.advance(Duration(5'000));
  lease_one(f);
  const MessageId second = put_in(f, key);
  f.store->release(first, destination_id("crm"));  // as a crash does
  CHECK(leased_ids(f, f.now()).empty());
  CHECK(f.state_of(first) == DeliveryState::superseded);
  f.clock.advance(Duration(5'000));
  CHECK(leased_ids(f, f.now()) == Ids{second});
}

TEST_CASE_TEMPLATE("what_failed_is_superseded_by_a_newer_one_that_waits_its_own_time", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::debounce);
  const MessageId first = put_in(f, key);
  f.clock.advance(Duration(60'000));
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::scheduled, std::chrono::hours(1)));
  const MessageId second = put_in(f, key);
  CHECK(f.state_of(first) == DeliveryState::superseded);
  CHECK(delivery_of(f, second).due == f.now() + Duration(5'000));
}

TEST_CASE_TEMPLATE("a_replayed_one_goes_at_once_unless_a_newer_one_of_its_key_waits", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::debounce);
  const MessageId first = put_in(f, key);
  f.clock.advance(Duration(5'000));
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::dead));
  REQUIRE(ask_for(f, first, DeliveryState::queued));
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::dead));
  const MessageId second = put_in(f, key);
  CHECK_FALSE(ask_for(f, first, DeliveryState::queued));
  f.clock.advance(Duration(5'000));
  CHECK(leased_ids(f, f.now()) == Ids{second});
  CHECK_FALSE(ask_for(f, first, DeliveryState::queued));
  check_books(f);
}

// batch

TEST_CASE_TEMPLATE("a_batch_goes_as_one_request_when_its_first_has_waited_long_enough", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::batch_array);
  const MessageId first = put_in(f, key, R"({"n":1})");
  f.clock.advance(Duration(3'000));
  const MessageId second = put_in(f, key, R"({"n": 2})");
  CHECK(leased_ids(f, f.now() + Duration(1'999)).empty());
  f.clock.advance(Duration(2'000));
  const Leased batch = lease_one(f);
  CHECK(batch.delivery.message == first);
  CHECK(batch.message->request.body == R"([{"n":1},{"n": 2}])");
  CHECK(batch.message->request.fields.back() == std::pair<std::string, std::string>("Content-Type", "application/json"));
  CHECK(f.state_of(first) == DeliveryState::sending);
  CHECK(f.state_of(second) == DeliveryState::sending);
  CHECK(delivery_of(f, second).batch == first);
  const MessageId third = put_in(f, key);  // a closed batch gets no other member
  REQUIRE(sent(f, batch.delivery, DeliveryState::delivered));
  for (const MessageId& id : {first, second}) {
    CHECK(f.state_of(id) == DeliveryState::delivered);
    CHECK(delivery_of(f, id).attempts == 1);
    CHECK(delivery_of(f, id).history.at(0).status == 200);
  }
  CHECK(f.state_of(third) == DeliveryState::queued);
  f.clock.advance(Duration(5'000));
  CHECK(leased_ids(f, f.now()) == Ids{third});
  CHECK(backlog(*f.store, "crm").delivered == 2);
  check_books(f);
}

TEST_CASE_TEMPLATE("a_full_batch_goes_at_once", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::batch_lines);
  const MessageId first = put_in(f, key, "{\n \"n\": 1\r\n}");
  put_in(f, key, "2");
  CHECK(leased_ids(f, f.now()).empty());
  put_in(f, key, "3");
  const Leased batch = lease_one(f);
  CHECK(batch.delivery.message == first);
  CHECK(batch.message->request.body == "{  \"n\": 1  }\n2\n3\n");
  REQUIRE(sent(f, batch.delivery, DeliveryState::delivered));

  put_in(f, key, std::string(600, '1'));
  const MessageId large = put_in(f, key, std::string(500, '2'));  // both are more than `bytes`
  CHECK(lease_one(f).message->request.body.size() == 601);
  CHECK(delivery_of(f, large).batch == large);
  const MessageId huge = put_in(f, key, std::string(2'000, '3'));  // one alone may be more
  CHECK(lease(*f.store, "crm", f.now())->leased.size() == 2);
  CHECK(delivery_of(f, huge).batch == huge);
  check_books(f);
}

TEST_CASE_TEMPLATE("every_attempt_of_a_batch_sends_the_same_bytes_under_the_same_id", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::batch_array);
  const MessageId first = put_in(f, key, "1"), second = put_in(f, key, "2");
  f.clock.advance(Duration(5'000));
  const Leased batch = lease_one(f);
  f.store->release(first, destination_id("crm"));  // as a crash does
  put_in(f, key, "3");
  const Leased again = lease_one(f);
  CHECK(again.delivery.message == first);
  CHECK(again.message->request.body == batch.message->request.body);
  REQUIRE(sent(f, again.delivery, DeliveryState::scheduled));
  CHECK(f.state_of(second) == DeliveryState::scheduled);
  CHECK(delivery_of(f, second).due == delivery_of(f, first).due);
  f.clock.advance(Duration(1'000));
  CHECK(lease_one(f).message->request.body == "[1,2]");
  REQUIRE(sent(f, delivery_of(f, first), DeliveryState::dead));
  CHECK(f.state_of(second) == DeliveryState::dead);
  CHECK(delivery_of(f, second).attempts == 2);
  check_books(f);
}

TEST_CASE_TEMPLATE("a_cancelled_member_leaves_its_batch_and_the_next_leads_it", Engine, ENGINES) {
  Fixture<Engine> f;
  auto key = grouping(GroupKind::batch_array);
  key.max = 10;
  const MessageId first = put_in(f, key, "1"), second = put_in(f, key, "2"), third = put_in(f, key, "3");
  REQUIRE(ask_for(f, first, DeliveryState::cancelled));
  CHECK(delivery_of(f, third).batch == second);
  const MessageId fourth = put_in(f, key, "4");  // the batch is open still
  REQUIRE(ask_for(f, third, DeliveryState::cancelled));
  f.clock.advance(Duration(5'000));
  const Leased batch = lease_one(f);
  CHECK(batch.delivery.message == second);
  CHECK(batch.message->request.body == "[2,4]");
  CHECK_FALSE(ask_for(f, fourth, DeliveryState::cancelled));  // it is being sent
  REQUIRE(sent(f, batch.delivery, DeliveryState::delivered));
  CHECK(f.state_of(fourth) == DeliveryState::delivered);
  const MessageId alone = put_in(f, key, "5");
  REQUIRE(ask_for(f, alone, DeliveryState::cancelled));
  f.clock.advance(Duration(5'000));
  CHECK(leased_ids(f, f.now()).empty());
  CHECK(leased_ids(f, f.now()).empty());
  check_books(f);
}

TEST_CASE_TEMPLATE("replayed_members_are_batches_of_their_own", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::batch_array);
  const MessageId first = put_in(f, key, "1"), second = put_in(f, key, "2");
  f.clock.advance(Duration(5'000));
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::dead));
  const MessageId open = put_in(f, key, "3");
  REQUIRE(ask_for(f, first, DeliveryState::queued));
  REQUIRE(ask_for(f, second, DeliveryState::queued));
  auto leases = lease(*f.store, "crm", f.now());
  REQUIRE(leases->leased.size() == 2);
  CHECK(leases->leased[0].message->request.body == "[1]");
  CHECK(leases->leased[1].message->request.body == "[2]");
  for (const Leased& one : leases->leased) REQUIRE(sent(f, one.delivery, DeliveryState::delivered));
  f.clock.advance(Duration(5'000));
  CHECK(leased_ids(f, f.now()) == Ids{open});
  check_books(f);
}

// all together

TEST_CASE_TEMPLATE("a_keys_deliveries_are_never_sent_beside_each_other_nor_in_another_order_whatever_happens", Engine, ENGINES) {
  Fixture<Engine> f;
  SeededRandom random(23);
  constexpr uint8_t kKeys = 5;
  std::array<std::vector<MessageId>, kKeys> came, went;
  std::vector<Leased> flying;
  for (int round = 0; round < 1'500; ++round) {
    const auto key = static_cast<uint8_t>(random.next() % kKeys);
    switch (random.next() % 6) {
      case 0:
      case 1: came[key].push_back(put_in(f, grouping(GroupKind::order_skip, key))); break;
      case 2:
      case 3: {
        auto leases = lease(*f.store, "crm", f.now(), 2, Duration(1'000'000));
        for (Leased& one : leases->leased) {
          const uint8_t of = one.delivery.grouping.key[0];
          CHECK(std::none_of(flying.begin(), flying.end(), [of](const Leased& other) { return other.delivery.grouping.key[0] == of; }));
          flying.push_back(std::move(one));
        }
        break;
      }
      default: {
        if (flying.empty()) break;
        const auto at = flying.begin() + static_cast<std::ptrdiff_t>(random.next() % flying.size());
        const uint64_t how = random.next() % 4;
        if (how == 0) f.store->release(at->delivery.message, at->delivery.destination);
        else if (how == 1) REQUIRE(sent(f, at->delivery, DeliveryState::scheduled));
        else REQUIRE(sent(f, at->delivery, DeliveryState::delivered));
        if (how >= 2) went[at->delivery.grouping.key[0]].push_back(at->delivery.message);
        flying.erase(at);
        f.clock.advance(Duration(300));
      }
    }
  }
  for (size_t key = 0; key < kKeys; ++key) {
    REQUIRE(went[key].size() > 20);
    CHECK(std::equal(went[key].begin(), went[key].end(), came[key].begin()));
  }
  check_books(f);
}

TEST_CASE_TEMPLATE("nothing_is_left_behind_when_everything_has_ended", Engine, ENGINES) {
  Fixture<Engine> f;
  SeededRandom random(5);
  const GroupKind kinds[] = {GroupKind::order_wait, GroupKind::order_skip, GroupKind::debounce, GroupKind::batch_array};
  std::vector<MessageId> all;
  for (int round = 0; round < 400; ++round) {
    const auto kind = kinds[random.next() % 4];
    auto group = grouping(kind, static_cast<uint8_t>(10 * static_cast<int>(kind) + static_cast<int>(random.next() % 3)));
    all.push_back(put_in(f, group, "1"));
    if (random.next() % 5 == 0) static_cast<void>(ask_for(f, all[random.next() % all.size()], DeliveryState::cancelled));
    if (random.next() % 5 == 0) static_cast<void>(ask_for(f, all[random.next() % all.size()], DeliveryState::queued));
    const auto leases = lease(*f.store, "crm", f.now(), 3);
    for (const Leased& one : leases->leased) {
      constexpr DeliveryState kEnds[] = {DeliveryState::delivered, DeliveryState::dead, DeliveryState::scheduled};
      REQUIRE(sent(f, one.delivery, kEnds[random.next() % 3]));
    }
    f.clock.advance(Duration(random.next() % 3'000));
  }
  for (int i = 0; i < 3'000 && backlog(*f.store, "crm").waiting > 0; ++i) {
    f.clock.advance(Duration(20'000));
    const auto leases = lease(*f.store, "crm", f.now());
    for (const Leased& one : leases->leased) REQUIRE(sent(f, one.delivery, DeliveryState::delivered));
    for (const MessageId& id : all) {
      if (f.state_of(id) == DeliveryState::dead) static_cast<void>(ask_for(f, id, DeliveryState::cancelled));
    }
  }
  CHECK(backlog(*f.store, "crm").waiting == 0);
  check_books(f);
  f.clock.advance(Duration(1'000));
  prune(*f.store, f.now(), f.now(), 1'000);
  CHECK(f.store->stats().messages == 0);
}

}  // namespace

}  // namespace belay::spool::test
