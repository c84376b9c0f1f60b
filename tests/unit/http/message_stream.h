// Reads a byte stream as a server would: heads, bodies, next message, until a refusal or the end. Bytes arrive in the
// pieces the caller chooses and the buffer moves with every piece, so that nothing can rest on old positions. Shared by
// the unit tests of http/ and its fuzzers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/parser.h"

namespace belay::http::testing {

inline constexpr uint64_t kMaxBody = 1 << 20;

// One message as text: everything a caller can see, so that two readings can be compared.
struct Seen {
  std::string head;
  std::string body;
  bool operator==(const Seen&) const = default;
};

struct Reading {
  std::vector<Seen> messages;  // whole ones
  int refused = 0;             // status, 0 when nothing was refused
  std::string reason;
  size_t left = 0;  // bytes behind the last whole message
  bool operator==(const Reading&) const = default;
};

// Size of the next piece, at least 1.
using Pieces = std::function<size_t()>;

Reading read_requests(std::string_view stream, const HeadLimits& limits, const Pieces& next_piece);
// `closed`: the peer closes behind the stream, which ends a body of Framing::close.
Reading read_responses(std::string_view stream, std::string_view request_method, const HeadLimits& limits,
                       const Pieces& next_piece, bool closed = true);

inline Pieces whole() {
  return [] { return SIZE_MAX; };
}
inline Pieces bytewise() {
  return [] { return size_t{1}; };
}
Pieces random_pieces(uint64_t seed, size_t most);
// Single bytes for short streams, larger pieces for long ones: the buffer is copied for each.
Pieces fine_pieces(std::string_view stream);

}  // namespace belay::http::testing
