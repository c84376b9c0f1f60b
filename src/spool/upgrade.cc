#include "spool/upgrade.h"

#include "base/log.h"
#include "spool/books.h"

namespace belay::spool {

namespace {

// The books of an older schema did not say what retention had taken: what they counted and is not there.
void fill_in(DestinationCounts& counts, const std::array<uint64_t, 8>& found) {
  for (const DeliveryState state : {DeliveryState::delivered, DeliveryState::dead, DeliveryState::cancelled, DeliveryState::superseded}) {
    const uint64_t counted = counts.of(state), here = found[static_cast<size_t>(state)];
    counts.forgotten(state) = counted > here ? counted - here : 0;
  }
}

void index_kept(lmdb::WriteTransaction& transaction, const Tables& tables) {
  lmdb::Cursor messages(transaction, tables.messages), deliveries(transaction, tables.deliveries);
  std::vector<std::string> kept;
  bool more_deliveries = deliveries.first();
  for (bool more = messages.first(); more; more = messages.next()) {
    const std::string_view id = messages.key();
    while (more_deliveries && deliveries.key().substr(0, id.size()) < id) more_deliveries = deliveries.next();
    if (!more_deliveries || !deliveries.key().starts_with(id)) kept.emplace_back(id);
    for (; more_deliveries && deliveries.key().starts_with(id); more_deliveries = deliveries.next()) {
      const auto delivery = read_delivery_state(deliveries.value()) == DeliveryState::dead ? read_delivery(deliveries.value()) : Result<Delivery>(Delivery{});
      if (delivery && delivery->unmade) kept.emplace_back(deliveries.key());
    }
  }
  for (const std::string& key : kept) transaction.put(tables.kept, key, {});
}

}  // namespace

Result<void> upgrade(lmdb::Environment& environment, const Tables& tables) {
  {
    lmdb::ReadTransaction transaction(environment);
    if (!transaction.get(tables.meta, Tables::kUpgradeKey)) return {};
  }
  log::info("spool: the store is of an older schema and is brought up to date");
  lmdb::WriteTransaction transaction(environment);
  auto books = Books::read(transaction, tables);
  if (!books) return books.error();
  Recount recount;
  while (!recount.step(transaction, tables, Recount::kStep)) {
  }
  for (auto& [id, counts] : books->destinations) {
    const auto found = recount.deliveries().find(id);
    fill_in(counts, found == recount.deliveries().end() ? std::array<uint64_t, 8>{} : found->second);
  }
  for (const auto& [source, found] : recount.lines()) books->sources[source].received = found;
  books->write_counts(transaction, tables);
  index_kept(transaction, tables);
  transaction.remove(tables.meta, Tables::kUpgradeKey);
  return transaction.commit();
}

}  // namespace belay::spool
