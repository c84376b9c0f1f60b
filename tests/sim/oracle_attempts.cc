// The oracle: what backends see.
#include <algorithm>
#include <cmath>

#include "sim/node.h"
#include "sim/oracle.h"

namespace belay::sim {

using spool::DeliveryState;

namespace {

bool is_ordered(Shape shape) { return shape == Shape::order_wait || shape == Shape::order_skip; }

// How long the policy waits at least before the attempt after `made`; none: there is no further one.
std::optional<Duration> least_wait(const upstream::RetryPolicy& policy, uint32_t made, Duration retry_after) {
  Duration wait{0};
  if (!policy.schedule.empty()) {
    if (made >= policy.schedule.size()) return std::nullopt;
    wait = policy.schedule[made];
  } else {
    if (made >= static_cast<uint32_t>(policy.attempts)) return std::nullopt;
    double grown = static_cast<double>(policy.first.count());
    for (uint32_t i = 1; i < made; ++i) grown *= policy.factor;
    wait = Duration(static_cast<int64_t>(std::min(grown, static_cast<double>(policy.max.count())) * (1 - policy.jitter)));
  }
  return std::max(wait, retry_after);
}

}  // namespace

AttemptKey Oracle::attempt_begins(Side side, const upstream::Destination& to, const upstream::Outbound& request, int flying) {
  const AttemptKey key{side, request.id, to.name, life()};
  mix(request.id);
  mix(request.attempt);
  note(request.id, "attempt {} to {} by the {}", request.attempt, to.name, side == Side::proxy ? "proxy" : "spool");
  MessageFacts* message = find(request.id);
  Leg* leg = message == nullptr ? nullptr : message->leg(to.name);
  if (leg == nullptr) {
    fail("P4", "an attempt with an id that no request to " + to.name + " ever had", request.id);
    return key;
  }
  if (message->webhook->forged) fail("P3", "a forged webhook is delivered", request.id);
  if (flying > to.concurrency) fail("P8", fmt::format("{} in flight to {}, which allows {}", flying, to.name, to.concurrency), request.id);
  if (side == Side::proxy) {
    if (request.attempt != 1 || leg->attempts != 0) fail("P4", "the proxy's attempt is not the first one", request.id);
    if (request.body != message->webhook->body) fail("P6", "forwarded with other bytes than received", request.id);
    leg->attempts = 1;
    return key;
  }
  if (const auto stop = stops_.find(to.name); stop != stops_.end() && clock_.monotonic() > stop->second) {
    fail("stop", "sent to " + to.name + ", which stands still", request.id);
  }
  check_attempt(*message, *leg, request);
  if (message->webhook->source->shape == Shape::batch) check_batch(*message, *leg, request.body);
  else if (request.body != message->webhook->body) fail("P4", "sent with other bytes than received", request.id);
  if (is_ordered(message->webhook->source->shape)) check_order(*message, *leg);
  leg->attempts = request.attempt;
  leg->life = life();
  leg->touched = leg->replay_asked = leg->replays_under_way > 0;
  ++leg->flying;
  return key;
}

void Oracle::check_attempt(MessageFacts& message, Leg& leg, const upstream::Outbound& request) {
  const SourceFacts& source = *message.webhook->source;
  const MonotonicTime now = clock_.monotonic();
  const bool same_life = leg.life == life();
  // A crash loses the count of the attempt under way, and an end that an operator made keeps it from being counted.
  const bool uncounted = !same_life || leg.touched || message.damaged;
  const bool next = request.attempt == leg.attempts + 1 || (uncounted && request.attempt == leg.attempts);
  const bool joined = source.shape == Shape::batch && leg.sent.empty() && request.attempt >= 1;
  if (!next && !joined && !message.damaged) {
    fail("P4", fmt::format("attempt {} follows attempt {}", request.attempt, leg.attempts), message.id);
  }
  if (leg.flying > 0) fail("P8", "two attempts of one delivery at once", message.id);
  if (leg.ended && !message.damaged) fail("P3", "sent after it had ended as " + std::string(spool::to_string(*leg.ended)), message.id);
  if (leg.heard && *leg.heard == life() && !leg.replay_asked) fail("P4", "sent again although its 2xx was heard, without a crash", message.id);
  if (same_life && leg.not_before && !leg.touched && *leg.not_before > now + tolerance(leg.waits, leg.jumps)) {
    fail("P7", fmt::format("attempt {} comes {} ms too early", request.attempt, std::chrono::floor<Duration>(*leg.not_before - now).count()), message.id);
  }
  if (leg.attempts == 0 && source.delay > Duration(0) && !leg.replayed && !time_broke(message) && now + tolerance(source.delay, message.jumps) < message.sent + source.delay) {
    fail("P7", "sent before its delay has passed", message.id);
  }
  if (source.expire > Duration(0) && !leg.replayed && message.acked && message.jumps == jumps_ && jumps_ == 0) {
    // It counts from the commit, at the latest when the sender heard of it; a batch expires with its first one.
    if (now > *message.acked + source.expire + tolerance(source.expire, 0)) fail("P3", "sent after it had expired", message.id);
  }
}

// FIFO per key: whoever was acknowledged before this one was sent has ended.
void Oracle::check_order(MessageFacts& message, Leg& leg) {
  for (MessageFacts* other : by_key_[{message.webhook->source, message.webhook->key}]) {
    if (other == &message) continue;
    Leg& before = *other->leg(leg.to);
    if (before.flying > 0) return fail("order", "sent while " + other->id.to_string() + " of its key is under way", message.id);
    if (before.ended || !other->acked || *other->acked >= message.sent || before.replayed || other->damaged) continue;
    for (const spool::Delivery& delivery : node_->deliveries(other->id)) {
      if (delivery.destination_name != leg.to) continue;
      const bool waits = spool::is_waiting(delivery.state) || delivery.state == DeliveryState::sending;
      const bool stuck = delivery.state == DeliveryState::dead && message.webhook->source->shape == Shape::order_wait;
      if (waits || stuck) {
        return fail("order", fmt::format("sent before {} of its key, which is {}", other->id.to_string(), spool::to_string(delivery.state)), message.id);
      }
      if (!before.replay_asked) before.ended = delivery.state;
    }
  }
}

// The webhooks in a batch, by the numbers in their bodies.
std::vector<uint64_t> Oracle::members_of(const MessageFacts& message, std::string_view body) {
  std::vector<uint64_t> numbers;
  const bool array = message.webhook->source->array;
  std::string made = array ? "[" : "";
  for (size_t at = body.find("{\"n\":"); at != std::string_view::npos; at = body.find("{\"n\":", at + 1)) {
    const uint64_t number = std::strtoull(body.data() + at + 5, nullptr, 10);
    if (number >= webhooks_.size()) return {};
    if (array && !numbers.empty()) made += ",";
    made += webhooks_[number]->body;
    if (!array) made += "\n";
    numbers.push_back(number);
  }
  if (array) made += "]";
  return made == body ? numbers : std::vector<uint64_t>();
}

void Oracle::check_batch(MessageFacts& message, Leg& leg, std::string_view body) {
  const SourceFacts& source = *message.webhook->source;
  // Of a delivery that was made anew from a damaged one nobody knows that it was one of a batch.
  if (message.damaged && body == message.webhook->body) return;
  const std::vector<uint64_t> members = members_of(message, body);
  // Only what an operator has cancelled is left out.
  std::vector<uint64_t> before = leg.sent.empty() ? members : members_of(message, leg.sent);
  std::erase_if(before, [&](uint64_t number) { return webhooks_[number]->batch_touched && std::count(members.begin(), members.end(), number) == 0; });
  if (before != members && !message.damaged && !leg.touched) return fail("P4", "a batch is sent with other bytes than before", message.id);
  leg.sent = body;
  if (members.empty()) return fail("batch", "it is not made of its members' bytes", message.id);
  if (members.size() > source.batch_max) fail("batch", fmt::format("{} members, and {} are allowed", members.size(), source.batch_max), message.id);
  for (size_t i = 0; i < members.size(); ++i) {
    Webhook& member = *webhooks_[members[i]];
    if (member.source != &source || member.key != message.webhook->key) fail("batch", "a member of another route or key", message.id);
    if (std::count(members.begin(), members.end(), members[i]) > 1) fail("batch", fmt::format("webhook {} twice in it", members[i]), message.id);
    if (member.batch_heard && *member.batch_heard == life() && !member.batch_touched) {
      fail("batch", fmt::format("webhook {} again, after its batch was delivered", members[i]), message.id);
    }
    const bool elsewhere = !member.batch.empty() && member.batch != message.id;
    const MessageFacts* other = elsewhere ? find(member.batch) : nullptr;
    if (other != nullptr && !member.batch_touched && !other->webhook->batch_touched && !other->damaged) {
      fail("batch", fmt::format("webhook {} was in the batch {} before", members[i], member.batch.to_string()), message.id);
    }
    member.batch = message.id;
  }
}

void Oracle::backend_took(const AttemptKey& attempt) {
  note(attempt.id, "{} takes it", attempt.to);
  MessageFacts* message = find(attempt.id);
  Leg* leg = message == nullptr ? nullptr : message->leg(attempt.to);
  if (leg == nullptr) return;
  leg->taken = true;
  if (message->webhook->source->shape != Shape::batch) return;
  for (const uint64_t number : members_of(*message, leg->sent)) webhooks_[number]->batch_taken = true;
}

void Oracle::answer_heard(const AttemptKey& attempt, const upstream::Destination& to, const upstream::Attempt& answer) {
  mix(attempt.id);
  mix(static_cast<uint64_t>(answer.status()));
  note(attempt.id, "{} answers: {} {}", to.name, upstream::to_string(answer.outcome), answer.status());
  MessageFacts* message = find(attempt.id);
  Leg* leg = message == nullptr ? nullptr : message->leg(attempt.to);
  if (leg == nullptr) return;
  if (attempt.side == Side::spool) leg->flying = std::max(0, leg->flying - 1);
  if (answer.success(to)) {
    leg->heard = life();
    if (message->webhook->source->shape == Shape::batch) {
      for (const uint64_t number : members_of(*message, leg->sent)) {
        if (!webhooks_[number]->batch_touched) webhooks_[number]->batch_heard = life();
      }
    }
    return;
  }
  if (!answer.retryable(to)) {
    leg->final_answer = true;
    return;
  }
  if (leg->replayed) return;
  if (const auto wait = least_wait(to.retry, leg->attempts, answer.retry_after)) {
    leg->not_before = clock_.monotonic() + *wait;
    leg->waits = *wait;
    leg->jumps = jumps_;
    if (attempt.side == Side::proxy) leg->life = life();
  }
}

}  // namespace belay::sim
