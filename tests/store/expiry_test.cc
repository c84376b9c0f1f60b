// Expiry of deliveries, alone and in groups, on every engine.
#include "tests/store/groups_kit.h"

namespace belay::spool::test {

namespace {

TEST_CASE_TEMPLATE("what_has_expired_is_dead_and_never_leased", Engine, ENGINES) {
  Fixture<Engine> f;
  NewMessage message = f.maker.message({"crm"});
  message.deliveries[0].expires = f.now() + Duration(1'000);
  const MessageId id = message.message->event.id;
  REQUIRE(commit(*f.store, put(message)).ok());
  REQUIRE(lease(*f.store, "crm", f.now(), 1, Duration(500))->leased.size() == 1);
  f.clock.advance(Duration(1'000));
  CHECK(leased_ids(f, f.now()).empty());
  CHECK(f.state_of(id) == DeliveryState::dead);
  CHECK(delivery_of(f, id).reason == "expired");
  check_books(f);
  REQUIRE(ask_for(f, id, DeliveryState::queued));  // an operator wants it all the same
  CHECK(leased_ids(f, f.now()) == Ids{id});
}

TEST_CASE_TEMPLATE("what_waits_for_something_else_expires_as_well_a_step_at_a_time", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto add = [&](const wire::Grouping& group, Duration due) {
    NewMessage message = f.maker.message({"crm"});
    message.deliveries[0].grouping = group;
    message.deliveries[0].due = f.now() + due;
    message.deliveries[0].expires = f.now() + Duration(1'000);
    REQUIRE(commit(*f.store, put(message)).ok());
    return message.message->event.id;
  };
  const MessageId sending = add(grouping(GroupKind::order_skip), {});
  const Leased leased = lease_one(f);
  std::vector<MessageId> ids = {add({}, std::chrono::hours(1)), add(grouping(GroupKind::order_skip), {}),
                                add(grouping(GroupKind::batch_array, 2), {}), add(grouping(GroupKind::batch_array, 2), {})};
  f.clock.advance(Duration(2'000));
  CHECK(prune(*f.store, WallTime{}, WallTime{}, 2).more);
  while (prune(*f.store, WallTime{}, WallTime{}, 2).more) {
  }
  for (const MessageId& id : ids) CHECK(f.state_of(id) == DeliveryState::dead);
  CHECK(f.state_of(sending) == DeliveryState::sending);
  REQUIRE(sent(f, leased.delivery, DeliveryState::delivered));
  CHECK(leased_ids(f, f.now() + std::chrono::hours(2)).empty());
  check_books(f);
}

TEST_CASE_TEMPLATE("an_expired_one_behind_a_head_does_not_hold_up_those_after_it", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_skip);
  const MessageId first = put_in(f, key);
  NewMessage message = f.maker.message({"crm"});
  message.deliveries[0].grouping = key;
  message.deliveries[0].expires = f.now() + Duration(1'000);
  REQUIRE(commit(*f.store, put(message)).ok());
  const MessageId third = put_in(f, key);
  f.clock.advance(Duration(1'000));
  REQUIRE(sent(f, lease_one(f).delivery, DeliveryState::delivered));
  CHECK(leased_ids(f, f.now()) == Ids{third});
  CHECK(f.state_of(message.message->event.id) == DeliveryState::dead);
  CHECK(f.state_of(first) == DeliveryState::delivered);
}

TEST_CASE_TEMPLATE("an_expired_head_passes_its_turn_on_although_a_dead_one_would_keep_it", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::order_wait);
  NewMessage message = f.maker.message({"crm"});
  message.deliveries[0].grouping = key;
  message.deliveries[0].expires = f.now() + Duration(1'000);
  REQUIRE(commit(*f.store, put(message)).ok());
  const MessageId second = put_in(f, key);
  f.clock.advance(Duration(1'000));
  static_cast<void>(leased_ids(f, f.now()));
  CHECK(f.state_of(message.message->event.id) == DeliveryState::dead);
  REQUIRE(sent(f, delivery_of(f, second), DeliveryState::delivered));
  REQUIRE(ask_for(f, message.message->event.id, DeliveryState::queued));
  CHECK(leased_ids(f, f.now()) == Ids{message.message->event.id});
  check_books(f);
}

TEST_CASE_TEMPLATE("a_batch_whose_time_has_passed_takes_nobody_in_any_more", Engine, ENGINES) {
  Fixture<Engine> f;
  const auto key = grouping(GroupKind::batch_array);
  NewMessage message = f.maker.message({"crm"}, "1");
  message.deliveries[0].grouping = key;
  message.deliveries[0].expires = f.now() + Duration(10'000);
  const MessageId first = message.message->event.id;
  REQUIRE(commit(*f.store, put(message)).ok());
  f.clock.advance(Duration(9'000));  // its destination takes nothing meanwhile
  const MessageId later = put_in(f, key, "2");
  CHECK(delivery_of(f, later).batch == later);
  f.clock.advance(Duration(2'000));
  while (prune(*f.store, WallTime{}, WallTime{}, 2).more) {
  }
  CHECK(f.state_of(first) == DeliveryState::dead);
  CHECK(f.state_of(later) == DeliveryState::queued);
  check_books(f);
}

}  // namespace

}  // namespace belay::spool::test
