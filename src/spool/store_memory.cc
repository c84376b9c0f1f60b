// The store in memory, for tests and the simulator: same rules, nothing durable, `done` runs before the member returns.
// One mutex around everything; a thread that calls back in from `done` is fine, it is not held then.
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "spool/batch.h"
#include "spool/books.h"
#include "spool/event_filter.h"
#include "spool/groups.h"
#include "spool/kept_filter.h"
#include "spool/leases.h"
#include "spool/store.h"

namespace belay::spool {

namespace {

using DeliveryKey = std::pair<MessageId, DestinationId>;
struct DueKey {
  DestinationId destination;
  WallTime due;
  MessageId message;
  auto operator<=>(const DueKey&) const = default;
};

struct MemberKey {
  DestinationId destination;
  wire::GroupKey group;
  uint64_t turn;
  MessageId message;
  auto operator<=>(const MemberKey&) const = default;
};

class MemoryStore final : public Store, private GroupStore {
 public:
  explicit MemoryStore(const Clock& clock) : clock_(clock) {}

  void close() override { closed_ = true; }
  void commit(Batch batch, Done<Committed> done) override;
  bool accepting(std::string*) const override { return true; }
  void lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease, Done<Leases> done) override;
  bool extend(MessageId message, DestinationId destination, WallTime until) override {
    return leases_.extend(message, destination, until);
  }
  void release(MessageId message, DestinationId destination) override { leases_.drop(message, destination); }
  std::vector<DestinationId> waiting_destinations() const override;
  Result<std::vector<Stop>> stops() const override;
  void find_claims(std::vector<wire::ClaimKey> keys, WallTime now, Done<std::vector<std::optional<wire::ClaimedBy>>> done) override;
  void load(MessageId id, Done<Message> done) override;
  void deliveries(MessageId id, Done<std::vector<Delivery>> done) override;
  void events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) override;
  void rows(const EventQuery& query, std::vector<MessageId> ids, Done<std::vector<EventRow>> done) override;
  void kept(const KeptQuery& query, std::string before, uint32_t max, Done<KeptPage> done) override;
  void acts(std::optional<MessageId> before, uint32_t max, Done<ActPage> done) override;
  void recount(Done<BooksReport> done) override;
  StoreStats stats() const override;
  bool time_in_doubt() const override { return in_doubt_; }
  void doubt_time(bool on, Done<Committed> done) override { in_doubt_ = on; done(Committed{}); }
  std::optional<WallTime> newest() const override;
  void prune(WallTime messages, WallTime history, uint32_t max, Done<Pruned> done) override;

 private:
  bool failed(const MessageId& id) const;
  bool store(NewMessage& put, Duration lease);
  void store_delivery(Delivery& delivery, size_t bytes, Duration lease);
  bool settle(const Delivery& delivery);
  void look_after(DestinationId to, WallTime now);
  Leased take(const DueKey& due);
  uint64_t expire(uint32_t max);

  std::optional<GroupHead> group_head(DestinationId to, const wire::GroupKey& key) override;
  void put_group_head(DestinationId to, const wire::GroupKey& key, const GroupHead& head) override { heads_[{to, key}] = head; }
  void remove_group_head(DestinationId to, const wire::GroupKey& key) override { heads_.erase({to, key}); }
  std::vector<GroupMember> members(DestinationId to, const wire::GroupKey& group, size_t max) override;
  void add_member(DestinationId to, const wire::GroupKey& group, const GroupMember& member) override {
    members_.insert({to, group, member.turn, member.message});
  }
  void remove_member(DestinationId to, const wire::GroupKey& group, const GroupMember& member) override {
    members_.erase({to, group, member.turn, member.message});
  }
  std::optional<Delivery> find(const MessageId& id, const Delivery& sibling) override;
  void save(const Delivery& now, const Delivery& before) override;
  void put_due(const Delivery& delivery) override { due_.insert({delivery.destination, delivery.due, delivery.message}); }
  void remove_due(const Delivery& delivery) override { due_.erase({delivery.destination, delivery.due, delivery.message}); }
  bool hold(const Delivery& delivery) override {
    return !leases_.held(wire::is_batch(delivery.grouping.kind) ? delivery.batch : delivery.message, delivery.destination, clock_.wall());
  }

  std::optional<wire::ClaimedBy> claimed(const std::vector<wire::Claim>& claims, const MessageId& id) const;
  void take_claims(const std::vector<wire::Claim>& claims, const MessageId& id, uint16_t status);
  bool first_time(const EventBatch& batch);
  void add_lines(const wire::EventLines& lines);
  void add_line(wire::Event event);
  bool drop(const MessageId& refused);
  std::vector<Delivery> deliveries_of(const MessageId& id) const;
  std::optional<EventRow> row_of(const wire::Event& event, const EventFilter& filter, const std::optional<MessageId>& before) const;

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<MessageId, std::shared_ptr<const Message>> messages_;
  std::map<DeliveryKey, Delivery> deliveries_;
  std::set<DueKey> due_;
  std::multimap<MessageId, wire::Event> lines_;
  std::map<DestinationId, DestinationCounts> counts_;
  std::map<std::string, SourceCounts> sources_;
  std::map<MessageId, Act> acts_;
  std::unordered_map<ClientId, uint64_t, ClientHash> clients_;
  struct TakenClaim {
    wire::ClaimedBy by;
    WallTime until{};
  };
  std::map<wire::ClaimKey, TakenClaim> claims_;
  std::map<std::pair<DestinationId, wire::GroupKey>, GroupHead> heads_;
  std::set<MemberKey> members_;
  uint64_t turns_ = 0;
  std::map<DestinationId, Stop> stops_;
  uint64_t rejected_ = 0;
  std::set<MessageId> line_only_;  // the quarantine was full; not forgotten here
  LeaseTable leases_;
  uint64_t commits_ = 0;
  std::atomic<bool> closed_{false}, in_doubt_{false};
};

Error closed_error() { return {ErrorKind::refused, "store: closed, the spool is stopping"}; }

void MemoryStore::commit(Batch batch, Done<Committed> done) {
  if (closed_) return done(closed_error());
  Committed committed;
  std::vector<DeliveryKey> settled;
  {
    const std::lock_guard lock(mutex_);
    committed.claimed.resize(batch.puts.size());
    committed.duplicate.resize(batch.puts.size());
    committed.failed.resize(batch.puts.size());
    std::map<MessageId, size_t> order;  // of twins in one batch the smaller id came first
    for (size_t i = 0; i < batch.puts.size(); ++i) order.emplace(batch.puts[i].message->event.id, i);
    for (const auto& [id, at] : order) {
      committed.claimed[at] = claimed(batch.puts[at].claims, id);
      committed.failed[at] = !committed.claimed[at] && failed(id);
      committed.duplicate[at] = !committed.claimed[at] && !committed.failed[at] && !store(batch.puts[at], batch.lease);
    }
    for (const Settlement& settlement : batch.settlements) {
      committed.refused.push_back(!settle(settlement.delivery));
    }
    for (const EventBatch& events : batch.events) {
      if (!first_time(events)) continue;
      add_lines(events.lines);
      for (const wire::Confirmed& one : events.confirmed) take_claims(one.claims, one.id, one.status);
    }
    for (const StopOrder& one : batch.stops) {
      Stop& stop = stops_[one.destination];
      committed.stops.push_back({spool::apply(one, stop), {}});
      committed.stops.back().stop = stop;
      if (!stop.any()) stops_.erase(one.destination);
    }
    for (const Act& act : batch.acts) acts_[act.id] = act;
    for (const std::string& one : batch.drops) committed.dropped.push_back(drop(MessageId::parse(one).value_or(MessageId{})));
    ++commits_;
  }
  done(std::move(committed));
}

Result<std::vector<Stop>> MemoryStore::stops() const {
  const std::lock_guard lock(mutex_);
  std::vector<Stop> found;
  for (const auto& [destination, stop] : stops_) found.push_back(stop);
  return found;
}

bool MemoryStore::failed(const MessageId& id) const {
  const auto line = lines_.find(id);
  return line_only_.contains(id) || (line != lines_.end() && line->second.outcome == wire::Outcome::failed);
}

bool MemoryStore::store(NewMessage& put, Duration lease) {
  const MessageId& id = put.message->event.id;
  if (messages_.contains(id)) return false;
  add_line(put.message->event);
  if (put.deliveries.empty()) {
    if (rejected_ >= StoreOptions::kMaxQuarantined) return line_only_.insert(id).second;
    ++rejected_;
  }
  messages_.emplace(id, put.message);
  take_claims(put.claims, id, put.message->event.status);
  static_cast<void>(drop(put.in_place_of));
  for (Delivery& delivery : put.deliveries) store_delivery(delivery, put.message->body(delivery.shape).size(), lease);
  return true;
}

void MemoryStore::store_delivery(Delivery& delivery, size_t bytes, Duration lease) {
  const WallTime now = clock_.wall();
  if (delivery.state == DeliveryState::sending) {
    BELAY_CHECK_NOTE(!delivery.grouped(), "who goes first of a key is decided by the commit");
    delivery.state = DeliveryState::queued;
    leases_.take(delivery.message, delivery.destination, now, now + lease);
  }
  Groups groups(*this, now);
  if (delivery.grouped() && is_waiting(delivery.state)) {
    delivery.turn = ++turns_;
    static_cast<void>(groups.join(delivery, bytes, false));
  }
  if (is_waiting(delivery.state) && groups.has_turn(delivery)) put_due(delivery);
  DestinationCounts& counts = counts_[delivery.destination];
  counts.name = delivery.destination_name;
  ++counts.spooled;
  ++counts.of(delivery.state);
  deliveries_[{delivery.message, delivery.destination}] = delivery;
}

std::optional<GroupHead> MemoryStore::group_head(DestinationId to, const wire::GroupKey& key) {
  const auto at = heads_.find({to, key});
  return at == heads_.end() ? std::nullopt : std::optional(at->second);
}

std::vector<GroupMember> MemoryStore::members(DestinationId to, const wire::GroupKey& group, size_t max) {
  std::vector<GroupMember> found;
  for (auto at = members_.lower_bound({to, group, 0, {}}); at != members_.end() && found.size() < max; ++at) {
    if (at->destination != to || at->group != group) break;
    found.push_back({at->turn, at->message});
  }
  return found;
}

std::optional<Delivery> MemoryStore::find(const MessageId& id, const Delivery& sibling) {
  const auto at = deliveries_.find({id, sibling.destination});
  return at == deliveries_.end() ? std::nullopt : std::optional(at->second);
}

void MemoryStore::save(const Delivery& now, const Delivery& before) {
  if (is_waiting(before.state)) remove_due(before);
  if (is_waiting(now.state) && Groups(*this, clock_.wall()).has_turn(now)) put_due(now);
  DestinationCounts& counts = counts_[now.destination];
  --counts.of(before.state);
  ++counts.of(now.state);
  deliveries_[{now.message, now.destination}] = now;
}

std::optional<wire::ClaimedBy> MemoryStore::claimed(const std::vector<wire::Claim>& claims, const MessageId& id) const {
  for (size_t i = 0; i < claims.size(); ++i) {
    const auto at = claims_.find(claims[i].key);
    if (at == claims_.end() || at->second.until <= clock_.wall() || at->second.by.first == id) continue;
    wire::ClaimedBy by = at->second.by;
    by.claim = static_cast<uint8_t>(i);
    return by;
  }
  return std::nullopt;
}

void MemoryStore::take_claims(const std::vector<wire::Claim>& claims, const MessageId& id, uint16_t status) {
  for (const wire::Claim& claim : claims) {
    TakenClaim& taken = claims_[claim.key];
    if (taken.until <= clock_.wall()) taken = {{id, status, 0}, clock_.wall() + Duration(claim.window_ms)};
  }
}

void MemoryStore::find_claims(std::vector<wire::ClaimKey> keys, WallTime now, Done<std::vector<std::optional<wire::ClaimedBy>>> done) {
  if (closed_) return done(closed_error());
  std::vector<std::optional<wire::ClaimedBy>> found;
  {
    const std::lock_guard lock(mutex_);
    for (const wire::ClaimKey& key : keys) {
      const auto at = claims_.find(key);
      const bool taken = at != claims_.end() && at->second.until > now;
      found.push_back(taken ? std::optional(at->second.by) : std::nullopt);
    }
  }
  done(std::move(found));
}

bool MemoryStore::settle(const Delivery& delivery) {
  const auto at = deliveries_.find({delivery.message, delivery.destination});
  if (at == deliveries_.end()) return false;
  const Delivery before = at->second;
  const bool leased = !hold(before);
  if (delivery.state == DeliveryState::cancelled && before.grouped() && leased) return false;
  const bool sending = is_waiting(before.state) && (delivery.attempts == before.attempts + 1 || leased);
  Delivery now = delivery;
  now.grouping = before.grouping;
  now.turn = before.turn;
  now.batch = before.batch;
  now.since = before.since;
  const bool applied = may_become(sending ? DeliveryState::sending : before.state, delivery.state) && Groups(*this, clock_.wall()).settle(now, before);
  if (applied || delivery.attempts > before.attempts) leases_.drop(delivery.message, delivery.destination);
  return applied;
}

bool MemoryStore::first_time(const EventBatch& batch) {
  if (batch.client == ClientId{}) return true;
  uint64_t& last = clients_[batch.client];
  if (batch.number <= last) return false;
  last = batch.number;
  return true;
}

void MemoryStore::add_lines(const wire::EventLines& lines) {
  for (std::string_view rest = lines.bytes(); !rest.empty();) {
    auto event = wire::next_event(rest);
    BELAY_CHECK(event.ok());
    const bool refused = event->outcome == wire::Outcome::failed || event->outcome == wire::Outcome::rejected;
    if (refused && (messages_.contains(event->id) || line_only_.contains(event->id))) continue;  // its own line counts
    add_line(event->copy());
  }
}

void MemoryStore::add_line(wire::Event event) {
  ++sources_[event.source].received[static_cast<size_t>(event.outcome)];
  lines_.emplace(event.id, std::move(event));
}

void MemoryStore::lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease, Done<Leases> done) {
  if (closed_) return done(closed_error());
  Leases result;
  {
    const std::lock_guard lock(mutex_);
    look_after(to, now);
    for (auto at = due_.lower_bound({to, WallTime::min(), {}}); at != due_.end() && at->destination == to; ++at) {
      if (leases_.held(at->message, to, now)) continue;
      const bool far = at->due >= now + Delivery::kFarthestDue;  // of a clock that was wrong
      const bool due = at->due <= now || far;
      if (!due || result.leased.size() == max) {
        if (!result.next_due) result.next_due = far ? now : at->due;
        continue;
      }
      leases_.take(at->message, to, now, now + lease);
      result.leased.push_back(take(*at));
    }
  }
  done(std::move(result));
}

// What the LMDB engine's writer does for its reader.
void MemoryStore::look_after(DestinationId to, WallTime now) {
  std::vector<Delivery> due;
  for (auto at = due_.lower_bound({to, WallTime::min(), {}}); at != due_.end() && at->destination == to; ++at) {
    const Delivery& delivery = deliveries_.at({at->message, to});
    if (delivery.shaped() && (at->due <= now || at->due >= now + Delivery::kFarthestDue)) due.push_back(delivery);
  }
  Groups groups(*this, now);
  for (const Delivery& delivery : due) {
    if (is_waiting(deliveries_.at({delivery.message, to}).state) && hold(delivery)) static_cast<void>(groups.take_care(delivery));
  }
}

Leased MemoryStore::take(const DueKey& due) {
  const Delivery& delivery = deliveries_.at({due.message, due.destination});
  const std::shared_ptr<const Message>& message = messages_.at(due.message);
  if (!wire::is_batch(delivery.grouping.kind)) return {delivery, message};
  std::vector<std::string> bodies;
  for (const GroupMember& member : members(due.destination, Groups::batch_key(due.message), Groups::kMaxBatch)) {
    bodies.push_back(messages_.at(member.message)->body(deliveries_.at({member.message, due.destination}).shape));
  }
  return {delivery, std::make_shared<const Message>(merge(*message, delivery.shape, delivery.grouping.kind, bodies))};
}

uint64_t MemoryStore::expire(uint32_t max) {
  std::vector<Delivery> passed;
  for (const auto& [key, delivery] : deliveries_) {
    if (expires_by_index(delivery) && delivery.expires <= clock_.wall() && hold(delivery) && passed.size() < max) passed.push_back(delivery);
  }
  uint64_t ended = 0;
  for (const Delivery& delivery : passed) ended += static_cast<uint32_t>(Groups(*this, clock_.wall()).expire(delivery));
  return ended;
}

std::vector<DestinationId> MemoryStore::waiting_destinations() const {
  const std::lock_guard lock(mutex_);
  std::vector<DestinationId> found;
  for (const auto& [id, counts] : counts_) {
    if (counts.waiting > 0) found.push_back(id);
  }
  return found;
}

void MemoryStore::load(MessageId id, Done<Message> done) {
  if (closed_) return done(closed_error());
  std::shared_ptr<const Message> message;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = messages_.find(id); at != messages_.end()) message = at->second;
  }
  if (message == nullptr) return done(invalid("no message " + id.to_string() + " is stored"));
  done(*message);
}

std::vector<Delivery> MemoryStore::deliveries_of(const MessageId& id) const {
  std::vector<Delivery> found;
  for (auto at = deliveries_.lower_bound({id, 0}); at != deliveries_.end() && at->first.first == id; ++at) {
    Delivery& delivery = found.emplace_back(at->second);
    if (!is_waiting(delivery.state)) continue;
    const bool batch = wire::is_batch(delivery.grouping.kind);
    if (leases_.held(batch ? delivery.batch : id, at->first.second, clock_.wall())) delivery.state = DeliveryState::sending;
    const auto head = heads_.find({delivery.destination, delivery.grouping.key});
    if (delivery.grouped() && !batch && head != heads_.end() && head->second.first != id) delivery.waits_for = head->second.first;
  }
  return found;
}

void MemoryStore::deliveries(MessageId id, Done<std::vector<Delivery>> done) {
  if (closed_) return done(closed_error());
  std::vector<Delivery> found;
  {
    const std::lock_guard lock(mutex_);
    found = deliveries_of(id);
  }
  done(std::move(found));
}

// The row of a line that answers the query.
std::optional<EventRow> MemoryStore::row_of(const wire::Event& event, const EventFilter& filter, const std::optional<MessageId>& before) const {
  wire::EventLines line;
  line.add(event);
  std::string_view rest = line.bytes();
  auto view = wire::next_event(rest);
  BELAY_CHECK(view.ok());
  if (!filter.line(*view, before)) return std::nullopt;
  std::vector<Delivery> deliveries = deliveries_of(event.id);
  if (filter.needs_deliveries(*view) && !filter.deliveries(deliveries)) return std::nullopt;
  if (event.outcome != wire::Outcome::spooled) deliveries.clear();
  return EventRow{event, std::move(deliveries)};
}

void MemoryStore::events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) {
  if (closed_) return done(closed_error());
  EventPage page;
  const EventFilter filter(query);
  if (!filter.impossible() && max > 0) {
    const std::lock_guard lock(mutex_);
    for (auto at = lines_.rbegin(); at != lines_.rend(); ++at) {
      auto row = row_of(at->second, filter, before);
      if (!row) continue;
      if (page.rows.size() == max) {
        page.next = page.rows.back().event.id;
        break;
      }
      page.rows.push_back(std::move(*row));
    }
  }
  done(std::move(page));
}

void MemoryStore::rows(const EventQuery& query, std::vector<MessageId> ids, Done<std::vector<EventRow>> done) {
  if (closed_) return done(closed_error());
  std::vector<EventRow> rows;
  const EventFilter filter(query);
  std::sort(ids.begin(), ids.end());
  if (!filter.impossible()) {
    const std::lock_guard lock(mutex_);
    for (const auto& [at, event] : lines_) {
      if (!std::binary_search(ids.begin(), ids.end(), event.id)) continue;
      if (auto row = row_of(event, filter, std::nullopt)) rows.push_back(std::move(*row));
    }
  }
  done(std::move(rows));
}

bool MemoryStore::drop(const MessageId& refused) {
  const auto at = messages_.find(refused);
  if (at == messages_.end() || !deliveries_of(refused).empty()) return false;
  messages_.erase(at);
  --rejected_;
  return true;
}

void MemoryStore::kept(const KeptQuery& query, std::string before, uint32_t max, Done<KeptPage> done) {
  if (closed_) return done(closed_error());
  KeptPage page;
  {
    const std::lock_guard lock(mutex_);
    const KeptFilter filter(query);
    for (auto at = messages_.rbegin(); at != messages_.rend(); ++at) {
      if (!before.empty() && at->first.to_string() >= before) continue;
      std::vector<Kept> rows;
      const std::string id = at->first.to_string();
      const auto deliveries = deliveries_of(at->first);
      if (deliveries.empty()) rows.push_back({KeptKind::refused, id, at->second->event, std::nullopt, at->second->request.body.size()});
      for (const Delivery& delivery : deliveries) {
        if (delivery.unmade && delivery.state == DeliveryState::dead) rows.push_back({KeptKind::unmade, id, at->second->event, delivery, at->second->request.body.size()});
      }
      std::erase_if(rows, [&](const Kept& row) { return !filter.takes(row); });
      if (rows.empty()) continue;
      if (page.rows.size() >= max) {
        page.next = page.rows.back().key;
        break;
      }
      page.rows.insert(page.rows.end(), rows.begin(), rows.end());
    }
  }
  done(std::move(page));
}

void MemoryStore::acts(std::optional<MessageId> before, uint32_t max, Done<ActPage> done) {
  if (closed_) return done(closed_error());
  ActPage page;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = acts_.rbegin(); at != acts_.rend(); ++at) {
      if (before && at->first >= *before) continue;
      if (page.rows.size() == max) {
        page.next = page.rows.back().id;
        break;
      }
      page.rows.push_back(at->second);
    }
  }
  done(std::move(page));
}

void MemoryStore::recount(Done<BooksReport> done) {
  if (closed_) return done(closed_error());
  BooksReport report;
  {
    const std::lock_guard lock(mutex_);
    report.messages = messages_.size();
    report.deliveries = deliveries_.size();
    report.lines = lines_.size();
    std::map<DestinationId, std::array<uint64_t, 8>> by_destination;
    std::map<std::string, std::array<uint64_t, 8>> by_source;
    for (const auto& [key, delivery] : deliveries_) ++by_destination[key.second][static_cast<size_t>(delivery.state)];
    for (const auto& [id, line] : lines_) ++by_source[line.source][static_cast<size_t>(line.outcome)];
    for (const auto& [id, counts] : counts_) report.destinations.push_back(account_of(counts, by_destination[id]));
    for (const auto& [name, counts] : sources_) report.sources.push_back(account_of(name, counts, by_source[name]));
  }
  std::sort(report.destinations.begin(), report.destinations.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  done(std::move(report));
}

StoreStats MemoryStore::stats() const {
  StoreStats stats;
  const std::lock_guard lock(mutex_);
  stats.messages = messages_.size();
  stats.events = lines_.size();
  stats.commits = commits_;
  std::map<DestinationId, std::optional<WallTime>> oldest;
  for (const auto& [key, delivery] : deliveries_) {  // ids ascend with time
    if (is_waiting(delivery.state)) oldest.try_emplace(key.second, key.first.time());
  }
  for (const auto& [id, counts] : counts_) {
    stats.destinations.push_back({id, counts.name, counts.spooled, counts.waiting, leases_.sending(id), counts.delivered,
                                  counts.dead, counts.cancelled, counts.superseded, oldest[id]});
  }
  std::sort(stats.destinations.begin(), stats.destinations.end(),
            [](const DestinationBacklog& a, const DestinationBacklog& b) { return a.name < b.name; });
  return stats;
}

std::optional<WallTime> MemoryStore::newest() const {
  const std::lock_guard lock(mutex_);
  if (lines_.empty()) return std::nullopt;
  return lines_.rbegin()->first.time();
}

void MemoryStore::prune(WallTime messages, WallTime history, uint32_t max, Done<Pruned> done) {
  if (closed_) return done(closed_error());
  Pruned gone;
  if (!in_doubt_) {
    const std::lock_guard lock(mutex_);
    gone.expired = expire(max);
    gone.more = gone.expired == max;
    for (auto at = messages_.begin(); at != messages_.end() && at->first.time() < messages;) {
      if (gone.messages == max) {
        gone.more = true;
        break;
      }
      const std::vector<Delivery> of = deliveries_of(at->first);
      if (std::any_of(of.begin(), of.end(), [](const Delivery& delivery) { return is_waiting(delivery.state); })) {
        ++at;
        continue;
      }
      if (of.empty()) --rejected_;
      for (const Delivery& delivery : of) {
        if (delivery.state == DeliveryState::dead && delivery.grouping.kind == wire::GroupKind::order_wait) {
          Groups(*this, clock_.wall()).gone(delivery);
        }
        ++counts_[delivery.destination].forgotten(delivery.state);
        deliveries_.erase({delivery.message, delivery.destination});
      }
      at = messages_.erase(at);
      ++gone.messages;
    }
    std::erase_if(claims_, [this](const auto& claim) { return claim.second.until <= clock_.wall(); });
    std::erase_if(acts_, [&](const auto& act) { return act.first.time() < history; });
    const auto kept = lines_.lower_bound(MessageId::first_at(std::max(history, WallTime{})));
    for (auto line = lines_.begin(); line != kept; line = lines_.erase(line)) {
      ++sources_[line->second.source].forgotten[static_cast<size_t>(line->second.outcome)];
      ++gone.lines;
    }
  }
  done(gone);
}

}  // namespace

std::unique_ptr<Store> open_memory_store(const Clock& clock) { return std::make_unique<MemoryStore>(clock); }

}  // namespace belay::spool
