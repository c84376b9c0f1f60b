#include "spool/event_filter.h"

#include <string.h>

#include <algorithm>

#include "base/bytes.h"

namespace belay::spool {

namespace {

// Of a message id's text, however much of it there is.
std::optional<std::pair<MessageId, MessageId>> ids_that_begin(std::string_view prefix) {
  std::string digits;
  for (const char c : prefix) {
    if (c != '-') digits.push_back(c);
  }
  MessageId none;
  if (digits.empty() || prefix.size() > MessageId::kTextLength || digits.size() > 2 * none.bytes.size()) return std::nullopt;
  const size_t open = 2 * none.bytes.size() - digits.size();
  const auto first = hex_decode(digits + std::string(open, '0')), last = hex_decode(digits + std::string(open, 'f'));
  if (!first || !last) return std::nullopt;
  return std::pair(MessageId::from_bytes(*first).value_or(none), MessageId::from_bytes(*last).value_or(none));
}

}  // namespace

EventFilter::EventFilter(const EventQuery& query) : query_(query), text_(query.text) {
  if (query.state) {
    for (auto outcome = wire::Outcome::forwarded; outcome <= wire::Outcome::failed;
         outcome = static_cast<wire::Outcome>(static_cast<int>(outcome) + 1)) {
      if (wire::to_string(outcome) == *query.state) outcome_ = outcome;
    }
    for (auto state = DeliveryState::queued; state <= DeliveryState::superseded;
         state = static_cast<DeliveryState>(static_cast<int>(state) + 1)) {
      if (to_string(state) == *query.state) state_ = state;
    }
    impossible_ = !outcome_ && !state_;
  }
  const auto add = [this](Indexed field, const std::string& text) {
    if (!text.empty()) hashes_.push_back(index_hash(field, text));
  };
  add(Indexed::source, query.source);
  add(Indexed::destination, query.destination);
  add(Indexed::type, query.type);
  add(Indexed::resource, query.resource);
  if (!query.text.empty()) text_id_ = MessageId::parse(query.text);
  if (!query.id.empty()) ids_ = ids_that_begin(query.id);
}

void Store::rows(const EventQuery&, std::vector<MessageId>, Done<std::vector<EventRow>> done) {
  done(Error{ErrorKind::refused, "this store does not look single rows up"});
}

namespace {
Error cannot() { return {ErrorKind::refused, "this store cannot do that"}; }
}  // namespace

void Store::kept(const KeptQuery&, std::string, uint32_t, Done<KeptPage> done) { done(cannot()); }
void Store::acts(std::optional<MessageId>, uint32_t, Done<ActPage> done) { done(cannot()); }
void Store::doubt_time(bool, Done<Committed> done) { done(cannot()); }

void Store::recount(Done<BooksReport> done) { done(cannot()); }

bool EventFilter::block(const Block& block) const {
  if (outcome_ && !block.has(*outcome_)) return false;
  if (state_ && !block.has(wire::Outcome::spooled)) return false;
  if (query_.since && block.max.time() < *query_.since) return false;
  if (query_.until && block.min.time() > *query_.until) return false;
  const std::string& id = query_.id;
  const bool holds_ids = ids_ && block.max >= ids_->first && block.min <= ids_->second;
  if (!id.empty() && !holds_ids && memmem(block.guarded_lines.data(), block.guarded_lines.size(), id.data(), id.size()) == nullptr) return false;
  return std::all_of(hashes_.begin(), hashes_.end(), [&](uint64_t hash) { return block.may_hold(hash); });
}

// An id stands in a line as bytes, not as text.
bool EventFilter::bytes(std::string_view lines) { return query_.text.empty() || text_id_ || text_.in(lines); }

bool EventFilter::reads_lines() const {
  return !query_.source.empty() || !query_.type.empty() || !query_.resource.empty() || !query_.text.empty() || !query_.id.empty();
}

bool EventFilter::line(const wire::EventView& event, const std::optional<MessageId>& before) const {
  const bool stored = event.outcome == wire::Outcome::spooled;
  if (before && event.id >= *before) return false;
  if (outcome_ && event.outcome != *outcome_) return false;
  if (state_ && !stored) return false;
  if (!query_.source.empty() && event.source != query_.source) return false;
  if (!query_.type.empty() && event.type != query_.type) return false;
  if (!query_.resource.empty() && event.resource != query_.resource) return false;
  if (!query_.destination.empty() && event.destination != query_.destination && !stored) return false;
  if (!query_.id.empty() && !id(event)) return false;
  const WallTime time = event.id.time();
  if (query_.since && time < *query_.since) return false;
  if (query_.until && time > *query_.until) return false;
  return query_.text.empty() || text(event);
}

bool EventFilter::id(const wire::EventView& event) const {
  return (ids_ && event.id >= ids_->first && event.id <= ids_->second) || event.event_id.starts_with(query_.id);
}

bool EventFilter::text(const wire::EventView& event) const {
  if (text_id_ && *text_id_ == event.id) return true;
  if (event.line.find(query_.text) == std::string_view::npos) return false;  // one fast look before nine
  for (const std::string_view part : {event.source, event.destination, event.reason, event.type, event.event_id,
                                      event.resource, event.client, event.method, event.path}) {
    if (part.find(query_.text) != std::string_view::npos) return true;
  }
  return false;
}

bool EventFilter::needs_deliveries(const wire::EventView& event) const {
  if (event.outcome != wire::Outcome::spooled) return false;
  return state_.has_value() || (!query_.destination.empty() && event.destination != query_.destination);
}

bool EventFilter::deliveries(const std::vector<Delivery>& deliveries) const {
  return std::any_of(deliveries.begin(), deliveries.end(), [this](const Delivery& delivery) {
    return (!state_ || delivery.state == *state_) &&
           (query_.destination.empty() || delivery.destination_name == query_.destination);
  });
}

}  // namespace belay::spool
