// Bulk: what is decided anew by the present rules. It goes out as a message of its own: a backend that knows webhooks by their id
// would take the old id for a duplicate, and what one id stands for never changes (P4). One commit stores it, cancels in its favour
// what was dead, and takes what was refused out of quarantine.
#include <algorithm>
#include <utility>

#include "spool/bulk.h"

namespace belay::spool {

namespace {

bool goes_to(const std::vector<Delivery>& deliveries, DestinationId destination) {
  return std::any_of(deliveries.begin(), deliveries.end(), [&](const Delivery& one) { return one.destination == destination; });
}

}  // namespace

void Bulk::rerun(const Candidate& one) {
  if (one.kept) {
    if (one.kept->kind != KeptKind::damaged) return ask_rules(one, one.deliveries);
    leave_out(one.key, "its record is damaged: nothing can be sent from it");
    return next();
  }
  std::vector<Delivery> chosen;
  for (const Delivery& delivery : one.deliveries) {
    if (may_become(delivery.state, DeliveryState::queued) && !delivery.damaged && chooses(delivery)) chosen.push_back(delivery);
  }
  if (!chosen.empty()) return ask_rules(one, chosen);
  if (!request_.filter) leave_out(one.key, why_not(one));
  next();
}

void Bulk::ask_rules(const Candidate& one, const std::vector<Delivery>& chosen) {
  const auto self = shared_from_this();
  parts_.store.load(one.id, [self, one, chosen](Result<Message> loaded) {
    if (!loaded) {
      const bool missing = loaded.error().kind == ErrorKind::invalid;
      self->leave_out(one.key, missing && one.kept ? "nothing of this name is in quarantine" : loaded.error().message);
      return self->next();
    }
    const auto stored = std::make_shared<const Message>(std::move(*loaded));
    const std::string why = std::string(one.kept ? "released: " : "reapplied: ") + one.id.to_string();
    self->parts_.rerun(stored, self->new_ids_.next(), why, [self, one, chosen, stored](Result<NewMessage> made) {
      if (made) {
        self->take_over(one, chosen, *stored, std::move(*made));
      } else {
        self->leave_out(one.key, made.error().message);
      }
      self->next();
    });
  });
}

// Nobody gets again what he has got: only whom it was chosen for, and whom the rules did not know before.
bool Bulk::wanted(const Candidate& one, const std::vector<Delivery>& chosen, const Message& stored, const Delivery& delivery) const {
  if (one.kept && one.kept->kind == KeptKind::refused) return true;
  if (goes_to(chosen, delivery.destination)) return true;
  if (one.kept || goes_to(one.deliveries, delivery.destination)) return false;
  return stored.event.destination != delivery.destination_name;  // the backend that answered the sender has no delivery
}

void Bulk::take_over(const Candidate& one, const std::vector<Delivery>& chosen, const Message& stored, NewMessage made) {
  std::string why = "the present rules send it nowhere that it has not been sent to";
  std::vector<Delivery> unmade;
  std::erase_if(made.deliveries, [&](const Delivery& delivery) {
    if (!wanted(one, chosen, stored, delivery)) return true;
    if (!delivery.unmade) return false;
    why = "still: " + delivery.reason;
    unmade.push_back(delivery);
    return true;
  });
  if (made.deliveries.empty()) return leave_out(one.key, why);
  count(one, made.deliveries.size());
  if (request_.dry_run) return;
  const bool refused = one.kept && one.kept->kind == KeptKind::refused;
  if (refused) made.in_place_of = one.id;
  else made.claims.clear();  // its own
  const std::string id = made.message->event.id.to_string();
  for (const Delivery& delivery : chosen) {
    if (delivery.state != DeliveryState::dead || goes_to(unmade, delivery.destination)) continue;
    Delivery given_up = delivery;
    given_up.state = DeliveryState::cancelled;
    given_up.reason = "went out anew as " + id + ", by " + request_.who;
    batch_.settlements.push_back({std::move(given_up)});
  }
  batch_bytes_ += made.message->body_bytes();
  batch_keys_.push_back(one.key);
  batch_.puts.push_back(std::move(made));
}

}  // namespace belay::spool
