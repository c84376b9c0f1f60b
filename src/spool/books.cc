#include "spool/books.h"

#include <algorithm>
#include <vector>

#include "wire/codec.h"

namespace belay::spool {

namespace {

constexpr std::string_view kTotals = "totals";
constexpr Duration kClientKept = std::chrono::hours(24);  // a worker that was away longer may repeat its lines once

std::string sealed(const DestinationCounts& counts) {
  std::string payload;
  wire::put_text16(payload, counts.name);
  for (const uint64_t count : {counts.spooled, counts.waiting, counts.delivered, counts.dead, counts.cancelled,
                               counts.superseded}) {
    put_be64(payload, count);
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
  if (!in.finished()) counts.superseded = in.u64();  // absent in records of schema 2
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

Result<void> forget_clients(lmdb::Environment& environment, const Tables& tables, const std::vector<std::string>& gone) {
  if (gone.empty()) return {};
  lmdb::WriteTransaction transaction(environment);
  for (const std::string& client : gone) transaction.remove(tables.clients, client);
  return transaction.commit();
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

uint64_t Books::waiting() const {
  uint64_t sum = 0;
  for (const auto& [id, counts] : destinations) sum += counts.waiting;
  return sum;
}

Result<Books> Books::load(lmdb::Environment& environment, const Tables& tables, WallTime now) {
  Books books;
  std::vector<std::string> gone;
  lmdb::ReadTransaction transaction(environment);
  lmdb::Cursor cursor(transaction, tables.counts);
  for (bool more = cursor.first(); more; more = cursor.next()) {
    bool good = false;
    if (cursor.key() == kTotals) {
      good = read(cursor.value(), books.totals);
    } else if (cursor.key().size() == 8) {
      good = read(cursor.value(), books.destinations[get_be(cursor.key().data(), 8)]);
    }
    if (!good) return Error{ErrorKind::corrupt, "store: a counter record is damaged; restore data.mdb from a copy"};
  }
  lmdb::Cursor clients(transaction, tables.clients);
  for (bool more = clients.first(); more; more = clients.next()) {
    auto payload = unseal(clients.value());
    ClientId id{};
    if (!payload || payload->size() != 16 || clients.key().size() != id.size()) continue;  // at worst lines repeat once
    if (wall_from_ms(static_cast<int64_t>(get_be(payload->data() + 8, 8))) + kClientKept < now) {
      gone.emplace_back(clients.key());
      continue;
    }
    std::copy(clients.key().begin(), clients.key().end(), id.begin());
    books.clients[id] = get_be(payload->data(), 8);
  }
  books.ages.load(transaction, tables);
  if (transaction.failed()) return transaction.error();
  if (auto forgotten = forget_clients(environment, tables, gone); !forgotten) return forgotten.error();
  return books;
}

DestinationCounts& BooksChange::touch(const Delivery& delivery) {
  const auto [at, fresh] = destinations_.try_emplace(delivery.destination);
  if (fresh) {
    const auto known = base_.destinations.find(delivery.destination);
    if (known != base_.destinations.end()) at->second = known->second;
  }
  if (at->second.name.empty()) at->second.name = delivery.destination_name;
  return at->second;
}

void BooksChange::added(const Delivery& delivery) {
  DestinationCounts& counts = touch(delivery);
  ++counts.spooled;
  ++counts.of(delivery.state);
  if (is_waiting(delivery.state)) age(delivery, 1);
}

// Webhooks of a commit came in the same minute, most of them for the same destination.
void BooksChange::age(const Delivery& delivery, int64_t by) {
  const int64_t minute = Ages::minute_of(delivery.message);
  if (!ages_.empty() && ages_.back().destination == delivery.destination && ages_.back().minute == minute) ages_.back().by += by;
  else ages_.push_back({delivery.destination, minute, by});
}

void BooksChange::moved(const Delivery& delivery, DeliveryState from, DeliveryState to) {
  DestinationCounts& counts = touch(delivery);
  uint64_t& left = counts.of(from);
  if (left > 0) --left;
  ++counts.of(to);
  if (is_waiting(from) != is_waiting(to)) age(delivery, is_waiting(to) ? 1 : -1);
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

void BooksChange::write(lmdb::WriteTransaction& transaction, const Tables& tables, WallTime now) {
  transaction.put(tables.counts, kTotals, sealed(totals));
  for (const auto& [id, counts] : destinations_) {
    std::string key;
    put_be64(key, id);
    transaction.put(tables.counts, key, sealed(counts));
  }
  for (const auto& [client, number] : clients_) {
    std::string payload;
    put_be64(payload, number);
    put_be64(payload, static_cast<uint64_t>(to_ms(now)));
    std::string value;
    append_sealed(value, payload);
    transaction.put(tables.clients, {reinterpret_cast<const char*>(client.data()), client.size()}, value);
  }
}

void BooksChange::apply_to(Books& books) const {
  books.totals = totals;
  for (const auto& [id, counts] : destinations_) books.destinations[id] = counts;
  for (const auto& [client, number] : clients_) books.clients[client] = number;
  for (const AgeStep& step : ages_) books.ages.add(step.destination, step.minute, step.by);
}

}  // namespace belay::spool
