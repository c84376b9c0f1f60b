#include "admin/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <map>

#include "admin/counters.h"
#include "base/bytes.h"

namespace belay::admin {

namespace {

void write_event(JsonWriter& json, const wire::Event& event) {
  json.field("id", event.id.to_string());
  json.field("received", std::optional(event.received));
  json.field("source", event.source);
  json.optional_field("trust", wire::to_string(event.trust));
  json.field("outcome", wire::to_string(event.outcome));
  json.field("status", event.status);
  json.optional_field("destination", event.destination);
  json.optional_field("reason", event.reason);
  json.optional_field("type", event.type);
  json.optional_field("event_id", event.event_id);
  json.optional_field("resource", event.resource);
  json.field("client", event.client);
  json.field("method", event.method);
  json.field("path", event.path);
  json.field("body_bytes", event.body_bytes);
  json.field("duration_us", event.duration_us);
  json.field("backend_us", event.backend_us);
}

void write_attempt(JsonWriter& json, const spool::Attempt& attempt) {
  json.begin_object();
  json.field("at", std::optional(attempt.at));
  json.field("duration_ms", attempt.duration_ms);
  json.field("status", attempt.status);
  json.optional_field("error", attempt.error);
  json.optional_field("answer", attempt.answer);
  json.end_object();
}

void write_request(JsonWriter& json, std::string_view member, const wire::StoredRequest& request, const std::string& body) {
  json.name(member).begin_object();
  json.field("method", request.method);
  json.field("target", request.target);
  json.optional_field("path", request.path);
  json.field("tls", request.tls);
  json.name("headers").begin_array();
  for (const auto& [name, value] : request.fields) json.begin_array().text(name).text(value).end_array();
  json.end_array();
  if (is_utf8(body)) {
    json.field("body", body);
  } else {
    json.field("body_base64", base64_encode(body));
  }
  json.end_object();
}

// `of`: the message, to show what the delivery sends when a transform made it; null: the row of a list.
void write_delivery(JsonWriter& json, const spool::Delivery& delivery, bool with_history, const spool::Message* of) {
  using spool::DeliveryState;
  json.begin_object();
  json.field("destination", delivery.destination_name);
  json.field("state", spool::to_string(delivery.state));
  const bool waits = delivery.state == DeliveryState::queued || delivery.state == DeliveryState::scheduled;
  const bool batched = wire::is_batch(delivery.grouping.kind) && !delivery.batch.empty();
  if (waits && delivery.waits_for.empty()) json.field("due", std::optional(delivery.due));
  if (!delivery.waits_for.empty()) json.field("waits_for", delivery.waits_for.to_string());
  if (batched) json.field("batch", delivery.batch.to_string());
  if (waits && delivery.expires != WallTime{}) json.field("expires", std::optional(delivery.expires));
  json.field("route", uint64_t{delivery.route} + 1);
  json.field("attempts", delivery.attempts);
  json.optional_field("reason", delivery.reason);
  if (!delivery.history.empty()) {
    const spool::Attempt& last = delivery.history.back();
    json.field("last_attempt", std::optional(last.at));
    json.field("last_status", last.status);
    json.optional_field("last_error", last.error);
  }
  if (with_history) {
    json.name("history").begin_array();
    for (const spool::Attempt& attempt : delivery.history) write_attempt(json, attempt);
    json.end_array();
  }
  if (of != nullptr && delivery.shape != 0 && of->has_shape(delivery.shape)) {
    write_request(json, "sent", of->shape(delivery.shape), of->body(delivery.shape));
  }
  json.end_object();
}

void write_deliveries(JsonWriter& json, const std::vector<spool::Delivery>& deliveries, bool with_history,
                      const spool::Message* of = nullptr) {
  json.name("deliveries").begin_array();
  for (const spool::Delivery& delivery : deliveries) write_delivery(json, delivery, with_history, of);
  json.end_array();
}

void write_row(JsonWriter& json, const spool::EventRow& row) {
  json.begin_object();
  write_event(json, row.event);
  if (!row.deliveries.empty()) write_deliveries(json, row.deliveries, false);
  json.end_object();
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// {"by", "since", "reason"}; left out when it is not so.
void write_mark(JsonWriter& json, std::string_view member, const spool::StopMark& mark) {
  if (!mark.on) return;
  json.name(member).begin_object();
  json.field("by", mark.by).field("since", std::optional(mark.since)).optional_field("reason", mark.why);
  json.end_object();
}

// What is said of a destination besides its backlog.
struct DestinationView {
  const spool::DestinationBacklog* backlog = nullptr;  // null: nothing was ever stored for it
  const spool::DestinationReport* report = nullptr;    // null: there is nothing to say
  std::string forward_breaker;                         // of mode forward; empty: closed, or there is none
};

std::map<std::string, DestinationView> destinations_of(const spool::StoreStats& stats, const spool::DestinationReports& reports,
                                                       const std::vector<wire::Counters>& counters) {
  std::map<std::string, DestinationView> views;
  for (const spool::DestinationBacklog& backlog : stats.destinations) views[backlog.name].backlog = &backlog;
  for (const spool::DestinationReport& report : reports) views[report.name].report = &report;
  for (const auto& [series, value] : add_up(counters)) {
    if (series.name != kForwardBreaker) continue;
    views[label_value(series.labels, "destination")].forward_breaker = label_value(series.labels, "state");
  }
  return views;
}

void write_destination_state(JsonWriter& json, const DestinationView& view) {
  json.field("state", view.report != nullptr ? view.report->state() : "ok");
  json.optional_field("forward_breaker", view.forward_breaker);
  if (view.report == nullptr) return;
  write_mark(json, "paused", view.report->stop.paused);
  write_mark(json, "disabled", view.report->stop.disabled);
  if (view.report->breaker) json.field("breaker", to_string(*view.report->breaker));
  if (view.report->urls_down != 0) json.field("urls", uint64_t{view.report->urls}).field("urls_down", uint64_t{static_cast<unsigned>(std::popcount(view.report->urls_down))});
}

void write_destination(JsonWriter& json, const std::string& name, const DestinationView& view, WallTime now) {
  const spool::DestinationBacklog backlog = view.backlog != nullptr ? *view.backlog : spool::DestinationBacklog{.name = name};
  json.begin_object();
  json.field("name", backlog.name);
  json.field("spooled", backlog.spooled);
  json.field("waiting", backlog.waiting);
  json.field("sending", backlog.sending);
  json.field("delivered", backlog.delivered);
  json.field("dead", backlog.dead);
  json.field("cancelled", backlog.cancelled);
  json.field("superseded", backlog.superseded);
  json.name("oldest_waiting_s");
  if (backlog.oldest) {
    json.seconds(seconds(std::max(now - *backlog.oldest, Duration::zero())));
  } else {
    json.null();
  }
  write_destination_state(json, view);
  json.end_object();
}

void write_acceptance(JsonWriter& json, const spool::StoreStats& stats, Duration uptime) {
  json.field("version", BELAY_VERSION);
  json.name("uptime_s").seconds(seconds(uptime));
  json.field("accepting", stats.accepting);
  json.optional_field("reason", stats.refusing_because);
}

// {"acme": {"forwarded": 12, …}, …}: received requests by source and outcome.
void write_requests(JsonWriter& json, const std::vector<wire::Counters>& counters) {
  std::map<std::string, std::map<std::string, uint64_t>> by_source;
  for (const auto& [series, value] : add_up(counters)) {
    if (series.name != kRequestsCounter) continue;
    by_source[label_value(series.labels, "source")][label_value(series.labels, "outcome")] += value;
  }
  json.name("requests").begin_array();
  for (const auto& [source, outcomes] : by_source) {
    json.begin_object().field("source", source);
    for (const auto& [outcome, count] : outcomes) json.field(outcome, count);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string render_error(const ApiError& error) {
  JsonWriter json;
  json.begin_object().field("error", error.error).optional_field("hint", error.hint).end_object();
  return json.take();
}

std::string render_row(const spool::EventRow& row) {
  JsonWriter json;
  write_row(json, row);
  return json.take();
}

std::string render_events(const spool::EventPage& page) {
  JsonWriter json;
  json.begin_object().name("events").begin_array();
  for (const spool::EventRow& row : page.rows) {
    write_row(json, row);
  }
  json.end_array().name("next");
  page.next ? json.text(page.next->to_string()) : json.null();
  json.end_object();
  return json.take();
}

std::string render_message(const spool::MessageDetail& detail) {
  JsonWriter json;
  json.begin_object();
  write_event(json, detail.message.event);
  json.field("stored", true);
  write_deliveries(json, detail.deliveries, true, &detail.message);
  write_request(json, "request", detail.message.request, detail.message.request.body);
  json.end_object();
  return json.take();
}

std::string render_event(const spool::EventRow& row) {
  JsonWriter json;
  json.begin_object();
  write_event(json, row.event);
  json.field("stored", false);
  write_deliveries(json, row.deliveries, true);
  json.end_object();
  return json.take();
}

std::string render_stats(const spool::StoreStats& stats, const spool::DestinationReports& reports, const std::vector<wire::Counters>& counters, WallTime now,
                         Duration uptime) {
  JsonWriter json;
  json.begin_object();
  write_acceptance(json, stats, uptime);
  write_requests(json, counters);
  json.name("destinations").begin_array();
  for (const auto& [name, view] : destinations_of(stats, reports, counters)) write_destination(json, name, view, now);
  json.end_array();
  json.name("store").begin_object();
  json.field("messages", stats.messages).field("events", stats.events).field("quarantined", stats.quarantined);
  json.field("used_bytes", stats.used_bytes).field("map_bytes", stats.map_bytes);
  json.field("commits", stats.commits).field("last_commit_us", stats.last_commit_us);
  json.end_object().end_object();
  return json.take();
}

std::string render_bulk(const spool::BulkResult& result, bool dry_run) {
  JsonWriter json;
  json.begin_object();
  if (!result.id.empty()) json.field("id", result.id.to_string());
  json.field("action", to_string(result.deed)).field("who", result.who).field("what", result.what).field("outcome", result.outcome);
  json.field("running", result.running()).field("dry_run", dry_run).field("looked_at", result.looked_at);
  json.field("messages", result.messages).field("deliveries", result.deliveries).field("left_out", result.left_out);
  json.name("ids").begin_array();
  for (const std::string& id : result.ids) json.text(id);
  json.end_array().name("skipped").begin_array();
  for (const auto& [id, why] : result.skipped) {
    json.begin_object().field("id", id).field("reason", why).end_object();
  }
  json.end_array().end_object();
  return json.take();
}

std::string render_acts(const spool::ActPage& page) {
  JsonWriter json;
  json.begin_object().name("acts").begin_array();
  for (const spool::Act& act : page.rows) {
    json.begin_object();
    json.field("id", act.id.to_string()).field("at", std::optional(act.id.time()));
    json.field("who", act.who).field("action", act.action).field("what", act.target).field("outcome", act.outcome);
    json.field("messages", act.messages).field("deliveries", act.deliveries).field("left_out", act.left_out);
    json.end_object();
  }
  json.end_array().name("next");
  page.next ? json.text(page.next->to_string()) : json.null();
  json.end_object();
  return json.take();
}

std::string render_kept(const spool::KeptPage& page) {
  JsonWriter json;
  json.begin_object().name("kept").begin_array();
  for (const spool::Kept& row : page.rows) {
    json.begin_object().field("kind", to_string(row.kind)).field("id", row.key);
    if (row.kind == spool::KeptKind::damaged) {
      if (!row.event.id.empty()) json.field("received", std::optional(row.event.id.time()));
      json.field("reason", row.why).field("table", row.table).field("begins_hex", hex_encode(row.begins));
    } else {
      json.field("received", std::optional(row.event.received)).field("source", row.event.source);
      json.optional_field("type", row.event.type).optional_field("resource", row.event.resource).field("client", row.event.client);
      if (row.delivery) json.field("destination", row.delivery->destination_name);
      json.field("reason", row.delivery ? row.delivery->reason : row.event.reason);
    }
    json.field("bytes", row.bytes).end_object();
  }
  json.end_array().name("next");
  page.next.empty() ? json.null() : json.text(page.next);
  json.end_object();
  return json.take();
}

namespace {

void write_account(JsonWriter& json, const spool::BooksAccount& account) {
  json.begin_object();
  if (!account.name.empty()) json.field("name", account.name);
  json.field("balanced", account.balanced()).name("counters").begin_object();
  for (const spool::BooksFigure& figure : account.figures) {
    json.name(figure.counter).begin_object().field("counted", figure.counted).field("found", figure.found);
    if (figure.damaged > 0) json.field("damaged", figure.damaged);
    json.end_object();
  }
  json.end_object().end_object();
}

}  // namespace

std::string render_books(const spool::BooksReport& report) {
  JsonWriter json;
  json.begin_object().field("balanced", report.balanced());
  json.field("messages", report.messages).field("deliveries", report.deliveries).field("lines", report.lines).field("damaged", report.damaged).field("damaged_lines", report.damaged_lines);
  json.name("destinations").begin_array();
  for (const auto& account : report.destinations) write_account(json, account);
  json.end_array().name("sources").begin_array();
  for (const auto& account : report.sources) write_account(json, account);
  json.end_array().name("store");
  write_account(json, report.store);
  json.end_object();
  return json.take();
}

std::string render_stop(const spool::StopResult& result) {
  JsonWriter json;
  json.begin_object().field("name", result.stop.name).field("changed", result.changed);
  write_mark(json, "paused", result.stop.paused);
  write_mark(json, "disabled", result.stop.disabled);
  json.end_object();
  return json.take();
}

std::string render_health(const spool::StoreStats& stats, Duration uptime) {
  JsonWriter json;
  json.begin_object().field("status", stats.accepting ? "ok" : "refusing");
  write_acceptance(json, stats, uptime);
  json.end_object();
  return json.take();
}

std::string render_raw(const wire::StoredRequest& request) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  out.reserve(out.size() + request.body.size() + 64 * request.fields.size());
  bool has_length = false;
  for (const auto& [name, value] : request.fields) {
    if (ascii_iequals(name, "transfer-encoding")) continue;
    has_length = has_length || ascii_iequals(name, "content-length");
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  if (request.has_body && !has_length) out += fmt::format("Content-Length: {}\r\n", request.body.size());
  out += "\r\n";
  out += request.body;
  return out;
}

}  // namespace belay::admin
