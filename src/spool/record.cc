#include "spool/record.h"

#include <xxhash.h>

#include <algorithm>

#include "base/crc32c.h"
#include "wire/codec.h"

namespace belay::spool {

namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kSealBytes = 5;  // version and checksum
constexpr size_t kReasonBytes = 512;

Error damaged(std::string_view what) { return {ErrorKind::corrupt, "stored " + std::string(what) + " is damaged"}; }

size_t begin_seal(std::string& out) {
  const size_t start = out.size();
  wire::put_u8(out, kVersion);
  return start;
}

void end_seal(std::string& out, size_t start) { put_be32(out, crc32c(std::string_view(out).substr(start))); }

void append_attempt(std::string& out, const Attempt& attempt) {
  put_be64(out, static_cast<uint64_t>(to_ms(attempt.at)));
  put_be32(out, attempt.duration_ms);
  put_be16(out, attempt.status);
  wire::put_text16(out, attempt.error, Attempt::kErrorBytes);
  wire::put_text16(out, attempt.answer, Attempt::kAnswerBytes);
}

Attempt read_attempt(wire::Reader& in) {
  Attempt attempt;
  attempt.at = wall_from_ms(in.i64());
  attempt.duration_ms = in.u32();
  attempt.status = in.u16();
  attempt.error = in.text16();
  attempt.answer = in.text16();
  return attempt;
}

// Of the state's byte: the parts of append_shaping() follow at the end. Records without it are those of every older release.
constexpr uint8_t kShaped = 0x80;

DeliveryHead read_head(wire::Reader& in) {
  const uint8_t byte = in.u8();
  const uint8_t state = byte & ~kShaped;
  if (state < static_cast<uint8_t>(DeliveryState::queued) || state > static_cast<uint8_t>(DeliveryState::superseded)) {
    in.fail();
  }
  const WallTime due = wall_from_ms(in.i64());
  return {static_cast<DeliveryState>(state), due, in.u32(), (byte & kShaped) != 0};
}

void append_shaping(std::string& out, const Delivery& delivery) {
  put_be64(out, static_cast<uint64_t>(to_ms(delivery.expires)));
  wire::append_grouping(out, delivery.grouping);
  put_be64(out, delivery.turn);
  out.append(delivery.batch.view());
  put_be64(out, static_cast<uint64_t>(to_ms(delivery.since)));
}

void read_shaping(wire::Reader& in, Delivery& delivery) {
  delivery.expires = wall_from_ms(in.i64());
  delivery.grouping = wire::read_grouping(in);
  delivery.turn = in.u64();
  delivery.batch = in.id();
  delivery.since = wall_from_ms(in.i64());
}

}  // namespace

std::string_view to_string(DeliveryState state) {
  switch (state) {
    case DeliveryState::queued: return "queued";
    case DeliveryState::sending: return "sending";
    case DeliveryState::scheduled: return "scheduled";
    case DeliveryState::delivered: return "delivered";
    case DeliveryState::dead: return "dead";
    case DeliveryState::cancelled: return "cancelled";
    case DeliveryState::superseded: return "superseded";
  }
  return "unknown";
}

bool may_become(DeliveryState from, DeliveryState to) {
  switch (from) {
    case DeliveryState::queued:
    case DeliveryState::scheduled:
      return to == DeliveryState::sending || to == DeliveryState::cancelled || to == DeliveryState::superseded;
    case DeliveryState::sending:
      return to == DeliveryState::delivered || to == DeliveryState::scheduled || to == DeliveryState::dead ||
             to == DeliveryState::cancelled || to == DeliveryState::superseded;
    case DeliveryState::dead: return to == DeliveryState::queued || to == DeliveryState::cancelled;
    case DeliveryState::delivered:
    case DeliveryState::cancelled: return to == DeliveryState::queued;
    case DeliveryState::superseded: return false;  // a newer one went in its place
  }
  return false;
}

void add_attempt(Delivery& delivery, Attempt attempt) {
  attempt.error.resize(std::min(attempt.error.size(), Attempt::kErrorBytes));
  attempt.answer.resize(std::min(attempt.answer.size(), Attempt::kAnswerBytes));
  ++delivery.attempts;
  if (delivery.history.size() >= Delivery::kMaxAttemptsKept) {
    delivery.history.erase(delivery.history.begin() + Delivery::kMaxAttemptsKept / 2);
  }
  delivery.history.push_back(std::move(attempt));
}

void append_sealed(std::string& out, std::string_view payload) {
  const size_t start = begin_seal(out);
  out.append(payload);
  end_seal(out, start);
}

Result<std::string_view> unseal(std::string_view stored) {
  if (stored.size() < kSealBytes) return damaged("value");
  const std::string_view checked = stored.substr(0, stored.size() - 4);
  if (get_be(stored.data() + checked.size(), 4) != crc32c(checked)) return damaged("value");
  if (static_cast<uint8_t>(stored.front()) != kVersion) {
    return Error{ErrorKind::corrupt, "stored value of version " + std::to_string(static_cast<uint8_t>(stored.front())) +
                                         ", this release reads " + std::to_string(kVersion)};
  }
  return checked.substr(1);
}

size_t Message::body_bytes() const {
  size_t bytes = request.body.size();
  for (const wire::StoredRequest& one : shapes) bytes += one.body.size();
  return bytes;
}

// Payload: line of the books, number of shapes, then the request and each shape: head, whether the body is elsewhere, its
// length, the body unless it is.
void append_sealed(std::string& out, const Message& message, size_t inline_body) {
  const size_t start = begin_seal(out);
  wire::append_line(out, message.event);
  put_be16(out, static_cast<uint16_t>(message.shapes.size()));
  for (size_t i = 0; i <= message.shapes.size(); ++i) {
    const wire::StoredRequest& request = message.shape(static_cast<uint16_t>(i));
    const bool in_chunks = request.body.size() > inline_body;
    wire::append_request_head(out, request);
    wire::put_u8(out, in_chunks ? 1 : 0);
    put_be32(out, static_cast<uint32_t>(request.body.size()));
    if (!in_chunks) out.append(request.body);
  }
  end_seal(out, start);
}

Result<StoredMessage> read_message(std::string_view stored) {
  auto payload = unseal(stored);
  if (!payload) return payload.error();
  std::string_view rest = *payload;
  auto event = wire::next_event(rest);
  if (!event) return damaged("message");
  StoredMessage read;
  read.message.event = event->copy();
  wire::Reader in(rest);
  const size_t shapes = in.u16();
  for (size_t i = 0; i <= shapes && !in.failed(); ++i) {
    wire::StoredRequest& request = i == 0 ? read.message.request : read.message.shapes.emplace_back();
    if (!wire::read_request_head(in, request)) return damaged("message");
    const bool in_chunks = in.boolean();
    const uint32_t length = in.u32();
    read.chunked.push_back(in_chunks ? length : 0);
    if (!in_chunks) request.body = in.take(length);
  }
  if (!in.finished()) return damaged("message");
  return read;
}

void append_sealed(std::string& out, const Delivery& delivery) {
  const size_t start = begin_seal(out);
  wire::put_u8(out, static_cast<uint8_t>(static_cast<uint8_t>(delivery.state) | (delivery.shaped() ? kShaped : 0)));
  put_be64(out, static_cast<uint64_t>(to_ms(delivery.due)));
  put_be32(out, delivery.attempts);
  put_be32(out, delivery.attempts_before);
  out.append(delivery.message.view());
  put_be64(out, delivery.destination);
  wire::put_text16(out, delivery.destination_name);
  put_be16(out, delivery.route);
  put_be16(out, delivery.shape);
  wire::put_u8(out, delivery.unmade ? 1 : 0);
  wire::put_text16(out, delivery.reason, kReasonBytes);
  const size_t kept = std::min(delivery.history.size(), Delivery::kMaxAttemptsKept);
  wire::put_u8(out, static_cast<uint8_t>(kept));
  for (size_t i = 0; i < kept; ++i) append_attempt(out, delivery.history[i]);
  if (delivery.shaped()) append_shaping(out, delivery);
  end_seal(out, start);
}

Result<DeliveryHead> read_delivery_head(std::string_view stored) {
  auto payload = unseal(stored);
  if (!payload) return payload.error();
  wire::Reader in(*payload);
  const DeliveryHead head = read_head(in);
  if (in.failed()) return damaged("delivery");
  return head;
}

std::optional<DeliveryState> read_delivery_state(std::string_view stored) {
  if (stored.size() < kSealBytes + 1 || static_cast<uint8_t>(stored[0]) != kVersion) return std::nullopt;
  const uint8_t state = static_cast<uint8_t>(stored[1]) & static_cast<uint8_t>(~kShaped);
  if (state < static_cast<uint8_t>(DeliveryState::queued) || state > static_cast<uint8_t>(DeliveryState::superseded)) return std::nullopt;
  return static_cast<DeliveryState>(state);
}

Result<Delivery> read_delivery(std::string_view stored) {
  auto payload = unseal(stored);
  if (!payload) return payload.error();
  wire::Reader in(*payload);
  Delivery delivery;
  const DeliveryHead head = read_head(in);
  delivery.state = head.state;
  delivery.due = head.due;
  delivery.attempts = head.attempts;
  delivery.attempts_before = in.u32();
  delivery.message = in.id();
  delivery.destination = in.u64();
  delivery.destination_name = in.text16();
  delivery.route = in.u16();
  delivery.shape = in.u16();
  delivery.unmade = in.boolean();
  delivery.reason = in.text16();
  const size_t kept = in.u8();
  for (size_t i = 0; i < kept && !in.failed(); ++i) delivery.history.push_back(read_attempt(in));
  if (head.shaped) read_shaping(in, delivery);
  if (!in.finished()) return damaged("delivery");
  return delivery;
}

DestinationId destination_id(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }

}  // namespace belay::spool
