// Change: what it does for deliveries with more than a due time, and how it keeps their groups in LMDB.
#include <algorithm>

#include "base/log.h"
#include "spool/change.h"
#include "wire/codec.h"

namespace belay::spool {

namespace {

// Longer than any commit takes; it ends with the change.
constexpr Duration kHold{600'000};
constexpr size_t kLooksPerExpired = 4;  // those being sent in between stop no step, nor make it endless

// Under whose lease it is sent.
MessageId leader_of(const Delivery& delivery) {
  return wire::is_batch(delivery.grouping.kind) && !delivery.batch.empty() ? delivery.batch : delivery.message;
}

}  // namespace

bool Change::settle_shaped(const Delivery& wanted, std::string_view stored, const DeliveryHead& head) {
  auto read = read_delivery(stored);
  Delivery before = read ? std::move(*read) : wanted;
  if (!read) {
    before.state = head.state;
    before.due = head.due;
    before.attempts = head.attempts;
  }
  Delivery now = wanted;
  now.grouping = before.grouping;  // its place is what the store says, whatever the caller read before
  now.turn = before.turn;
  now.batch = before.batch;
  now.since = before.since;
  const bool leased = leases_.held(leader_of(before), before.destination, now_);
  // Nobody knows yet what becomes of the attempt, and the next of its key must not be sent beside it.
  if (now.state == DeliveryState::cancelled && before.grouped() && is_waiting(before.state) && !hold(before)) return false;
  const bool sending = is_waiting(before.state) && (now.attempts == before.attempts + 1 || leased);
  const bool legal = may_become(sending ? DeliveryState::sending : before.state, now.state);
  return settled(wanted, before.attempts, legal && groups_.settle(now, before));
}

size_t Change::take_care(const DueEntry& entry) {
  const auto stored = transaction_.get(tables_.deliveries, delivery_key(entry.message, entry.destination));
  if (!stored) return 0;
  const auto delivery = read_delivery(*stored);
  if (!delivery || !is_waiting(delivery->state) || delivery->due != entry.due) return 0;
  changed_ = true;
  return groups_.take_care(*delivery);
}

uint32_t Change::expire(uint32_t max) {
  std::vector<std::string> passed;
  {
    lmdb::Cursor cursor(transaction_, tables_.expiries);
    for (bool more = cursor.first(); more && passed.size() < size_t{max} * kLooksPerExpired; more = cursor.next()) {
      if (wall_from_ms(static_cast<int64_t>(get_be(cursor.key().data(), 8))) > now_) break;
      passed.emplace_back(cursor.key());
    }
  }
  uint32_t ended = 0;
  for (const std::string& key : passed) {
    if (ended >= max) break;
    const std::string_view id_and_destination = std::string_view(key).substr(8);
    const auto stored = transaction_.get(tables_.deliveries, id_and_destination);
    auto delivery = stored ? read_delivery(*stored) : Result<Delivery>(Error{ErrorKind::corrupt, {}});
    if (stored && !delivery) continue;  // it is needed when the record is made anew: renew_delivery()
    if (delivery && expires_by_index(*delivery) && expiry_key(delivery->expires, delivery->message, delivery->destination) == key) {
      changed_ = true;
      ended += static_cast<uint32_t>(groups_.expire(*delivery));
    } else {
      changed_ = transaction_.remove(tables_.expiries, key) || changed_;
    }
  }
  return ended;
}

void Change::mend_member(const DueEntry& first, const MessageId& member) {
  const auto stored = transaction_.get(tables_.deliveries, delivery_key(first.message, first.destination));
  const auto leader = stored ? read_delivery(*stored) : Result<Delivery>(Error{ErrorKind::corrupt, {}});
  if (!leader) return;
  const auto found = find(member, *leader);
  if (found && is_waiting(found->state)) return;
  for (const GroupMember& one : members(first.destination, Groups::batch_key(first.message), Groups::kMaxBatch)) {
    if (one.message == member) remove_member(first.destination, Groups::batch_key(first.message), one);
  }
}

std::optional<GroupHead> Change::group_head(DestinationId to, const wire::GroupKey& key) {
  const auto stored = transaction_.get(tables_.groups, group_key(to, key));
  return stored ? read_group_head(*stored) : std::nullopt;
}

void Change::put_group_head(DestinationId to, const wire::GroupKey& key, const GroupHead& head) {
  scratch_.clear();
  append_sealed(scratch_, head);
  transaction_.put(tables_.groups, group_key(to, key), scratch_);
  changed_ = true;
}

void Change::remove_group_head(DestinationId to, const wire::GroupKey& key) {
  changed_ = transaction_.remove(tables_.groups, group_key(to, key)) || changed_;
}

std::vector<GroupMember> Change::members(DestinationId to, const wire::GroupKey& group, size_t max) {
  return read_members(transaction_, tables_, to, group, max);
}

void Change::add_member(DestinationId to, const wire::GroupKey& group, const GroupMember& member) {
  transaction_.put(tables_.members, member_key(to, group, member.turn, member.message), {});
  changed_ = true;
}

void Change::remove_member(DestinationId to, const wire::GroupKey& group, const GroupMember& member) {
  changed_ = transaction_.remove(tables_.members, member_key(to, group, member.turn, member.message)) || changed_;
}

std::optional<Delivery> Change::find(const MessageId& id, const Delivery& sibling) {
  const std::string key = delivery_key(id, sibling.destination);
  const auto stored = transaction_.get(tables_.deliveries, key);
  if (!stored) return std::nullopt;
  auto delivery = read_delivery(*stored);
  if (delivery) return std::move(*delivery);
  quarantine(tables_.deliveries, 'd', key);
  Delivery lost;
  lost.message = id;
  lost.destination = sibling.destination;
  lost.destination_name = sibling.destination_name;
  lost.expires = expiry_of(id, sibling.destination);
  const bool was_dead = transaction_.get(tables_.ended, ended_key(DeliveryState::dead, id, sibling.destination)).has_value();
  if (was_dead) lost.state = DeliveryState::dead;  // the books know it as that
  const bool went = wire::is_batch(sibling.grouping.kind) && sibling.state == DeliveryState::delivered;
  const char* const when = was_dead ? "" : went ? " after its batch was delivered" : " while it waited for others of its key";
  return end_damaged(lost, std::string("its record was damaged") + when, sends_one_thing(id, sibling.grouping));
}

void Change::save(const Delivery& now, const Delivery& before) {
  if (expires_by_index(before)) {
    transaction_.remove(tables_.expiries, expiry_key(before.expires, before.message, before.destination));
  }
  write_state(now, before.state, before.due);
  if (expires_by_index(now)) transaction_.put(tables_.expiries, expiry_key(now.expires, now.message, now.destination), {});
}

void Change::put_due(const Delivery& delivery) {
  transaction_.put(tables_.due, due_key(delivery.destination, delivery.due, delivery.message), due_value(delivery.grouping));
  changed_ = true;
}

void Change::remove_due(const Delivery& delivery) {
  changed_ = transaction_.remove(tables_.due, due_key(delivery.destination, delivery.due, delivery.message)) || changed_;
}

bool Change::hold(const Delivery& delivery) {
  const std::pair whom(leader_of(delivery), delivery.destination);
  if (held_.contains(whom)) return true;
  if (!leases_.take(whom.first, whom.second, now_, now_ + kHold)) return false;
  held_.insert(whom);
  return true;
}

}  // namespace belay::spool
