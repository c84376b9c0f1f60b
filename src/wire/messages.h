// What proxy and spool tell each other, as values and their byte form. Frames (frame.h) carry them; the spool stores the
// same values (spool/record.h). Encodings start with a version byte; decoding checks every length and refuses what is left
// over. Pure, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"

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

// A request as received, whole: what a delivery sends and what replay reads.
struct StoredRequest {
  std::string method;
  std::string target;
  std::string path_rest;
  std::vector<std::pair<std::string, std::string>> fields;  // order and case as received
  std::string body;
  bool has_body = false;
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
};

// Store this and acknowledge when it is durable.
struct Put {
  Event event;                            // event.outcome = spooled; event.id names the message
  StoredRequest request;
  std::vector<std::string> destinations;  // one delivery each
  // Destination 0 was tried once already by the proxy (forward, then spool): counts as its first attempt.
  bool first_attempt_failed = false;
  uint16_t attempt_status = 0;
  std::string attempt_error;
  int64_t delay_ms = 0;                   // earliest first attempt from now; Retry-After of the failed forward
};

enum class PutState : uint8_t { stored = 1, duplicate = 2, refused = 3 };

struct PutResult {
  MessageId id;
  PutState state = PutState::stored;
  std::string reason;  // refused: "disk full", "store damaged", …
};

// Counters of one worker since its start, for /metrics: absolute values, so that a lost frame costs nothing.
struct Counter {
  std::string name;    // "belay_requests_total"
  std::string labels;  // "source=\"acme\",outcome=\"forwarded\"", ready for the text format
  uint64_t value = 0;
};
struct Counters {
  uint64_t worker = 0;  // pid
  std::vector<Counter> counters;
};

std::string encode(const Put& put);
std::string encode(const PutResult& result);
std::string encode(const std::vector<Event>& events);
std::string encode(const Counters& counters);
Result<Put> decode_put(std::string_view bytes);
Result<PutResult> decode_put_result(std::string_view bytes);
Result<std::vector<Event>> decode_events(std::string_view bytes);
Result<Counters> decode_counters(std::string_view bytes);

}  // namespace belay::wire
