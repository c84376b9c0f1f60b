// Chunked bodies alone: the payload, the bytes used and the verdict do not depend on the cuts, and the payload keeps to
// its limit. The first byte chooses the limit.
#include <algorithm>
#include <string>

#include "base/random.h"
#include "fuzz/input.h"
#include "http/parser.h"

using namespace belay;
using namespace belay::http;

namespace {

struct Decoded {
  ParseState state = ParseState::need_more;
  std::string body;
  size_t consumed = 0;
  int status = 0;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view text, uint64_t max_body, size_t most) {
  SeededRandom random(text.size() + 1);
  ChunkedDecoder decoder(max_body);
  Decoded decoded;
  while (decoded.state == ParseState::need_more && !text.empty()) {
    const size_t piece = std::min(text.size(), 1 + static_cast<size_t>(random.next() % most));
    size_t consumed = 0;
    decoded.state = decoder.decode(text.substr(0, piece), decoded.body, consumed);
    BELAY_CHECK(consumed <= piece);
    BELAY_CHECK(decoded.state != ParseState::need_more || consumed == piece);
    BELAY_CHECK(decoded.body.size() <= max_body);
    decoded.consumed += consumed;
    text.remove_prefix(consumed);
  }
  if (decoded.state == ParseState::refused) {
    decoded.consumed = 0;
    decoded.status = decoder.refusal().status;
    BELAY_CHECK(decoded.status == 400 || decoded.status == 413);
  }
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint64_t max_body = data[0];
  const std::string_view text = belay::fuzz::text(data, size).substr(1);
  const Decoded expected = decode(text, max_body, SIZE_MAX / 2);
  BELAY_CHECK(decode(text, max_body, 1) == expected);
  BELAY_CHECK(decode(text, max_body, 9) == expected);
  return 0;
}
