#include "spool/import.h"

#include <algorithm>

#include "spool/journal.h"

namespace belay::spool {

namespace {

bool is_empty(const Books& books) {
  return books.totals.messages == 0 && books.totals.events == 0 && books.destinations.empty() && books.sources.empty();
}

}  // namespace

Importer::Importer(StoreFiles files, const StoreOptions& options, const Clock& clock, BatchLeaders leaders)
    : files_(std::move(files)), clock_(clock), space_(*files_.environment, clock, options), leaders_(std::move(leaders)) {}

Result<std::unique_ptr<Importer>> Importer::open(const StoreOptions& options, const Clock& clock, BatchLeaders leaders) {
  auto files = open_store_files(options, OpenFor::import);
  if (!files) return files.error();
  std::unique_ptr<Importer> importer(new Importer(std::move(*files), options, clock, std::move(leaders)));
  if (auto marked = importer->mark(); !marked) return marked.error();
  return importer;
}

// Durable before anything is imported. One of an import that was interrupted stays as it is.
Result<void> Importer::mark() {
  lmdb::WriteTransaction transaction(*files_.environment);
  if (const auto stored = transaction.get(files_.tables.meta, Tables::kImportKey)) {
    const auto payload = unseal(*stored);
    began_empty_ = payload && *payload == "empty";
    return {};
  }
  began_empty_ = is_empty(files_.books);
  std::string sealed;
  append_sealed(sealed, std::string_view(began_empty_ ? "empty" : "used"));
  transaction.put(files_.tables.meta, Tables::kImportKey, sealed);
  return transaction.commit();
}

Result<void> Importer::count(size_t bytes) {
  bytes_ += bytes;
  if (++gathered_ < kStep && bytes_ < kStepBytes) return {};
  return flush();
}

Result<void> Importer::add(TransferMessage message) {
  const size_t bytes = message.message.body_bytes();
  messages_.push_back(std::move(message));
  return count(bytes);
}
Result<void> Importer::add(const wire::Event& line) {
  lines_.push_back(line);
  return count(0);
}
Result<void> Importer::add(const StoredClaim& claim) {
  claims_.push_back(claim);
  return count(0);
}
Result<void> Importer::add(const Stop& stop) {
  stops_.push_back(stop);
  return count(0);
}
Result<void> Importer::add(const Act& act) {
  acts_.push_back(act);
  return count(0);
}
Result<void> Importer::add(const TransferClient& client) {
  clients_.push_back(client);
  return count(0);
}
// Kept for the end: one for each destination and source.
Result<void> Importer::add(ForgottenDeliveries forgotten) {
  forgotten_deliveries_.push_back(std::move(forgotten));
  return {};
}
Result<void> Importer::add(ForgottenLines forgotten) {
  forgotten_lines_.push_back(std::move(forgotten));
  return {};
}

// Ids of what is gathered whose lines stand in the books: in blocks whose greatest id is not before the first of them, and which
// reach back to the last one (a block reaches at most `widest_ms` below its key).
std::set<MessageId> Importer::known_lines() const {
  std::vector<MessageId> ids;
  for (const TransferMessage& message : messages_) ids.push_back(message.message.event.id);
  for (const wire::Event& line : lines_) ids.push_back(line.id);
  std::set<MessageId> known;
  if (ids.empty()) return known;
  std::sort(ids.begin(), ids.end());
  const WallTime end = ids.back().time() + Duration(files_.books.totals.widest_ms + 1);
  lmdb::ReadTransaction transaction(*files_.environment);
  lmdb::Cursor cursor(transaction, files_.tables.journal);
  for (bool more = cursor.seek(ids.front().view()); more; more = cursor.next()) {
    const auto block = read_block(cursor.value());
    if (!block) continue;
    if (block->max.time() > end) break;
    const auto first = std::lower_bound(ids.begin(), ids.end(), block->min);
    const auto lines = first == ids.end() || *first > block->max ? Result<std::string_view>(std::string_view()) : block->lines();
    for (std::string_view rest = lines ? *lines : std::string_view(); !rest.empty();) {
      const auto event = wire::next_event(rest);
      if (!event) break;
      if (std::binary_search(ids.begin(), ids.end(), event->id)) known.insert(event->id);
    }
  }
  return known;
}

Result<void> Importer::flush() {
  if (const std::string& full = space_.refusal(true); !full.empty()) {
    return Error{ErrorKind::full, "there is no room: " + full + "; raise spool.size or free the disk, then import again: it goes on where it ended"};
  }
  Change change(*files_.environment, files_.tables, files_.books, leases_, clock_.wall());
  apply(change);
  if (auto committed = commit(change); !committed) return committed;
  messages_.clear();
  lines_.clear();
  claims_.clear();
  stops_.clear();
  acts_.clear();
  clients_.clear();
  gathered_ = bytes_ = 0;
  return {};
}

void Importer::apply(Change& change) {
  std::set<MessageId> known = known_lines();
  std::sort(messages_.begin(), messages_.end(), [](const auto& a, const auto& b) { return a.message.event.id < b.message.event.id; });
  std::sort(lines_.begin(), lines_.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (TransferMessage& message : messages_) {
    const size_t deliveries = message.deliveries.size();
    const auto stored = known.insert(message.message.event.id).second ? change.restore(message, leaders_) : Change::Stored::before;
    if (stored == Change::Stored::now) {
      ++report_.imported.messages;
      report_.imported.deliveries += deliveries;
    } else if (stored == Change::Stored::line_only) {
      ++report_.imported.lines;
      ++report_.line_only;
    } else {
      ++report_.known;
    }
  }
  for (const wire::Event& line : lines_) {
    if (known.insert(line.id).second && change.restore(line)) ++report_.imported.lines;
    else ++report_.known;
  }
  for (const StoredClaim& claim : claims_) ++(change.restore(claim) ? report_.imported.claims : report_.not_needed);
  for (const Stop& stop : stops_) ++(change.restore(stop) ? report_.imported.others : report_.not_needed);
  for (const Act& act : acts_) ++(change.restore(act) ? report_.imported.others : report_.not_needed);
  for (const TransferClient& client : clients_) ++(change.restore(client) ? report_.imported.others : report_.not_needed);
}

Result<void> Importer::commit(Change& change) {
  if (auto committed = change.commit(); !committed) return committed;
  change.apply_to(files_.books);
  return {};
}

Result<ImportReport> Importer::finish() {
  if (auto flushed = flush(); !flushed) return flushed.error();
  Change change(*files_.environment, files_.tables, files_.books, leases_, clock_.wall());
  report_.forgotten_left_out = !began_empty_ && !(forgotten_deliveries_.empty() && forgotten_lines_.empty());
  if (began_empty_) {
    for (const ForgottenDeliveries& one : forgotten_deliveries_) change.restore(one);
    for (const ForgottenLines& one : forgotten_lines_) change.restore(one);
    report_.imported.others += forgotten_deliveries_.size() + forgotten_lines_.size();
  }
  change.end_import();
  if (auto committed = commit(change); !committed) return committed.error();
  return report_;
}

}  // namespace belay::spool
