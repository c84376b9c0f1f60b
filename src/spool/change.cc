#include "spool/change.h"

#include <algorithm>
#include <numeric>

#include "base/log.h"
#include "spool/claims.h"

namespace belay::spool {

Change::Change(lmdb::Environment& environment, const Tables& tables, const Books& books, LeaseTable& leases, WallTime now)
    : tables_(tables),
      leases_(leases),
      now_(now),
      most_refused_(static_cast<uint64_t>(StoreOptions::kQuarantinePart * static_cast<double>(environment.map_bytes()))),
      transaction_(environment),
      books_(books),
      messages_{tables.messages},
      deliveries_{tables.deliveries},
      journal_{tables.journal},
      failed_{tables.failed},
      groups_(*this, now) {}

Change::~Change() {
  for (const auto& [message, destination] : held_) leases_.drop(message, destination);
  if (committed_) return;
  for (const auto& [message, destination] : leased_) leases_.drop(message, destination);
}

bool Change::is_new(Ordered& table, std::string_view key) {
  if (!table.known) {
    lmdb::Cursor cursor(transaction_, table.table);
    if (cursor.last()) table.last = cursor.key();
    table.known = true;
  }
  return key > table.last || !transaction_.get(table.table, key);
}

void Change::put_ordered(Ordered& table, std::string_view key, std::string_view value) {
  if (key > table.last) {
    transaction_.append(table.table, key, value);
    table.last = key;
  } else {
    transaction_.put(table.table, key, value);
  }
}

Committed Change::apply(Batch& batch) {
  Committed committed;
  committed.duplicate.resize(batch.puts.size());
  committed.failed.resize(batch.puts.size());
  std::vector<size_t> order(batch.puts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return batch.puts[a].message->event.id < batch.puts[b].message->event.id;
  });
  committed.claimed.resize(batch.puts.size());
  for (const size_t at : order) {
    NewMessage& put = batch.puts[at];
    if (!put.claims.empty()) {
      committed.claimed[at] = find_claims(transaction_, tables_, put.claims, put.message->event.id, now_);
    }
    if (committed.claimed[at]) continue;
    const Stored stored = store(put, batch.lease);
    changed_ = changed_ || stored == Stored::now;
    committed.duplicate[at] = stored == Stored::before;
    committed.failed[at] = stored == Stored::failed;
  }
  committed.refused.reserve(batch.settlements.size());
  for (const Settlement& settlement : batch.settlements) committed.refused.push_back(!settle(settlement.delivery));
  for (const EventBatch& events : batch.events) {
    if (!books_.first_time(events.client, events.number)) continue;
    add_lines(events.lines);
    for (const wire::Confirmed& one : events.confirmed) {
      take_claims(transaction_, tables_, one.claims, one.id, one.status, now_);
    }
  }
  for (const Act& act : batch.acts) put_act(act);
  for (const std::string& one : batch.drops) committed.dropped.push_back(drop(one));
  changed_ = changed_ || !batch.events.empty();
  for (const StopOrder& one : batch.stops) committed.stops.push_back(stop(one));
  return committed;
}

Stopped Change::stop(const StopOrder& order) {
  std::string key;
  put_be64(key, order.destination);
  Stopped stopped;
  if (const auto stored = transaction_.get(tables_.stops, key)) {
    if (auto known = read_stop(order.destination, *stored)) stopped.stop = std::move(*known);
    else quarantine(tables_.stops, 's', key);
  }
  stopped.changed = spool::apply(order, stopped.stop);
  if (!stopped.changed) return stopped;
  changed_ = true;
  scratch_.clear();
  append_sealed(scratch_, stopped.stop);
  if (stopped.stop.any()) transaction_.put(tables_.stops, key, scratch_);
  else transaction_.remove(tables_.stops, key);
  return stopped;
}

// Only what is in quarantine: a message with deliveries is not forgotten by anybody's word.
void Change::forget_kept(const MessageId& id) {
  if (!id.empty() && transaction_.get(tables_.kept, id.view())) remove_message(id);
}

// While its entry in `kept` and its record still stand.
void Change::free_room_of_refusal(std::string_view id) {
  books_.totals.rejected_bytes -= std::min(books_.totals.rejected_bytes, room_of_refusal(transaction_, tables_, id));
}

bool Change::drop(std::string_view kept) {
  if (const auto id = MessageId::parse(kept)) {
    const bool there = transaction_.get(tables_.kept, id->view()).has_value();
    forget_kept(*id);
    return there;
  }
  const auto key = read_kept_key(kept);
  return key && forget_damaged(*key);
}

// Of a message also what is left of it: pieces of its body, and its deliveries, which ended when it was set aside.
bool Change::forget_damaged(const std::string& key) {
  if (!transaction_.remove(tables_.quarantine, key)) return false;
  if (books_.totals.quarantined > 0) --books_.totals.quarantined;
  changed_ = true;
  const auto id = key.front() == 'm' ? MessageId::from_bytes(std::string_view(key).substr(1)) : std::nullopt;
  if (id && !transaction_.get(tables_.messages, id->view())) remove_rest(*id);
  return true;
}

void Change::doubt_time(bool on) {
  if (on) transaction_.put(tables_.meta, Tables::kDoubtKey, {});
  changed_ = on || transaction_.remove(tables_.meta, Tables::kDoubtKey) || changed_;
}

void Change::put_act(const Act& act) {
  scratch_.clear();
  append_sealed(scratch_, act);
  transaction_.put(tables_.acts, act.id.view(), scratch_);
  changed_ = true;
}

Change::Stored Change::store(NewMessage& put, Duration lease) {
  const Message& message = *put.message;
  const Stored stored = put_message(message, put.deliveries.empty(), false);
  if (stored == Stored::line_only) return Stored::now;
  if (stored != Stored::now) return stored;
  take_claims(transaction_, tables_, put.claims, message.event.id, message.event.status, now_);
  forget_kept(put.in_place_of);
  for (Delivery& delivery : put.deliveries) {
    if (delivery.destination_name != message.event.destination) block_.add_destination(delivery.destination_name);
    store_delivery(delivery, message.body(delivery.shape).size(), lease);
  }
  return Stored::now;
}

// The message with its line of the books. `kept`: for quarantine.
Change::Stored Change::put_message(const Message& message, bool kept, bool restored) {
  const MessageId& id = message.event.id;
  if (!is_new(messages_, id.view())) return Stored::before;
  if (!is_new(failed_, id.view())) return Stored::failed;
  scratch_.clear();
  append_sealed(scratch_, message, StoreOptions::kInlineBody);
  std::string_view rest = std::string_view(scratch_).substr(1);  // the line stands first after the version byte
  auto line = wire::next_event(rest);
  BELAY_CHECK(line.ok());
  restored ? restore_line(*line) : add_line(*line);
  if (kept) {
    uint64_t room = scratch_.size();
    for (size_t i = 0; i <= message.shapes.size(); ++i) {
      const size_t body = message.shape(static_cast<uint16_t>(i)).body.size();
      if (body > StoreOptions::kInlineBody) room += room_of_chunks(body);
    }
    if (books_.totals.rejected >= StoreOptions::kMaxQuarantined || books_.totals.rejected_bytes + room > most_refused_) {
      put_ordered(failed_, id.view(), {});
      return Stored::line_only;
    }
    ++books_.totals.rejected;
    books_.totals.rejected_bytes += room;
    std::string value;
    put_be64(value, room);
    transaction_.put(tables_.kept, id.view(), value);
  }
  put_ordered(messages_, id.view(), scratch_);
  ++books_.totals.messages;
  for (size_t i = 0; i <= message.shapes.size(); ++i) {
    const auto shape = static_cast<uint16_t>(i);
    if (message.shape(shape).body.size() > StoreOptions::kInlineBody) store_chunks(id, shape, message.shape(shape).body);
  }
  return Stored::now;
}

void Change::store_chunks(const MessageId& id, uint16_t shape, std::string_view body) {
  for (uint16_t number = 0; !body.empty(); ++number) {
    const std::string_view piece = body.substr(0, StoreOptions::kBodyChunk);
    body.remove_prefix(piece.size());
    scratch_.clear();
    append_sealed(scratch_, piece);
    transaction_.put(tables_.chunks, chunk_key(id, shape, number), scratch_);
  }
}

void Change::store_delivery(Delivery& delivery, size_t bytes, Duration lease) {
  if (delivery.state == DeliveryState::sending) {
    BELAY_CHECK_NOTE(!delivery.grouped(), "who goes first of a key is decided by the commit");
    delivery.state = DeliveryState::queued;
    // Before the commit shows it to anybody else, so that no scan can take it first.
    if (leases_.take(delivery.message, delivery.destination, now_, now_ + lease)) {
      leased_.emplace_back(delivery.message, delivery.destination);
    }
  }
  if (delivery.grouped() && is_waiting(delivery.state)) {
    delivery.turn = ++books_.totals.turns;
    static_cast<void>(groups_.join(delivery, bytes, false));
  }
  write_delivery(delivery);
}

// A new one, in whatever state, with its indexes and the books.
void Change::write_delivery(const Delivery& delivery) {
  scratch_.clear();
  append_sealed(scratch_, delivery);
  const std::string key = delivery_key(delivery.message, delivery.destination);
  static_cast<void>(is_new(deliveries_, key));
  put_ordered(deliveries_, key, scratch_);
  if (expires_by_index(delivery)) transaction_.put(tables_.expiries, expiry_key(delivery.expires, delivery.message, delivery.destination), {});
  if (is_waiting(delivery.state)) {
    if (groups_.has_turn(delivery)) put_due(delivery);
  } else if (is_indexed_end(delivery.state)) {
    transaction_.put(tables_.ended, ended_key(delivery.state, delivery.message, delivery.destination), {});
  }
  if (delivery.unmade && delivery.state == DeliveryState::dead) transaction_.put(tables_.kept, key, {});
  books_.added(delivery);
  changed(delivery.message);
}

bool Change::settle(const Delivery& delivery) {
  const auto stored = transaction_.get(tables_.deliveries, delivery_key(delivery.message, delivery.destination));
  if (!stored) return false;
  auto head = read_delivery_head(*stored);
  if (!head) {
    if (!knows_a_damaged_one(delivery)) return false;
    quarantine(tables_.deliveries, 'd', delivery_key(delivery.message, delivery.destination));
    head = DeliveryHead{DeliveryState::queued, delivery.due, std::max(delivery.attempts, 1U) - 1, delivery.shaped()};
    if (delivery.shaped()) return settle_shaped(delivery, {}, *head);  // the view ended with the change
  }
  if (head->shaped) return settle_shaped(delivery, *stored, *head);
  const bool sending = is_waiting(head->state) && (delivery.attempts == head->attempts + 1 ||
                                                   leases_.held(delivery.message, delivery.destination, now_));
  if (!settled(delivery, head->attempts, may_become(sending ? DeliveryState::sending : head->state, delivery.state))) return false;
  write_state(delivery, head->state, head->due);
  return true;
}

// Whose lease the commit ends: one that was settled has none any more, and nobody else sends what has just come back from an
// attempt. Who is refused for another reason says nothing about the lease, which may be somebody's who is sending at this moment.
bool Change::settled(const Delivery& now, uint32_t attempts_before, bool applied) {
  if (applied || now.attempts > attempts_before) settled_.emplace_back(now.message, now.destination);
  return applied;
}

// What the end of an attempt brings is whole and newer than the record; what an operator's step brings was read from it.
bool Change::knows_a_damaged_one(const Delivery& delivery) const {
  if (delivery.state == DeliveryState::queued || delivery.state == DeliveryState::cancelled) return false;
  return delivery.attempts >= 1 || leases_.held(delivery.message, delivery.destination, now_);
}

void Change::write_state(const Delivery& delivery, DeliveryState from, WallTime old_due) {
  scratch_.clear();
  append_sealed(scratch_, delivery);
  transaction_.put(tables_.deliveries, delivery_key(delivery.message, delivery.destination), scratch_);
  if (is_waiting(from)) {
    transaction_.remove(tables_.due, due_key(delivery.destination, old_due, delivery.message));
  } else if (is_indexed_end(from)) {
    transaction_.remove(tables_.ended, ended_key(from, delivery.message, delivery.destination));
  }
  if (is_waiting(delivery.state)) {
    if (groups_.has_turn(delivery)) put_due(delivery);
  } else if (is_indexed_end(delivery.state)) {
    transaction_.put(tables_.ended, ended_key(delivery.state, delivery.message, delivery.destination), {});
  }
  if (delivery.unmade && delivery.state == DeliveryState::cancelled) transaction_.remove(tables_.kept, delivery_key(delivery.message, delivery.destination));
  books_.moved(delivery, from, delivery.state);
  changed(delivery.message);
  changed_ = true;
}

// A failed request whose message is stored all the same (the answer to the put was lost) counts as spooled, as its own line
// says. Every other one is remembered for a while: its put may still be on the way.
void Change::add_lines(const wire::EventLines& lines) {
  size_t stored = 0;
  for (std::string_view rest = lines.bytes(); !rest.empty();) {
    auto event = wire::next_event(rest);
    BELAY_CHECK_NOTE(event.ok(), "EventLines holds a line that was never checked");
    const bool failed = event->outcome == wire::Outcome::failed;
    const bool refused = failed || event->outcome == wire::Outcome::rejected;
    if (refused && !is_new(messages_, event->id.view())) {
      if (failed) ++stored;
      continue;
    }
    if (refused && !is_new(failed_, event->id.view())) continue;  // it has its line
    if (failed) put_ordered(failed_, event->id.view(), {});
    add_line(*event);
  }
  if (stored > 0) {
    log::info("spool: {} requests were answered 503 and are stored all the same (the answer came too late); they count as spooled", stored);
  }
}

void Change::add_line(const wire::EventView& event) {
  if (block_.full()) write_block();
  block_.add(event);
  changed(event.id);
  books_.received(event.source, event.outcome);
  ++books_.totals.events;
}

void Change::write_block() {
  if (block_.empty()) return;
  const int64_t span_ms = (block_.max().time() - block_.min().time()).count();
  books_.totals.widest_ms = std::max(books_.totals.widest_ms, span_ms);
  std::string key(block_.max().view());
  put_be64(key, books_.totals.blocks++);
  static_cast<void>(is_new(journal_, key));
  const std::string block = block_.finish();
  put_ordered(journal_, key, block);
  if (!books_.recount || !books_.recount->counts_block(key)) return;
  const auto written = read_block(block);
  const auto lines = written ? written->lines() : Result<std::string_view>(std::string_view());
  for (std::string_view rest = lines ? *lines : std::string_view(); !rest.empty();) {
    const auto event = wire::next_event(rest);
    if (!event) break;
    books_.recount->line(key, event->source, event->outcome, true);
  }
}

void Change::quarantine(lmdb::Table table, char letter, std::string_view key) {
  const auto value = transaction_.get(table, key);
  if (!value) return;
  const std::string copy(*value);  // the view ends with the next change
  if (table == tables_.messages) free_room_of_refusal(key);
  transaction_.put(tables_.quarantine, std::string(1, letter).append(key), copy);
  transaction_.remove(table, key);
  ++books_.totals.quarantined;
  if (table == tables_.journal) lose_lines(copy);
  if (table == tables_.messages) {
    if (books_.totals.messages > 0) --books_.totals.messages;
    if (transaction_.remove(tables_.kept, key) && books_.totals.rejected > 0) --books_.totals.rejected;
  }
  changed_ = true;
  log::alert("spool: a stored record ({}) is damaged and was set aside in quarantine", letter);
}

// Of a damaged block that is out of its table: as many as its head says, else all that the readable ones do not account for.
void Change::lose_lines(std::string_view block) {
  const auto head = read_block(block);
  uint64_t left = block_.count();
  lmdb::Cursor cursor(transaction_, tables_.journal);
  for (bool more = !head && cursor.first(); more; more = cursor.next()) {
    const auto other = read_block(cursor.value());
    left += other ? other->count : 0;
  }
  const uint64_t lost = head ? head->count : books_.totals.events - std::min(books_.totals.events, left);
  books_.totals.damaged_lines += lost;
  books_.totals.events -= std::min(books_.totals.events, lost);
}

void Change::bury_message(const MessageId& id, const std::string& reason) {
  quarantine(tables_.messages, 'm', id.view());
  for (const std::string& key : keys_with_prefix(tables_.deliveries, id.view())) {
    const auto stored = transaction_.get(tables_.deliveries, key);
    if (!stored) continue;
    auto delivery = read_delivery(*stored);
    if (!delivery || !is_waiting(delivery->state)) continue;
    const Delivery before = *delivery;
    delivery->state = DeliveryState::dead;
    delivery->reason = reason;
    save(*delivery, before);
    settled_.emplace_back(id, delivery->destination);
    groups_.gone(*delivery);
  }
}

// The record alone said which of the message's shapes is sent. Under the same id nothing else may go out (P4), so that it can be
// sent again only when there is one, and it was sent alone.
bool Change::sends_one_thing(const MessageId& id, const wire::Grouping& grouping) {
  const auto stored = transaction_.get(tables_.messages, id.view());
  const auto message = stored ? read_message(*stored) : Result<StoredMessage>(Error{ErrorKind::corrupt, {}});
  return message && message->message.shapes.empty() && !wire::is_batch(grouping.kind);
}

// By the index, which outlives a damaged record. It is read to its end: damage is rare.
WallTime Change::expiry_of(const MessageId& id, DestinationId destination) {
  const std::string whose = delivery_key(id, destination);
  lmdb::Cursor cursor(transaction_, tables_.expiries);
  for (bool more = cursor.first(); more; more = cursor.next()) {
    if (cursor.key().substr(8) == whose) return wall_from_ms(static_cast<int64_t>(get_be(cursor.key().data(), 8)));
  }
  return {};
}

Delivery Change::end_damaged(const Delivery& lost, const std::string& reason, bool can_be_sent) {
  Delivery ended = lost;
  ended.state = DeliveryState::dead;
  ended.reason = reason;
  ended.grouping = {};
  ended.unmade = !can_be_sent;
  if (ended.unmade) {
    ended.reason += ", and what was to be sent is not known any more; --reapply asks the present rules";
    transaction_.put(tables_.kept, delivery_key(lost.message, lost.destination), {});
  }
  save(ended, lost);
  return ended;
}

void Change::renew_delivery(const DueEntry& entry, const std::string& name) {
  const std::string key = delivery_key(entry.message, entry.destination);
  if (const auto stored = transaction_.get(tables_.deliveries, key); stored && read_delivery(*stored)) return;  // found twice
  quarantine(tables_.deliveries, 'd', key);
  Delivery delivery;
  delivery.message = entry.message;
  delivery.destination = entry.destination;
  delivery.destination_name = name;
  delivery.due = entry.due;
  delivery.grouping = entry.grouping;
  delivery.expires = expiry_of(entry.message, entry.destination);
  if (wire::is_batch(delivery.grouping.kind)) delivery.batch = delivery.message;
  if (!sends_one_thing(entry.message, entry.grouping)) {
    static_cast<void>(end_damaged(delivery, "its record was damaged", false));
    return groups_.gone(delivery);
  }
  delivery.reason = "its record was damaged; attempts before this are not known";
  scratch_.clear();
  append_sealed(scratch_, delivery);
  transaction_.put(tables_.deliveries, key, scratch_);
  changed_ = true;
}

void Change::mend_due(const DueEntry& entry, const std::string& name, bool waits) {
  const auto stored = transaction_.get(tables_.deliveries, delivery_key(entry.message, entry.destination));
  if (stored) {
    auto head = read_delivery_head(*stored);
    if (!head) return;  // another damage: renew_delivery()
    if (is_waiting(head->state)) {
      const auto delivery = head->shaped ? read_delivery(*stored) : Result<Delivery>(Delivery{});
      if (head->due == entry.due && (!delivery || !delivery->grouped() || groups_.has_turn(*delivery))) return;  // right by now
      if (delivery && delivery->grouped()) {
        changed_ = transaction_.remove(tables_.due, due_key(entry.destination, entry.due, entry.message)) || changed_;
        return groups_.mend(*delivery);
      }
      transaction_.put(tables_.due, due_key(entry.destination, head->due, entry.message), {});
    }
  } else if (waits && transaction_.get(tables_.messages, entry.message.view())) {
    return renew_delivery(entry, name);
  }
  changed_ = transaction_.remove(tables_.due, due_key(entry.destination, entry.due, entry.message)) || changed_;
}

std::vector<std::string> Change::keys_with_prefix(lmdb::Table table, std::string_view prefix) {
  std::vector<std::string> keys;
  lmdb::Cursor cursor(transaction_, table);
  for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
    keys.emplace_back(cursor.key());
  }
  return keys;
}

std::optional<BooksReport> Change::recount(uint32_t max) {
  if (!books_.recount) books_.recount.emplace();
  // Lines of this transaction that are not written yet count with their block, behind the place or before it.
  write_block();
  if (!books_.recount->step(transaction_, tables_, max)) return std::nullopt;
  BooksReport report = books_.report(transaction_, tables_);
  books_.recount.reset();
  return report;
}

Result<void> Change::commit() {
  if (!changed_ && !failed()) {
    committed_ = true;
  } else {
    write_block();
    books_.write(transaction_, tables_, now_);
    if (auto result = transaction_.commit(); !result) return result;
    committed_ = true;
  }
  for (const auto& whom : settled_) {
    if (!held_.contains(whom)) leases_.drop(whom.first, whom.second);
  }
  return {};
}

}  // namespace belay::spool
