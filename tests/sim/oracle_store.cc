// The oracle: what the store holds against what was sent, told and seen.
#include <algorithm>

#include "sim/node.h"
#include "sim/oracle.h"

namespace belay::sim {

using spool::DeliveryState;
using wire::Outcome;

// While there is no room, what was delivered goes whatever its age.
bool Oracle::may_be_gone(const MessageFacts& message) const {
  if (message.damaged) return true;
  return was_full_ && std::all_of(message.legs.begin(), message.legs.end(), [&](const Leg& leg) {
    return leg.taken || message.webhook->batch_taken || leg.cancelled || message.webhook->source->shape == Shape::debounce;
  });
}

// P11, the part that is cheap: what was spooled is waiting or has ended.
void Oracle::check_books() {
  if (!node_->up()) return;
  for (const spool::DestinationBacklog& one : node_->stats().destinations) {
    const uint64_t sum = one.waiting + one.delivered + one.dead + one.cancelled + one.superseded;
    if (one.spooled != sum) fail("P11", fmt::format("books of {}: {} spooled, {} accounted for", one.name, one.spooled, sum));
  }
}

void Oracle::recount() {
  if (!node_->up() || violation_) return;
  std::map<std::string, spool::DestinationBacklog> counted;
  bool any_gone = false;
  for (MessageFacts* message : in_order_) {
    const auto deliveries = node_->deliveries(message->id);
    any_gone = any_gone || message->damaged;
    if (deliveries.empty()) {
      if (message->acked && !may_be_gone(*message)) fail("P1", "acknowledged, and it is gone from the store", message->id);
      any_gone = any_gone || message->acked;
      continue;
    }
    check_stored(*message, deliveries);
    for (const spool::Delivery& delivery : deliveries) {
      spool::DestinationBacklog& count = counted[delivery.destination_name];
      ++count.spooled;
      switch (delivery.state) {
        case DeliveryState::queued:
        case DeliveryState::sending:
        case DeliveryState::scheduled: ++count.waiting; break;
        case DeliveryState::delivered: ++count.delivered; break;
        case DeliveryState::dead: ++count.dead; break;
        case DeliveryState::cancelled: ++count.cancelled; break;
        case DeliveryState::superseded: ++count.superseded; break;
      }
    }
  }
  if (was_full_ || any_gone) return;  // what was forgotten stays in the totals, and a damaged record does not say where it belongs
  for (const spool::DestinationBacklog& one : node_->stats().destinations) {
    const spool::DestinationBacklog& found = counted[one.name];
    if (std::tie(one.spooled, one.waiting, one.delivered, one.dead, one.cancelled, one.superseded) !=
        std::tie(found.spooled, found.waiting, found.delivered, found.dead, found.cancelled, found.superseded)) {
      fail("P11", fmt::format("books of {} say spooled {} waiting {} delivered {} dead {} cancelled {} superseded {}; counted are {} {} {} {} {} {}",
                              one.name, one.spooled, one.waiting, one.delivered, one.dead, one.cancelled, one.superseded, found.spooled,
                              found.waiting, found.delivered, found.dead, found.cancelled, found.superseded));
    }
  }
}

void Oracle::check_stored(MessageFacts& message, const std::vector<spool::Delivery>& deliveries) {
  if (message.webhook->forged) return fail("P3", "a forged webhook is stored", message.id);
  for (const spool::Delivery& delivery : deliveries) {
    Leg* leg = message.leg(delivery.destination_name);
    if (leg == nullptr) {
      if (!message.damaged) fail("P3", "stored for a destination that no route names: " + delivery.destination_name, message.id);
      continue;
    }
    if (!message.damaged) check_delivery(message, *leg, delivery);
  }
}

void Oracle::check_delivery(MessageFacts& message, Leg& leg, const spool::Delivery& delivery) {
  const SourceFacts& source = *message.webhook->source;
  const std::string state(spool::to_string(delivery.state));
  const bool waits = delivery.state == DeliveryState::sending || spool::is_waiting(delivery.state);
  if (waits) {
    if (leg.ended) fail("P3", "it had ended as " + std::string(spool::to_string(*leg.ended)) + " and is " + state, message.id);
    return;
  }
  if (leg.ended && *leg.ended != delivery.state && !(delivery.state == DeliveryState::cancelled && leg.cancelled)) {
    fail("P3", "it had ended as " + std::string(spool::to_string(*leg.ended)) + " and is " + state, message.id);
  }
  if (!leg.ended) note(message.id, "the store says: {} to {} {}", state, leg.to, delivery.reason);
  if (!leg.replay_asked) leg.ended = delivery.state;
  switch (delivery.state) {
    case DeliveryState::delivered: {
      const bool taken = source.shape == Shape::batch ? message.webhook->batch_taken : leg.taken;
      if (!taken) fail("P3", "delivered, and no backend said 2xx", message.id);
      return;
    }
    case DeliveryState::cancelled:
      if (!leg.cancelled) fail("P3", "cancelled, and no operator did that", message.id);
      return;
    case DeliveryState::superseded: return check_superseded(message, delivery);
    default: break;
  }
  if (delivery.reason.empty()) return fail("P3", "dead without a reason", message.id);
  if (delivery.reason == "expired") {
    if (source.expire == Duration(0)) return fail("P3", "expired, and its route has no expire", message.id);
    const auto age = std::chrono::floor<Duration>(clock_.monotonic() - message.sent);
    if (source.shape != Shape::batch && jumps_ == message.jumps && jumps_ == 0 && age < source.expire - tolerance(source.expire, message.jumps)) {
      fail("P3", fmt::format("expired after {} ms", age.count()), message.id);
    }
  }
}

// Only one that came later takes its place.
void Oracle::check_superseded(MessageFacts& message, const spool::Delivery& delivery) {
  if (message.webhook->source->shape != Shape::debounce) return fail("debounce", "superseded without a debounce", message.id);
  const std::string& reason = delivery.reason;
  const auto newer_id = reason.size() < MessageId::kTextLength
                            ? std::nullopt
                            : MessageId::parse(std::string_view(reason).substr(reason.size() - MessageId::kTextLength));
  const MessageFacts* newer = newer_id ? find(*newer_id) : nullptr;
  if (newer == nullptr || newer->webhook->source != message.webhook->source || newer->webhook->key != message.webhook->key) {
    return fail("debounce", "superseded by nobody of its key: " + reason, message.id);
  }
  const bool older = newer->acked && *newer->acked < message.sent && !newer->legs.front().replayed && !message.legs.front().replayed;
  if (older) fail("debounce", "superseded by " + newer_id->to_string() + ", which is older", message.id);
}

// Behind a dead one that keeps its key.
bool Oracle::rightly_waits(const MessageFacts& message, const spool::Delivery& delivery) {
  if (message.webhook->source->shape != Shape::order_wait || delivery.waits_for.empty() || !spool::is_waiting(delivery.state)) return false;
  for (const spool::Delivery& first : node_->deliveries(delivery.waits_for)) {
    if (first.destination == delivery.destination) return first.state == DeliveryState::dead;
  }
  return false;
}

bool Oracle::waits_wrongly(const MessageFacts& message) {
  for (const spool::Delivery& delivery : node_->deliveries(message.id)) {
    const bool waits = delivery.state == DeliveryState::sending || spool::is_waiting(delivery.state);
    if (waits && !rightly_waits(message, delivery)) return true;
  }
  return false;
}

// A damaged one behind a dead head is counted as waiting until somebody looks at it.
bool Oracle::drained() {
  uint64_t waiting = 0;
  for (const spool::DestinationBacklog& one : node_->stats().destinations) waiting += one.waiting;
  return waiting == 0 || std::none_of(in_order_.begin(), in_order_.end(), [this](const MessageFacts* message) {
    return message->damaged ? message->webhook->source->shape != Shape::order_wait && waits_wrongly(*message) : waits_wrongly(*message);
  });
}

MessageId Oracle::someone_waiting() {
  for (const MessageFacts* message : in_order_) {
    for (const spool::Delivery& delivery : node_->deliveries(message->id)) {
      if (spool::is_waiting(delivery.state) || delivery.state == DeliveryState::sending) return message->id;
    }
  }
  return {};
}

// P3: everything has ended.
void Oracle::check_end() {
  recount();
  for (MessageFacts* message : in_order_) {
    if (violation_ || message->damaged) continue;
    for (const spool::Delivery& delivery : node_->deliveries(message->id)) {
      const bool waits = delivery.state == DeliveryState::sending || spool::is_waiting(delivery.state);
      if (waits && !rightly_waits(*message, delivery)) fail("P3", "it still waits at the end, " + std::string(spool::to_string(delivery.state)), message->id);
    }
  }
  if (!was_full_) check_lines();
}

// P11 by source: every request that was answered has one line, and it says what its sender was told.
void Oracle::check_lines() {
  std::unordered_map<MessageId, Outcome> lines;
  std::optional<MessageId> before;
  do {
    spool::EventPage page = node_->events(before);
    for (const spool::EventRow& row : page.rows) {
      const MessageFacts* message = find(row.event.id);
      const bool damaged = message != nullptr && message->damaged;
      if (!lines.emplace(row.event.id, row.event.outcome).second && !damaged) return fail("P11", "two lines in the books", row.event.id);
    }
    before = page.next;
  } while (before);
  for (const MessageFacts* message : in_order_) {
    if (!message->answered || message->damaged) continue;
    const auto line = lines.find(message->id);
    if (line == lines.end()) {
      if (!worker_died_) fail("P11", "answered, and there is no line in the books", message->id);
      continue;
    }
    const bool late = message->outcome == Outcome::failed && line->second == Outcome::spooled;  // its answer came too late
    if (line->second != message->outcome && !late) {
      fail("P11", fmt::format("told {}, and the books say {}", wire::to_string(message->outcome), wire::to_string(line->second)), message->id);
    }
  }
}

}  // namespace belay::sim
