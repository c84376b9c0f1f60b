// What stands on the socket between proxy and spool. The first byte says how the rest is taken: 0 as frames, whole and byte by byte; else as
// the payload of a message, of which it chooses the kind. What can be read is written again and reads as the same bytes.
#include <string>

#include "fuzz/input.h"
#include "wire/frame.h"
#include "wire/messages.h"

using namespace belay;
using namespace belay::wire;

namespace {

void read_frames(std::string_view stream) {
  std::string_view left = stream;
  size_t consumed = 0;
  for (;;) {
    const auto frame = next_frame(left, consumed);
    if (!frame.ok()) {
      BELAY_CHECK(!frame.error().message.empty());
      return;
    }
    if (!*frame) break;
    BELAY_CHECK(consumed >= kFrameHead && consumed <= left.size());
    for (size_t cut = 0; cut < std::min<size_t>(consumed, 64); ++cut) {  // never before all of it is there
      size_t ignored = 0;
      const auto part = next_frame(left.substr(0, cut), ignored);
      BELAY_CHECK(part.ok() && !*part);
    }
    std::string again;
    append_frame(again, (*frame)->type, (*frame)->sequence, (*frame)->payload);
    BELAY_CHECK(again == left.substr(0, consumed));
    left.remove_prefix(consumed);
  }
}

// Its own frame comes back whole, whatever the payload is.
void frame_of(FrameType type, std::string_view payload) {
  std::string framed;
  append_frame(framed, type, 7, payload);
  size_t consumed = 0;
  const auto frame = next_frame(framed, consumed);
  BELAY_CHECK(frame.ok() && *frame && consumed == framed.size());
  BELAY_CHECK((*frame)->type == type && (*frame)->sequence == 7 && (*frame)->payload == payload);
}

template <typename T>
void same_again(std::string_view bytes, Result<T> (*decode)(std::string_view)) {
  const Result<T> first = decode(bytes);
  if (!first.ok()) return;
  const std::string written = encode(*first);
  const Result<T> second = decode(written);
  BELAY_CHECK(second.ok());
  BELAY_CHECK(encode(*second) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::text(data, size).substr(1);
  const auto type = static_cast<FrameType>(data[0] % 12);
  if (data[0] % 12 == 0) {
    read_frames(bytes);
    return 0;
  }
  frame_of(type, bytes);
  switch (type) {
    case FrameType::hello: same_again(bytes, decode_hello); break;
    case FrameType::put: same_again(bytes, decode_put); break;
    case FrameType::put_result: same_again(bytes, decode_put_result); break;
    case FrameType::events:
    case FrameType::events_ack: static_cast<void>(decode_events(bytes).ok()); break;  // written from lines, not from events
    case FrameType::counters: same_again(bytes, decode_counters); break;
    case FrameType::state: same_again(bytes, decode_state); break;
    case FrameType::claim: same_again(bytes, decode_claim_request); break;
    case FrameType::claim_result: same_again(bytes, decode_claim_result); break;
    case FrameType::release: break;
    case FrameType::destinations: same_again(bytes, decode_destination_states); break;
  }
  return 0;
}
