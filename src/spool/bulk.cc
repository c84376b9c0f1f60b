#include "spool/bulk.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace belay::spool {

namespace {

bool may_go_again(const Delivery& delivery) { return may_become(delivery.state, DeliveryState::queued) && !delivery.unmade && !delivery.damaged; }

bool has(const std::vector<Delivery>& deliveries, bool (*is)(const Delivery&)) { return std::any_of(deliveries.begin(), deliveries.end(), is); }

}  // namespace

std::string_view to_string(Deed deed) {
  switch (deed) {
    case Deed::replay: return "replay";
    case Deed::reapply: return "reapply";
    case Deed::cancel: return "cancel";
    case Deed::release: return "release";
    case Deed::drop: return "drop";
  }
  return "unknown";
}

Bulk::Bulk(Parts parts, BulkRequest request, MessageId id)
    : parts_(std::move(parts)), request_(std::move(request)), new_ids_(parts_.clock, random_) {
  result_.id = id;
  result_.deed = request_.deed;
  result_.who = request_.who;
  result_.what = request_.what;
  ids_ = std::move(request_.ids);
  if (!request_.filter || !request_.filter->state) return;
  for (auto state = DeliveryState::queued; state <= DeliveryState::superseded; state = static_cast<DeliveryState>(static_cast<int>(state) + 1)) {
    if (to_string(state) == *request_.filter->state) only_ = state;
  }
}

void Bulk::run(Done<BulkResult> done) {
  const bool asks_rules = request_.deed == Deed::reapply || request_.deed == Deed::release;
  if (asks_rules && !parts_.rerun) {
    {
      const std::lock_guard lock(mutex_);
      result_.outcome = "refused";
    }
    end();
    return done(Error{ErrorKind::refused, "the present rules cannot be asked here"});
  }
  done_ = std::move(done);
  next_page();
}

void Bulk::begin(Done<BulkResult> done) {
  Batch batch;
  batch.acts.push_back(entry());
  parts_.store.commit(std::move(batch), [self = shared_from_this(), done = std::move(done)](const Result<Committed>& committed) {
    if (!committed) {
      const std::lock_guard lock(self->mutex_);
      self->result_.outcome = "failed: " + committed.error().message;
      self->end();
      return done(committed.error());
    }
    done(self->snapshot());
    self->run([](const Result<BulkResult>&) {});
  });
}

BulkResult Bulk::snapshot() const {
  const std::lock_guard lock(mutex_);
  return result_;
}

void Bulk::end() {
  ended_ = true;
  ended_.notify_all();
}

void Bulk::halt(std::string who) {
  const std::lock_guard lock(mutex_);
  if (halted_by_.empty()) halted_by_ = std::move(who);
}

Act Bulk::entry() const {
  const std::lock_guard lock(mutex_);
  return {result_.id, result_.who, std::string(to_string(result_.deed)), result_.what, result_.outcome, result_.messages, result_.deliveries, result_.left_out};
}

void Bulk::next_page() {
  std::string halted_by;
  {
    const std::lock_guard lock(mutex_);
    halted_by = halted_by_;
  }
  if (!halted_by.empty()) return finish("stopped by " + halted_by);
  if (last_page_) return finish(std::string(Act::kDone));
  if (!ids_.empty() && (chosen_ || !request_.filter)) return page_of_ids();
  if (!request_.keys.empty()) return page_of_keys();
  const auto self = shared_from_this();
  if (request_.deed == Deed::release || request_.deed == Deed::drop) {
    return parts_.store.kept({*request_.filter, request_.kind}, kept_before_, kPage, [self](Result<KeptPage> page) {
      if (!page) return self->finish("failed: " + page.error().message);
      self->kept_before_ = page->next;
      self->last_page_ = page->next.empty();
      self->add_kept(std::move(*page));
    });
  }
  parts_.store.events(*request_.filter, before_, kPage, [self](Result<EventPage> page) {
    if (!page) return self->finish("failed: " + page.error().message);
    self->before_ = page->next;
    self->last_page_ = !page->next;
    self->goes_by_age() ? self->choose(*page) : self->add_page(std::move(*page));
  });
}

bool Bulk::goes_by_age() const {
  return !request_.dry_run && (request_.deed == Deed::replay || request_.deed == Deed::reapply);
}

// Pages come with the newest first.
void Bulk::choose(const EventPage& page) {
  for (const EventRow& row : page.rows) {
    if (!row.deliveries.empty()) ids_.push_back(row.event.id);
    else if (row.event.outcome == wire::Outcome::spooled) leave_out(row.event.id.to_string(), why_gone(&row.event));
  }
  if (ids_.size() > kMaxChosen) return finish("failed: the filter chooses more than " + std::to_string(kMaxChosen) + " webhooks; narrow it by --since and --until");
  if (last_page_) {
    std::reverse(ids_.begin(), ids_.end());
    chosen_ = true;
    last_page_ = ids_.empty();
  }
  next_page();
}

void Bulk::add_page(EventPage page) {
  for (EventRow& row : page.rows) {
    Candidate one{row.event.id, row.event.id.to_string(), std::move(row.deliveries), std::nullopt};
    if (one.deliveries.empty()) {
      const bool was_stored = row.event.outcome == wire::Outcome::spooled;  // others were never meant
      if (was_stored) leave_out(one.key, why_gone(&row.event));
      continue;
    }
    page_.push_back(std::move(one));
  }
  next();
}

void Bulk::add_kept(KeptPage page) {
  for (Kept& row : page.rows) {
    Candidate one{row.event.id, row.key, {}, std::nullopt};
    if (row.delivery) one.deliveries.push_back(*row.delivery);
    one.kept = std::move(row);
    page_.push_back(std::move(one));
  }
  next();
}

void Bulk::page_of_ids() {
  const size_t end = std::min(at_ + kPage, ids_.size());
  last_page_ = end == ids_.size();
  look_up(std::exchange(at_, end), end);
}

// A store may answer before it returns: then the loop goes on, else the answer does.
void Bulk::look_up(size_t at, size_t end) {
  enum : int { asked, left, answered };
  const auto self = shared_from_this();
  for (; at < end; ++at) {
    const MessageId id = ids_[at];
    const auto step = std::make_shared<std::atomic<int>>(asked);
    const auto go_on = [self, step, at, end] {
      if (step->exchange(answered) == left) self->look_up(at + 1, end);
    };
    parts_.store.deliveries(id, [self, id, go_on](Result<std::vector<Delivery>> deliveries) {
      if (deliveries && !deliveries->empty()) {
        self->page_.push_back({id, id.to_string(), std::move(*deliveries), std::nullopt});
        return go_on();
      }
      // Whether it was ever there, the books know.
      self->parts_.store.events({}, id_after(id), 1, [self, id, go_on](const Result<EventPage>& page) {
        const bool known = page && !page->rows.empty() && page->rows.front().event.id == id;
        self->leave_out(id.to_string(), self->why_gone(known ? &page->rows.front().event : nullptr));
        go_on();
      });
    });
    if (step->exchange(left) != answered) return;
  }
  next();
}

void Bulk::page_of_keys() {
  const size_t end = std::min(at_ + kPage, request_.keys.size());
  last_page_ = end == request_.keys.size();
  look_up_key(std::exchange(at_, end), end);
}

// What of it is in quarantine: the request as a whole, deliveries, or a record by its name.
void Bulk::look_up_key(size_t at, size_t end) {
  if (at == end) return next();
  const std::string& key = request_.keys[at];
  const auto id = MessageId::parse(key);
  const auto add = [this, &key](KeptKind kind, const MessageId& of, std::optional<Delivery> delivery) {
    Candidate one{of, key, {}, Kept{kind, key, {}, delivery, 0}};
    if (delivery) one.deliveries.push_back(std::move(*delivery));
    page_.push_back(std::move(one));
  };
  if (!id) {
    add(KeptKind::damaged, {}, std::nullopt);
    return look_up_key(at + 1, end);
  }
  parts_.store.deliveries(*id, [self = shared_from_this(), id = *id, at, end, key, add](const Result<std::vector<Delivery>>& deliveries) {
    if (deliveries && deliveries->empty()) {
      add(KeptKind::refused, id, std::nullopt);
      return self->look_up_key(at + 1, end);
    }
    bool any = false;
    for (const Delivery& delivery : deliveries ? *deliveries : std::vector<Delivery>()) {
      if (!delivery.unmade || delivery.state != DeliveryState::dead) continue;
      any = true;
      add(KeptKind::unmade, id, delivery);
    }
    if (!any) self->leave_out(key, "nothing of it is in quarantine");
    self->look_up_key(at + 1, end);
  });
}

std::string Bulk::why_gone(const wire::Event* line) const {
  if (line == nullptr) return "no webhook of this id is known";
  switch (line->outcome) {
    case wire::Outcome::spooled: return "its request is gone: it is kept for spool.retention only";
    case wire::Outcome::forwarded: return "it was forwarded at once and is not stored";
    case wire::Outcome::rejected: return "it was refused; 'belay quarantine' has what is kept of those";
    default: return "it was " + std::string(wire::to_string(line->outcome)) + " and is not stored";
  }
}

void Bulk::next() {
  while (!page_.empty() && batch_bytes_ <= kPageBytes) {
    const Candidate one = std::move(page_.front());
    page_.pop_front();
    {
      const std::lock_guard lock(mutex_);
      ++result_.looked_at;
    }
    if (!take(one)) return;
  }
  const bool rest = !page_.empty();
  commit([self = shared_from_this(), rest] { rest ? self->next() : self->next_page(); });
}

// False: it takes its time, and goes on with next() by itself.
bool Bulk::take(const Candidate& one) {
  switch (request_.deed) {
    case Deed::replay: queue_again(one); break;
    case Deed::cancel: cancel(one); break;
    case Deed::drop: drop(one); break;
    case Deed::reapply:
    case Deed::release: rerun(one); return false;
  }
  return true;
}

bool Bulk::chooses(const Delivery& delivery) const {
  if (only_ && delivery.state != *only_) return false;
  return !request_.filter || request_.filter->destination.empty() || delivery.destination_name == request_.filter->destination;
}

void Bulk::count(const Candidate& one, size_t deliveries) {
  const std::lock_guard lock(mutex_);
  ++result_.messages;
  result_.deliveries += deliveries;
  if (result_.ids.size() < BulkResult::kMaxListed) result_.ids.push_back(one.key);
}

void Bulk::leave_out(const std::string& key, std::string why) {
  const std::lock_guard lock(mutex_);
  ++result_.left_out;
  if (result_.skipped.size() < BulkResult::kMaxListed) result_.skipped.emplace_back(key, std::move(why));
}

std::string Bulk::why_not(const Candidate& one) const {
  if (has(one.deliveries, [](const Delivery& each) { return each.damaged; })) return "the record of its delivery is damaged";
  const auto unmade = std::find_if(one.deliveries.begin(), one.deliveries.end(), [](const Delivery& each) { return each.unmade; });
  if (unmade != one.deliveries.end()) {
    constexpr std::string_view kWay = "--reapply asks the present rules";
    std::string why = unmade->reason.empty() ? "nothing could be made of it" : unmade->reason;
    if (why.find(kWay) == std::string::npos) why.append("; ").append(kWay);
    return why;
  }
  if (has(one.deliveries, [](const Delivery& each) { return each.state == DeliveryState::superseded; })) return "a newer one of its key went in its place";
  return "it is still waiting to be delivered";
}

void Bulk::queue_again(const Candidate& one) {
  size_t chosen = 0;
  for (const Delivery& delivery : one.deliveries) {
    if (!may_go_again(delivery) || !chooses(delivery)) continue;
    ++chosen;
    if (request_.dry_run) continue;
    Delivery again = delivery;
    again.state = DeliveryState::queued;
    again.due = parts_.clock.wall();
    again.attempts_before = again.attempts;
    again.reason.clear();
    batch_.settlements.push_back({std::move(again)});
  }
  if (chosen > 0) return count(one, chosen);
  if (!request_.filter || has(one.deliveries, [](const Delivery& each) { return each.unmade || each.damaged; })) leave_out(one.key, why_not(one));
}

void Bulk::cancel(const Candidate& one) {
  size_t chosen = 0;
  std::string why = "it has ended already";
  for (const Delivery& delivery : one.deliveries) {
    if (!chooses(delivery)) continue;
    if (delivery.damaged) why = "the record of its delivery is damaged";
    if (delivery.damaged) continue;
    if (delivery.state == DeliveryState::sending) why = "it is being sent at this moment";
    if (delivery.state == DeliveryState::sending || !may_become(delivery.state, DeliveryState::cancelled)) continue;
    ++chosen;
    if (request_.dry_run) continue;
    Delivery given_up = delivery;
    given_up.state = DeliveryState::cancelled;
    given_up.reason = "by " + request_.who;
    batch_.settlements.push_back({std::move(given_up)});
  }
  if (chosen > 0) count(one, chosen);
  else if (!request_.filter) leave_out(one.key, why);
}

// Of a delivery that nothing could be made for the record stays, with its webhook; it is only given up.
void Bulk::drop(const Candidate& one) {
  if (one.kept->delivery) {
    Delivery given_up = *one.kept->delivery;
    given_up.state = DeliveryState::cancelled;
    given_up.reason = "dropped from quarantine by " + request_.who;
    if (!request_.dry_run) batch_.settlements.push_back({std::move(given_up)});
    return count(one, 1);
  }
  if (!request_.dry_run) {
    batch_.drops.push_back(one.key);
    batch_keys_.push_back(one.key);
  }
  count(one, 0);
}

void Bulk::commit(std::function<void()> then) {
  if (batch_.empty() || request_.dry_run) return then();
  std::vector<DestinationId> wake;
  for (const Settlement& settlement : batch_.settlements) wake.push_back(settlement.delivery.destination);
  for (const NewMessage& put : batch_.puts) {
    for (const Delivery& delivery : put.deliveries) wake.push_back(delivery.destination);
  }
  std::sort(wake.begin(), wake.end());
  wake.erase(std::unique(wake.begin(), wake.end()), wake.end());
  batch_.acts.push_back(entry());
  batch_bytes_ = 0;
  parts_.store.commit(std::exchange(batch_, Batch()), [self = shared_from_this(), wake = std::move(wake), then = std::move(then)](const Result<Committed>& result) {
    if (!result) return self->finish("failed: " + result.error().message);
    self->committed(*result, wake);
    then();
  });
}

// Refused: somebody else was faster. What the entry in the log said too much is set right by the next one.
void Bulk::committed(const Committed& result, std::vector<DestinationId> wake) {
  const auto refused = static_cast<uint64_t>(std::count(result.refused.begin(), result.refused.end(), true));
  const std::vector<std::string> keys = std::exchange(batch_keys_, {});
  {
    const std::lock_guard lock(mutex_);
    result_.deliveries -= std::min(result_.deliveries, refused);
  }
  for (size_t i = 0; i < result.claimed.size() && i < keys.size(); ++i) {
    if (!result.claimed[i]) continue;
    {
      const std::lock_guard lock(mutex_);
      --result_.messages;
    }
    leave_out(keys[i], "the same webhook came again and was taken as " + result.claimed[i]->first.to_string());
  }
  for (size_t i = 0; i < result.dropped.size() && i < keys.size(); ++i) {
    if (result.dropped[i]) continue;
    {
      const std::lock_guard lock(mutex_);
      --result_.messages;
    }
    leave_out(keys[i], "nothing of this name is in quarantine");
  }
  parts_.wake(std::move(wake));
}

void Bulk::finish(std::string outcome) {
  {
    const std::lock_guard lock(mutex_);
    if (!result_.running()) return;
    if (request_.dry_run) result_.outcome = outcome;
  }
  // What it did may be asked for long after. A vector that is given an empty list keeps its memory.
  ids_ = std::vector<MessageId>();
  batch_keys_ = std::vector<std::string>();
  page_ = {};
  batch_ = {};
  const bool failed = outcome.starts_with("failed");
  const auto answer = [self = shared_from_this(), failed, outcome](const Result<Committed>& written) {
    {
      const std::lock_guard lock(self->mutex_);
      self->result_.outcome = outcome;
    }
    const BulkResult result = self->snapshot();
    if (!self->request_.dry_run) {
      log::info("spool: {} of {} by {}: {} deliveries of {} webhooks, {} left out, {}", to_string(result.deed), result.what, result.who, result.deliveries,
                result.messages, result.left_out, result.outcome);
    }
    const Done<BulkResult> done = std::exchange(self->done_, {});
    self->end();
    if (!written && !failed) return done(written.error());
    failed ? done(Error{ErrorKind::unavailable, outcome}) : done(result);
  };
  if (request_.dry_run) return answer(Committed{});
  Batch batch;
  batch.acts.push_back(entry());
  batch.acts.back().outcome = outcome;
  parts_.store.commit(std::move(batch), answer);
}

}  // namespace belay::spool
