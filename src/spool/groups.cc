#include "spool/groups.h"

#include <algorithm>

namespace belay::spool {

using wire::GroupKind;

namespace {

GroupMember member_of(const Delivery& delivery) { return {delivery.turn, delivery.message}; }

}  // namespace

std::optional<GroupMember> Groups::first_member(DestinationId to, const wire::GroupKey& key) {
  const auto members = store_.members(to, key, 1);
  return members.empty() ? std::nullopt : std::optional(members.front());
}

bool Groups::is_head(const Delivery& delivery) {
  const auto head = store_.group_head(delivery.destination, delivery.grouping.key);
  return head && head->first == delivery.message;
}

bool Groups::has_turn(const Delivery& delivery) {
  if (!delivery.grouped()) return true;
  return wire::is_batch(delivery.grouping.kind) ? delivery.batch == delivery.message : is_head(delivery);
}

bool Groups::keeps_turn(const Delivery& delivery) const {
  const bool stuck = delivery.state == DeliveryState::dead && delivery.grouping.kind == GroupKind::order_wait;
  return is_waiting(delivery.state) || (stuck && delivery.reason != kExpired);
}

bool Groups::join(Delivery& delivery, size_t bytes, bool again) {
  switch (delivery.grouping.kind) {
    case GroupKind::none: return true;
    case GroupKind::order_wait:
    case GroupKind::order_skip: join_order(delivery, again); return true;
    case GroupKind::debounce: return join_debounce(delivery, again);
    case GroupKind::batch_array:
    case GroupKind::batch_lines: join_batch(delivery, bytes, again); return true;
  }
  return true;
}

// One that is queued again goes before those that came after it, but not before one that is being sent.
void Groups::join_order(Delivery& delivery, bool again) {
  const DestinationId to = delivery.destination;
  const wire::GroupKey& key = delivery.grouping.key;
  const auto head = store_.group_head(to, key);
  if (head && head->first == delivery.message) return;
  if (again) store_.remove_member(to, key, member_of(delivery));  // a dead one whose turn had not come
  if (!head && first_member(to, key)) {  // the head was damaged
    store_.add_member(to, key, member_of(delivery));
    return pass_on(delivery);
  }
  if (head && again) {
    const auto other = store_.find(head->first, delivery);
    if (!other || !keeps_turn(*other)) {  // it was damaged
      store_.add_member(to, key, member_of(delivery));
      return pass_on(delivery);
    }
    if (other->turn > delivery.turn && store_.hold(*other)) {
      store_.remove_due(*other);
      store_.add_member(to, key, member_of(*other));
      return store_.put_group_head(to, key, {delivery.message});
    }
  }
  if (head) store_.add_member(to, key, member_of(delivery));
  else store_.put_group_head(to, key, {delivery.message});
}

void Groups::supersede(const Delivery& older, const MessageId& newer) {
  Delivery ended = older;
  ended.state = DeliveryState::superseded;
  ended.reason = "a newer one of its key came: " + newer.to_string();
  store_.save(ended, older);
}

bool Groups::join_debounce(Delivery& delivery, bool again) {
  const DestinationId to = delivery.destination;
  const wire::GroupKey& key = delivery.grouping.key;
  const auto head = store_.group_head(to, key);
  std::optional<Delivery> first;
  if (head) first = store_.find(head->first, delivery);
  if (first && !is_waiting(first->state)) first.reset();
  const std::vector<GroupMember> waiting = store_.members(to, key, kMaxBatch);
  if (again && !waiting.empty() && waiting.back().turn > delivery.turn) return false;
  if (again && waiting.empty() && first && first->turn > delivery.turn) return false;
  WallTime since = now_;
  for (const GroupMember& member : waiting) {
    store_.remove_member(to, key, member);
    const auto older = store_.find(member.message, delivery);
    if (!older || !is_waiting(older->state)) continue;
    since = older->since;
    supersede(*older, delivery.message);
  }
  const bool sending = first && !store_.hold(*first);
  if (sending) {
    store_.add_member(to, key, member_of(delivery));
  } else {
    if (first && waiting.empty() && first->attempts == 0) since = first->since;
    if (first) supersede(*first, delivery.message);
    store_.put_group_head(to, key, {delivery.message});
  }
  delivery.since = since;
  if (!again) {
    delivery.due = std::min(since + Duration(delivery.grouping.at_most_ms), now_ + Duration(delivery.grouping.wait_ms));
  }
  return true;
}

// One that is queued again is a batch of its own: nobody knows which of the others are to be sent again.
void Groups::join_batch(Delivery& delivery, size_t bytes, bool again) {
  const DestinationId to = delivery.destination;
  const wire::Grouping& grouping = delivery.grouping;
  auto head = again ? std::nullopt : store_.group_head(to, grouping.key);
  if (head && (head->bytes + bytes > grouping.bytes || head->due <= now_)) {
    static_cast<void>(close_batch(delivery, *head));
    head.reset();
  }
  if (again) {
    delivery.batch = delivery.message;
    return store_.add_member(to, batch_key(delivery.batch), member_of(delivery));
  }
  const bool opens = !head;
  if (opens) head = GroupHead{.first = delivery.message, .due = now_ + Duration(grouping.wait_ms)};
  ++head->count;
  head->bytes += bytes;
  delivery.batch = head->first;
  delivery.due = head->due;
  const bool full = head->count >= grouping.max || head->bytes >= grouping.bytes;
  if (!full) {
    store_.put_group_head(to, grouping.key, *head);
  } else if (opens || (delivery.batch = close_batch(delivery, *head)).empty()) {
    delivery.batch = delivery.message;
    delivery.due = now_;
  }
  store_.add_member(to, batch_key(delivery.batch), member_of(delivery));
}

void Groups::restore(Delivery& delivery, bool batch_comes) {
  if (wire::is_batch(delivery.grouping.kind)) return restore_in_batch(delivery, batch_comes);
  if (!keeps_turn(delivery)) return;
  if (wire::is_order(delivery.grouping.kind)) return join_order(delivery, true);
  const WallTime since = delivery.since;
  if (!join_debounce(delivery, true)) {
    delivery.state = DeliveryState::superseded;
    delivery.reason = "a newer one of its key waits";
  }
  delivery.since = since;
}

// It takes no further members: those of an attempted one must not grow, and nobody knows any more which one was.
void Groups::restore_in_batch(Delivery& delivery, bool batch_comes) {
  if (!is_waiting(delivery.state)) return;
  if (delivery.batch != delivery.message) {
    const auto first = store_.find(delivery.batch, delivery);
    const bool led = first ? is_waiting(first->state) && first->batch == first->message : batch_comes;
    if (!led) delivery.batch = delivery.message;
  }
  store_.add_member(delivery.destination, batch_key(delivery.batch), member_of(delivery));
}

// Full, or late: it goes now.
MessageId Groups::close_batch(const Delivery& sibling, const GroupHead& head) {
  store_.remove_group_head(sibling.destination, sibling.grouping.key);
  const auto first = store_.find(head.first, sibling);
  if (!first || !is_waiting(first->state)) {  // it was damaged: the next one leads
    Delivery lost = sibling;
    lost.message = lost.batch = head.first;
    lost.due = now_;
    return leave_batch(lost);
  }
  if (first->due > now_) {
    Delivery due = *first;
    due.due = now_;
    store_.save(due, *first);
  }
  return head.first;
}

bool Groups::settle(Delivery& now, const Delivery& before) {
  if (now.state == DeliveryState::queued) {
    now.expires = {};  // an operator wants it sent, however old it is
    if (!join(now, 0, true)) return false;
    store_.save(now, before);
    return true;
  }
  if (wire::is_batch(now.grouping.kind) && now.state != DeliveryState::cancelled) {
    if (now.batch != now.message) return false;  // only as a whole
    settle_batch(now, before);
    return true;
  }
  if (now.state == DeliveryState::scheduled && now.grouped()) {
    const auto next = first_member(now.destination, now.grouping.key);
    if (next && now.grouping.kind == GroupKind::debounce) {
      now.state = DeliveryState::superseded;
      now.reason = "a newer one of its key came: " + next->message.to_string();
    } else if (next && next->turn < now.turn) {
      store_.add_member(now.destination, now.grouping.key, member_of(now));
      pass_on(now);
    }
  }
  store_.save(now, before);
  if (!is_waiting(now.state)) left(now);
  return true;
}

size_t Groups::settle_batch(const Delivery& now, const Delivery& before) {
  const wire::GroupKey group = batch_key(now.batch);
  size_t count = 1;
  for (const GroupMember& member : store_.members(now.destination, group, kMaxBatch)) {
    const bool ended = !is_waiting(now.state);
    if (ended) store_.remove_member(now.destination, group, member);
    if (member.message == now.message) continue;
    const auto stored = store_.find(member.message, now);
    if (!stored || !is_waiting(stored->state)) {
      if (!ended) store_.remove_member(now.destination, group, member);
      continue;
    }
    Delivery settled = *stored;
    if (now.attempts > before.attempts && !now.history.empty()) add_attempt(settled, now.history.back());
    settled.state = now.state;
    settled.due = now.due;
    settled.reason = now.reason;
    store_.save(settled, *stored);
    ++count;
  }
  store_.save(now, before);
  if (is_head(now)) store_.remove_group_head(now.destination, now.grouping.key);
  return count;
}

void Groups::left(const Delivery& delivery) {
  if (!delivery.grouped() || keeps_turn(delivery)) return;
  gone(delivery);
}

void Groups::gone(const Delivery& delivery) {
  if (!delivery.grouped()) return;
  if (wire::is_batch(delivery.grouping.kind)) return static_cast<void>(leave_batch(delivery));
  const auto head = store_.group_head(delivery.destination, delivery.grouping.key);
  if (!head || head->first != delivery.message) store_.remove_member(delivery.destination, delivery.grouping.key, member_of(delivery));
  if (!head || head->first == delivery.message) pass_on(delivery);
}

// The next of the key has its turn; that may be `from` itself, which is stored as it is only after this.
void Groups::pass_on(const Delivery& from) {
  const DestinationId to = from.destination;
  const wire::GroupKey key = from.grouping.key;
  while (const auto next = first_member(to, key)) {
    store_.remove_member(to, key, *next);
    const auto found = next->message == from.message ? std::optional(from) : store_.find(next->message, from);
    if (!found || !keeps_turn(*found) || found->grouping.key != key) continue;
    store_.put_group_head(to, key, {next->message});
    if (is_waiting(found->state)) store_.put_due(*found);
    return;
  }
  store_.remove_group_head(to, key);
}

// Without its first one a batch goes on under the id of the next: under the old one something else may have been sent.
MessageId Groups::leave_batch(const Delivery& delivery) {
  const DestinationId to = delivery.destination;
  const wire::GroupKey group = batch_key(delivery.batch);
  store_.remove_member(to, group, member_of(delivery));
  auto head = store_.group_head(to, delivery.grouping.key);
  if (head && head->first != delivery.batch) head.reset();
  if (head) --head->count;
  if (delivery.batch != delivery.message) {
    if (head) store_.put_group_head(to, delivery.grouping.key, *head);
    return delivery.batch;
  }
  MessageId first;
  for (const GroupMember& member : store_.members(to, group, kMaxBatch)) {
    store_.remove_member(to, group, member);
    const auto stored = store_.find(member.message, delivery);
    if (!stored || !is_waiting(stored->state)) continue;
    if (first.empty()) first = member.message;
    Delivery moved = *stored;
    moved.batch = first;
    moved.due = delivery.due;
    store_.add_member(to, batch_key(first), member);
    store_.save(moved, *stored);
  }
  if (!head) return first;
  head->first = first;
  if (first.empty()) store_.remove_group_head(to, delivery.grouping.key);
  else store_.put_group_head(to, delivery.grouping.key, *head);
  return first;
}

void Groups::mend(const Delivery& delivery) {
  if (has_turn(delivery)) return store_.put_due(delivery);
  if (wire::is_batch(delivery.grouping.kind)) return;
  store_.add_member(delivery.destination, delivery.grouping.key, member_of(delivery));
  if (!store_.group_head(delivery.destination, delivery.grouping.key)) pass_on(delivery);
}

size_t Groups::take_care(const Delivery& delivery) {
  if (delivery.expires != WallTime{} && delivery.expires <= now_) return expire(delivery);
  if (!is_head(delivery)) return 0;
  if (wire::is_batch(delivery.grouping.kind)) {
    store_.remove_group_head(delivery.destination, delivery.grouping.key);
  } else if (delivery.grouping.kind == GroupKind::debounce) {
    const auto newer = first_member(delivery.destination, delivery.grouping.key);
    if (!newer || !store_.hold(delivery)) return 0;
    supersede(delivery, newer->message);
    pass_on(delivery);
    return 1;
  }
  return 0;
}

size_t Groups::expire(const Delivery& delivery) {
  if (!store_.hold(delivery)) return 0;
  Delivery ended = delivery;
  ended.state = DeliveryState::dead;
  ended.reason = kExpired;
  if (wire::is_batch(ended.grouping.kind)) return settle_batch(ended, delivery);
  store_.save(ended, delivery);
  left(ended);
  return 1;
}

}  // namespace belay::spool
