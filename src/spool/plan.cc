#include "spool/plan.h"

#include <algorithm>

#include "spool/retry.h"

namespace belay::spool {

namespace {

void count_first_attempt(Delivery& delivery, const wire::Put& put, const upstream::Destination* destination, WallTime now,
                         Random& random) {
  Attempt attempt;
  attempt.at = now;
  attempt.duration_ms = put.event.backend_us / 1000;
  attempt.status = put.attempt_status;
  attempt.error = put.attempt_error;
  add_attempt(delivery, std::move(attempt));
  if (destination == nullptr) return;
  // With a single attempt allowed the message is still sent once by the spool: it was accepted to be delivered.
  const auto wait = next_wait(destination->retry, delivery.attempts, Duration(put.delay_ms), random);
  if (wait) delivery.due = std::max(delivery.due, now + *wait);
}

}  // namespace

NewMessage plan(wire::Put put, const upstream::Destinations& destinations, WallTime now, Random& random) {
  NewMessage planned;
  for (size_t i = 0; i < put.deliveries.size(); ++i) {
    wire::PutDelivery& wanted = put.deliveries[i];
    const std::string& name = wanted.destination;
    const auto known = destinations.find(name);
    const upstream::Destination* destination = known == destinations.end() ? nullptr : known->second.get();
    Delivery delivery;
    delivery.message = put.event.id;
    delivery.destination = destination_id(name);
    delivery.destination_name = name;
    delivery.route = wanted.route;
    delivery.shape = wanted.shape;
    delivery.due = now + Duration(std::max({int64_t{0}, put.delay_ms, wanted.delay_ms}));
    delivery.grouping = wanted.grouping;
    if (wanted.expire_ms > 0) delivery.expires = now + Duration(wanted.expire_ms);
    if (!wanted.dead.empty()) {
      delivery.state = DeliveryState::dead;
      delivery.unmade = true;
      delivery.reason = std::move(wanted.dead);
    } else if (i == 0 && put.first_attempt_failed) {
      count_first_attempt(delivery, put, destination, now, random);
    } else if (destination != nullptr) {
      delivery.due += next_wait(destination->retry, 0, Duration(-1), random).value_or(Duration(0));
    }
    planned.deliveries.push_back(std::move(delivery));
  }
  Message message;
  message.event = std::move(put.event);
  message.request = std::move(put.request);
  message.shapes = std::move(put.shapes);
  planned.claims = std::move(put.claims);
  planned.message = std::make_shared<const Message>(std::move(message));
  return planned;
}

}  // namespace belay::spool
