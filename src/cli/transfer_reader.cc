#include "cli/transfer_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "cli/human.h"
#include "cli/transfer_members.h"
#include "cli/transfer_writer.h"

namespace belay::cli {

namespace {

wire::Event read_event(Members& in) {
  wire::Event event;
  event.id = in.id("id");
  event.received = in.time("received");
  event.source = in.bytes("source", true);
  if (in.has("trust")) event.trust = in.word("trust", wire::Trust::unknown, wire::Trust::signed_fresh, [](wire::Trust one) { return wire::to_string(one); });
  event.outcome = in.word("outcome", wire::Outcome::forwarded, wire::Outcome::failed, [](wire::Outcome one) { return wire::to_string(one); });
  event.status = static_cast<uint16_t>(in.number("status", UINT16_MAX));
  const std::pair<const char*, std::string*> texts[] = {{"destination", &event.destination}, {"reason", &event.reason},     {"type", &event.type},
                                                        {"event_id", &event.event_id},       {"resource", &event.resource}, {"client", &event.client},
                                                        {"method", &event.method},           {"path", &event.path}};
  for (const auto& [name, into] : texts) {
    *into = in.bytes(name);
    if (into->size() > wire::EventLines::kMaxText) in.fail(fmt::format("'{}' is longer than {} bytes", name, wire::EventLines::kMaxText));
  }
  if (event.source.size() > wire::EventLines::kMaxText) in.fail(fmt::format("'source' is longer than {} bytes", wire::EventLines::kMaxText));
  event.body_bytes = static_cast<uint32_t>(in.number("body_bytes", UINT32_MAX));
  event.duration_us = static_cast<uint32_t>(in.number("duration_us", UINT32_MAX));
  event.backend_us = static_cast<uint32_t>(in.number("backend_us", UINT32_MAX));
  return event;
}

wire::StoredRequest read_request(const JsonView& object, const std::string& where, bool of_shape, std::optional<Error>& wrong) {
  Members in(object, where, wrong);
  wire::StoredRequest request;
  request.method = in.bytes("method", true);
  request.target = in.bytes("target", true);
  request.path_rest = in.bytes("path_rest");
  request.path = in.bytes("path");
  for (const JsonView& header : in.list("headers")) {
    Members field(header, where + ".headers", wrong);
    std::string name = field.bytes("name", true);
    request.fields.emplace_back(std::move(name), field.bytes("value", true));
    field.end();
  }
  request.forwarded_for = in.bytes("forwarded_for");
  request.tls = in.flag("tls");
  request.received_body = of_shape && in.flag("received_body");
  request.has_body = request.received_body ? in.flag("has_body", true) : in.has("body") || in.has("body_base64");
  request.body = in.bytes("body");
  if (in.has("bytes")) in.fail("'bytes' stands in place of the body; export again, with bodies");
  in.end();
  return request;
}

void read_group(const JsonView& object, const std::string& where, spool::TransferDelivery& into, std::optional<Error>& wrong) {
  Members in(object, where + ".group", wrong);
  spool::Delivery& delivery = into.delivery;
  wire::Grouping& grouping = delivery.grouping;
  grouping.kind = in.word("kind", wire::GroupKind::order_wait, wire::GroupKind::batch_lines, group_name);
  grouping.key = in.hex("key");
  delivery.turn = in.number("turn");
  into.in_group = in.flag("in_turn", true);
  grouping.wait_ms = in.milliseconds("wait_ms");
  grouping.at_most_ms = in.milliseconds("at_most_ms");
  grouping.max = static_cast<uint32_t>(in.number("max", UINT32_MAX, false));
  grouping.bytes = static_cast<uint32_t>(in.number("bytes", UINT32_MAX, false));
  delivery.batch = in.id("batch", wire::is_batch(grouping.kind));
  delivery.since = in.time("since", false);
  in.end();
}

spool::Attempt read_attempt(const JsonView& object, const std::string& where, std::optional<Error>& wrong) {
  Members in(object, where + ".history", wrong);
  spool::Attempt attempt;
  attempt.at = in.time("at");
  attempt.duration_ms = static_cast<uint32_t>(in.number("duration_ms", UINT32_MAX));
  attempt.status = static_cast<uint16_t>(in.number("status", UINT16_MAX));
  attempt.error = in.bytes("error");
  attempt.answer = in.bytes("answer");
  in.end();
  return attempt;
}

spool::TransferDelivery read_delivery(const JsonView& object, const MessageId& message, size_t shapes, std::optional<Error>& wrong) {
  const std::string where = "deliveries";
  Members in(object, where, wrong);
  spool::TransferDelivery read;
  spool::Delivery& delivery = read.delivery;
  delivery.message = message;
  delivery.destination_name = in.bytes("destination", true);
  if (delivery.destination_name.empty()) in.fail("'destination' is empty; write its name");
  delivery.destination = spool::destination_id(delivery.destination_name);
  delivery.state = in.word("state", spool::DeliveryState::queued, spool::DeliveryState::superseded, [](spool::DeliveryState one) { return spool::to_string(one); });
  if (delivery.state == spool::DeliveryState::sending) delivery.state = spool::DeliveryState::queued;
  delivery.due = in.time("due", false);
  delivery.expires = in.time("expires", false);
  delivery.route = static_cast<uint16_t>(std::max<uint64_t>(in.number("route", UINT16_MAX), 1) - 1);
  delivery.shape = static_cast<uint16_t>(in.number("shape", UINT16_MAX, false));
  if (delivery.shape > shapes) in.fail(fmt::format("'shape' is {}, the message has {}", delivery.shape, shapes));
  delivery.unmade = in.flag("unmade");
  delivery.attempts = static_cast<uint32_t>(in.number("attempts", UINT32_MAX));
  delivery.attempts_before = static_cast<uint32_t>(in.number("attempts_before", UINT32_MAX, false));
  delivery.reason = in.bytes("reason");
  for (const JsonView& attempt : in.list("history", false)) delivery.history.push_back(read_attempt(attempt, where, wrong));
  if (delivery.history.size() > spool::Delivery::kMaxAttemptsKept) in.fail(fmt::format("'history' holds more than {} attempts", spool::Delivery::kMaxAttemptsKept));
  if (in.has("group")) read_group(in.object("group"), where, read, wrong);
  in.end();
  return read;
}

spool::TransferMessage read_message(Members& in, std::optional<Error>& wrong) {
  spool::TransferMessage read;
  read.message.event = read_event(in);
  read.message.request = read_request(in.object("request"), "request", false, wrong);
  for (const JsonView& shape : in.list("shapes", false)) read.message.shapes.push_back(read_request(shape, "shapes", true, wrong));
  for (const JsonView& one : in.list("deliveries")) {
    read.deliveries.push_back(read_delivery(one, read.message.event.id, read.message.shapes.size(), wrong));
    const auto twin = [&](const spool::TransferDelivery& other) { return other.delivery.destination == read.deliveries.back().delivery.destination; };
    if (std::count_if(read.deliveries.begin(), read.deliveries.end(), twin) > 1) in.fail("two deliveries have one destination; leave one out");
  }
  const bool kept = read.message.event.outcome == wire::Outcome::rejected;
  if (read.deliveries.empty() && !kept) in.fail("only a rejected message, in quarantine, has no deliveries; write one at least");
  return read;
}

spool::TransferHeader read_header(Members& in) {
  spool::TransferHeader header;
  header.format = static_cast<uint32_t>(in.number("format", UINT32_MAX));
  if (header.format != spool::TransferHeader::kFormat) {
    in.fail(fmt::format("format {} is {} than this release reads ({}); import it with the release that wrote it", header.format,
                        header.format > spool::TransferHeader::kFormat ? "newer" : "older", spool::TransferHeader::kFormat));
  }
  header.schema = static_cast<uint32_t>(in.number("schema", UINT32_MAX));
  static_cast<void>(in.text("version"));
  header.at = in.time("at");
  header.bodies = in.flag("bodies", true);
  header.filtered = in.flag("filtered");
  header.messages = in.number("messages_in_store");
  return header;
}

TransferPart read_forgotten(Members& in) {
  if (!in.has("source") && !in.has("source_base64")) {
    spool::ForgottenDeliveries forgotten;
    forgotten.destination = in.bytes("destination", true);
    forgotten.delivered = in.number("delivered");
    forgotten.dead = in.number("dead");
    forgotten.cancelled = in.number("cancelled");
    forgotten.superseded = in.number("superseded");
    return forgotten;
  }
  spool::ForgottenLines forgotten;
  forgotten.source = in.bytes("source");
  for (auto outcome = wire::Outcome::forwarded; outcome <= wire::Outcome::failed; outcome = static_cast<wire::Outcome>(static_cast<int>(outcome) + 1)) {
    forgotten.by_outcome[static_cast<size_t>(outcome)] = in.number(wire::to_string(outcome));
  }
  return forgotten;
}

spool::Stop read_stop(Members& in, std::optional<Error>& wrong) {
  spool::Stop stop;
  stop.name = in.bytes("destination", true);
  stop.destination = spool::destination_id(stop.name);
  const std::pair<const char*, spool::StopMark*> marks[] = {{"paused", &stop.paused}, {"disabled", &stop.disabled}};
  for (const auto& [name, mark] : marks) {
    if (!in.has(name)) continue;
    Members of(in.object(name), name, wrong);
    mark->on = true;
    mark->by = of.bytes("by", true);
    mark->why = of.bytes("reason");
    mark->since = of.time("since");
    of.end();
  }
  return stop;
}

spool::Act read_act(Members& in) {
  spool::Act act;
  act.id = in.id("id");
  act.who = in.bytes("who", true);
  act.action = in.bytes("action", true);
  act.target = in.bytes("what", true);
  act.outcome = in.bytes("outcome", true);
  act.messages = in.number("messages");
  act.deliveries = in.number("deliveries");
  act.left_out = in.number("left_out");
  return act;
}

ReadTrailer read_trailer(Members& in) {
  ReadTrailer read;
  spool::TransferCounts& counts = read.trailer.counts;
  counts.messages = in.number("messages");
  counts.deliveries = in.number("deliveries");
  counts.lines = in.number("lines");
  counts.claims = in.number("claims");
  counts.others = in.number("others");
  read.trailer.damaged = in.number("damaged");
  const auto checksum = hex_decode(in.text("crc32c"));
  if (!checksum || checksum->size() != 4) in.fail("'crc32c' is not 8 hexadecimal digits");
  else read.checksum = static_cast<uint32_t>(get_be(checksum->data(), 4));
  return read;
}

TransferPart read_part(const std::string& kind, Members& in, std::optional<Error>& wrong) {
  if (kind == "header") return read_header(in);
  if (kind == "message") return read_message(in, wrong);
  if (kind == "line") return read_event(in);
  if (kind == "claim") {
    spool::StoredClaim claim;
    claim.key = in.hex("key");
    claim.first = in.id("first");
    claim.until = in.time("until");
    claim.status = static_cast<uint16_t>(in.number("status", UINT16_MAX));
    return claim;
  }
  if (kind == "client") return spool::TransferClient{in.hex("id"), in.number("number")};
  if (kind == "stop") return read_stop(in, wrong);
  if (kind == "act") return read_act(in);
  if (kind == "forgotten") return read_forgotten(in);
  if (kind == "trailer") return read_trailer(in);
  in.fail(fmt::format("unknown kind '{}'; write one of: header, forgotten, client, stop, message, line, claim, act, trailer", visible(kind, Members::kLongestName)));
  return spool::TransferHeader{};
}

}  // namespace

Result<TransferPart> read_transfer_line(std::string_view line) {
  const auto document = json::Document::parse(line, {.bytes = kMaxTransferLine});
  if (!document) return invalid("no JSON: " + document.error().message);
  std::optional<Error> wrong;
  Members in(JsonView(**document), "", wrong);
  const std::string kind = in.text("kind");
  if (wrong) return *wrong;
  TransferPart part = read_part(kind, in, wrong);
  if (!wrong) in.end();
  if (wrong) return *wrong;
  return part;
}

}  // namespace belay::cli
