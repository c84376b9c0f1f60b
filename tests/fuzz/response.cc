// Responses of backends: as request.cc. The first byte chooses the request's method and whether the peer closes at the
// end.
#include "fuzz/input.h"
#include "unit/http/message_stream.h"

using namespace belay::http;
using namespace belay::http::testing;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view method = (data[0] & 1) != 0 ? "HEAD" : "POST";
  const bool closed = (data[0] & 2) != 0;
  const std::string_view stream = belay::fuzz::text(data, size).substr(1);
  const Reading expected = read_responses(stream, method, HeadLimits{}, whole(), closed);
  BELAY_CHECK(read_responses(stream, method, HeadLimits{}, fine_pieces(stream), closed) == expected);
  BELAY_CHECK(read_responses(stream, method, HeadLimits{}, random_pieces(size, 40 + size / 10), closed) == expected);
  return 0;
}
