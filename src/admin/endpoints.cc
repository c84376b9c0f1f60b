// The calls of the admin API, one member function each; server.cc has admitted and routed them.
#include <fmt/format.h>

#include "admin/metrics.h"
#include "admin/render.h"
#include "admin/replay_body.h"
#include "admin/responses.h"
#include "admin/server.h"

namespace belay::admin {

namespace {

// The smallest id above, as a cursor that includes `id` itself; none above the largest.
std::optional<MessageId> next_id(MessageId id) {
  for (size_t i = id.bytes.size(); i-- > 0;) {
    if (++id.bytes[i] != 0) return id;
  }
  return std::nullopt;
}

ApiError no_such_message(const MessageId& id) {
  return {404, fmt::format("no message {}", id.to_string()),
          "ids are listed by GET /v1/events; old messages are removed after spool.retention"};
}

}  // namespace

void AdminServer::health(Call& call) {
  const spool::StoreStats stats = operations_.stats();
  call.respond(json_response(stats.accepting ? 200 : 503, render_health(stats, uptime())));
}

void AdminServer::metrics(Call& call) {
  call.respond(response(200, kMetricsType,
                        render_metrics(operations_.stats(), operations_.destinations(), operations_.counters(), clock_.wall(), uptime())));
}

void AdminServer::stats(Call& call) {
  call.respond(
      json_response(200, render_stats(operations_.stats(), operations_.destinations(), operations_.counters(), clock_.wall(), uptime())));
}

void AdminServer::events(Call& call) {
  EventsCall wanted;
  if (const auto wrong = read_events_call(call.parameters, clock_.wall(), wanted)) {
    return call.respond(error_response(*wrong));
  }
  const std::optional<uint64_t> ticket = park(call);
  if (!ticket) return;
  operations_.events(wanted.query, wanted.before, wanted.limit,
                     gate_.pass<spool::EventPage>([this, ticket = *ticket](Result<spool::EventPage> page) {
                       settle(ticket, page ? json_response(200, render_events(*page))
                                           : error_response(to_api_error(page.error())));
                     }));
}

void AdminServer::message(Call& call) {
  const std::optional<uint64_t> ticket = park(call);
  if (!ticket) return;
  operations_.message(
      call.id, gate_.pass<spool::MessageDetail>([this, id = call.id, ticket = *ticket](Result<spool::MessageDetail> detail) {
        if (detail) return settle(ticket, json_response(200, render_message(*detail)));
        if (detail.error().kind == ErrorKind::invalid) return answer_not_stored(id, ticket);
        settle(ticket, error_response(to_api_error(detail.error())));
      }));
}

// A webhook that was forwarded or refused has no stored message, but it has its line in the books.
void AdminServer::answer_not_stored(MessageId id, uint64_t ticket) {
  operations_.events({}, next_id(id), 1,
                     gate_.pass<spool::EventPage>([this, id, ticket](Result<spool::EventPage> page) {
                       if (!page) return settle(ticket, error_response(to_api_error(page.error())));
                       if (page->rows.empty() || page->rows.front().event.id != id) {
                         return settle(ticket, error_response(no_such_message(id)));
                       }
                       settle(ticket, json_response(200, render_event(page->rows.front())));
                     }));
}

void AdminServer::raw_message(Call& call) {
  const std::optional<uint64_t> ticket = park(call);
  if (!ticket) return;
  operations_.message(
      call.id, gate_.pass<spool::MessageDetail>([this, id = call.id, ticket = *ticket](Result<spool::MessageDetail> detail) {
        if (detail) return settle(ticket, response(200, "message/http", render_raw(detail->message.request)));
        ApiError error = to_api_error(detail.error());
        if (detail.error().kind == ErrorKind::invalid) {
          error = no_such_message(id);
          error.hint += "; a webhook that was forwarded at once is not stored";
        }
        settle(ticket, error_response(error));
      }));
}

void AdminServer::replay(Call& call) {
  if (call.request.body.size() > kMaxReplayBody) {
    return call.respond(error_response(
        {413, fmt::format("the body is larger than {} bytes", kMaxReplayBody), "replay by filter, or in several calls"}));
  }
  spool::ReplayRequest wanted;
  if (const auto wrong = read_replay(call.request.body, clock_.wall(), wanted)) {
    return call.respond(error_response(*wrong));
  }
  const std::optional<uint64_t> ticket = park(call);
  if (!ticket) return;
  operations_.replay(wanted, gate_.pass<spool::ReplayResult>([this, dry_run = wanted.dry_run, ticket = *ticket](
                                                                 Result<spool::ReplayResult> result) {
                       settle(ticket, result ? json_response(200, render_replay(*result, dry_run))
                                             : error_response(to_api_error(result.error())));
                     }));
}

void AdminServer::stop(Call& call, spool::StopKind kind, bool on) {
  spool::StopRequest wanted{call.name, kind, on, std::string(kTokenName), {}};
  if (const auto wrong = read_reason(call.parameters, wanted.why)) return call.respond(error_response(*wrong));
  const std::optional<uint64_t> ticket = park(call);
  if (!ticket) return;
  operations_.stop(wanted, gate_.pass<spool::StopResult>([this, ticket = *ticket](Result<spool::StopResult> result) {
                     settle(ticket, result ? json_response(200, render_stop(*result)) : error_response(to_api_error(result.error())));
                   }));
}

}  // namespace belay::admin
