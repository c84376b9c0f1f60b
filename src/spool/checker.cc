#include "spool/checker.h"

#include "spool/claims.h"
#include "spool/groups.h"
#include "spool/journal.h"

namespace belay::spool {

namespace {

std::string name_of(std::string_view id) {
  const auto read = MessageId::from_bytes(id.substr(0, 16));
  return read ? read->to_string() : hex_encode(id);
}

std::string delivery_name(std::string_view key) { return "delivery of " + name_of(key) + " to destination " + hex_encode(key.substr(16)); }

}  // namespace

Checker::Checker(lmdb::Environment& environment, const Tables& tables)
    : tables_(tables),
      walks_{{tables.messages, &Checker::message}, {tables.chunks, &Checker::chunk},       {tables.deliveries, &Checker::delivery},
             {tables.due, &Checker::due},          {tables.ended, &Checker::ended},        {tables.expiries, &Checker::expiry},
             {tables.groups, &Checker::group},     {tables.members, &Checker::member},     {tables.journal, &Checker::block},
             {tables.claims, &Checker::claim},     {tables.claim_ends, &Checker::claim_end}, {tables.kept, &Checker::kept},
             {tables.counts, &Checker::sealed},    {tables.sources, &Checker::sealed},     {tables.clients, &Checker::sealed},
             {tables.stops, &Checker::sealed},     {tables.acts, &Checker::sealed},        {tables.quarantine, &Checker::set_aside}},
      transaction_(environment) {
  for (const Walk& walk : walks_) all_ += transaction_.entries(walk.table);
}

bool Checker::step() {
  if (walk_ == walks_.size()) return true;
  transaction_.renew();
  const Walk& walk = walks_[walk_];
  lmdb::Cursor cursor(transaction_, walk.table);
  bool more = cursor.seek(at_);
  if (more && !at_.empty() && cursor.key() == at_) more = cursor.next();
  for (uint32_t looks = 0; more && looks < kPiece; ++looks, more = cursor.next()) {
    at_ = cursor.key();
    (this->*walk.look)(cursor.key(), cursor.value());
    ++done_;
  }
  if (transaction_.failed()) {
    wrong("the file cannot be read on: " + transaction_.error().message);
    walk_ = walks_.size();
  } else if (!more) {
    ++walk_;
    at_.clear();
  }
  return walk_ == walks_.size();
}

void Checker::wrong(std::string what) {
  ++report_.wrong;
  if (report_.problems.size() < CheckReport::kMaxProblems) report_.problems.push_back(std::move(what));
}

std::optional<Delivery> Checker::find(std::string_view key) {
  const auto stored = transaction_.get(tables_.deliveries, key);
  auto delivery = stored ? read_delivery(*stored) : Result<Delivery>(Error{ErrorKind::corrupt, {}});
  return delivery ? std::optional(std::move(*delivery)) : std::nullopt;
}

void Checker::message(std::string_view key, std::string_view value) {
  ++report_.messages;
  const auto read = read_message(value);
  if (!read) return wrong("message " + name_of(key) + ": " + read.error().message);
  if (read->message.event.id.view() != key) return wrong("message " + name_of(key) + " stands under another id than its own");
  for (size_t i = 0; i < read->chunked.size(); ++i) {
    if (read->chunked[i] > 0) body(read->message.event.id, static_cast<uint16_t>(i), read->chunked[i]);
  }
  lmdb::Cursor cursor(transaction_, tables_.deliveries);
  const bool any = cursor.seek(key) && cursor.key().starts_with(key);
  if (!any && !transaction_.get(tables_.kept, key)) wrong("message " + name_of(key) + " has no delivery and is not in quarantine");
}

void Checker::body(const MessageId& id, uint16_t shape, uint64_t bytes) {
  uint64_t found = 0;
  for (uint16_t number = 0; found < bytes; ++number) {
    const auto chunk = transaction_.get(tables_.chunks, chunk_key(id, shape, number));
    const auto piece = chunk ? unseal(*chunk) : Result<std::string_view>(Error{ErrorKind::corrupt, {}});
    if (!piece || piece->empty()) return wrong("message " + id.to_string() + ": piece " + std::to_string(number) + " of a body is " + (chunk ? "damaged" : "missing"));
    found += piece->size();
  }
  if (found != bytes) wrong("message " + id.to_string() + ": a body is longer than its message says");
}

void Checker::chunk(std::string_view key, std::string_view value) {
  if (!unseal(value)) wrong("a piece of a body of " + name_of(key) + " is damaged");
  if (!transaction_.get(tables_.messages, key.substr(0, 16))) wrong("a piece of a body of " + name_of(key) + " has no message");
}

void Checker::delivery(std::string_view key, std::string_view value) {
  ++report_.deliveries;
  const std::string name = delivery_name(key);
  const auto read = read_delivery(value);
  if (!read) return wrong(name + ": " + read.error().message);
  if (delivery_key(read->message, read->destination) != key) return wrong(name + " stands under another key than its own");
  // A message that was set aside leaves its dead deliveries behind.
  if (is_waiting(read->state) && !transaction_.get(tables_.messages, key.substr(0, 16))) wrong(name + " waits, and there is no message");
  if (is_waiting(read->state)) turn(*read, name);
  if (is_indexed_end(read->state) && !transaction_.get(tables_.ended, ended_key(read->state, read->message, read->destination))) {
    wrong(name + " is " + std::string(to_string(read->state)) + " and not in the index of those");
  }
  if (expires_by_index(*read) && !transaction_.get(tables_.expiries, expiry_key(read->expires, read->message, read->destination))) {
    wrong(name + " expires, and is not in the index of those");
  }
  if (read->unmade && read->state == DeliveryState::dead && !transaction_.get(tables_.kept, key)) wrong(name + " could not be made, and is not in quarantine");
}

// It is due, or behind another of its key, or in a batch whose first one is due.
void Checker::turn(const Delivery& delivery, const std::string& name) {
  if (transaction_.get(tables_.due, due_key(delivery.destination, delivery.due, delivery.message))) return;
  if (!delivery.grouped()) return wrong(name + " waits, and is not due at any time");
  const bool batch = wire::is_batch(delivery.grouping.kind);
  const wire::GroupKey key = batch ? Groups::batch_key(delivery.batch) : delivery.grouping.key;
  if (!transaction_.get(tables_.members, member_key(delivery.destination, key, delivery.turn, delivery.message))) {
    wrong(name + " waits for others of its key, which do not know it");
  }
}

void Checker::due(std::string_view key, std::string_view value) {
  const DueEntry entry = DueEntry::read(key, value);
  const std::string of = delivery_key(entry.message, entry.destination);
  const auto delivery = find(of);
  if (!delivery) return wrong("due entry of a " + delivery_name(of) + " that is not there or damaged");
  if (!is_waiting(delivery->state)) wrong("due entry of a " + delivery_name(of) + " that is " + std::string(to_string(delivery->state)));
  else if (delivery->due != entry.due) wrong("due entry of a " + delivery_name(of) + " at another time than its own");
}

void Checker::ended(std::string_view key, std::string_view) {
  const auto delivery = find(key.substr(1));
  if (!delivery || delivery->state != static_cast<DeliveryState>(key.front())) wrong("index entry of a " + delivery_name(key.substr(1)) + " that has not ended so");
}

void Checker::expiry(std::string_view key, std::string_view) {
  const auto delivery = find(key.substr(8));
  if (!delivery || !expires_by_index(*delivery)) wrong("expiry of a " + delivery_name(key.substr(8)) + " that does not expire");
}

void Checker::group(std::string_view key, std::string_view value) {
  const auto head = read_group_head(value);
  if (!head) return wrong("a group's head is damaged");
  const std::string of = delivery_key(head->first, get_be(key.data(), 8));
  const auto first = find(of);
  if (!first || !first->grouped()) wrong("a group is led by a " + delivery_name(of) + " that is not there");
}

void Checker::member(std::string_view key, std::string_view) {
  const std::string of = delivery_key(read_member(key).message, get_be(key.data(), 8));
  const auto delivery = find(of);
  if (!delivery || !delivery->grouped()) wrong("a group has a member, " + delivery_name(of) + ", that is not there");
}

void Checker::block(std::string_view key, std::string_view value) {
  const auto block = read_block(value);
  const auto lines = block ? block->lines() : Result<std::string_view>(block.error());
  if (!lines) return wrong("block of the books until " + name_of(key) + ": " + lines.error().message);
  uint64_t count = 0;
  for (std::string_view rest = *lines; !rest.empty(); ++count) {
    if (const auto event = wire::next_event(rest); !event) return wrong("block of the books until " + name_of(key) + ": a line is damaged");
  }
  report_.lines += count;
  if (count != block->count) wrong("block of the books until " + name_of(key) + " holds another number of lines than it says");
}

void Checker::claim(std::string_view key, std::string_view value) {
  ++report_.claims;
  const auto claim = read_claim(key, value);
  if (!claim) return wrong("a claim is damaged");
  if (!transaction_.get(tables_.claim_ends, claim_end_key(claim->until, key))) wrong("a claim is not in the index of those that end");
}

void Checker::claim_end(std::string_view key, std::string_view) {
  if (!transaction_.get(tables_.claims, key.substr(8))) wrong("the end of a claim that is not there");
}

void Checker::kept(std::string_view key, std::string_view) {
  if (!transaction_.get(tables_.messages, key.substr(0, 16))) wrong("quarantine names a message that is not there: " + name_of(key));
}

void Checker::sealed(std::string_view key, std::string_view value) {
  if (!unseal(value)) wrong("a record of the books, of a stop or of the audit log is damaged (key " + hex_encode(key) + ")");
}

void Checker::set_aside(std::string_view, std::string_view) { ++report_.quarantined; }

}  // namespace belay::spool
