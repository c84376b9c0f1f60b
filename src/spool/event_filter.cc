#include "spool/event_filter.h"

#include <string.h>

#include <algorithm>

namespace belay::spool {

EventFilter::EventFilter(const EventQuery& query) : query_(query) {
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
}

void Store::rows(const EventQuery&, std::vector<MessageId>, Done<std::vector<EventRow>> done) {
  done(Error{ErrorKind::refused, "this store does not look single rows up"});
}

namespace {
Error cannot() { return {ErrorKind::refused, "this store cannot do that"}; }
}  // namespace

void Store::kept(const KeptQuery&, std::string, uint32_t, Done<KeptPage> done) { done(cannot()); }
void Store::acts(std::optional<MessageId>, uint32_t, Done<ActPage> done) { done(cannot()); }
void Store::recount(Done<BooksReport> done) { done(cannot()); }

bool EventFilter::block(const Block& block) const {
  if (outcome_ && !block.has(*outcome_)) return false;
  if (state_ && !block.has(wire::Outcome::spooled)) return false;
  if (query_.since && block.max.time() < *query_.since) return false;
  if (query_.until && block.min.time() > *query_.until) return false;
  return std::all_of(hashes_.begin(), hashes_.end(), [&](uint64_t hash) { return block.may_hold(hash); });
}

// An id stands in a line as bytes, not as text.
bool EventFilter::bytes(std::string_view lines) const {
  return query_.text.empty() || text_id_ || memmem(lines.data(), lines.size(), query_.text.data(), query_.text.size()) != nullptr;
}

bool EventFilter::reads_lines() const {
  return !query_.source.empty() || !query_.type.empty() || !query_.resource.empty() || !query_.text.empty();
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
  const WallTime time = event.id.time();
  if (query_.since && time < *query_.since) return false;
  if (query_.until && time > *query_.until) return false;
  return query_.text.empty() || text(event);
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
