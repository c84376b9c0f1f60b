#include "modules/deliver/deliver.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "http/writer.h"
#include "modules/reply.h"
#include "pipeline/trace.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Resume;
using pipeline::Verdict;
using wire::Outcome;

constexpr int kStoredStatus = 202;

// How the forward ended, as the put must know it.
struct Tried {
  bool failed = false;  // a request was made, or tried, and counts as the first attempt
  uint16_t status = 0;
  std::string error;
  Duration retry_after{-1};
};

// What senders read: destinations, addresses and what a backend's TLS or the spool's disk says are for the log and the books.
constexpr std::string_view kBackendUnavailable = "deliver: the backend is unavailable";
constexpr std::string_view kSpoolAway = "deliver: the spool is away";

// True when exchange.reason says how a forward failed.
bool forward_failed(const Exchange& exchange) { return !exchange.reason.empty(); }

// `why`: what keeps the spool from helping.
void answer_unavailable(Exchange& exchange, std::string_view why) {
  std::string reason = exchange.reason.empty() ? "deliver" : exchange.reason;
  reason.append(": ").append(why);
  exchange.answer(503, Outcome::failed, reason, kRetryAfterSeconds,
                  forward_failed(exchange) ? kBackendUnavailable : kSpoolAway);
}

// What goes to a backend: the request as received, or what a transform made of it.
upstream::Outbound outbound_of(Exchange& exchange, const wire::StoredRequest* made) {
  const http::RequestHead& request = exchange.request;
  upstream::Outbound out;
  out.method = request.method;
  out.target = request.target;
  out.path_rest = exchange.path_rest;
  out.fields = &request.fields;
  out.body = exchange.body;
  out.has_body = request.framing != http::Framing::none;
  out.id = exchange.id;
  out.client = exchange.client.forwarded_for;
  out.client_tls = exchange.client.tls;
  out.vouched = exchange.client.vouched;
  if (made == nullptr) return out;
  out.method = made->method;
  out.target = made->target;
  out.path_rest = made->path_rest;
  out.path = made->path;
  exchange.sent_fields.clear();
  for (const auto& [name, value] : made->fields) exchange.sent_fields.add(name, value);
  out.fields = &exchange.sent_fields;
  if (!made->received_body) out.body = made->body;
  out.has_body = made->has_body;
  out.vouched = true;  // what nobody vouched for is not in it
  return out;
}

// The backend's answer as the sender gets it: everything but what belongs to the backend's connection.
void pass_on(Exchange& exchange, const upstream::Attempt& attempt) {
  const http::ResponseHead& head = *attempt.head;
  const std::vector<std::string_view> options = http::connection_options(head.fields);
  exchange.reply.status = head.status;
  exchange.reply.head.clear();
  for (const http::Field& field : head.fields) {
    if (http::is_hop_by_hop(field.name) || ascii_iequals(field.name, "content-length")) continue;
    const bool named = std::any_of(options.begin(), options.end(),
                                   [&](std::string_view option) { return ascii_iequals(option, field.name); });
    if (!named) http::append_field(exchange.reply.head, field.name, field.value);
  }
  if (attempt.gathered_body != nullptr) {
    exchange.reply.body = std::move(*attempt.gathered_body);
  } else {
    exchange.reply.body.assign(attempt.body);
  }
  exchange.reply_memory.hold(exchange.reply.body.capacity());
}

// The backend has taken the webhook or refused it, but its body found no room: to send again would make a duplicate.
void answer_without_body(Exchange& exchange, const upstream::Attempt& attempt) {
  exchange.answer(attempt.status(), Outcome::forwarded, "deliver: the backend's answer without its body: " + attempt.error, -1,
                  "deliver: the backend's answer is too large");
}

// The deliveries of everything selected, behind the first `skip`, with what each of them sends.
void add_deliveries(wire::Put& put, const Exchange& exchange, size_t skip) {
  for (const pipeline::Selected& route : exchange.selected) {
    uint16_t shape = 0;
    for (const auto& destination : route.destinations) {
      if (skip > 0) {
        --skip;
        continue;
      }
      if (shape == 0 && route.request != nullptr) {
        wire::StoredRequest& made = put.shapes.emplace_back(*route.request);
        made.forwarded_for = put.request.forwarded_for;
        made.tls = put.request.tls;
        shape = static_cast<uint16_t>(put.shapes.size());
      }
      put.deliveries.push_back({destination->name, static_cast<uint16_t>(route.route), shape, route.failure, route.grouping,
                                route.delay.count(), route.expire.count()});
    }
  }
}

// `put` may be one that is used again: everything in it is set.
void fill_put(wire::Put& put, const Exchange& exchange, size_t skip, const Tried& tried) {
  fill(put.request, exchange);
  put.shapes.clear();
  put.deliveries.clear();
  add_deliveries(put, exchange, skip);
  fill(put.event, exchange);
  put.event.outcome = Outcome::spooled;
  put.event.destination = put.deliveries.front().destination;
  if (exchange.reply.status == 0)
    put.event.status =
        static_cast<uint16_t>(exchange.source->reply_status != 0 ? exchange.source->reply_status : kStoredStatus);
  // A backend that has refused the webhook may be asked again: its sender's retry is no duplicate.
  put.claims.clear();
  if (exchange.reply.status == 0 || exchange.reply.status / 100 == 2) put.claims = exchange.claims();
  put.first_attempt_failed = tried.failed;
  put.attempt_status = tried.status;
  put.attempt_error = tried.error;
  put.delay_ms = std::clamp<int64_t>(tried.retry_after.count(), 0, upstream::Destination::kMaxRetryAfter.count());
}

pipeline::Trace::Send send_of(Exchange& exchange, const pipeline::Selected& route, const std::shared_ptr<const upstream::Destination>& to,
                              bool at_once) {
  pipeline::Trace::Send send;
  send.to = to;
  send.route = route.route;
  send.at_once = at_once;
  send.request = route.request != nullptr ? *route.request : received_request(exchange);
  send.failure = route.failure;
  if (!send.failure.empty()) return send;
  upstream::Outbound out = outbound_of(exchange, route.request.get());
  out.now = exchange.received;
  if (to->oauth2 != nullptr) out.authorization = "Bearer token";  // stands for the one that an attempt would fetch
  if (const auto made = upstream::append_head(send.head, *to, to->urls.front(), out); !made) send.failure = made.error().message;
  return send;
}

// More than the first destination of the first route?
bool has_others(const Exchange& exchange) { return exchange.selected.size() > 1 || exchange.selected.front().destinations.size() > 1; }

// A webhook whose key another one has: a sender's retry is answered like the first, a replay is refused.
void answer_claimed(Exchange& exchange, const wire::ClaimedBy& by) {
  if (!exchange.dedupe || by.claim != 0) {
    exchange.answer(401, Outcome::rejected, "verify: the same signed request was seen before", -1);
    return;
  }
  answer_for_backend(exchange, by.status, Outcome::duplicate,
                     "dedupe: the same as " + by.first.to_string());
}

class Deliver final : public pipeline::Handler {
 public:
  explicit Deliver(bool spool_first) : spool_first_(spool_first) {}
  Verdict handle(Exchange& exchange) const override;

 private:
  static Verdict show(Exchange& exchange, bool at_once);
  static bool claim(Exchange& exchange);
  static bool settle_claim(Exchange& exchange, const Result<wire::ClaimResult>& result);
  static bool forward(Exchange& exchange);
  static bool settle_forward(Exchange& exchange, const upstream::Attempt& attempt);
  static bool store(Exchange& exchange, size_t skip, const Tried& tried);
  static void settle_store(Exchange& exchange, const Result<wire::PutResult>& result);

  bool spool_first_;
};

Verdict Deliver::handle(Exchange& exchange) const {
  BELAY_CHECK_NOTE(!exchange.selected.empty(), "deliver without a destination: route answers when there is none");
  exchange.drop_context();  // a parked exchange holds no parsed payload
  if (exchange.trace != nullptr) return show(exchange, !spool_first_ && !exchange.spool_only);
  if (spool_first_ || exchange.spool_only)
    return store(exchange, 0, {}) ? Verdict::parked : Verdict::reply;
  if (exchange.dedupe || exchange.replay) {
    if (claim(exchange)) return Verdict::parked;
  }
  return forward(exchange) ? Verdict::parked : Verdict::reply;
}

// Of an explained webhook: what each destination would get, and what the sender would get. Where the backend answers, the reply
// is the one for when it cannot.
Verdict Deliver::show(Exchange& exchange, bool at_once) {
  exchange.destination = exchange.selected.front().destinations.front()->name;
  for (const pipeline::Selected& route : exchange.selected) {
    for (const auto& to : route.destinations) {
      const bool first = exchange.trace->sends.empty();
      exchange.trace->sends.push_back(send_of(exchange, route, to, at_once && first));
    }
  }
  if (exchange.trace->wants_put) fill_put(exchange.trace->put.emplace(), exchange, 0, {});
  answer_for_backend(exchange, kStoredStatus, Outcome::spooled, {});
  if (at_once) exchange.outcome = Outcome::forwarded;
  return Verdict::reply;
}

// Asks the spool for the webhook's keys before a forward and parks; false when there is no spool to ask. One that is full still
// answers. Where it is away, forwards go on, and a duplicate among them is not seen.
bool Deliver::claim(Exchange& exchange) {
  wire::SpoolClient* spool = exchange.services.spool;
  if (spool == nullptr) return false;
  spool->claim({exchange.id, exchange.claims()}, [spool, id = exchange.id, resume = exchange.park()](const Result<wire::ClaimResult>& result) {
    if (Exchange* const waiting = resume.exchange()) {
      if (settle_claim(*waiting, result)) resume();
    } else if (result && result->state == wire::ClaimState::fresh) {
      spool->release(id);  // the sender has gone
    }
  });
  return true;
}

// True when the exchange has its reply; false while a forward, or the spool, is waited for.
bool Deliver::settle_claim(Exchange& exchange, const Result<wire::ClaimResult>& result) {
  if (result && result->state == wire::ClaimState::claimed) {
    answer_claimed(exchange, result->by);
    return true;
  }
  if (result ? result->state == wire::ClaimState::busy : result.error().kind == ErrorKind::timeout) {
    exchange.answer(503, Outcome::failed, "dedupe: the same webhook is being handled", kRetryAfterSeconds);
    return true;
  }
  if (result) exchange.claim_hold.hold(*exchange.services.spool, exchange.id);
  return !forward(exchange);
}

// Parks the exchange; false when it has its reply already, because neither the backend nor the spool can take it.
bool Deliver::forward(Exchange& exchange) {
  pipeline::Services& services = exchange.services;
  BELAY_CHECK_NOTE(services.upstream != nullptr, "mode forward without an upstream client");
  const auto& to = exchange.selected.front().destinations.front();
  exchange.destination = to->name;
  using Taken = pipeline::ForwardPlace::Taken;
  const Taken taken = exchange.place.take(services.shared, services.slot, *to, services.clock.monotonic());
  if (taken != Taken::yes) {
    exchange.reason = "deliver: " + to->name + ": ";
    exchange.reason.append(to_string(taken));
    return store(exchange, 0, {});
  }
  // The call dies with the exchange, so the callback never outlives what it touches.
  upstream::Outbound outbound = outbound_of(exchange, exchange.selected.front().request.get());
  outbound.urls_down = exchange.place.urls_down();
  exchange.call = services.upstream->send(
      to, outbound, [&exchange, resume = exchange.park()](const upstream::Attempt& attempt) {
        if (settle_forward(exchange, attempt)) resume();
      });
  return true;
}

// The breaker of all workers learns what became of the request.
void give_back_place(Exchange& exchange, const upstream::Destination& to, const upstream::Attempt& attempt) {
  using Turn = upstream::Breaker::Turn;
  const Turn turn = exchange.place.give_back(attempt.destination_failed(to), exchange.services.clock.monotonic());
  if (turn == Turn::opened) {
    log::warn("deliver: {}: the breaker opens for {} s; webhooks go to the spool at once", to.name,
              std::chrono::duration<double>(to.breaker.open_for).count());
  } else if (turn == Turn::closed) {
    log::info("deliver: {}: the breaker closes, webhooks are forwarded again", to.name);
  }
}

// True when the exchange has its reply; false while the spool is waited for.
bool Deliver::settle_forward(Exchange& exchange, const upstream::Attempt& attempt) {
  const upstream::Destination& to = *exchange.selected.front().destinations.front();
  give_back_place(exchange, to, attempt);
  exchange.backend_us =
      static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(attempt.total).count());
  const bool answered = attempt.outcome == upstream::Outcome::answered;
  if (attempt.head != nullptr && (attempt.status() < 500 || !attempt.retryable(to))) {
    if (answered) pass_on(exchange, attempt);
    else answer_without_body(exchange, attempt);
    if (has_others(exchange)) return !store(exchange, 1, {});
    exchange.outcome = Outcome::forwarded;
    return true;
  }
  Tried tried;
  tried.failed = attempt.outcome != upstream::Outcome::over_limit && attempt.outcome != upstream::Outcome::no_credential;
  tried.status = static_cast<uint16_t>(attempt.status());
  tried.error = answered ? "status " + std::to_string(attempt.status())
                         : std::string(upstream::to_string(attempt.outcome)) +
                               (attempt.error.empty() ? "" : ": " + attempt.error);
  tried.retry_after = attempt.retry_after;
  exchange.reason = "deliver: " + to.name + ": " + tried.error;
  return !store(exchange, 0, tried);
}

// Hands the webhook to the spool and parks; false when it cannot, then the reply is a 503.
bool Deliver::store(Exchange& exchange, size_t skip, const Tried& tried) {
  wire::SpoolClient* spool = exchange.services.spool;
  if (exchange.destination.empty()) exchange.destination = exchange.selected.front().destinations.front()->name;
  if (spool == nullptr || !spool->available()) {
    answer_unavailable(exchange, spool == nullptr ? "there is no spool" : "the spool is away");
    return false;
  }
  static thread_local wire::Put put;  // its texts keep their room: dozens of allocations for each webhook
  fill_put(put, exchange, skip, tried);
  spool->put(put, [resume = exchange.park()](const Result<wire::PutResult>& result) {
    if (Exchange* waiting = resume.exchange()) {
      settle_store(*waiting, result);
      resume();
    }
  });
  let_go(put);
  return true;
}

void Deliver::settle_store(Exchange& exchange, const Result<wire::PutResult>& result) {
  if (result && result->state == wire::PutState::claimed) return answer_claimed(exchange, result->by);
  // `repeated`: the spool had this id already, from a put of ours whose answer was lost.
  if (result && result->state != wire::PutState::refused) {
    if (exchange.reply.status != 0) {
      exchange.outcome =
          Outcome::spooled;  // one backend has answered, the others wait in the spool: the books count what is stored
    } else {
      answer_for_backend(exchange, kStoredStatus, Outcome::spooled, std::string(exchange.reason),
                         forward_failed(exchange) ? kBackendUnavailable : std::string_view());
    }
    return;
  }
  answer_unavailable(exchange, result ? "the spool refuses: " + result->reason
                                      : "the spool does not answer: " + result.error().message);
}

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  if (settings.present()) {
    context.problems.add(settings.position(), "unknown key 'deliver'",
                         "mode, reply and routes say how a source delivers");
    return nullptr;
  }
  return std::make_unique<Deliver>(context.source->named->node.at("mode").text() == "spool");
}

}  // namespace

const pipeline::Module kDeliver = {
    .key = "deliver",
    .stage = pipeline::Stage::on_body,
    .always = true,
    .help = "forwards to the backend, or hands the webhook to the spool",
    .build = build,
};

}  // namespace belay::modules
