#include "modules/reply.h"

namespace belay::modules {

void answer_for_backend(pipeline::Exchange& exchange, int status, wire::Outcome outcome, std::string_view reason,
                        std::string_view told) {
  const pipeline::Source& source = *exchange.source;
  if (source.reply_status == 0) {
    exchange.answer(status, outcome, reason, -1, told);
    return;
  }
  exchange.outcome = outcome;
  exchange.reason.assign(reason);
  exchange.reply.status = source.reply_status;
  exchange.reply.head = source.reply_head;
  exchange.reply.body = source.reply_body;
}

wire::Event event_of(const pipeline::Exchange& exchange) {
  wire::Event event;
  event.id = exchange.id;
  event.received = exchange.received;
  event.outcome = exchange.outcome;
  event.status = static_cast<uint16_t>(exchange.reply.status);
  if (exchange.source != nullptr) {
    event.source = exchange.source->name;
    event.trust = exchange.source->trust;
  }
  event.destination = exchange.destination;
  event.reason = exchange.reason;
  event.type = exchange.event.type;
  event.event_id = exchange.event.id;
  event.resource = exchange.event.resource;
  event.client = exchange.client.text();
  event.method = exchange.request.method;
  event.path = exchange.request.path;
  event.body_bytes = static_cast<uint32_t>(exchange.body.size());
  event.duration_us = static_cast<uint32_t>((exchange.services.clock.monotonic() - exchange.started).count());
  event.backend_us = exchange.backend_us;
  return event;
}

}  // namespace belay::modules
