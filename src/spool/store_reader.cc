#include "spool/store_reader.h"

#include <algorithm>

#include "spool/batch.h"
#include "spool/claims.h"

namespace belay::spool {

Result<Message> StoreReader::load(const MessageId& id) const {
  lmdb::ReadTransaction transaction(environment_);
  auto message = load(transaction, id);
  if (!message && message.error().kind == ErrorKind::corrupt) {
    report_({Damage::Kind::message, {0, {}, id, {}}, {}, {}, message.error().message});
  }
  return message;
}

Result<Message> StoreReader::load(lmdb::Transaction& transaction, const MessageId& id) const {
  const auto stored = transaction.get(tables_.messages, id.view());
  if (transaction.failed()) return transaction.error();
  if (!stored) return invalid("no message " + id.to_string() + " is stored");
  auto read = read_message(*stored);
  if (!read) return read.error();
  if (read->message.event.id != id) return Error{ErrorKind::corrupt, "stored message stands under another id"};
  for (size_t i = 0; i < read->chunked.size(); ++i) {
    const auto shape = static_cast<uint16_t>(i);
    if (read->chunked[i] == 0) continue;
    if (auto loaded = load_body(transaction, id, shape, read->chunked[i], read->message.shape(shape).body); !loaded) return loaded.error();
  }
  return std::move(read->message);
}

Result<void> StoreReader::load_body(lmdb::Transaction& transaction, const MessageId& id, uint16_t shape, uint64_t bytes,
                                    std::string& body) const {
  body.reserve(bytes);
  for (uint16_t number = 0; body.size() < bytes; ++number) {
    const auto chunk = transaction.get(tables_.chunks, chunk_key(id, shape, number));
    if (transaction.failed()) return transaction.error();
    if (!chunk) return Error{ErrorKind::corrupt, "a piece of the stored body is missing"};
    auto piece = unseal(*chunk);
    if (!piece || piece->empty()) return Error{ErrorKind::corrupt, "a piece of the stored body is damaged"};
    body.append(*piece);
  }
  if (body.size() != bytes) return Error{ErrorKind::corrupt, "the stored body is longer than its message says"};
  return {};
}

Result<std::vector<std::optional<wire::ClaimedBy>>> StoreReader::find_claims(const std::vector<wire::ClaimKey>& keys, WallTime now) const {
  std::vector<std::optional<wire::ClaimedBy>> found;
  lmdb::ReadTransaction transaction(environment_);
  for (const wire::ClaimKey& key : keys) found.push_back(find_claim(transaction, tables_, key, 0, now));
  if (transaction.failed()) return transaction.error();
  return found;
}

Result<std::vector<Delivery>> StoreReader::deliveries(const MessageId& id, WallTime now) const {
  lmdb::ReadTransaction transaction(environment_);
  return deliveries(transaction, id, now);
}

Result<std::vector<Delivery>> StoreReader::deliveries(lmdb::Transaction& transaction, const MessageId& id,
                                                      WallTime now) const {
  std::vector<Delivery> found;
  lmdb::Cursor cursor(transaction, tables_.deliveries);
  for (bool more = cursor.seek(id.view()); more && cursor.key().starts_with(id.view()); more = cursor.next()) {
    auto delivery = read_delivery(cursor.value());
    if (!delivery) {
      Delivery unknown;
      unknown.message = id;
      unknown.destination = get_be(cursor.key().data() + 16, 8);
      unknown.state = DeliveryState::dead;
      unknown.reason = kDamaged;
      unknown.damaged = true;
      found.push_back(std::move(unknown));
      continue;
    }
    if (is_waiting(delivery->state)) find_place(transaction, *delivery, now);
    found.push_back(std::move(*delivery));
  }
  if (transaction.failed()) return transaction.error();
  return found;
}

// Two snapshots: a lease is taken first, and only what is still waiting in a snapshot begun afterwards is given out. A
// settlement drops its lease after its commit, so nothing that was settled meanwhile can come back.
Result<Leases> StoreReader::lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease_for, std::vector<DueEntry>& care) const {
  Leases result;
  std::vector<DueEntry> taken;
  std::string prefix;
  put_be64(prefix, to);
  {
    lmdb::ReadTransaction transaction(environment_);
    lmdb::Cursor cursor(transaction, tables_.due);
    for (bool more = cursor.seek(prefix); more && cursor.key().starts_with(prefix); more = cursor.next()) {
      const DueEntry entry = DueEntry::read(cursor.key(), cursor.value());
      if (entry.due > now || taken.size() == max) {
        if (leases_.held(entry.message, to, now)) continue;
        result.next_due = entry.due;
        break;
      }
      if (leases_.take(entry.message, to, now, now + lease_for)) taken.push_back(entry);
    }
    // Far ahead: of a clock that was wrong.
    const std::string far = due_key(to, now + Delivery::kFarthestDue, {});
    for (bool more = taken.size() < max && cursor.seek(far); more && cursor.key().starts_with(prefix); more = cursor.next()) {
      const DueEntry entry = DueEntry::read(cursor.key(), cursor.value());
      if (taken.size() == max) {
        if (leases_.held(entry.message, to, now)) continue;
        result.next_due = now;
        break;
      }
      if (leases_.take(entry.message, to, now, now + lease_for)) taken.push_back(entry);
    }
    if (transaction.failed()) return transaction.error();
  }
  lmdb::ReadTransaction transaction(environment_);
  size_t bytes = 0, loads = 0;
  for (const DueEntry& entry : taken) {
    if (bytes > StoreOptions::kMaxLeaseBytes || loads > StoreOptions::kMaxLeaseLoads) {
      leases_.drop(entry.message, entry.destination);
      if (!result.next_due || entry.due < *result.next_due) result.next_due = entry.due;
    } else if (auto leased = lease(transaction, entry, now, care, loads)) {
      bytes += leased->message->body_bytes();
      result.leased.push_back(std::move(*leased));
    } else {
      leases_.drop(entry.message, entry.destination);
    }
  }
  if (transaction.failed()) {
    for (const Leased& leased : result.leased) leases_.drop(leased.delivery.message, to);
    return transaction.error();
  }
  return result;
}

// What is being sent, and who goes before what waits.
void StoreReader::find_place(lmdb::Transaction& transaction, Delivery& delivery, WallTime now) const {
  const bool batch = wire::is_batch(delivery.grouping.kind);
  if (leases_.held(batch ? delivery.batch : delivery.message, delivery.destination, now)) delivery.state = DeliveryState::sending;
  if (!delivery.grouped() || batch) return;
  const auto stored = transaction.get(tables_.groups, group_key(delivery.destination, delivery.grouping.key));
  const auto head = stored ? read_group_head(*stored) : std::nullopt;
  if (head && head->first != delivery.message) delivery.waits_for = head->first;
}

StoreReader::Turn StoreReader::turn_of(lmdb::Transaction& transaction, const Delivery& delivery, WallTime now) const {
  if (!delivery.shaped()) return Turn::yes;
  if (delivery.expires != WallTime{} && delivery.expires <= now) return Turn::needs_care;
  if (!delivery.grouped()) return Turn::yes;
  const auto stored = transaction.get(tables_.groups, group_key(delivery.destination, delivery.grouping.key));
  const auto head = stored ? read_group_head(*stored) : std::nullopt;
  const bool is_head = head && head->first == delivery.message;
  if (wire::is_batch(delivery.grouping.kind)) {
    if (delivery.batch != delivery.message) return Turn::no;
    return is_head ? Turn::needs_care : Turn::yes;  // still open
  }
  if (!is_head) return Turn::no;
  const bool newer = delivery.grouping.kind == wire::GroupKind::debounce &&
                     !read_members(transaction, tables_, delivery.destination, delivery.grouping.key, 1).empty();
  return newer ? Turn::needs_care : Turn::yes;
}

std::optional<Leased> StoreReader::lease_batch(lmdb::Transaction& transaction, const DueEntry& entry, Leased first, size_t& loads) const {
  std::vector<std::string> bodies;  // nothing else of the messages is kept: they may be much larger
  const auto members = read_members(transaction, tables_, entry.destination, Groups::batch_key(entry.message), Groups::kMaxBatch);
  loads += members.size();
  for (const GroupMember& member : members) {
    if (member.message == entry.message) {
      bodies.push_back(first.message->body(first.delivery.shape));
      continue;
    }
    const auto stored = transaction.get(tables_.deliveries, delivery_key(member.message, entry.destination));
    const auto delivery = stored ? read_delivery(*stored) : Result<Delivery>(Error{ErrorKind::corrupt, "a delivery of a batch is missing"});
    if (transaction.failed()) return std::nullopt;
    if (!delivery || !is_waiting(delivery->state)) {
      report_({Damage::Kind::member, entry, member.message, {}, delivery ? "ended" : delivery.error().message});
      return std::nullopt;
    }
    auto message = load(transaction, member.message);
    if (message && !message->has_shape(delivery->shape)) message = Error{ErrorKind::corrupt, "the stored message lacks what this delivery sends"};
    if (!message) {
      if (!transaction.failed()) report_({Damage::Kind::message, {entry.destination, {}, member.message, {}}, {}, {}, message.error().message});
      return std::nullopt;
    }
    bodies.push_back(message->body(delivery->shape));
  }
  return Leased{first.delivery, std::make_shared<const Message>(merge(*first.message, first.delivery.shape, first.delivery.grouping.kind, bodies))};
}

std::optional<Leased> StoreReader::lease(lmdb::Transaction& transaction, const DueEntry& entry, WallTime now,
                                         std::vector<DueEntry>& care, size_t& loads) const {
  const auto stored = transaction.get(tables_.deliveries, delivery_key(entry.message, entry.destination));
  if (transaction.failed()) return std::nullopt;
  if (!stored) {
    report_({Damage::Kind::stray_due, entry, {}, {}, "due without a delivery"});
    return std::nullopt;
  }
  auto delivery = read_delivery(*stored);
  if (!delivery) {
    report_({Damage::Kind::delivery, entry, {}, {}, delivery.error().message});
    return std::nullopt;
  }
  // Settled between the two snapshots, or moved to another due time: the index entry seen is history. Or it is stray, and
  // would be found for ever; the writer knows.
  const Turn turn = turn_of(transaction, *delivery, now);
  if (!is_waiting(delivery->state) || delivery->due != entry.due || turn == Turn::no) {
    report_({Damage::Kind::stray_due, entry, {}, {}, "due at a time its delivery does not know, or before its turn"});
    return std::nullopt;
  }
  if (turn == Turn::needs_care) {
    care.push_back(entry);
    return std::nullopt;
  }
  ++loads;
  auto message = load(transaction, entry.message);
  if (message && !message->has_shape(delivery->shape)) message = Error{ErrorKind::corrupt, "the stored message lacks what this delivery sends"};
  if (!message) {
    if (!transaction.failed()) report_({Damage::Kind::message, entry, {}, {}, message.error().message});
    return std::nullopt;
  }
  Leased leased{std::move(*delivery), std::make_shared<const Message>(std::move(*message))};
  return wire::is_batch(leased.delivery.grouping.kind) ? lease_batch(transaction, entry, std::move(leased), loads) : std::move(leased);
}

Result<ActPage> StoreReader::acts(std::optional<MessageId> before, uint32_t max) const {
  ActPage page;
  lmdb::ReadTransaction transaction(environment_);
  lmdb::Cursor cursor(transaction, tables_.acts);
  for (bool more = before ? cursor.seek_before(before->view()) : cursor.last(); more; more = cursor.previous()) {
    if (page.rows.size() == max) {
      page.next = page.rows.back().id;
      break;
    }
    auto act = read_act(cursor.value());
    if (act) page.rows.push_back(std::move(*act));
    else page.rows.push_back({MessageId::from_bytes(cursor.key()).value_or(MessageId{}), {}, {}, {}, "its record is damaged", 0, 0, 0});
  }
  if (transaction.failed()) return transaction.error();
  return page;
}

// Not by the index of what is due: what waits behind others of its key does not stand there.
WallTime StoreReader::oldest(lmdb::Transaction& transaction, DestinationId to, int64_t minute) const {
  constexpr int kLooks = 256;  // asked for each destination whenever somebody looks at the state
  const WallTime from = wall_from_ms(minute * 60'000), end = from + Duration(60'000);
  std::string suffix;
  put_be64(suffix, to);
  lmdb::Cursor cursor(transaction, tables_.deliveries);
  bool more = cursor.seek(MessageId::first_at(from).view());
  for (int looks = 0; more && looks < kLooks; ++looks, more = cursor.next()) {
    const WallTime came = MessageId::from_bytes(cursor.key().substr(0, 16)).value_or(MessageId{}).time();
    if (came >= end) break;
    const auto state = cursor.key().ends_with(suffix) ? read_delivery_state(cursor.value()) : std::nullopt;
    if (state && is_waiting(*state)) return came;
  }
  return from;
}

std::optional<WallTime> StoreReader::newest_message() const {
  std::optional<WallTime> newest;
  lmdb::ReadTransaction transaction(environment_);
  for (const lmdb::Table table : {tables_.messages, tables_.journal}) {
    lmdb::Cursor cursor(transaction, table);
    if (!cursor.last()) continue;
    const auto id = MessageId::from_bytes(cursor.key().substr(0, 16));
    if (id && (!newest || id->time() > *newest)) newest = id->time();
  }
  return newest;
}

}  // namespace belay::spool
