#include "sim/oracle.h"

#include <algorithm>
#include <cstdio>

#include "sim/gate.h"
#include "sim/node.h"

namespace belay::sim {

using wire::Outcome;

Leg* MessageFacts::leg(std::string_view to) {
  for (Leg& one : legs) {
    if (one.to == to) return &one;
  }
  return nullptr;
}

void Oracle::record(const MessageId& id, const std::string& what) {
  const std::string line = fmt::format("{:>9} ms  {}", clock_.since_start().count(), what);
  if (verbose_) std::fprintf(stderr, "%s  %s\n", id.empty() ? std::string(36, ' ').c_str() : id.to_string().c_str(), line.c_str());
  history_.emplace_back(id, line);
}

std::string Oracle::history() const {
  std::string out;
  for (const auto& [id, line] : history_) {
    if (id.empty() || (violation_ && id == violation_->id)) out += line + "\n";
  }
  return out;
}

void Oracle::fail(const char* promise, const std::string& what, const MessageId& id) {
  if (violation_) return;
  violation_ = Violation{promise, what, id};
  note(id, "BROKEN {}: {}", promise, what);
  if (!recording_ || id.empty() || !node_->up()) return;
  for (const spool::Delivery& one : node_->deliveries(id)) {
    note(id, "stored for {}: {}, {} attempts, due in {} ms, batch {}, waits for {}, {}", one.destination_name, spool::to_string(one.state),
         one.attempts, (one.due - node_->clock().wall()).count(), one.batch.to_string(), one.waits_for.to_string(), one.reason);
  }
}

MessageFacts* Oracle::find(const MessageId& id) {
  const auto at = messages_.find(id);
  return at == messages_.end() ? nullptr : at->second.get();
}

uint32_t Oracle::life() const { return node_->lives(); }

// A clock that jumped is followed by a twentieth of the time, small steps at once.
Duration Oracle::tolerance(Duration of, uint32_t jumps_then) const {
  Duration allowed(3);
  if (jumps_ > 0) allowed += of / 18;
  return allowed + Duration(2'100) * static_cast<int>(jumps_ - jumps_then);
}

void Oracle::happened(const std::string& what) { note({}, "--- {}", what); }

void Oracle::spool_ended(const char* how) {
  happened(fmt::format("the spool {}", how));
  away_ = clock_.monotonic();
  for (MessageFacts* message : in_order_) {
    for (Leg& leg : message->legs) leg.flying = leg.replays_under_way = 0;
  }
}

void Oracle::spool_started() {
  happened(fmt::format("the spool starts, life {}", life()));
  recount();
}

void Oracle::stopped(const std::string& to, bool stands_still) {
  happened(fmt::format("{} {}", to, stands_still ? "stands still" : "goes on"));
  if (stands_still) stops_[to] = clock_.monotonic();
  else stops_.erase(to);
}

void Oracle::clock_jumped(Duration by) {
  ++jumps_;
  happened(fmt::format("the wall clock jumps by {} s", by.count() / 1'000));
}

void Oracle::damage(const MessageId& id, const std::string& what) {
  MessageFacts* message = find(id);
  if (message == nullptr) return;
  message->damaged = true;
  message->webhook->batch_touched = true;
  note(id, "its {} is damaged", what);
}

Webhook& Oracle::webhook(const SourceFacts& source, std::string key, std::string dedupe, const std::string& more, bool forged) {
  auto& made = webhooks_.emplace_back(std::make_unique<Webhook>());
  made->number = webhooks_.size() - 1;
  made->source = &source;
  made->key = std::move(key);
  made->dedupe = std::move(dedupe);
  made->forged = forged;
  made->body = fmt::format(R"({{"n":{},"k":"{}","d":"{}","x":"{}"}})", made->number, made->key, made->dedupe, more);
  return *made;
}

void Oracle::request_begins(Webhook& webhook, const MessageId& id) {
  auto& message = messages_[id];
  if (message != nullptr) return fail("P4", "two requests got the same id", id);
  message = std::make_unique<MessageFacts>();
  message->id = id;
  message->webhook = &webhook;
  ++webhook.requests;
  message->sent = clock_.monotonic();
  message->jumps = jumps_;
  message->life = life();
  for (const std::string& to : webhook.source->to) message->legs.push_back({.to = to});
  in_order_.push_back(message.get());
  if (webhook.source->shape != Shape::plain) by_key_[{webhook.source, webhook.key}].push_back(message.get());
  mix(id);
  note(id, "received for {}: webhook {} key {} dedupe {}{}", webhook.source->name, webhook.number, webhook.key, webhook.dedupe,
       webhook.forged ? " (forged)" : "");
}

void Oracle::answered(const Answer& answer) {
  MessageFacts* message = find(answer.id);
  if (message == nullptr) return fail("P11", "an answer to nobody", answer.id);
  message->answered = clock_.monotonic();
  message->status = answer.status;
  message->outcome = answer.outcome;
  mix(answer.id);
  mix(static_cast<uint64_t>(answer.status));
  note(answer.id, "answered {} {} {}", answer.status, wire::to_string(answer.outcome), answer.reason);
  const bool good = answer.status / 100 == 2;
  if (message->webhook->forged) {
    if (answer.status != 401) fail("P3", "a forged webhook was not refused", answer.id);
    return;
  }
  if (answer.outcome == Outcome::failed && answer.status < 500) return fail("P2", "our own fault was not answered 5xx", answer.id);
  if (!good) return;
  switch (answer.outcome) {
    case Outcome::spooled:
      message->acked = message->answered;
      // An earlier request of it may have been stored without an answer, and its key been forgotten since: it may come twice.
      if (message->webhook->requests > 1) message->webhook->batch_touched = true;
      check_ack(*message);
      return check_accepted_once(*message);
    case Outcome::forwarded:
      if (!message->legs.front().taken) return fail("P3", "the sender was told 2xx, and the backend did not say that", answer.id);
      return check_accepted_once(*message);
    case Outcome::duplicate: return check_duplicate(*message, answer.reason);
    default: return fail("P3", "accepted and neither stored nor forwarded", answer.id);
  }
}

// P1: what is acknowledged stands in the store, with every delivery that its source asks for.
void Oracle::check_ack(MessageFacts& message) {
  if (!node_->up()) return;  // the next start looks
  const auto deliveries = node_->deliveries(message.id);
  for (const Leg& leg : message.legs) {
    const bool there = std::any_of(deliveries.begin(), deliveries.end(), [&](const auto& one) { return one.destination_name == leg.to; });
    const bool by_proxy = !message.webhook->source->spool_first && leg.taken && &leg == &message.legs.front();
    if (!there && !by_proxy && !may_be_gone(message)) return fail("P1", "acknowledged, and its delivery to " + leg.to + " is not in the store", message.id);
  }
  const auto stored = node_->message(message.id);
  if (!stored && !may_be_gone(message)) return fail("P1", "acknowledged, and it cannot be read from the store", message.id);
  if (stored && stored->request.body != message.webhook->body) fail("P6", "stored with other bytes than received", message.id);
}

// P5: of one key one message is accepted within the window.
void Oracle::check_accepted_once(MessageFacts& message) {
  const Webhook& webhook = *message.webhook;
  const Duration window = webhook.source->dedupe;
  message.accepted = true;
  if (window == Duration(0)) return;
  auto& others = by_dedupe_[{webhook.source, webhook.dedupe}];
  // Forwards go on while the spool that knows the keys is away.
  message.unseen = !webhook.source->spool_first && away_ && *away_ + Duration(20'000) >= message.sent;
  for (const MessageFacts* other : others) {
    const auto apart = std::chrono::floor<Duration>(*message.answered - other->sent);
    if (!message.unseen && !other->unseen && !other->damaged && !worker_died_ && !time_broke(*other) && apart < window - tolerance(window, other->jumps)) {
      fail("P5", fmt::format("accepted {} ms after {} with the same dedupe key; the window is {} ms", apart.count(), other->id.to_string(), window.count()), message.id);
    }
  }
  others.push_back(&message);
}

void Oracle::check_duplicate(MessageFacts& message, const std::string& reason) {
  constexpr std::string_view kSame = "the same as ";
  const size_t at = reason.find(kSame);
  const auto first_id = at == std::string::npos ? std::nullopt : MessageId::parse(std::string_view(reason).substr(at + kSame.size(), MessageId::kTextLength));
  MessageFacts* first = first_id ? find(*first_id) : nullptr;
  if (first == nullptr) return fail("P5", "a duplicate of nothing", message.id);
  const Webhook& webhook = *message.webhook;
  if (first->webhook->source != webhook.source || first->webhook->dedupe != webhook.dedupe) return fail("P5", "a duplicate of a webhook with another key", message.id);
  const Duration window = webhook.source->dedupe;
  const auto apart = std::chrono::floor<Duration>(message.sent - first->acked.value_or(first->answered.value_or(first->sent)));
  // The window begins with the commit: of a forward that of its line in the books, of a put whose answer came too late a later one.
  const Duration late(first->acked ? 0 : 60'000);
  if (!time_broke(*first) && apart > window + tolerance(window, first->jumps) + late) {
    return fail("P5", fmt::format("called a duplicate {} ms after the first one; the window is {} ms", apart.count(), window.count()), message.id);
  }
  if (first->accepted) {
    if (first->outcome == Outcome::spooled && !first->acked) first->acked = message.answered;
    return;
  }
  // Its sender was not told so, and yet it must have been stored: nothing else takes a key.
  if (node_->up() && node_->deliveries(first->id).empty() && !may_be_gone(*first) && !first->legs.front().taken) {
    return fail("P5", "a duplicate of a webhook that was neither stored nor forwarded", message.id);
  }
  if (!first->acked) first->acked = message.answered;
}

void Oracle::replayed(const MessageId& id, const std::string& to) {
  MessageFacts* message = find(id);
  Leg* leg = message == nullptr ? nullptr : message->leg(to);
  if (leg == nullptr) return;
  note(id, "an operator replays it to {}", to);
  ++leg->replays_under_way;
  leg->replayed = leg->touched = leg->replay_asked = true;
  leg->ended.reset();
  leg->heard.reset();
  leg->not_before.reset();
  message->webhook->batch_touched = true;
  message->webhook->batch_heard.reset();
}

void Oracle::replay_done(const MessageId& id, const std::string& to) {
  MessageFacts* message = find(id);
  Leg* leg = message == nullptr ? nullptr : message->leg(to);
  if (leg == nullptr) return;
  --leg->replays_under_way;
  leg->heard.reset();
  leg->ended.reset();
  message->webhook->batch_heard.reset();
}

void Oracle::cancelled(const MessageId& id, const std::string& to) {
  MessageFacts* message = find(id);
  Leg* leg = message == nullptr ? nullptr : message->leg(to);
  if (leg == nullptr) return;
  note(id, "an operator cancels it for {}", to);
  leg->cancelled = leg->touched = true;
  message->webhook->batch_touched = true;
}

}  // namespace belay::sim
