// Request heads and bodies: however a stream is cut it has one reading, views stay inside the buffer, a refused message
// consumes nothing (all checked in message_stream), under generous and under tight limits.
#include "fuzz/input.h"
#include "unit/http/message_stream.h"

using namespace belay::http;
using namespace belay::http::testing;

namespace {

constexpr HeadLimits kTight{.head_bytes = 160, .target_bytes = 24, .fields = 3};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream = belay::fuzz::text(data, size);
  for (const HeadLimits& limits : {HeadLimits{}, kTight}) {
    const Reading expected = read_requests(stream, limits, whole());
    BELAY_CHECK(read_requests(stream, limits, fine_pieces(stream)) == expected);
    BELAY_CHECK(read_requests(stream, limits, random_pieces(size, 40 + size / 10)) == expected);
  }
  return 0;
}
