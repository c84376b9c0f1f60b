// What proxy and spool tell each other, as values and their byte form. Frames (frame.h) carry them; the spool stores the
// same values (spool/record.h). Encodings start with a version byte; decoding checks every length and refuses what is left
// over. Pure, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "signature/trust.h"

namespace belay::wire {

// How one received request ended; every request ends in exactly one (P11).
enum class Outcome : uint8_t {
  forwarded = 1,  // a backend answered the sender
  spooled = 2,    // stored, to be delivered
  filtered = 3,   // a rule said it is not wanted (unrouted included)
  duplicate = 4,
  rejected = 5,   // the sender's fault: signature, limits, method, size, malformed
  failed = 6,     // our fault or the backend's: 5xx to the sender, nothing stored
};
std::string_view to_string(Outcome outcome);

using signature::Trust;
using signature::to_string;

// A request as received, whole: what a delivery sends and what replay reads.
struct StoredRequest {
  std::string method;
  std::string target;
  std::string path_rest;
  std::string path;                                         // of a transform: used on the destination's host in place of its url's; else empty
  std::vector<std::pair<std::string, std::string>> fields;  // order and case as received
  std::string forwarded_for;  // for X-Forwarded-For: the sender, behind what a trusted proxy said
  bool tls = false;           // the sender's connection: X-Forwarded-Proto
  std::string body;
  bool has_body = false;
  bool received_body = false;  // of a shape whose body is the one received: it is not repeated here
};

// One line of the books.
struct Event {
  MessageId id;
  WallTime received{};
  Outcome outcome = Outcome::forwarded;
  uint16_t status = 0;          // what the sender got
  std::string source;
  std::string destination;      // who answered, or first of those stored for
  std::string reason;           // "verify: signature does not match"; empty when all went well
  std::string type, event_id, resource;  // what identify found
  std::string client;
  std::string method, path;
  uint32_t body_bytes = 0;
  uint32_t duration_us = 0;
  uint32_t backend_us = 0;
  Trust trust = Trust::unknown;  // of the source
};

// A key that is taken once within its window: of `dedupe`, or of a signature scheme's `replay`.
using ClaimKey = std::array<uint8_t, 16>;  // hash of the source and of what it names
struct Claim {
  ClaimKey key{};
  int64_t window_ms = 0;  // from the commit that takes it, by the spool's clock
};
inline constexpr size_t kMaxClaims = 4;  // of one request

// Who had a key before, and what that sender was told.
struct ClaimedBy {
  MessageId first;
  uint16_t status = 0;
  uint8_t claim = 0;  // which of the request's claims
};

// How a route lets a delivery wait for others of its key: `order`, `debounce` or `batch`.
enum class GroupKind : uint8_t {
  none = 0,
  order_wait = 1,   // a dead one keeps its key
  order_skip = 2,
  debounce = 3,
  batch_array = 4,  // sent as one JSON array
  batch_lines = 5,  // sent as one JSON text a line
};
constexpr bool is_order(GroupKind kind) { return kind == GroupKind::order_wait || kind == GroupKind::order_skip; }
constexpr bool is_batch(GroupKind kind) { return kind == GroupKind::batch_array || kind == GroupKind::batch_lines; }

using GroupKey = std::array<uint8_t, 16>;  // hash of the source, the rule and the key's value
struct Grouping {
  GroupKind kind = GroupKind::none;
  GroupKey key{};
  int64_t wait_ms = 0;     // debounce: quiet; batch: how long its first member waits for others
  int64_t at_most_ms = 0;  // debounce: how long a key waits in all
  uint32_t max = 0;        // batch: members
  uint32_t bytes = 0;      // batch: of their bodies
  bool operator==(const Grouping&) const = default;
};

// One delivery of a put.
struct PutDelivery {
  std::string destination;
  uint16_t route = 0;  // of the source, from 0
  uint16_t shape = 0;  // what is sent: 0 the request as received, n Put::shapes[n - 1]
  std::string dead;    // why nothing was made to be sent (its transform failed): stored as dead; empty: to be sent
  Grouping grouping{};
  int64_t delay_ms = 0;   // no attempt before
  int64_t expire_ms = 0;  // no attempt after; 0: never
};

// Store this and acknowledge when it is durable.
struct Put {
  Event event;                          // event.id names the message; outcome spooled, or rejected: kept for quarantine
  StoredRequest request;                // as received
  std::vector<StoredRequest> shapes;    // what transforms of routes made of it
  std::vector<PutDelivery> deliveries;  // at most one per destination; none: quarantine
  std::vector<Claim> claims;            // decided in the same commit
  // Delivery 0 was tried once already by the proxy (forward, then spool): counts as its first attempt.
  bool first_attempt_failed = false;
  uint16_t attempt_status = 0;
  std::string attempt_error;
  int64_t delay_ms = 0;                   // earliest first attempt from now; Retry-After of the failed forward
};

enum class PutState : uint8_t {
  stored = 1,
  repeated = 2,  // this id was stored before: the same put again
  refused = 3,
  claimed = 4,   // another message had one of its claims: nothing was stored
};

struct PutResult {
  MessageId id;
  PutState state = PutState::stored;
  std::string reason;  // refused: "disk full", "store damaged", …
  ClaimedBy by;        // claimed
};

// Asks for keys before a forward. Fresh ones are held for the asking worker until its message is stored, confirmed with its
// line of the books, or released; a worker that goes away releases all it holds.
struct ClaimRequest {
  MessageId id;
  std::vector<Claim> claims;
};
enum class ClaimState : uint8_t {
  fresh = 1,
  claimed = 2,
  busy = 3,  // a twin is under way and did not end in time
};
struct ClaimResult {
  MessageId id;
  ClaimState state = ClaimState::fresh;
  ClaimedBy by;
};

// A forwarded webhook whose backend said 2xx: its claims are durable with its line.
struct Confirmed {
  MessageId id;
  uint16_t status = 0;
  std::vector<Claim> claims;
};

// Lines of the books in their byte form, one after another, so that recording a request costs one append and no Event is
// built again on the way to the disk. A text longer than kMaxText is cut in the line.
class EventLines {
 public:
  static constexpr size_t kMaxText = 2048;

  void add(const Event& event);
  void add_line(std::string_view line, size_t count = 1);  // already checked: of next_event() or bytes()
  size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  const std::string& bytes() const { return bytes_; }
  void clear();
  // Checks every line.
  static Result<EventLines> parse(std::string_view bytes);

 private:
  std::string bytes_;
  size_t count_ = 0;
};

// A line in place: views into the bytes it was read from.
struct EventView {
  MessageId id;
  WallTime received{};
  Outcome outcome = Outcome::forwarded;
  uint16_t status = 0;
  std::string_view source, destination, reason, type, event_id, resource, client, method, path;
  uint32_t body_bytes = 0, duration_us = 0, backend_us = 0;
  Trust trust = Trust::unknown;
  std::string_view line;  // the whole line, for add_line()
  Event copy() const;
};
// Takes the first line off `rest`; corrupt when it does not fit.
Result<EventView> next_event(std::string_view& rest);

// Who speaks, first frame of both sides. The spool remembers the last committed number of every client's Events, so that
// lines repeated after a reconnect are taken once.
struct Hello {
  uint64_t process = 0;                // pid
  std::array<uint8_t, 16> client{};    // random; zero from the spool
};

struct Events {
  uint64_t number = 0;                 // ascending per client, from 1
  EventLines lines;
  std::vector<Confirmed> confirmed;
};

struct State {
  bool accepting = true;
  std::string reason;
};

// What the spool says of a destination, so that mode forward does not send what the spool would hold back.
struct DestinationState {
  static constexpr uint8_t kPaused = 1, kDisabled = 2;  // by an operator, or on_dead
  static constexpr uint8_t kBroken = 4;                 // the spool's breaker is open
  static constexpr uint8_t kDown = 8;                   // no url passes its health check
  uint64_t destination = 0;  // upstream::Destination::key
  uint8_t flags = 0;
  uint64_t urls_down = 0;    // of its urls, by bit: those that do not pass their health check
  bool operator==(const DestinationState&) const = default;
};
// All of which there is something to say; the rest is as it should be.
using DestinationStates = std::vector<DestinationState>;
inline constexpr size_t kMaxDestinationStates = size_t{1} << 14;

// Counters of one worker since its start, for /metrics: absolute values, so that a lost frame costs nothing.
struct Counter {
  std::string name;    // "belay_requests_total"
  std::string labels;  // "source=\"acme\",outcome=\"forwarded\"", ready for the text format
  uint64_t value = 0;
  // "belay_source_info": what a worker's rules say, not what it counted. Value 1 whoever says it, and gone with its worker.
  bool is_fact() const { return name.ends_with("_info"); }
};
struct Counters {
  uint64_t worker = 0;  // pid
  std::vector<Counter> counters;
};

// Appended, so that a put's body is copied once: into the bytes that go out.
void append(std::string& out, const Put& put);
void append(std::string& out, const PutResult& result);
void append(std::string& out, uint64_t number, const EventLines& lines, const std::vector<Confirmed>& confirmed);
void append(std::string& out, const ClaimRequest& request);
void append(std::string& out, const ClaimResult& result);
void append(std::string& out, const Counters& counters);
void append(std::string& out, const Hello& hello);
void append(std::string& out, const State& state);
void append(std::string& out, const DestinationStates& states);

template <typename T>
std::string encode(const T& value) {
  std::string out;
  append(out, value);
  return out;
}

Result<Put> decode_put(std::string_view bytes);
Result<PutResult> decode_put_result(std::string_view bytes);
Result<Events> decode_events(std::string_view bytes);
Result<ClaimRequest> decode_claim_request(std::string_view bytes);
Result<ClaimResult> decode_claim_result(std::string_view bytes);
Result<Counters> decode_counters(std::string_view bytes);
Result<Hello> decode_hello(std::string_view bytes);
Result<State> decode_state(std::string_view bytes);
Result<DestinationStates> decode_destination_states(std::string_view bytes);

// The parts of a stored message (spool/record.h), in the same form.
class Reader;
void append_request_head(std::string& out, const StoredRequest& request);  // all but the body
void append_line(std::string& out, const Event& event);
bool read_request_head(Reader& in, StoredRequest& request);
void append_grouping(std::string& out, const Grouping& grouping);
Grouping read_grouping(Reader& in);

}  // namespace belay::wire
