#include "wire/messages.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "wire/codec.h"

namespace belay::wire {

namespace {

constexpr uint8_t kEncoding = 2;
constexpr size_t kMaxDeliveries = UINT16_MAX;
constexpr size_t kMaxShapes = UINT16_MAX;
constexpr size_t kMaxConfirmed = 1'000'000;
constexpr size_t kMaxFields = 20'000;     // what limits.headers lets in, and what a transform adds
constexpr size_t kMaxCounters = 1'000'000;

Error broken(std::string_view what) { return {ErrorKind::corrupt, "wire: " + std::string(what) + " cannot be read"}; }

bool is_outcome(uint8_t value) {
  return value >= static_cast<uint8_t>(Outcome::forwarded) && value <= static_cast<uint8_t>(Outcome::failed);
}

EventView read_line_body(Reader& in) {
  EventView event;
  event.id = in.id();
  event.received = wall_from_ms(in.i64());
  const uint8_t outcome = in.u8();
  if (!is_outcome(outcome)) in.fail();
  event.outcome = static_cast<Outcome>(outcome);
  event.status = in.u16();
  event.body_bytes = in.u32();
  event.duration_us = in.u32();
  event.backend_us = in.u32();
  for (std::string_view* text : {&event.source, &event.destination, &event.reason, &event.type, &event.event_id,
                                 &event.resource, &event.client, &event.method, &event.path}) {
    *text = in.text16();
  }
  if (in.finished()) return event;  // written before lines had a trust
  const uint8_t trust = in.u8();
  if (trust > static_cast<uint8_t>(Trust::signed_fresh)) in.fail();
  event.trust = static_cast<Trust>(trust);
  return event;
}

Reader open(std::string_view bytes) {
  Reader in(bytes);
  if (in.u8() != kEncoding) in.fail();
  return in;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::forwarded: return "forwarded";
    case Outcome::spooled: return "spooled";
    case Outcome::filtered: return "filtered";
    case Outcome::duplicate: return "duplicate";
    case Outcome::rejected: return "rejected";
    case Outcome::failed: return "failed";
  }
  return "unknown";
}

// A line: length (2), then fixed parts, then nine texts, then what was added later: trust (1). kMaxText keeps the whole below 64 KB.
void append_line(std::string& out, const Event& event) {
  constexpr size_t kFixed = 16 + 8 + 1 + 2 + 4 + 4 + 4 + 1;
  static_assert(9 * (EventLines::kMaxText + 2) + 64 < UINT16_MAX);
  const std::array<const std::string*, 9> texts = {&event.source, &event.destination, &event.reason, &event.type, &event.event_id,
                                                   &event.resource, &event.client, &event.method, &event.path};
  size_t length = kFixed;
  for (const std::string* text : texts) length += 2 + std::min(text->size(), EventLines::kMaxText);
  const size_t start = out.size();
  out.resize(start + 2 + length);
  char* at = store_be16(out.data() + start, static_cast<uint16_t>(length));
  at = std::copy_n(event.id.view().data(), event.id.view().size(), at);
  at = store_be64(at, static_cast<uint64_t>(to_ms(event.received)));
  *at++ = static_cast<char>(event.outcome);
  at = store_be16(at, event.status);
  at = store_be32(at, event.body_bytes);
  at = store_be32(at, event.duration_us);
  at = store_be32(at, event.backend_us);
  for (const std::string* text : texts) {
    const size_t kept = std::min(text->size(), EventLines::kMaxText);
    at = store_be16(at, static_cast<uint16_t>(kept));
    at = std::copy_n(text->data(), kept, at);
  }
  *at++ = static_cast<char>(event.trust);
  BELAY_CHECK(at == out.data() + out.size());
}

Result<EventView> next_event(std::string_view& rest) {
  Reader in(rest);
  const std::string_view body = in.text16();
  Reader parts(body);
  EventView event = read_line_body(parts);
  if (in.failed() || !parts.finished()) return broken("line of the books");
  event.line = rest.substr(0, body.size() + 2);
  rest = in.rest();
  return event;
}

Event EventView::copy() const {
  Event event;
  event.id = id;
  event.received = received;
  event.outcome = outcome;
  event.status = status;
  event.source = source;
  event.destination = destination;
  event.reason = reason;
  event.type = type;
  event.event_id = event_id;
  event.resource = resource;
  event.client = client;
  event.method = method;
  event.path = path;
  event.body_bytes = body_bytes;
  event.duration_us = duration_us;
  event.backend_us = backend_us;
  event.trust = trust;
  return event;
}

void EventLines::add(const Event& event) {
  append_line(bytes_, event);
  ++count_;
}

void EventLines::add_line(std::string_view line, size_t count) {
  bytes_.append(line);
  count_ += count;
}

void EventLines::clear() {
  bytes_.clear();
  count_ = 0;
}

Result<EventLines> EventLines::parse(std::string_view bytes) {
  EventLines lines;
  for (std::string_view rest = bytes; !rest.empty();) {
    if (auto event = next_event(rest); !event) return event.error();
    ++lines.count_;
  }
  lines.bytes_ = bytes;
  return lines;
}

void append_request_head(std::string& out, const StoredRequest& request) {
  put_text16(out, request.method);
  put_text32(out, request.target);
  put_text32(out, request.path_rest);
  put_text32(out, request.path);
  put_be16(out, static_cast<uint16_t>(request.fields.size()));
  size_t bytes = 0;
  for (const auto& [name, value] : request.fields) bytes += 4 + name.size() + 4 + value.size();
  const size_t start = out.size();
  out.resize(start + bytes);
  char* at = out.data() + start;
  for (const auto& [name, value] : request.fields) {
    at = store_be32(at, static_cast<uint32_t>(name.size()));
    at = std::copy_n(name.data(), name.size(), at);
    at = store_be32(at, static_cast<uint32_t>(value.size()));
    at = std::copy_n(value.data(), value.size(), at);
  }
  put_text16(out, request.forwarded_for);
  put_u8(out, request.tls ? 1 : 0);
  put_u8(out, request.has_body ? 1 : 0);
  put_u8(out, request.received_body ? 1 : 0);
}

bool read_request_head(Reader& in, StoredRequest& request) {
  request.method = in.text16();
  request.target = in.text32();
  request.path_rest = in.text32();
  request.path = in.text32();
  const size_t fields = in.u16();
  if (fields > kMaxFields) in.fail();
  if (!in.failed()) request.fields.reserve(fields);
  for (size_t i = 0; i < fields && !in.failed(); ++i) {
    const std::string_view name = in.text32();
    request.fields.emplace_back(name, in.text32());
  }
  request.forwarded_for = in.text16();
  request.tls = in.boolean();
  request.has_body = in.boolean();
  request.received_body = in.boolean();
  return !in.failed();
}

void append_grouping(std::string& out, const Grouping& grouping) {
  put_u8(out, static_cast<uint8_t>(grouping.kind));
  if (grouping.kind == GroupKind::none) return;
  out.append(reinterpret_cast<const char*>(grouping.key.data()), grouping.key.size());
  put_be64(out, static_cast<uint64_t>(grouping.wait_ms));
  put_be64(out, static_cast<uint64_t>(grouping.at_most_ms));
  put_be32(out, grouping.max);
  put_be32(out, grouping.bytes);
}

Grouping read_grouping(Reader& in) {
  Grouping grouping;
  const uint8_t kind = in.u8();
  if (kind > static_cast<uint8_t>(GroupKind::batch_lines)) in.fail();
  if (kind == 0 || in.failed()) return grouping;
  grouping.kind = static_cast<GroupKind>(kind);
  const std::string_view key = in.take(grouping.key.size());
  std::copy(key.begin(), key.end(), grouping.key.begin());
  grouping.wait_ms = in.i64();
  grouping.at_most_ms = in.i64();
  grouping.max = in.u32();
  grouping.bytes = in.u32();
  return grouping;
}

namespace {

void append_request(std::string& out, const StoredRequest& request) {
  BELAY_CHECK(request.fields.size() <= kMaxFields);
  append_request_head(out, request);
  put_text32(out, request.body);
}

bool read_request(Reader& in, StoredRequest& request) {
  if (!read_request_head(in, request)) return false;
  request.body = in.text32();
  return !in.failed();
}

void append_claims(std::string& out, const std::vector<Claim>& claims) {
  BELAY_CHECK(claims.size() <= kMaxClaims);
  put_u8(out, static_cast<uint8_t>(claims.size()));
  for (const Claim& claim : claims) {
    out.append(reinterpret_cast<const char*>(claim.key.data()), claim.key.size());
    put_be64(out, static_cast<uint64_t>(claim.window_ms));
  }
}

std::vector<Claim> read_claims(Reader& in) {
  const size_t count = in.u8();
  if (count > kMaxClaims) in.fail();
  std::vector<Claim> claims(in.failed() ? 0 : count);
  for (Claim& claim : claims) {
    const std::string_view key = in.take(claim.key.size());
    std::copy(key.begin(), key.end(), claim.key.begin());
    claim.window_ms = in.i64();
  }
  return claims;
}

void append_claimed_by(std::string& out, const ClaimedBy& by) {
  out.append(by.first.view());
  put_be16(out, by.status);
  put_u8(out, by.claim);
}

ClaimedBy read_claimed_by(Reader& in) {
  ClaimedBy by;
  by.first = in.id();
  by.status = in.u16();
  by.claim = in.u8();
  return by;
}

}  // namespace

void append(std::string& out, const Put& put) {
  BELAY_CHECK(put.deliveries.size() <= kMaxDeliveries && put.shapes.size() <= kMaxShapes);
  out.reserve(out.size() + put.request.body.size() + 2048);
  put_u8(out, kEncoding);
  append_line(out, put.event);
  put_u8(out, put.first_attempt_failed ? 1 : 0);
  put_be16(out, put.attempt_status);
  put_text16(out, put.attempt_error);
  put_be64(out, static_cast<uint64_t>(put.delay_ms));
  append_claims(out, put.claims);
  put_be16(out, static_cast<uint16_t>(put.deliveries.size()));
  for (const PutDelivery& delivery : put.deliveries) {
    put_text16(out, delivery.destination);
    put_be16(out, delivery.route);
    put_be16(out, delivery.shape);
    put_text16(out, delivery.dead);
    append_grouping(out, delivery.grouping);
    put_be64(out, static_cast<uint64_t>(delivery.delay_ms));
    put_be64(out, static_cast<uint64_t>(delivery.expire_ms));
  }
  append_request(out, put.request);
  put_be16(out, static_cast<uint16_t>(put.shapes.size()));
  for (const StoredRequest& shape : put.shapes) append_request(out, shape);
}

Result<Put> decode_put(std::string_view bytes) {
  Reader in = open(bytes);
  Put put;
  std::string_view rest = in.rest();
  auto event = next_event(rest);
  if (in.failed() || !event) return broken("put");
  put.event = event->copy();
  in.take(event->line.size());
  put.first_attempt_failed = in.boolean();
  put.attempt_status = in.u16();
  put.attempt_error = in.text16();
  put.delay_ms = in.i64();
  put.claims = read_claims(in);
  const size_t deliveries = in.u16();
  if (deliveries > kMaxDeliveries) in.fail();
  for (size_t i = 0; i < deliveries && !in.failed(); ++i) {
    PutDelivery& delivery = put.deliveries.emplace_back();
    delivery.destination = in.text16();
    delivery.route = in.u16();
    delivery.shape = in.u16();
    delivery.dead = in.text16();
    delivery.grouping = read_grouping(in);
    delivery.delay_ms = in.i64();
    delivery.expire_ms = in.i64();
  }
  if (!read_request(in, put.request)) return broken("put");
  const size_t shapes = in.u16();
  if (shapes > kMaxShapes) in.fail();
  for (size_t i = 0; i < shapes && !in.failed(); ++i) static_cast<void>(read_request(in, put.shapes.emplace_back()));
  for (const PutDelivery& delivery : put.deliveries) {
    if (delivery.shape > put.shapes.size()) in.fail();
  }
  if (!in.finished()) return broken("put");
  return put;
}

void append(std::string& out, const PutResult& result) {
  put_u8(out, kEncoding);
  out.append(result.id.view());
  put_u8(out, static_cast<uint8_t>(result.state));
  put_text16(out, result.reason);
  append_claimed_by(out, result.by);
}

Result<PutResult> decode_put_result(std::string_view bytes) {
  Reader in = open(bytes);
  PutResult result;
  result.id = in.id();
  const uint8_t state = in.u8();
  if (state < static_cast<uint8_t>(PutState::stored) || state > static_cast<uint8_t>(PutState::claimed)) in.fail();
  result.state = static_cast<PutState>(state);
  result.reason = in.text16();
  result.by = read_claimed_by(in);
  if (!in.finished()) return broken("put result");
  return result;
}

void append(std::string& out, const ClaimRequest& request) {
  put_u8(out, kEncoding);
  out.append(request.id.view());
  append_claims(out, request.claims);
}

Result<ClaimRequest> decode_claim_request(std::string_view bytes) {
  Reader in = open(bytes);
  ClaimRequest request;
  request.id = in.id();
  request.claims = read_claims(in);
  if (!in.finished() || request.claims.empty()) return broken("claim");
  return request;
}

void append(std::string& out, const ClaimResult& result) {
  put_u8(out, kEncoding);
  out.append(result.id.view());
  put_u8(out, static_cast<uint8_t>(result.state));
  append_claimed_by(out, result.by);
}

Result<ClaimResult> decode_claim_result(std::string_view bytes) {
  Reader in = open(bytes);
  ClaimResult result;
  result.id = in.id();
  const uint8_t state = in.u8();
  if (state < static_cast<uint8_t>(ClaimState::fresh) || state > static_cast<uint8_t>(ClaimState::busy)) in.fail();
  result.state = static_cast<ClaimState>(state);
  result.by = read_claimed_by(in);
  if (!in.finished()) return broken("claim result");
  return result;
}

void append(std::string& out, uint64_t number, const EventLines& lines, const std::vector<Confirmed>& confirmed) {
  put_u8(out, kEncoding);
  put_be64(out, number);
  put_be32(out, static_cast<uint32_t>(confirmed.size()));
  for (const Confirmed& one : confirmed) {
    out.append(one.id.view());
    put_be16(out, one.status);
    append_claims(out, one.claims);
  }
  put_be32(out, static_cast<uint32_t>(lines.count()));
  out.append(lines.bytes());
}

Result<Events> decode_events(std::string_view bytes) {
  Reader in = open(bytes);
  Events events;
  events.number = in.u64();
  const size_t confirmed = in.u32();
  if (confirmed > kMaxConfirmed) in.fail();
  for (size_t i = 0; i < confirmed && !in.failed(); ++i) {
    Confirmed& one = events.confirmed.emplace_back();
    one.id = in.id();
    one.status = in.u16();
    one.claims = read_claims(in);
  }
  const size_t count = in.u32();
  if (in.failed()) return broken("events");
  auto lines = EventLines::parse(in.rest());
  if (!lines) return lines.error();
  if (lines->count() != count) return broken("events");
  events.lines = std::move(*lines);
  return events;
}

void append(std::string& out, const Counters& counters) {
  put_u8(out, kEncoding);
  put_be64(out, counters.worker);
  put_be32(out, static_cast<uint32_t>(counters.counters.size()));
  for (const Counter& counter : counters.counters) {
    put_text16(out, counter.name);
    put_text16(out, counter.labels);
    put_be64(out, counter.value);
  }
}

Result<Counters> decode_counters(std::string_view bytes) {
  Reader in = open(bytes);
  Counters counters;
  counters.worker = in.u64();
  const size_t count = in.u32();
  if (count > kMaxCounters) in.fail();
  for (size_t i = 0; i < count && !in.failed(); ++i) {
    Counter counter;
    counter.name = in.text16();
    counter.labels = in.text16();
    counter.value = in.u64();
    counters.counters.push_back(std::move(counter));
  }
  if (!in.finished()) return broken("counters");
  return counters;
}

void append(std::string& out, const Hello& hello) {
  put_u8(out, kEncoding);
  put_be64(out, hello.process);
  out.append(reinterpret_cast<const char*>(hello.client.data()), hello.client.size());
}

Result<Hello> decode_hello(std::string_view bytes) {
  Reader in = open(bytes);
  Hello hello;
  hello.process = in.u64();
  const std::string_view client = in.take(hello.client.size());
  if (!in.finished()) return broken("hello");
  std::copy(client.begin(), client.end(), hello.client.begin());
  return hello;
}

void append(std::string& out, const State& state) {
  put_u8(out, kEncoding);
  put_u8(out, state.accepting ? 1 : 0);
  put_text16(out, state.reason);
}

Result<State> decode_state(std::string_view bytes) {
  Reader in = open(bytes);
  State state;
  state.accepting = in.boolean();
  state.reason = in.text16();
  if (!in.finished()) return broken("state");
  return state;
}

void append(std::string& out, const DestinationStates& states) {
  BELAY_CHECK(states.size() <= kMaxDestinationStates);
  put_u8(out, kEncoding);
  put_be32(out, static_cast<uint32_t>(states.size()));
  for (const DestinationState& state : states) {
    put_be64(out, state.destination);
    put_u8(out, state.flags);
    put_be64(out, state.urls_down);
  }
}

Result<DestinationStates> decode_destination_states(std::string_view bytes) {
  Reader in = open(bytes);
  const uint32_t count = in.u32();
  if (count > kMaxDestinationStates) in.fail();
  DestinationStates states;
  for (uint32_t i = 0; i < count && !in.failed(); ++i) {
    DestinationState& state = states.emplace_back();
    state.destination = in.u64();
    state.flags = in.u8();
    state.urls_down = in.u64();
  }
  if (!in.finished()) return broken("destination states");
  return states;
}

}  // namespace belay::wire
