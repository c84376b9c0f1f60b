#include "admin/json_writer.h"
#include "base/bytes.h"
#include "cli/explain_view.h"
#include "cli/explained.h"

namespace belay::cli {

using admin::JsonWriter;
using pipeline::Trace;

namespace {

void write_body(JsonWriter& json, std::string_view body) {
  if (is_utf8(body)) {
    json.field("body", body);
  } else {
    json.field("body_base64", base64_encode(body));
  }
}

void write_step(JsonWriter& json, const Trace::Step& step, const pipeline::Exchange& exchange, const Mask& mask) {
  json.begin_object().field("module", step.module).field("decision", to_string(step.decision));
  json.optional_field("note", step.note);
  if (step.decision == Trace::Decision::answered && step.module != "deliver") {
    json.field("status", exchange.reply.status).optional_field("reason", mask.text(exchange.reason));
  }
  if (!step.facts.empty()) {
    json.name("facts").begin_array();
    for (const auto& [name, value] : step.facts) json.begin_object().field("name", name).field("value", mask.text(value)).end_object();
    json.end_array();
  }
  if (!step.conditions.empty()) {
    json.name("conditions").begin_array();
    for (const Trace::Condition& condition : step.conditions) {
      json.begin_object().field("of", condition.place).field("text", condition.text).name("value");
      condition.truth == Trace::Truth::error ? json.null() : json.boolean(condition.truth == Trace::Truth::yes);
      json.optional_field("error", mask.text(condition.error));
      json.field("file", condition.position.file).field("line", condition.position.line).field("column", condition.position.column);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
}

void write_modules(JsonWriter& json, const Explained& explained) {
  json.name("modules").begin_array();
  for (const Trace::Step& step : explained.trace.steps) write_step(json, step, explained.exchange, explained.mask);
  if (!explained.between.empty()) {
    json.begin_object().field("module", "body").field("decision", "answered");
    json.field("status", explained.exchange.reply.status).field("reason", explained.between).end_object();
  }
  for (const std::string_view module : explained.not_reached) {
    json.begin_object().field("module", module).field("decision", "not reached").end_object();
  }
  json.end_array();
}

void write_changes(JsonWriter& json, const std::vector<Change>& changes) {
  for (const Change::Kind kind : {Change::Kind::changed, Change::Kind::removed, Change::Kind::added}) {
    json.name(to_string(kind)).begin_array();
    for (const Change& change : changes) {
      if (change.kind != kind) continue;
      json.begin_object().field("place", change.place);
      if (kind != Change::Kind::added) json.field("before", change.before);
      if (kind != Change::Kind::removed) json.field("after", change.after);
      json.end_object();
    }
    json.end_array();
  }
}

void write_send(JsonWriter& json, const Trace::Send& send, const Mask& mask) {
  json.begin_object().field("destination", send.to->name).field("at_once", send.at_once);
  if (!send.failure.empty()) {
    json.field("failure", mask.text(send.failure)).end_object();
    return;
  }
  const http::Url& url = send.to->urls.front();
  json.field("to", url.scheme + "://" + (url.scheme == "unix" ? url.host : url.authority()));
  json.field("head", mask.head(send.head));
  write_body(json, mask.text(send.request.body));
  json.end_object();
}

void write_routes(JsonWriter& json, const Explained& explained) {
  json.name("routes").begin_array();
  for (const ExplainedRoute& route : explained.routes) {
    json.begin_object().field("route", route.number);
    if (route.transformed) {
      json.name("transform").begin_object();
      write_changes(json, route.changes);
      json.end_object();
    }
    json.name("requests").begin_array();
    for (const Trace::Send* send : route.sends) write_send(json, *send, explained.mask);
    json.end_array().end_object();
  }
  json.end_array();
}

void write_event(JsonWriter& json, const pipeline::Exchange& exchange, const Mask& mask) {
  json.name("event").begin_object();
  json.optional_field("type", mask.text(exchange.event.type)).optional_field("id", mask.text(exchange.event.id));
  json.optional_field("time", mask.text(exchange.event.time)).optional_field("resource", mask.text(exchange.event.resource));
  json.end_object();
}

}  // namespace

std::string explain_json(const DryRun& run) {
  const Explained explained(run);
  const pipeline::Exchange& exchange = explained.exchange;
  JsonWriter json;
  json.begin_object();
  json.field("method", exchange.request.method).field("target", explained.mask.target(exchange.request.target));
  json.field("client", exchange.client.text()).field("received", std::optional(exchange.received));
  if (exchange.source != nullptr) {
    const conf::Position& position = exchange.source->named->position;
    json.field("source", exchange.source->name).field("trust", pipeline::to_string(exchange.source->trust));
    json.field("file", position.file).field("line", position.line);
  }
  write_modules(json, explained);
  write_event(json, exchange, explained.mask);
  write_routes(json, explained);
  json.name("answer").begin_object();
  json.optional_field("backend", explained.answered_by);
  json.field("status", exchange.reply.status).field("outcome", wire::to_string(exchange.outcome));
  json.optional_field("reason", explained.mask.text(exchange.reason)).field("head", exchange.reply.head);
  write_body(json, explained.mask.text(exchange.reply.body));
  json.end_object();
  json.field("accepted", run.accepted()).end_object();
  return json.take();
}

}  // namespace belay::cli
