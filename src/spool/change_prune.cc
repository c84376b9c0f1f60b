// Change: what retention takes away, piece by piece, and how whatever belongs to it goes with it.
#include <algorithm>

#include "spool/change.h"
#include "spool/claims.h"

namespace belay::spool {

bool Change::may_go(const MessageId& id, WallTime older_than, bool any_delivered) {
  const bool old = id.time() < older_than;
  if (!old && !any_delivered) return false;
  const std::vector<std::string> keys = keys_with_prefix(tables_.deliveries, id.view());
  if (!old && keys.empty()) return false;  // in quarantine: somebody may still want to release it
  for (const std::string& key : keys) {
    const auto stored = transaction_.get(tables_.deliveries, key);
    if (!stored) return false;
    auto head = read_delivery_head(*stored);
    if (!head || is_waiting(head->state)) return false;
    if (!old && head->state == DeliveryState::dead) return false;  // somebody may still want to replay it
  }
  return true;
}

// A dead one that is forgotten cannot keep its key any longer.
void Change::forget_turn(const std::string& key) {
  const auto stored = transaction_.get(tables_.deliveries, key);
  const auto head = stored ? read_delivery_head(*stored) : Result<DeliveryHead>(DeliveryHead{});
  if (!head || !head->shaped || head->state != DeliveryState::dead) return;
  const auto delivery = read_delivery(*stored);
  if (delivery && delivery->grouping.kind == wire::GroupKind::order_wait) groups_.gone(*delivery);
}

void Change::remove_message(const MessageId& id) {
  free_room_of_refusal(id.view());
  transaction_.remove(tables_.messages, id.view());
  if (keys_with_prefix(tables_.deliveries, id.view()).empty() && books_.totals.rejected > 0) --books_.totals.rejected;
  remove_rest(id);
  --books_.totals.messages;
  changed_ = true;
}

void Change::remove_rest(const MessageId& id) {
  for (const std::string& key : keys_with_prefix(tables_.chunks, id.view())) transaction_.remove(tables_.chunks, key);
  for (const std::string& key : keys_with_prefix(tables_.kept, id.view())) transaction_.remove(tables_.kept, key);
  for (const std::string& key : keys_with_prefix(tables_.deliveries, id.view())) {
    const DestinationId destination = get_be(key.data() + 16, 8);
    const auto stored = transaction_.get(tables_.deliveries, key);
    const auto state = stored ? read_delivery_state(*stored) : std::nullopt;
    if (state && is_waiting(*state)) continue;  // of a damaged message nothing waits; it is not for this to decide
    forget_turn(key);
    if (state) books_.forgotten(key, destination, *state);
    transaction_.remove(tables_.ended, ended_key(DeliveryState::dead, id, destination));
    transaction_.remove(tables_.ended, ended_key(DeliveryState::cancelled, id, destination));
    transaction_.remove(tables_.deliveries, key);
  }
}

uint32_t Change::prune_messages(std::string& from, WallTime older_than, bool any_delivered, uint32_t max) {
  constexpr uint32_t kLooksPerMessage = 4;  // waiting ones in between do not stop a step, nor make it endless
  std::vector<MessageId> candidates;
  {
    lmdb::Cursor cursor(transaction_, tables_.messages);
    bool more = cursor.seek(from);
    for (uint32_t looks = 0; more && looks < max * kLooksPerMessage; ++looks, more = cursor.next()) {
      const auto id = MessageId::from_bytes(cursor.key());
      if (!id || (!any_delivered && id->time() >= older_than)) {
        more = false;
        break;
      }
      candidates.push_back(*id);
    }
    from = more ? std::string(cursor.key()) : std::string();
  }
  uint32_t gone = 0;
  for (const MessageId& id : candidates) {
    if (!may_go(id, older_than, any_delivered)) continue;
    remove_message(id);
    if (++gone == max) {
      from = id.view();
      break;
    }
  }
  return gone;
}

uint32_t Change::prune_journal(WallTime older_than, uint32_t max, uint64_t& lines) {
  lines = 0;
  std::vector<std::string> old;
  {
    lmdb::Cursor cursor(transaction_, tables_.journal);
    for (bool more = cursor.first(); more && old.size() < max; more = cursor.next()) {
      const auto newest = MessageId::from_bytes(cursor.key().substr(0, 16));
      if (!newest || newest->time() >= older_than) break;
      old.emplace_back(cursor.key());
    }
  }
  for (const std::string& key : old) {
    const std::string block(transaction_.get(tables_.journal, key).value_or(std::string_view()));
    const bool read = forget_lines(key);
    transaction_.remove(tables_.journal, key);
    if (read) lines += read_block(block)->count;
    else lose_lines(block);
    changed_ = true;
  }
  books_.totals.events -= std::min(books_.totals.events, lines);
  return static_cast<uint32_t>(old.size());
}

// Of a block that goes. False: it cannot be read.
bool Change::forget_lines(std::string_view key) {
  const auto stored = transaction_.get(tables_.journal, key);
  const auto block = stored ? read_block(*stored) : Result<Block>(Error{ErrorKind::corrupt, {}});
  const auto lines = block ? block->lines() : Result<std::string_view>(block.error());
  if (!lines) return false;
  for (std::string_view rest = *lines; !rest.empty();) {
    const auto event = wire::next_event(rest);
    if (!event) break;
    books_.forgotten(event->source, event->outcome);
    if (books_.recount) books_.recount->line(key, event->source, event->outcome, false);
  }
  return true;
}

uint32_t Change::prune_acts(WallTime older_than, uint32_t max) {
  std::vector<std::string> old;
  {
    const uint64_t kept = transaction_.entries(tables_.acts);
    lmdb::Cursor cursor(transaction_, tables_.acts);
    for (bool more = cursor.first(); more && old.size() < max; more = cursor.next()) {
      const auto id = MessageId::from_bytes(cursor.key());
      if (id && id->time() >= older_than && kept - old.size() <= Act::kMaxKept) break;
      old.emplace_back(cursor.key());
    }
  }
  for (const std::string& key : old) transaction_.remove(tables_.acts, key);
  changed_ = changed_ || !old.empty();
  return static_cast<uint32_t>(old.size());
}

uint32_t Change::prune_damaged(WallTime messages, WallTime history, uint32_t max) {
  std::vector<std::string> old;
  {
    const uint64_t kept = transaction_.entries(tables_.quarantine);
    lmdb::Cursor cursor(transaction_, tables_.quarantine);
    for (bool more = cursor.first(); more && old.size() < max; more = cursor.next()) {
      const auto id = MessageId::from_bytes(cursor.key().substr(1, 16));  // a stop has none
      const bool passed = id && id->time() < (cursor.key().front() == 'j' ? history : messages);
      if (passed || kept - old.size() > StoreOptions::kMaxDamaged) old.emplace_back(cursor.key());
    }
  }
  for (const std::string& key : old) static_cast<void>(forget_damaged(key));
  return static_cast<uint32_t>(old.size());
}

uint32_t Change::prune_failed(WallTime older_than, uint32_t max) {
  std::vector<std::string> old;
  {
    lmdb::Cursor cursor(transaction_, tables_.failed);
    for (bool more = cursor.first(); more && old.size() < max; more = cursor.next()) {
      const auto id = MessageId::from_bytes(cursor.key());
      if (id && id->time() >= older_than) break;
      old.emplace_back(cursor.key());
    }
  }
  for (const std::string& key : old) transaction_.remove(tables_.failed, key);
  changed_ = changed_ || !old.empty();
  return static_cast<uint32_t>(old.size());
}

uint32_t Change::prune_claims(uint32_t max) {
  const uint32_t gone = spool::prune_claims(transaction_, tables_, now_, max);
  changed_ = changed_ || gone > 0;
  return gone;
}

void Change::prune_clients() { changed_ = books_.forget_clients(transaction_, tables_) || changed_; }

}  // namespace belay::spool
