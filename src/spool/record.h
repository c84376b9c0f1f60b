// The stored form of messages, deliveries and attempts, and the table of legal delivery states. Every stored value is
// version byte, payload, CRC32C (P9). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "wire/messages.h"

namespace belay::spool {

using DestinationId = uint64_t;  // upstream::Destination::key

// queued → sending → delivered | scheduled(due) | dead(reason) | cancelled(operator); dead, delivered, cancelled → queued
// only by replay. `sending` is a lease of the running process and is not stored: after a crash the delivery is queued again.
enum class DeliveryState : uint8_t { queued = 1, sending = 2, scheduled = 3, delivered = 4, dead = 5, cancelled = 6 };
std::string_view to_string(DeliveryState state);
// True when the table allows the step.
bool may_become(DeliveryState from, DeliveryState to);

struct Attempt {
  WallTime at{};
  uint32_t duration_ms = 0;
  uint16_t status = 0;      // 0: no answer
  std::string error;        // outcome and one line
  std::string answer;       // first kAnswerBytes of the answer's body
  static constexpr size_t kAnswerBytes = 1024;
};

struct Delivery {
  static constexpr size_t kMaxAttemptsKept = 32;  // first and last ones are kept, the middle is counted
  MessageId message;
  DestinationId destination = 0;
  std::string destination_name;
  DeliveryState state = DeliveryState::queued;
  WallTime due{};
  uint32_t attempts = 0;
  std::vector<Attempt> history;
  std::string reason;       // dead or cancelled: why, by whom
};

struct Message {
  wire::Event event;
  wire::StoredRequest request;
};

std::string encode(const Message& message);
std::string encode(const Delivery& delivery);
Result<Message> decode_message(std::string_view bytes);
Result<Delivery> decode_delivery(std::string_view bytes);

// Adds version and checksum, and takes them off again (corrupt when they do not fit).
std::string seal(std::string_view payload);
Result<std::string_view> unseal(std::string_view stored);

}  // namespace belay::spool
