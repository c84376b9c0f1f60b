// What tests of groups ask of a store: put one in, lease, settle as the dispatcher or an operator does.
#pragma once

#include <algorithm>

#include "tests/store/engines.h"

namespace belay::spool::test {

using wire::GroupKind;

inline wire::Grouping grouping(GroupKind kind, uint8_t key = 1) {
  wire::Grouping made;
  made.kind = kind;
  made.key.fill(key);
  made.wait_ms = 5'000;
  made.at_most_ms = 12'000;
  made.max = 3;
  made.bytes = 1'000;
  return made;
}

// Stores a message for crm in the group and gives its id.
template <typename Engine>
MessageId put_in(Fixture<Engine>& f, const wire::Grouping& group, const std::string& body = "{}") {
  NewMessage message = f.maker.message({"crm"}, body);
  message.deliveries[0].grouping = group;
  REQUIRE(commit(*f.store, put(message)).ok());
  return message.message->event.id;
}

template <typename Engine>
std::vector<MessageId> leased_ids(Fixture<Engine>& f, WallTime at) {
  std::vector<MessageId> ids;
  const auto leases = lease(*f.store, "crm", at);
  for (const Leased& leased : leases->leased) ids.push_back(leased.delivery.message);
  return ids;
}

template <typename Engine>
Leased lease_one(Fixture<Engine>& f) {
  auto leases = lease(*f.store, "crm", f.now());
  REQUIRE(leases->leased.size() == 1);
  return leases->leased.front();
}

// Settles as the dispatcher does: with an attempt. True: it was taken.
template <typename Engine>
bool sent(Fixture<Engine>& f, Delivery delivery, DeliveryState state, Duration wait = Duration(1'000)) {
  add_attempt(delivery, {f.now(), 5, static_cast<uint16_t>(state == DeliveryState::delivered ? 200 : 503), "", ""});
  if (state == DeliveryState::scheduled) delivery.due = f.now() + wait;
  auto done = commit(*f.store, settle(with_state(delivery, state)));
  REQUIRE(done.ok());
  return !done->refused[0];
}

template <typename Engine>
Delivery delivery_of(Fixture<Engine>& f, const MessageId& id) {
  auto found = deliveries(*f.store, id);
  REQUIRE(found.ok());
  REQUIRE(found->size() == 1);
  return found->front();
}

// What an operator does: the state alone changes.
template <typename Engine>
bool ask_for(Fixture<Engine>& f, const MessageId& id, DeliveryState state) {
  Delivery delivery = delivery_of(f, id);
  if (state == DeliveryState::queued) delivery.attempts_before = delivery.attempts;
  auto done = commit(*f.store, settle(with_state(delivery, state, f.now())));
  REQUIRE(done.ok());
  return !done->refused[0];
}

template <typename Engine>
void check_books(Fixture<Engine>& f) {
  const DestinationBacklog counts = backlog(*f.store, "crm");
  CHECK(counts.spooled == counts.waiting + counts.delivered + counts.dead + counts.cancelled + counts.superseded);
}

using Ids = std::vector<MessageId>;

}  // namespace belay::spool::test
