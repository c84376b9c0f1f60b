// Frames on the unix socket between proxy and spool. 20-byte head: magic "BLY", version, type, 3 reserved, length (4),
// sequence (4), CRC32C of head and payload (4); big-endian. A frame that does not check ends the connection: both sides
// reconnect and repeat what was not acknowledged. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belay::wire {

inline constexpr uint8_t kVersion = 3;
inline constexpr size_t kFrameHead = 20;
inline constexpr size_t kMaxPayload = size_t{32} << 20;  // a 10 MB body with its head, and room

enum class FrameType : uint8_t {
  hello = 1,       // both ways, first: version and who
  put = 2,         // proxy → spool: Put
  put_result = 3,  // spool → proxy: PutResult with the put's sequence
  events = 4,      // proxy → spool: Events
  events_ack = 5,  // spool → proxy: committed, with the events' sequence
  counters = 6,    // proxy → spool: Counters; not acknowledged
  state = 7,       // spool → proxy: accepting or refusing, why
  claim = 8,         // proxy → spool: ClaimRequest
  claim_result = 9,  // spool → proxy: ClaimResult with the claim's sequence
  release = 10,      // proxy → spool: the 16-byte id whose claims are given up
  destinations = 11, // spool → proxy: DestinationStates
};

struct Frame {
  FrameType type = FrameType::hello;
  uint32_t sequence = 0;
  std::string_view payload;
};

// A frame written in place: begin_frame() leaves room for the head and says where it starts, the payload is appended, and
// end_frame() fills the head in.
size_t begin_frame(std::string& out);
void end_frame(std::string& out, size_t start, FrameType type, uint32_t sequence);
void append_frame(std::string& out, FrameType type, uint32_t sequence, std::string_view payload);
// First whole frame of `bytes`: nullopt while more is needed; an error is final for the connection. `consumed` is set with a frame.
Result<std::optional<Frame>> next_frame(std::string_view bytes, size_t& consumed);

}  // namespace belay::wire
