// The stored form of messages, deliveries and attempts, and the table of legal delivery states. Every stored value is
// version byte, payload, CRC32C (P9). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "wire/messages.h"

namespace belay::spool {

using DestinationId = uint64_t;  // upstream::Destination::key

// queued → sending → delivered | scheduled(due) | dead(reason) | cancelled(operator) | superseded(by a newer one of its key);
// dead, delivered, cancelled → queued only by replay; dead → cancelled by an operator who gives it up. `sending` is a lease of
// the running process and is not stored: after a crash the delivery is queued again.
enum class DeliveryState : uint8_t { queued = 1, sending = 2, scheduled = 3, delivered = 4, dead = 5, cancelled = 6, superseded = 7 };
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
  static constexpr size_t kErrorBytes = 512;
};

struct Delivery {
  static constexpr size_t kMaxAttemptsKept = 32;  // first and last ones are kept, the middle is counted
  static constexpr Duration kLongestWait = std::chrono::hours(24 * 60);  // for an attempt
  // A due time further ahead was written by a clock that was wrong: the delivery is due now.
  static constexpr Duration kFarthestDue = kLongestWait + std::chrono::hours(24);
  MessageId message;
  DestinationId destination = 0;
  std::string destination_name;
  uint16_t route = 0;       // of the source's rules when it came
  bool unmade = false;      // its transform failed: there is nothing to send, also not by a replay
  uint16_t shape = 0;       // what is sent: 0 the request as received, n Message::shapes[n - 1]
  DeliveryState state = DeliveryState::queued;
  WallTime due{};
  uint32_t attempts = 0;
  uint32_t attempts_before = 0;  // of these, made before the last replay: the retry policy starts anew after it
  std::vector<Attempt> history;
  std::string reason;       // dead or cancelled: why, by whom
  WallTime expires{};       // from then on it is dead; zero: never
  // Of a route with order, debounce or batch (groups.h).
  wire::Grouping grouping{};
  uint64_t turn = 0;        // its place among those of its key: in the order of arrival
  MessageId batch{};        // of a batch: its first member
  WallTime since{};         // debounce: when the first one came that this one stands for
  MessageId waits_for{};    // found when it is read, not stored: the one of its key that goes first
  bool damaged = false;     // the same: its record cannot be read, and all but its key is made up
  bool grouped() const { return grouping.kind != wire::GroupKind::none; }
  bool shaped() const { return grouped() || expires != WallTime{}; }
};

// Counts the attempt and keeps it in the history within kMaxAttemptsKept; its texts are cut to their limits.
void add_attempt(Delivery& delivery, Attempt attempt);

struct Message {
  wire::Event event;
  wire::StoredRequest request;              // as received
  std::vector<wire::StoredRequest> shapes;  // what routes' transforms made of it

  const wire::StoredRequest& shape(uint16_t number) const { return number == 0 ? request : shapes[number - 1U]; }
  wire::StoredRequest& shape(uint16_t number) { return number == 0 ? request : shapes[number - 1U]; }
  const std::string& body(uint16_t number) const { return shape(number).received_body ? request.body : shape(number).body; }
  bool has_shape(uint16_t number) const { return number <= shapes.size(); }
  size_t body_bytes() const;  // of all
};

// A message as read: large bodies stand in chunks of their own and are missing here.
struct StoredMessage {
  Message message;
  std::vector<uint64_t> chunked;  // by shape: the size of its body; 0: the body is in the message
};

// Sealed values: version byte, payload, CRC32C over both. Appended, so that a scratch buffer serves many.
void append_sealed(std::string& out, const Message& message, size_t inline_body);  // larger bodies are left out
void append_sealed(std::string& out, const Delivery& delivery);
void append_sealed(std::string& out, std::string_view payload);
Result<std::string_view> unseal(std::string_view stored);  // corrupt when version, length or checksum do not fit
Result<StoredMessage> read_message(std::string_view stored);
Result<Delivery> read_delivery(std::string_view stored);
// The parts every settlement needs, without building the history.
struct DeliveryHead {
  DeliveryState state = DeliveryState::queued;
  WallTime due{};
  uint32_t attempts = 0;
  bool shaped = false;  // Delivery::shaped(): more of it matters
};
Result<DeliveryHead> read_delivery_head(std::string_view stored);
// The state alone, at its fixed place, without the checksum: to count millions.
std::optional<DeliveryState> read_delivery_state(std::string_view stored);
// queued, scheduled or sending: it stands in the index of due deliveries, unless others of its key go first.
constexpr bool is_waiting(DeliveryState state) {
  return state == DeliveryState::queued || state == DeliveryState::scheduled || state == DeliveryState::sending;
}

// What waited and came to an end without being delivered by a step that people look for: found by index.
constexpr bool is_indexed_end(DeliveryState state) { return state == DeliveryState::dead || state == DeliveryState::cancelled; }

// Waits, and will not for ever. Of a batch its first one counts for all.
inline bool expires_by_index(const Delivery& delivery) {
  return delivery.expires != WallTime{} && is_waiting(delivery.state) &&
         (!wire::is_batch(delivery.grouping.kind) || delivery.batch == delivery.message);
}

// xxh3 of the name, as upstream::Destination::key.
DestinationId destination_id(std::string_view name);

}  // namespace belay::spool
