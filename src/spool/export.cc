#include "spool/export.h"

#include <map>
#include <unordered_set>

#include "spool/event_filter.h"
#include "spool/journal.h"
#include "spool/store_reader.h"

namespace belay::spool {

namespace {

constexpr uint32_t kPiece = 500;                 // records read in one snapshot
constexpr size_t kPieceBytes = size_t{8} << 20;  // of bodies, or one message more

class Exporter {
 public:
  Exporter(OpenedFolder& opened, const ExportOptions& options, const Clock& clock, ExportSink& sink, const Step& step)
      : environment_(*opened.environment), tables_(opened.tables), options_(options), filter_(options.filter), clock_(clock), sink_(sink), step_(step),
        reader_(environment_, tables_, leases_, [](const Damage&) {}) {}

  Result<ExportReport> run();

 private:
  using Look = void (Exporter::*)(lmdb::Transaction& transaction, std::string_view key, std::string_view value);
  void begin();
  Result<void> walk(lmdb::Table table, Look look);
  void books(lmdb::Transaction& transaction);
  void client(lmdb::Transaction& transaction, std::string_view key, std::string_view value);
  void stop(lmdb::Transaction& transaction, std::string_view key, std::string_view value);
  void message(lmdb::Transaction& transaction, std::string_view key, std::string_view value);
  void block(lmdb::Transaction& transaction, std::string_view key, std::string_view value);
  void line(lmdb::Transaction& transaction, const wire::EventView& event);
  void claim(lmdb::Transaction& transaction, std::string_view key, std::string_view value);
  void act(lmdb::Transaction& transaction, std::string_view key, std::string_view value);

  void look_for_orphans(lmdb::Transaction& transaction, std::string_view until);
  bool in_group(lmdb::Transaction& transaction, const Delivery& delivery);
  void set_name(Delivery& delivery) const;
  bool wanted(const TransferMessage& message) const;
  void damaged(const std::string& what);

  lmdb::Environment& environment_;
  const Tables& tables_;
  const ExportOptions& options_;
  const EventFilter filter_;
  const Clock& clock_;
  ExportSink& sink_;
  const Step& step_;
  LeaseTable leases_;  // nobody's: what is being sent is still to be sent
  StoreReader reader_;
  MessageId limit_;    // what came since is left out
  std::unordered_map<DestinationId, std::string> names_;
  std::unordered_set<MessageId> unread_;    // messages that are damaged: their lines of the books are all that is left
  std::unordered_set<MessageId> exported_;  // with a filter: whose claims are wanted
  std::string after_;                       // deliveries are looked at up to here
  size_t bytes_ = 0;                        // of bodies in the piece under way
  uint64_t done_ = 0, all_ = 0;
  ExportReport report_;
};

void Exporter::damaged(const std::string& what) {
  ++report_.trailer.damaged;
  if (report_.problems.size() < ExportReport::kMaxProblems) report_.problems.push_back(what);
}

Result<ExportReport> Exporter::run() {
  begin();
  const std::pair<lmdb::Table, Look> whole[] = {{tables_.clients, &Exporter::client}, {tables_.stops, &Exporter::stop}};
  const std::pair<lmdb::Table, Look> chosen[] = {{tables_.messages, &Exporter::message}, {tables_.journal, &Exporter::block}, {tables_.claims, &Exporter::claim}};
  if (!options_.filtered) {
    for (const auto& [table, look] : whole) {
      if (auto walked = walk(table, look); !walked) return walked.error();
    }
  }
  for (const auto& [table, look] : chosen) {
    if (auto walked = walk(table, look); !walked) return walked.error();
  }
  if (!options_.filtered) {
    if (auto walked = walk(tables_.acts, &Exporter::act); !walked) return walked.error();
  }
  sink_.trailer(report_.trailer);
  if (auto flushed = sink_.flush(); !flushed) return flushed.error();
  return std::move(report_);
}

void Exporter::begin() {
  limit_ = MessageId::first_at(reader_.newest_message().value_or(WallTime{}) + Duration(1));
  lmdb::ReadTransaction transaction(environment_);
  TransferHeader header{.schema = Tables::kSchema, .at = clock_.wall(), .bodies = options_.bodies, .filtered = options_.filtered};
  header.messages = transaction.entries(tables_.messages);
  sink_.header(header);
  for (const lmdb::Table table : {tables_.messages, tables_.journal, tables_.claims}) all_ += transaction.entries(table);
  books(transaction);
}

// Of counters that are damaged nothing is said: what they counted and is there is counted anew by who imports it.
void Exporter::books(lmdb::Transaction& transaction) {
  const auto books = Books::read(transaction, tables_);
  if (!books) return damaged(books.error().message);
  for (const auto& [id, counts] : books->destinations) names_[id] = counts.name;
  if (options_.filtered) return;
  std::map<std::string, ForgottenDeliveries> deliveries;  // by name, so that two exports can be compared
  std::map<std::string, ForgottenLines> lines;
  for (const auto& [id, counts] : books->destinations) {
    const ForgottenDeliveries forgotten{counts.name, counts.forgotten_delivered, counts.forgotten_dead, counts.forgotten_cancelled, counts.forgotten_superseded};
    if (forgotten.all() > 0) deliveries.emplace(counts.name, forgotten);
  }
  for (const auto& [source, counts] : books->sources) {
    const ForgottenLines forgotten{source, counts.forgotten};
    if (forgotten.all() > 0) lines.emplace(source, forgotten);
  }
  for (const auto& [name, forgotten] : deliveries) sink_.forgotten(forgotten);
  for (const auto& [name, forgotten] : lines) sink_.forgotten(forgotten);
  report_.trailer.counts.others += deliveries.size() + lines.size();
}

Result<void> Exporter::walk(lmdb::Table table, Look look) {
  std::string at;
  for (bool more = true; more;) {
    {
      lmdb::ReadTransaction transaction(environment_);
      lmdb::Cursor cursor(transaction, table);
      more = cursor.seek(at);
      if (more && !at.empty() && cursor.key() == at) more = cursor.next();
      bytes_ = 0;
      for (uint32_t looks = 0; more && looks < kPiece && bytes_ < kPieceBytes; ++looks, more = cursor.next()) {
        at = cursor.key();
        (this->*look)(transaction, cursor.key(), cursor.value());
        ++done_;
      }
      if (!more && table == tables_.messages) look_for_orphans(transaction, limit_.view());
      if (transaction.failed()) return transaction.error();
    }
    if (auto flushed = sink_.flush(); !flushed) return flushed;
    step_(std::min(done_, all_), all_);
  }
  return {};
}

void Exporter::client(lmdb::Transaction&, std::string_view key, std::string_view value) {
  const auto payload = unseal(value);
  TransferClient client;
  if (!payload || payload->size() != 16 || key.size() != client.id.size()) return damaged("the number of a worker's lines");
  std::copy(key.begin(), key.end(), client.id.begin());
  client.number = get_be(payload->data(), 8);
  sink_.client(client);
  ++report_.trailer.counts.others;
}

void Exporter::stop(lmdb::Transaction&, std::string_view key, std::string_view value) {
  const auto stop = read_stop(get_be(key.data(), 8), value);
  if (!stop) return damaged("a stop of a destination");
  sink_.stop(*stop);
  ++report_.trailer.counts.others;
}

void Exporter::message(lmdb::Transaction& transaction, std::string_view key, std::string_view) {
  const auto id = MessageId::from_bytes(key);
  if (!id || *id >= limit_) return;
  look_for_orphans(transaction, key);
  auto message = reader_.load(transaction, *id);
  auto deliveries = message ? reader_.deliveries(transaction, *id, clock_.wall()) : Result<std::vector<Delivery>>(message.error());
  if (deliveries && deliveries->empty() && message->event.outcome != wire::Outcome::rejected) {
    deliveries = Error{ErrorKind::corrupt, "it has no deliveries"};
  }
  if (!deliveries) {
    unread_.insert(*id);
    return damaged("message " + id->to_string() + ": " + deliveries.error().message);
  }
  TransferMessage found{std::move(*message), {}};
  for (Delivery& delivery : *deliveries) {
    if (delivery.destination_name.empty()) {
      set_name(delivery);
      damaged("delivery of " + id->to_string() + " to " + delivery.destination_name);
    }
    const bool grouped = in_group(transaction, delivery);
    found.deliveries.push_back({std::move(delivery), grouped});
  }
  after_.assign(key).append(8, '\xff');
  if (!wanted(found)) return;
  bytes_ += found.message.body_bytes();
  sink_.message(found);
  if (options_.filtered) exported_.insert(*id);
  ++report_.trailer.counts.messages;
  report_.trailer.counts.deliveries += found.deliveries.size();
}

// Deliveries whose message is not there: it was damaged and set aside before.
void Exporter::look_for_orphans(lmdb::Transaction& transaction, std::string_view until) {
  lmdb::Cursor cursor(transaction, tables_.deliveries);
  for (bool more = cursor.seek(after_); more && cursor.key() < until; more = cursor.next()) {
    damaged("delivery of " + MessageId::from_bytes(cursor.key().substr(0, 16)).value_or(MessageId{}).to_string() + ": its message is damaged");
    after_.assign(cursor.key()).push_back('\0');
  }
}

void Exporter::set_name(Delivery& delivery) const {
  const auto name = names_.find(delivery.destination);
  delivery.destination_name = name != names_.end() && !name->second.empty() ? name->second : "unknown-" + std::to_string(delivery.destination);
  delivery.destination = destination_id(delivery.destination_name);
}

bool Exporter::in_group(lmdb::Transaction& transaction, const Delivery& delivery) {
  if (!delivery.grouped()) return false;
  if (is_waiting(delivery.state)) return true;
  if (delivery.grouping.kind != wire::GroupKind::order_wait || delivery.state != DeliveryState::dead) return false;
  const auto stored = transaction.get(tables_.groups, group_key(delivery.destination, delivery.grouping.key));
  const auto head = stored ? read_group_head(*stored) : std::nullopt;
  if (head && head->first == delivery.message) return true;
  return transaction.get(tables_.members, member_key(delivery.destination, delivery.grouping.key, delivery.turn, delivery.message)).has_value();
}

bool Exporter::wanted(const TransferMessage& message) const {
  if (!options_.filtered) return true;
  wire::EventLines lines;
  lines.add(message.message.event);
  std::string_view rest = lines.bytes();
  const auto event = wire::next_event(rest);
  if (!event || filter_.impossible() || !filter_.line(*event, {})) return false;
  if (!filter_.needs_deliveries(*event)) return true;
  std::vector<Delivery> deliveries;
  for (const TransferDelivery& one : message.deliveries) deliveries.push_back(one.delivery);
  return filter_.deliveries(deliveries);
}

void Exporter::block(lmdb::Transaction& transaction, std::string_view, std::string_view value) {
  const auto block = read_block(value);
  const auto lines = block ? block->lines() : Result<std::string_view>(block.error());
  if (!lines) return damaged(lines.error().message);
  bytes_ += lines->size();
  for (std::string_view rest = *lines; !rest.empty();) {
    const auto event = wire::next_event(rest);
    if (!event) return damaged(event.error().message);
    line(transaction, *event);
  }
}

// The line of a stored message came with it, or was left out with it.
void Exporter::line(lmdb::Transaction& transaction, const wire::EventView& event) {
  if (event.id >= limit_) return;
  if (transaction.get(tables_.messages, event.id.view()) && !unread_.contains(event.id)) return;
  if (options_.filtered && (filter_.impossible() || !filter_.line(event, {}) || filter_.needs_deliveries(event))) return;
  if (options_.filtered) exported_.insert(event.id);
  sink_.line(event.copy());
  ++report_.trailer.counts.lines;
}

void Exporter::claim(lmdb::Transaction&, std::string_view key, std::string_view value) {
  const auto claim = read_claim(key, value);
  if (!claim) return damaged("a claim of a key");
  if (claim->until <= clock_.wall() || (options_.filtered && !exported_.contains(claim->first))) return;
  sink_.claim(*claim);
  ++report_.trailer.counts.claims;
}

void Exporter::act(lmdb::Transaction&, std::string_view, std::string_view value) {
  const auto act = read_act(value);
  if (!act) return damaged("an entry of the audit log");
  sink_.act(*act);
  ++report_.trailer.counts.others;
}

}  // namespace

Result<ExportReport> export_folder(const std::string& folder, const ExportOptions& options, const Clock& clock, ExportSink& sink, const Step& step) {
  auto opened = open_folder_to_read(folder);
  if (!opened) return opened.error();
  return Exporter(*opened, options, clock, sink, step).run();
}

}  // namespace belay::spool
