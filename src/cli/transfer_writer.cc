#include "cli/transfer_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "admin/json_writer.h"
#include "base/bytes.h"
#include "base/crc32c.h"

namespace belay::cli {

namespace {

using admin::JsonWriter;

// Can stand in a line as it is, and be read by a person there.
bool is_plain(std::string_view text) {
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f;
  });
  return !control && is_utf8(text);
}

void write_text(JsonWriter& json, const std::string& name, std::string_view value) {
  if (is_plain(value)) json.field(name, value);
  else json.field(name + "_base64", base64_encode(value));
}

void write_some(JsonWriter& json, const std::string& name, std::string_view value) {
  if (!value.empty()) write_text(json, name, value);
}

void write_time(JsonWriter& json, std::string_view name, WallTime time) {
  constexpr WallTime kEnd = std::chrono::sys_days(std::chrono::year{9999} / 1 / 1);
  if (time >= WallTime{} && time < kEnd) json.field(name, std::optional(time));
  else json.field(name, to_ms(time));
}

void write_known_time(JsonWriter& json, std::string_view name, WallTime time) {
  if (time != WallTime{}) write_time(json, name, time);
}

template <typename Bytes>
std::string hex(const Bytes& bytes) {
  return hex_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void write_event(JsonWriter& json, const wire::Event& event) {
  json.field("id", event.id.to_string());
  write_time(json, "received", event.received);
  write_text(json, "source", event.source);
  if (event.trust != wire::Trust::unknown) json.field("trust", wire::to_string(event.trust));
  json.field("outcome", wire::to_string(event.outcome)).field("status", event.status);
  write_some(json, "destination", event.destination);
  write_some(json, "reason", event.reason);
  write_some(json, "type", event.type);
  write_some(json, "event_id", event.event_id);
  write_some(json, "resource", event.resource);
  write_some(json, "client", event.client);
  write_some(json, "method", event.method);
  write_some(json, "path", event.path);
  json.field("body_bytes", event.body_bytes).field("duration_us", event.duration_us).field("backend_us", event.backend_us);
}

void write_request(JsonWriter& json, const wire::StoredRequest& request, bool bodies) {
  json.begin_object();
  write_text(json, "method", request.method);
  write_text(json, "target", request.target);
  write_some(json, "path_rest", request.path_rest);
  write_some(json, "path", request.path);
  json.name("headers").begin_array();
  for (const auto& [name, value] : request.fields) {
    json.begin_object();
    write_text(json, "name", name);
    write_text(json, "value", value);
    json.end_object();
  }
  json.end_array();
  write_some(json, "forwarded_for", request.forwarded_for);
  if (request.tls) json.field("tls", true);
  if (request.received_body && !request.has_body) json.field("has_body", false);
  if (request.received_body) json.field("received_body", true);
  else if (request.has_body && bodies) write_text(json, "body", request.body);
  else if (request.has_body) json.field("bytes", uint64_t{request.body.size()});
  json.end_object();
}

void write_group(JsonWriter& json, const spool::TransferDelivery& of) {
  const spool::Delivery& delivery = of.delivery;
  const wire::Grouping& grouping = delivery.grouping;
  json.name("group").begin_object();
  json.field("kind", group_name(grouping.kind)).field("key", hex(grouping.key)).field("turn", delivery.turn);
  json.field("in_turn", of.in_group);
  if (grouping.wait_ms != 0) json.field("wait_ms", grouping.wait_ms);
  if (grouping.at_most_ms != 0) json.field("at_most_ms", grouping.at_most_ms);
  if (grouping.max != 0) json.field("max", grouping.max);
  if (grouping.bytes != 0) json.field("bytes", grouping.bytes);
  if (!delivery.batch.empty()) json.field("batch", delivery.batch.to_string());
  write_known_time(json, "since", delivery.since);
  json.end_object();
}

void write_delivery(JsonWriter& json, const spool::TransferDelivery& of) {
  const spool::Delivery& delivery = of.delivery;
  json.begin_object();
  write_text(json, "destination", delivery.destination_name);
  json.field("state", spool::to_string(delivery.state == spool::DeliveryState::sending ? spool::DeliveryState::queued : delivery.state));
  write_known_time(json, "due", delivery.due);
  write_known_time(json, "expires", delivery.expires);
  json.field("route", uint64_t{delivery.route} + 1);
  if (delivery.shape != 0) json.field("shape", delivery.shape);
  if (delivery.unmade) json.field("unmade", true);
  json.field("attempts", delivery.attempts);
  if (delivery.attempts_before != 0) json.field("attempts_before", delivery.attempts_before);
  write_some(json, "reason", delivery.reason);
  if (!delivery.history.empty()) {
    json.name("history").begin_array();
    for (const spool::Attempt& attempt : delivery.history) {
      json.begin_object();
      write_time(json, "at", attempt.at);
      json.field("duration_ms", attempt.duration_ms).field("status", attempt.status);
      write_some(json, "error", attempt.error);
      write_some(json, "answer", attempt.answer);
      json.end_object();
    }
    json.end_array();
  }
  if (delivery.grouped()) write_group(json, of);
  json.end_object();
}

void write_mark(JsonWriter& json, std::string_view name, const spool::StopMark& mark) {
  if (!mark.on) return;
  json.name(name).begin_object();
  write_text(json, "by", mark.by);
  write_some(json, "reason", mark.why);
  write_time(json, "since", mark.since);
  json.end_object();
}

JsonWriter begin(std::string_view kind) {
  JsonWriter json;
  json.begin_object().field("kind", kind);
  return json;
}

}  // namespace

std::string_view group_name(wire::GroupKind kind) {
  switch (kind) {
    case wire::GroupKind::none: return "none";
    case wire::GroupKind::order_wait: return "order_wait";
    case wire::GroupKind::order_skip: return "order_skip";
    case wire::GroupKind::debounce: return "debounce";
    case wire::GroupKind::batch_array: return "batch_array";
    case wire::GroupKind::batch_lines: return "batch_lines";
  }
  return "none";
}

void TransferWriter::add(const std::string& line) {
  const size_t start = pending_.size();
  pending_.append(line).push_back('\n');
  checksum_ = crc32c(std::string_view(pending_).substr(start), checksum_);
}

void TransferWriter::header(const spool::TransferHeader& header) {
  JsonWriter json = begin("header");
  json.field("format", header.format).field("schema", header.schema).field("version", BELAY_VERSION);
  write_time(json, "at", header.at);
  json.field("bodies", header.bodies).field("filtered", header.filtered);
  json.field("messages_in_store", header.messages);
  json.end_object();
  add(json.view());
}

void TransferWriter::forgotten(const spool::ForgottenDeliveries& forgotten) {
  JsonWriter json = begin("forgotten");
  write_text(json, "destination", forgotten.destination);
  json.field("delivered", forgotten.delivered).field("dead", forgotten.dead).field("cancelled", forgotten.cancelled).field("superseded", forgotten.superseded);
  json.end_object();
  add(json.view());
}

void TransferWriter::forgotten(const spool::ForgottenLines& forgotten) {
  JsonWriter json = begin("forgotten");
  write_text(json, "source", forgotten.source);
  for (auto outcome = wire::Outcome::forwarded; outcome <= wire::Outcome::failed; outcome = static_cast<wire::Outcome>(static_cast<int>(outcome) + 1)) {
    json.field(wire::to_string(outcome), forgotten.by_outcome[static_cast<size_t>(outcome)]);
  }
  json.end_object();
  add(json.view());
}

void TransferWriter::client(const spool::TransferClient& client) {
  JsonWriter json = begin("client");
  json.field("id", hex(client.id)).field("number", client.number).end_object();
  add(json.view());
}

void TransferWriter::stop(const spool::Stop& stop) {
  JsonWriter json = begin("stop");
  write_text(json, "destination", stop.name);
  write_mark(json, "paused", stop.paused);
  write_mark(json, "disabled", stop.disabled);
  json.end_object();
  add(json.view());
}

void TransferWriter::message(const spool::TransferMessage& message) {
  JsonWriter json = begin("message");
  write_event(json, message.message.event);
  json.name("request");
  write_request(json, message.message.request, bodies_);
  if (!message.message.shapes.empty()) {
    json.name("shapes").begin_array();
    for (const wire::StoredRequest& shape : message.message.shapes) write_request(json, shape, bodies_);
    json.end_array();
  }
  json.name("deliveries").begin_array();
  for (const spool::TransferDelivery& delivery : message.deliveries) write_delivery(json, delivery);
  json.end_array().end_object();
  add(json.view());
}

void TransferWriter::line(const wire::Event& event) {
  JsonWriter json = begin("line");
  write_event(json, event);
  json.end_object();
  add(json.view());
}

void TransferWriter::claim(const spool::StoredClaim& claim) {
  JsonWriter json = begin("claim");
  json.field("key", hex(claim.key)).field("first", claim.first.to_string());
  write_time(json, "until", claim.until);
  json.field("status", claim.status).end_object();
  add(json.view());
}

void TransferWriter::act(const spool::Act& act) {
  JsonWriter json = begin("act");
  json.field("id", act.id.to_string());
  write_text(json, "who", act.who);
  write_text(json, "action", act.action);
  write_text(json, "what", act.target);
  write_text(json, "outcome", act.outcome);
  json.field("messages", act.messages).field("deliveries", act.deliveries).field("left_out", act.left_out).end_object();
  add(json.view());
}

void TransferWriter::trailer(const spool::TransferTrailer& trailer) {
  JsonWriter json = begin("trailer");
  const spool::TransferCounts& counts = trailer.counts;
  json.field("messages", counts.messages).field("deliveries", counts.deliveries).field("lines", counts.lines).field("claims", counts.claims);
  json.field("others", counts.others).field("damaged", trailer.damaged).field("crc32c", fmt::format("{:08x}", checksum_)).end_object();
  add(json.view());
}

Result<void> TransferWriter::flush() {
  for (std::string_view rest = pending_; !rest.empty();) {
    const ssize_t written = write(file_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return errno_error("the export cannot be written");
    rest.remove_prefix(static_cast<size_t>(written));
  }
  pending_.clear();
  return {};
}

}  // namespace belay::cli
