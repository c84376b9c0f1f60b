// GET /v1/events/stream: the tail of the books.
#include <fmt/format.h>

#include "admin/call.h"
#include "admin/streams.h"
#include "base/bytes.h"

namespace belay::admin {

namespace {

void stream(Call& call) {
  EventsCall filter;
  if (const auto wrong = read_events_call(call.parameters, call.api.clock.wall(), filter)) return call.refuse(*wrong);
  StreamCall wanted{.query = std::move(filter.query)};
  wanted.since = std::exchange(wanted.query.since, std::nullopt);
  if (const std::string* last = call.request.header("last-event-id"); last != nullptr && !read_event_id(*last, wanted)) {
    return call.refuse({400, fmt::format("Last-Event-ID is not one of ours: '{}'", printable(*last, 60)), "send the id of the last event, or leave it out"});
  }
  Streams& streams = call.api.streams;
  if (streams.full()) {
    return call.refuse({503, fmt::format("{} streams are open", Streams::kMaxStreams), "close one, or ask GET /v1/events"});
  }
  const auto token = Tokens::digest_of(call.request.header("authorization"));
  if (!token) return call.refuse({401, "a token is needed", {}});
  event::SimpleResponse answer = response(200, "text/event-stream", {});
  answer.headers.emplace_back("Connection", "close");
  answer.opened = [&streams, wanted = std::move(wanted), token = *token](std::unique_ptr<event::SimpleStream> out) {
    streams.open(wanted, token, std::move(out));
  };
  call.answer(std::move(answer));
}

}  // namespace

std::span<const Route> stream_routes() {
  // As GET /v1/events, without what has no meaning for what is still to come.
  static const std::vector<Parameter> parameters = [] {
    std::vector<Parameter> taken;
    for (const Parameter& condition : conditions()) {
      if (condition.name != "until") taken.push_back(condition);
    }
    return taken;
  }();
  static const Route rows[] = {
      {.method = "GET",
       .path = "/v1/events/stream",
       .role = Role::read,
       .operation = "streamEvents",
       .help = "webhooks as they arrive and as their deliveries go on: server-sent events (webhook, gap, end) with rows as in GET /v1/events; Last-Event-ID goes on",
       .parameters = parameters,
       .type = "text/event-stream",
       .handle = stream},
  };
  return rows;
}

}  // namespace belay::admin
