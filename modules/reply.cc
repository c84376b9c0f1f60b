#include "modules/reply.h"

#include <utility>

#include "upstream/client.h"

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

// What says who the sender is, and nobody vouches for, is not stored: a delivery passes on what is.
static bool is_stored(const pipeline::Exchange& exchange, std::string_view field) {
  return exchange.client.vouched || !upstream::claims_identity(field);
}

wire::StoredRequest received_request(const pipeline::Exchange& exchange) {
  wire::StoredRequest request;
  fill(request, exchange);
  return request;
}

void fill(wire::StoredRequest& request, const pipeline::Exchange& exchange) {
  request.method = exchange.request.method;
  request.target = exchange.request.target;
  request.path_rest = exchange.path_rest;
  request.path.clear();
  request.fields.resize(exchange.request.fields.size());
  size_t stored = 0;
  for (const http::Field& field : exchange.request.fields) {
    if (!is_stored(exchange, field.name)) continue;
    auto& [name, value] = request.fields[stored++];
    name = field.name;
    value = field.value;
  }
  request.fields.resize(stored);
  request.forwarded_for = exchange.client.forwarded_for;
  request.tls = exchange.client.tls;
  request.body = exchange.body;
  request.has_body = exchange.request.framing != http::Framing::none;
  request.received_body = false;
}

void let_go(wire::Put& put) {
  put.shapes.clear();
  size_t room = put.request.body.capacity();
  for (const auto& [name, value] : put.request.fields) room += name.capacity() + value.capacity();
  if (room <= pipeline::Exchange::kKeep) return;
  const wire::Put gone = std::exchange(put, {});  // assigning to a text would leave it its room
}

wire::Event event_of(const pipeline::Exchange& exchange) {
  wire::Event event;
  fill(event, exchange);
  return event;
}

void fill(wire::Event& event, const pipeline::Exchange& exchange) {
  event.id = exchange.id;
  event.received = exchange.received;
  event.outcome = exchange.outcome;
  event.status = static_cast<uint16_t>(exchange.reply.status);
  event.trust = exchange.source != nullptr ? exchange.source->trust : wire::Trust::unknown;
  if (exchange.source != nullptr) event.source = exchange.source->name;
  else event.source.clear();
  event.destination = exchange.destination;
  event.reason = exchange.reason;
  event.type = exchange.event.type;
  event.event_id = exchange.event.id;
  event.resource = exchange.event.resource;
  if (exchange.client.unix_socket || exchange.client.cached_text.empty()) event.client = exchange.client.text();
  else event.client = exchange.client.cached_text;
  event.method = exchange.request.method;
  event.path = exchange.request.path;
  event.body_bytes = static_cast<uint32_t>(exchange.body.size());
  event.duration_us = static_cast<uint32_t>((exchange.services.clock.monotonic() - exchange.started).count());
  event.backend_us = exchange.backend_us;
}

}  // namespace belay::modules
