#include "sim/operators.h"

#include <utility>

namespace belay::sim {

using spool::DeliveryState;

void Operators::start(Duration every) {
  every_ = every;
  agenda_.after(every_, [this] { next(); });
}

void Operators::next() {
  if (stopped_) return;
  if (node_.up() && !oracle_.all().empty()) {
    const MessageFacts& message = *dice_.pick(oracle_.all());
    const double roll = dice_.unit();
    if (roll < 0.4) replay(message);
    else if (roll < 0.8) cancel(message);
    else stop_or_start(dice_.pick(names_), dice_.chance(0.5) ? spool::StopKind::paused : spool::StopKind::disabled, dice_.chance(0.4));
  }
  agenda_.after(dice_.ms(0, 2 * every_.count()), [this] { next(); });
}

// The store may say no, or the spool may crash before it hears of this: what is told to the oracle is only that it may be so.
void Operators::act(spool::BulkRequest request, std::function<void()> done) {
  request.who = "sim";
  const uint32_t life = node_.lives();
  if (std::exchange(life_, life) != life) under_way_ = 0;
  ++under_way_;
  node_.operations().act(request, [this, life, done = std::move(done)](const Result<spool::BulkResult>&) {
    if (!node_.up() || node_.lives() != life) return;
    --under_way_;
    if (done) done();
  });
}

bool Operators::busy() const { return node_.up() && node_.lives() == life_ && under_way_ > 0; }

void Operators::replay(const MessageFacts& message) {
  for (const Leg& leg : message.legs) oracle_.replayed(message.id, leg.to);
  act({.deed = spool::Deed::replay, .ids = {message.id}}, [this, &message] {
    for (const Leg& leg : message.legs) oracle_.replay_done(message.id, leg.to);
  });
}

void Operators::replay_dead() {
  for (const MessageFacts* message : oracle_.all()) {
    for (const Leg& leg : message->legs) oracle_.replayed(message->id, leg.to);
  }
  act({.deed = spool::Deed::replay, .filter = spool::EventQuery{.state = "dead"}});
}

void Operators::stop_or_start(const std::string& destination, spool::StopKind kind, bool on) {
  const spool::StopRequest request{.destination = destination, .kind = kind, .on = on, .by = "sim", .why = "as the dice fell"};
  oracle_.stop_asked(destination);
  node_.operations().stop(request, [this, destination, life = node_.lives()](const Result<spool::StopResult>& done) {
    if (done && done->changed && node_.lives() == life) oracle_.stopped(destination, done->stop.any());
  });
}

void Operators::start_all() {
  for (const std::string& name : names_) {
    for (const auto kind : {spool::StopKind::paused, spool::StopKind::disabled}) stop_or_start(name, kind, false);
  }
}

void Operators::cancel(const MessageFacts& message) {
  bool any = false;
  for (const spool::Delivery& delivery : node_.deliveries(message.id)) {
    const bool waits = delivery.state == DeliveryState::sending || spool::is_waiting(delivery.state);
    if (!waits && delivery.state != DeliveryState::dead) continue;
    any = true;
    oracle_.cancelled(message.id, delivery.destination_name);
  }
  if (any) act({.deed = spool::Deed::cancel, .ids = {message.id}});
}

}  // namespace belay::sim
