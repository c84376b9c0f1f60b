#include "spool/store_operations.h"

#include <algorithm>
#include <utility>

namespace belay::spool {

void StoreOperations::message(MessageId id, Done<MessageDetail> done) {
  store_.load(id, [this, id, done = std::move(done)](Result<Message> message) {
    if (!message) return done(message.error());
    auto found = std::make_shared<Message>(std::move(*message));
    store_.deliveries(id, [done, found](Result<std::vector<Delivery>> deliveries) {
      if (!deliveries) return done(deliveries.error());
      done(MessageDetail{std::move(*found), std::move(*deliveries)});
    });
  });
}

MessageId StoreOperations::next_id() {
  const std::lock_guard lock(mutex_);
  return ids_.next();
}

// The store is closed by now, so each ends with its next step; until then it may be with the rules, on their thread. One that no
// step holds any more has none.
StoreOperations::~StoreOperations() {
  std::vector<std::shared_ptr<Bulk>> left;
  {
    const std::lock_guard lock(mutex_);
    bulks_.clear();
    for (const auto& one : under_way_) {
      if (auto bulk = one.lock()) left.push_back(std::move(bulk));
    }
  }
  for (const auto& bulk : left) bulk->wait();
}

void StoreOperations::set_rerun(Rerun rerun) {
  const std::lock_guard lock(mutex_);
  rerun_ = std::move(rerun);
}

Result<std::shared_ptr<Bulk>> StoreOperations::make(const BulkRequest& request) {
  const bool named = !request.ids.empty() || !request.keys.empty();
  if (request.filter.has_value() == named) return invalid("ids or a filter, one of them");
  if (std::max(request.ids.size(), request.keys.size()) > BulkRequest::kMaxIds) {
    return invalid("at most " + std::to_string(BulkRequest::kMaxIds) + " ids at once; use a filter");
  }
  const std::lock_guard lock(mutex_);
  const auto running = std::count_if(bulks_.begin(), bulks_.end(), [](const auto& one) { return one.second->snapshot().running(); });
  if (running >= kMaxRunning) return Error{ErrorKind::refused, std::to_string(kMaxRunning) + " of these run already; wait for one, or stop it"};
  if (static_cast<size_t>(running) + kMaxKnown <= bulks_.size()) {
    std::erase_if(bulks_, [](const auto& one) { return !one.second->snapshot().running(); });
  }
  const auto bulk = std::make_shared<Bulk>(Bulk::Parts{store_, clock_, wake_, rerun_}, request, request.dry_run ? MessageId{} : ids_.next());
  if (!request.dry_run) bulks_.emplace(bulk->snapshot().id, bulk);
  std::erase_if(under_way_, [](const std::weak_ptr<Bulk>& one) { return one.expired(); });
  under_way_.push_back(bulk);
  return bulk;
}

void StoreOperations::act(const BulkRequest& request, Done<BulkResult> done) {
  auto bulk = make(request);
  if (!bulk) return done(bulk.error());
  (*bulk)->run(std::move(done));
}

void StoreOperations::begin(const BulkRequest& request, Done<BulkResult> done) {
  auto bulk = make(request);
  if (!bulk) return done(bulk.error());
  (*bulk)->begin(std::move(done));
}

std::shared_ptr<Bulk> StoreOperations::find(const MessageId& id) const {
  const std::lock_guard lock(mutex_);
  const auto at = bulks_.find(id);
  return at == bulks_.end() ? nullptr : at->second;
}

// One that nobody runs although the log says so was under way when the spool ended.
void StoreOperations::correct(Act& act) const {
  if (act.outcome != Act::kRunning) return;
  const auto bulk = find(act.id);
  act.outcome = bulk == nullptr ? "interrupted: the spool ended meanwhile" : bulk->snapshot().outcome;
}

void StoreOperations::acts(std::optional<MessageId> before, uint32_t max, Done<ActPage> done) {
  store_.acts(before, max, [this, done = std::move(done)](Result<ActPage> page) {
    if (page) {
      for (Act& act : page->rows) correct(act);
    }
    done(std::move(page));
  });
}

void StoreOperations::bulk(MessageId id, Done<BulkResult> done) {
  if (const auto bulk = find(id)) return done(bulk->snapshot());
  // The log's entry at `id` itself: the first one before the id that follows.
  acts(id_after(id), 1, [id, done = std::move(done)](Result<ActPage> page) {
    if (!page) return done(page.error());
    if (page->rows.empty() || page->rows.front().id != id) return done(invalid("nothing of the id " + id.to_string() + " was begun"));
    const Act& act = page->rows.front();
    BulkResult result;
    result.id = id;
    constexpr Deed kDeeds[] = {Deed::replay, Deed::reapply, Deed::cancel, Deed::release, Deed::drop};
    const auto deed = std::find_if(std::begin(kDeeds), std::end(kDeeds), [&](Deed one) { return to_string(one) == act.action; });
    if (deed == std::end(kDeeds)) return done(invalid(id.to_string() + " was no act on many: " + act.action));
    result.deed = *deed;
    result.who = act.who;
    result.what = act.target;
    result.outcome = act.outcome;
    result.messages = act.messages;
    result.deliveries = act.deliveries;
    result.left_out = act.left_out;
    done(std::move(result));
  });
}

void StoreOperations::halt(MessageId id, std::string who, Done<BulkResult> done) {
  if (const auto bulk = find(id)) bulk->halt(std::move(who));
  this->bulk(id, std::move(done));
}

void StoreOperations::announce(const Announcement& announcement, Done<MessageId> done) {
  auto message = std::make_shared<Message>();
  wire::Event& event = message->event;
  {
    const std::lock_guard lock(mutex_);
    event.id = ids_.next();
  }
  event.received = clock_.wall();
  event.outcome = wire::Outcome::spooled;
  event.status = 202;
  event.source = announcement.source;
  event.destination = announcement.to;
  event.type = announcement.type;
  event.resource = announcement.resource;
  event.client = "belay";
  event.method = "POST";
  event.path = "/";
  event.body_bytes = static_cast<uint32_t>(announcement.body.size());
  message->request.method = "POST";
  message->request.target = "/";
  message->request.fields = {{"Content-Type", "application/json"}};
  message->request.body = announcement.body;
  message->request.has_body = true;
  Delivery delivery;
  delivery.message = event.id;
  delivery.destination_name = announcement.to;
  delivery.destination = destination_id(announcement.to);
  delivery.due = clock_.wall();
  Batch batch;
  batch.own = true;
  batch.puts.push_back({message, {std::move(delivery)}, {}});
  store_.commit(std::move(batch), [this, id = event.id, to = destination_id(announcement.to), done = std::move(done)](const Result<Committed>& committed) {
    if (!committed) return done(committed.error());
    wake_({to});
    done(id);
  });
}

namespace {

// What is added up over all workers that ever were; anything else is true of a living one only.
bool lasts(const wire::Counter& counter) {
  return counter.name.ends_with("_total") || counter.name.ends_with("_bucket") || counter.name.ends_with("_sum_us");
}

}  // namespace

void StoreOperations::set_counters(wire::Counters counters) {
  const std::lock_guard lock(mutex_);
  const uint64_t worker = counters.worker;
  workers_[worker] = {std::move(counters), clock_.monotonic()};
  if (workers_.size() > kMaxWorkers) fold_one();
}

// A live worker reports every few seconds, so the one silent the longest has ended.
void StoreOperations::fold_one() {
  const auto oldest = std::min_element(workers_.begin(), workers_.end(),
                                       [](const auto& a, const auto& b) { return a.second.seen < b.second.seen; });
  for (wire::Counter& counter : oldest->second.counters.counters) {
    if (!lasts(counter)) continue;
    const auto same = std::find_if(ended_.counters.begin(), ended_.counters.end(), [&](const wire::Counter& known) {
      return known.name == counter.name && known.labels == counter.labels;
    });
    if (same == ended_.counters.end()) ended_.counters.push_back(std::move(counter));
    else same->value += counter.value;
  }
  workers_.erase(oldest);
}

std::vector<wire::Counters> StoreOperations::counters() const {
  const std::lock_guard lock(mutex_);
  std::vector<wire::Counters> all;
  if (!ended_.counters.empty()) all.push_back(ended_);
  for (const auto& [worker, known] : workers_) {
    all.push_back(known.counters);
    if (clock_.monotonic() - known.seen > kSilent) std::erase_if(all.back().counters, [](const wire::Counter& counter) { return !lasts(counter); });
  }
  return all;
}

}  // namespace belay::spool
