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

// One replay under way. Its steps follow each other through the store's callbacks, so it needs no lock.
struct StoreOperations::Replay : std::enable_shared_from_this<Replay> {
  Replay(StoreOperations& operations, ReplayRequest asked, Done<ReplayResult> answer)
      : owner(operations), request(std::move(asked)), done(std::move(answer)) {
    if (!request.filter || !request.filter->state) return;
    for (const auto end : {DeliveryState::delivered, DeliveryState::dead, DeliveryState::cancelled}) {
      if (to_string(end) == *request.filter->state) only = end;
    }
  }

  void next_id();
  void next_page();
  // Queues again what ended of these deliveries and was asked for; false when there was nothing.
  bool choose(const std::vector<Delivery>& deliveries);
  void commit(std::function<void()> then);
  void finish() { done(std::move(result)); }

  StoreOperations& owner;
  ReplayRequest request;
  Done<ReplayResult> done;
  ReplayResult result;
  std::optional<DeliveryState> only;
  size_t at = 0;
  std::optional<MessageId> before;
  Batch batch;
};

bool StoreOperations::Replay::choose(const std::vector<Delivery>& deliveries) {
  size_t chosen = 0;
  for (const Delivery& delivery : deliveries) {
    if (!may_become(delivery.state, DeliveryState::queued) || delivery.unmade) continue;
    if (only && delivery.state != *only) continue;
    if (request.filter && !request.filter->destination.empty() &&
        delivery.destination_name != request.filter->destination) {
      continue;
    }
    ++chosen;
    if (request.dry_run) continue;
    Delivery again = delivery;
    again.state = DeliveryState::queued;
    again.due = owner.clock_.wall();
    again.attempts_before = again.attempts;
    again.reason.clear();
    batch.settlements.push_back({std::move(again)});
  }
  if (chosen == 0) return false;
  ++result.messages;
  result.deliveries += chosen;
  if (result.ids.size() < ReplayResult::kMaxListed) result.ids.push_back(deliveries.front().message);
  return true;
}

void StoreOperations::Replay::commit(std::function<void()> then) {
  if (batch.settlements.empty()) return then();
  std::vector<DestinationId> wake;
  for (const Settlement& settlement : batch.settlements) wake.push_back(settlement.delivery.destination);
  std::sort(wake.begin(), wake.end());
  wake.erase(std::unique(wake.begin(), wake.end()), wake.end());
  owner.store_.commit(std::exchange(batch, Batch()), [self = shared_from_this(), wake = std::move(wake),
                                                      then = std::move(then)](Result<Committed> committed) mutable {
    if (!committed) return self->done(committed.error());
    // Refused: somebody else queued it in between, which is what was asked for.
    const auto refused = std::count(committed->refused.begin(), committed->refused.end(), true);
    self->result.deliveries -= static_cast<uint64_t>(refused);
    self->owner.wake_(std::move(wake));
    then();
  });
}

void StoreOperations::Replay::next_id() {
  if (at == request.ids.size()) return commit([self = shared_from_this()] { self->finish(); });
  const MessageId id = request.ids[at++];
  owner.store_.deliveries(id, [self = shared_from_this(), id](Result<std::vector<Delivery>> deliveries) {
    if (!deliveries) {
      self->result.skipped.emplace_back(id, deliveries.error().message);
    } else if (deliveries->empty()) {
      self->result.skipped.emplace_back(id, "no message of this id is stored");
    } else if (!self->choose(*deliveries)) {
      const auto any = [&](auto is) { return std::any_of(deliveries->begin(), deliveries->end(), is); };
      self->result.skipped.emplace_back(
          id, any([](const Delivery& one) { return one.unmade; })                                        ? "its transform failed: there is nothing to send"
              : any([](const Delivery& one) { return one.state == DeliveryState::superseded; }) ? "a newer one of its key went in its place"
                                                                                                 : "it is still waiting to be delivered");
    }
    self->next_id();
  });
}

void StoreOperations::Replay::next_page() {
  owner.store_.events(*request.filter, before, kReplayPage, [self = shared_from_this()](Result<EventPage> page) {
    if (!page) return self->done(page.error());
    for (const EventRow& row : page->rows) static_cast<void>(self->choose(row.deliveries));
    self->before = page->next;
    self->commit([self] {
      if (self->before) self->next_page();
      else self->finish();
    });
  });
}

void StoreOperations::replay(const ReplayRequest& request, Done<ReplayResult> done) {
  if (request.filter.has_value() == !request.ids.empty()) return done(invalid("replay takes ids or a filter, one of them"));
  if (request.ids.size() > ReplayRequest::kMaxIds) {
    return done(invalid("at most " + std::to_string(ReplayRequest::kMaxIds) + " ids at once; use a filter"));
  }
  const auto replay = std::make_shared<Replay>(*this, request, std::move(done));
  if (request.filter) replay->next_page();
  else replay->next_id();
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
