// GET /v1/events, /v1/messages/{id} and its raw request: what was received and what became of it.
#include <fmt/format.h>

#include "admin/call.h"
#include "admin/render.h"

namespace belay::admin {

namespace {

ApiError no_such_message(const MessageId& id) {
  return {404, fmt::format("no message {}", id.to_string()),
          "ids are listed by GET /v1/events; old messages are removed after spool.retention"};
}

void events(Call& call) {
  EventsCall wanted;
  if (const auto wrong = read_events_call(call.parameters, call.api.clock.wall(), wanted)) return call.refuse(*wrong);
  auto done = call.later<spool::EventPage>([](const Result<spool::EventPage>& page) {
    return page ? json_response(200, render_events(*page)) : error_response(to_api_error(page.error()));
  });
  if (done) call.api.operations.events(wanted.query, wanted.before, wanted.limit, std::move(*done));
}

// A webhook that was forwarded or refused has no stored message, but it has its line in the books.
void answer_not_stored(Api& api, MessageId id, uint64_t ticket) {
  api.operations.events({}, spool::id_after(id), 1, api.gate.pass<spool::EventPage>([&api, id, ticket](const Result<spool::EventPage>& page) {
    if (!page) return api.settle(ticket, error_response(to_api_error(page.error())));
    if (page->rows.empty() || page->rows.front().event.id != id) {
      return api.settle(ticket, error_response(no_such_message(id)));
    }
    api.settle(ticket, json_response(200, render_event(page->rows.front())));
  }));
}

void message(Call& call) {
  const std::optional<uint64_t> ticket = call.park();
  if (!ticket) return;
  Api& api = call.api;
  api.operations.message(call.id, api.gate.pass<spool::MessageDetail>([&api, id = call.id, ticket = *ticket](const Result<spool::MessageDetail>& detail) {
    if (detail) return api.settle(ticket, json_response(200, render_message(*detail)));
    if (detail.error().kind == ErrorKind::invalid) return answer_not_stored(api, id, ticket);
    api.settle(ticket, error_response(to_api_error(detail.error())));
  }));
}

void raw_message(Call& call) {
  auto done = call.later<spool::MessageDetail>([id = call.id](const Result<spool::MessageDetail>& detail) {
    if (detail) return response(200, "message/http", render_raw(detail->message.request));
    ApiError error = to_api_error(detail.error());
    if (detail.error().kind == ErrorKind::invalid) {
      error = no_such_message(id);
      error.hint += "; a webhook that was forwarded at once is not stored";
    }
    return error_response(error);
  });
  if (done) call.api.operations.message(call.id, std::move(*done));
}

}  // namespace

std::span<const Route> event_routes() {
  static const Route rows[] = {
      {.method = "GET",
       .path = "/v1/events",
       .role = Role::read,
       .operation = "listEvents",
       .help = "received webhooks, newest first, and what became of them; with before= the next page",
       .parameters = events_parameters(),
       .answer = R"({"type": "object", "required": ["events", "next"], "properties": {
         "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
         "next": {"type": ["string", "null"], "description": "goes into before= for the next page; null: the end"}}})",
       .handle = events},
      {.method = "GET",
       .path = "/v1/messages/{id}",
       .role = Role::read,
       .operation = "getMessage",
       .help = "one webhook with its deliveries and attempts, and with its request when it was stored",
       .answer = R"({"allOf": [{"$ref": "#/components/schemas/Event"}, {"type": "object", "required": ["stored", "deliveries"], "properties": {
         "stored": {"type": "boolean"}, "request": {"$ref": "#/components/schemas/Request"}}}]})",
       .handle = message},
      {.method = "GET",
       .path = "/v1/messages/{id}/raw",
       .role = Role::read,
       .operation = "getRawMessage",
       .help = "the stored request as raw HTTP/1.1",
       .type = "message/http",
       .handle = raw_message},
  };
  return rows;
}

}  // namespace belay::admin
