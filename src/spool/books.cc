#include "spool/books.h"

#include <algorithm>
#include <vector>

#include "spool/transfer.h"
#include "wire/codec.h"

namespace belay::spool {

namespace {

constexpr std::string_view kTotals = "totals";
constexpr std::string_view kDamagedLines = "damaged_lines";  // in `meta`: absent as long as there are none

std::string sealed(const DestinationCounts& counts) {
  std::string payload;
  wire::put_text16(payload, counts.name);
  for (const uint64_t count : {counts.spooled, counts.waiting, counts.delivered, counts.dead, counts.cancelled,
                               counts.superseded, counts.forgotten_delivered, counts.forgotten_dead, counts.forgotten_cancelled,
                               counts.forgotten_superseded}) {
    put_be64(payload, count);
  }
  std::string out;
  append_sealed(out, payload);
  return out;
}

std::string sealed(const SourceCounts& counts) {
  std::string payload;
  for (const auto* list : {&counts.received, &counts.forgotten}) {
    for (const uint64_t count : *list) put_be64(payload, count);
  }
  std::string out;
  append_sealed(out, payload);
  return out;
}

std::string sealed(const Totals& totals) {
  std::string payload;
  for (const uint64_t total : {totals.messages, totals.events, totals.quarantined, totals.blocks, totals.rejected}) put_be64(payload, total);
  put_be64(payload, static_cast<uint64_t>(totals.widest_ms));
  put_be64(payload, totals.turns);
  std::string out;
  append_sealed(out, payload);
  return out;
}

bool read(std::string_view stored, DestinationCounts& counts) {
  auto payload = unseal(stored);
  if (!payload) return false;
  wire::Reader in(*payload);
  counts.name = in.text16();
  for (uint64_t* count : {&counts.spooled, &counts.waiting, &counts.delivered, &counts.dead, &counts.cancelled}) {
    *count = in.u64();
  }
  if (in.finished()) return true;  // of schema 2: upgrade.h fills in the rest
  for (uint64_t* count : {&counts.superseded, &counts.forgotten_delivered, &counts.forgotten_dead, &counts.forgotten_cancelled,
                          &counts.forgotten_superseded}) {
    *count = in.u64();
  }
  return in.finished();
}

bool read(std::string_view stored, SourceCounts& counts) {
  auto payload = unseal(stored);
  if (!payload) return false;
  wire::Reader in(*payload);
  for (auto* list : {&counts.received, &counts.forgotten}) {
    for (uint64_t& count : *list) count = in.u64();
  }
  return in.finished();
}

bool read(std::string_view stored, Totals& totals) {
  auto payload = unseal(stored);
  if (!payload) return false;
  wire::Reader in(*payload);
  for (uint64_t* total : {&totals.messages, &totals.events, &totals.quarantined, &totals.blocks, &totals.rejected}) *total = in.u64();
  totals.widest_ms = in.i64();
  if (!in.finished()) totals.turns = in.u64();  // absent in records of schema 2
  return in.finished();
}

struct KnownClient {
  ClientId id{};
  uint64_t number = 0;
  WallTime last{};
};

std::string_view key_of(const ClientId& id) { return {reinterpret_cast<const char*>(id.data()), id.size()}; }

// The latest first.
std::vector<KnownClient> known_clients(lmdb::Transaction& transaction, const Tables& tables) {
  std::vector<KnownClient> known;
  lmdb::Cursor cursor(transaction, tables.clients);
  for (bool more = cursor.first(); more; more = cursor.next()) {
    const auto payload = unseal(cursor.value());
    if (!payload || payload->size() != 16 || cursor.key().size() != ClientId{}.size()) continue;  // at worst lines repeat once
    known.push_back({{}, get_be(payload->data(), 8), wall_from_ms(static_cast<int64_t>(get_be(payload->data() + 8, 8)))});
    std::copy(cursor.key().begin(), cursor.key().end(), known.back().id.begin());
  }
  std::sort(known.begin(), known.end(), [](const KnownClient& a, const KnownClient& b) { return a.last > b.last; });
  return known;
}

}  // namespace

uint64_t& DestinationCounts::of(DeliveryState state) {
  switch (state) {
    case DeliveryState::delivered: return delivered;
    case DeliveryState::dead: return dead;
    case DeliveryState::cancelled: return cancelled;
    case DeliveryState::superseded: return superseded;
    case DeliveryState::queued:
    case DeliveryState::sending:
    case DeliveryState::scheduled: break;
  }
  return waiting;
}

uint64_t& DestinationCounts::forgotten(DeliveryState state) {
  switch (state) {
    case DeliveryState::delivered: return forgotten_delivered;
    case DeliveryState::cancelled: return forgotten_cancelled;
    case DeliveryState::superseded: return forgotten_superseded;
    default: return forgotten_dead;  // what waits is not forgotten
  }
}

uint64_t room_of_refusal(lmdb::Transaction& transaction, const Tables& tables, std::string_view id) {
  const auto kept = transaction.get(tables.kept, id);
  if (!kept) return 0;
  if (kept->size() == 8) return get_be(kept->data(), 8);
  const auto stored = transaction.get(tables.messages, id);
  uint64_t room = stored ? stored->size() : 0;
  const auto message = stored ? read_message(*stored) : Result<StoredMessage>(Error{ErrorKind::corrupt, {}});
  for (const uint64_t body : message ? message->chunked : std::vector<uint64_t>()) room += room_of_chunks(body);
  return room;
}

uint64_t Books::waiting() const {
  uint64_t sum = 0;
  for (const auto& [id, counts] : destinations) sum += counts.waiting;
  return sum;
}

void Books::write_counts(lmdb::WriteTransaction& transaction, const Tables& tables) const {
  for (const auto& [id, counts] : destinations) {
    std::string key;
    put_be64(key, id);
    transaction.put(tables.counts, key, sealed(counts));
  }
  for (const auto& [source, counts] : sources) transaction.put(tables.sources, source_key(source), sealed(counts));
}

Result<Books> Books::read(lmdb::Transaction& transaction, const Tables& tables) {
  Books books;
  const Error damaged{ErrorKind::corrupt, "store: a counter record is damaged; restore data.mdb from a copy"};
  lmdb::Cursor cursor(transaction, tables.counts);
  for (bool more = cursor.first(); more; more = cursor.next()) {
    bool good = false;
    if (cursor.key() == kTotals) {
      good = spool::read(cursor.value(), books.totals);
    } else if (cursor.key().size() == 8) {
      good = spool::read(cursor.value(), books.destinations[get_be(cursor.key().data(), 8)]);
    }
    if (!good) return damaged;
  }
  lmdb::Cursor sources(transaction, tables.sources);
  for (bool more = sources.first(); more; more = sources.next()) {
    if (!spool::read(sources.value(), books.sources[std::string(sources.key().substr(1))])) return damaged;
  }
  if (const auto stored = transaction.get(tables.meta, kDamagedLines)) {
    const auto payload = unseal(*stored);
    if (!payload || payload->size() != 8) return damaged;
    books.totals.damaged_lines = get_be(payload->data(), 8);
  }
  if (transaction.failed()) return transaction.error();
  return books;
}

Result<Books> Books::load(lmdb::Environment& environment, const Tables& tables) {
  lmdb::ReadTransaction transaction(environment);
  auto read = Books::read(transaction, tables);
  if (!read) return read.error();
  Books books = std::move(*read);
  const std::vector<KnownClient> known = known_clients(transaction, tables);
  const size_t kept = std::min(known.size(), kClientsKept);
  for (size_t i = 0; i < kept; ++i) books.clients[known[i].id] = known[i].number;
  books.ages.load(transaction, tables);
  lmdb::Cursor refused(transaction, tables.kept);
  for (bool more = refused.first(); more; more = refused.next()) {
    if (refused.key().size() == MessageId{}.bytes.size()) books.totals.rejected_bytes += room_of_refusal(transaction, tables, refused.key());
  }
  if (transaction.failed()) return transaction.error();
  if (kept == known.size()) return books;
  lmdb::WriteTransaction change(environment);
  for (size_t i = kept; i < known.size(); ++i) change.remove(tables.clients, key_of(known[i].id));
  if (auto forgotten = change.commit(); !forgotten) return forgotten.error();
  return books;
}

DestinationCounts& BooksChange::touch(DestinationId destination) {
  const auto [at, fresh] = destinations_.try_emplace(destination);
  if (fresh) {
    const auto known = base_.destinations.find(destination);
    if (known != base_.destinations.end()) at->second = known->second;
  }
  return at->second;
}

SourceCounts& BooksChange::touch(std::string_view source) {
  if (const auto at = sources_.find(source); at != sources_.end()) return at->second;
  const auto known = base_.sources.find(source);
  return sources_.emplace(std::string(source), known == base_.sources.end() ? SourceCounts() : known->second).first->second;
}

void BooksChange::added(const Delivery& delivery) {
  DestinationCounts& counts = touch(delivery.destination);
  if (counts.name.empty()) counts.name = delivery.destination_name;
  ++counts.spooled;
  ++counts.of(delivery.state);
  if (is_waiting(delivery.state)) age(delivery, 1);
  if (recount) recount->delivery(delivery_key(delivery.message, delivery.destination), nullptr, &delivery.state);
}

// Webhooks of a commit came in the same minute, most of them for the same destination.
void BooksChange::age(const Delivery& delivery, int64_t by) {
  const int64_t minute = Ages::minute_of(delivery.message);
  if (!ages_.empty() && ages_.back().destination == delivery.destination && ages_.back().minute == minute) ages_.back().by += by;
  else ages_.push_back({delivery.destination, minute, by});
}

void BooksChange::moved(const Delivery& delivery, DeliveryState from, DeliveryState to) {
  DestinationCounts& counts = touch(delivery.destination);
  if (counts.name.empty()) counts.name = delivery.destination_name;
  uint64_t& left = counts.of(from);
  if (left > 0) --left;
  ++counts.of(to);
  if (is_waiting(from) != is_waiting(to)) age(delivery, is_waiting(to) ? 1 : -1);
  if (recount) recount->delivery(delivery_key(delivery.message, delivery.destination), &from, &to);
}

void BooksChange::forgotten(std::string_view key, DestinationId destination, DeliveryState state) {
  ++touch(destination).forgotten(state);
  if (recount) recount->delivery(key, &state, nullptr);
}

void BooksChange::received(std::string_view source, wire::Outcome outcome) {
  ++touch(source).received[static_cast<size_t>(outcome)];
}

void BooksChange::forgotten(std::string_view source, wire::Outcome outcome) {
  ++touch(source).forgotten[static_cast<size_t>(outcome)];
}

void BooksChange::restored(const ForgottenDeliveries& forgotten) {
  DestinationCounts& counts = touch(destination_id(forgotten.destination));
  if (counts.name.empty()) counts.name = forgotten.destination;
  counts.spooled += forgotten.all();
  const std::pair<DeliveryState, uint64_t> gone[] = {{DeliveryState::delivered, forgotten.delivered}, {DeliveryState::dead, forgotten.dead},
                                                     {DeliveryState::cancelled, forgotten.cancelled}, {DeliveryState::superseded, forgotten.superseded}};
  for (const auto& [state, count] : gone) {
    counts.of(state) += count;
    counts.forgotten(state) += count;
  }
}

void BooksChange::restored(const ForgottenLines& forgotten) {
  SourceCounts& counts = touch(forgotten.source);
  for (size_t i = 0; i < forgotten.by_outcome.size(); ++i) {
    counts.received[i] += forgotten.by_outcome[i];
    counts.forgotten[i] += forgotten.by_outcome[i];
  }
}

BooksReport BooksChange::report(lmdb::Transaction& transaction, const Tables& tables) const {
  Books now = base_;
  apply_to(now);
  return report_of(now, *recount, transaction, tables);
}

bool BooksChange::first_time(const ClientId& client, uint64_t number) {
  if (client == ClientId{}) return true;
  uint64_t last = 0;
  if (const auto now = clients_.find(client); now != clients_.end()) {
    last = now->second;
  } else if (const auto known = base_.clients.find(client); known != base_.clients.end()) {
    last = known->second;
  }
  if (number <= last) return false;
  clients_[client] = number;
  return true;
}

bool BooksChange::forget_clients(lmdb::WriteTransaction& transaction, const Tables& tables) {
  if (base_.clients.size() < 2 * Books::kClientsKept) return false;
  const auto known = known_clients(transaction, tables);
  for (size_t i = Books::kClientsKept; i < known.size(); ++i) {
    transaction.remove(tables.clients, key_of(known[i].id));
    gone_clients_.push_back(known[i].id);
  }
  return true;
}

void BooksChange::write(lmdb::WriteTransaction& transaction, const Tables& tables, WallTime now) {
  transaction.put(tables.counts, kTotals, sealed(totals));
  if (totals.damaged_lines != base_.totals.damaged_lines) {
    std::string payload, value;
    put_be64(payload, totals.damaged_lines);
    append_sealed(value, std::string_view(payload));
    transaction.put(tables.meta, kDamagedLines, value);
  }
  for (const auto& [id, counts] : destinations_) {
    std::string key;
    put_be64(key, id);
    transaction.put(tables.counts, key, sealed(counts));
  }
  for (const auto& [source, counts] : sources_) transaction.put(tables.sources, source_key(source), sealed(counts));
  for (const auto& [client, number] : clients_) {
    std::string payload;
    put_be64(payload, number);
    put_be64(payload, static_cast<uint64_t>(to_ms(now)));
    std::string value;
    append_sealed(value, payload);
    transaction.put(tables.clients, key_of(client), value);
  }
}

void BooksChange::apply_to(Books& books) const {
  books.totals = totals;
  books.recount = recount;
  for (const auto& [source, counts] : sources_) books.sources[source] = counts;
  for (const auto& [id, counts] : destinations_) books.destinations[id] = counts;
  for (const ClientId& client : gone_clients_) books.clients.erase(client);
  for (const auto& [client, number] : clients_) books.clients[client] = number;
  for (const AgeStep& step : ages_) books.ages.add(step.destination, step.minute, step.by);
}

}  // namespace belay::spool
