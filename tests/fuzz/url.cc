// URLs and what is pure beside them: an accepted URL written out again is the same URL, percent-coding goes both ways,
// and nothing reads past its end.
#include <string>

#include "fuzz/input.h"
#include "http/parser.h"
#include "http/url.h"
#include "http/writer.h"

using namespace belay;
using namespace belay::http;

namespace {

void check_url(std::string_view text) {
  const auto url = parse_url(text);
  if (!url) {
    BELAY_CHECK(!url.error().message.empty());
    return;
  }
  std::string written = url->scheme == "unix" ? "unix:" + url->host : url->scheme + "://" + url->authority();
  if (url->scheme == "unix" && url->has_path()) written += ':';
  written += url->path;
  if (!url->query.empty()) written += '?' + url->query;
  const auto again = parse_url(written);
  BELAY_CHECK(again.ok());
  BELAY_CHECK(again->scheme == url->scheme && again->host == url->host && again->port == url->port);
  BELAY_CHECK(again->path == url->path && again->query == url->query && is_field_value(written));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = belay::fuzz::text(data, size);
  check_url(text);
  BELAY_CHECK(percent_decode(percent_encode(text)) == text);
  if (const auto decoded = percent_decode(text)) {
    BELAY_CHECK(decoded->size() <= text.size());
    BELAY_CHECK(has_dot_segments(text) == has_dot_segments(percent_encode(*decoded)));
  }
  size_t bytes = 0;
  for (const auto& [name, value] : parse_form(text)) bytes += name.size() + value.size();
  BELAY_CHECK(bytes <= text.size());
  BELAY_CHECK(join_path(text, text).size() <= 2 * text.size() + 1);
  const int64_t delay = parse_retry_after(text, 784111777);
  BELAY_CHECK(delay >= -1 && delay <= kMaxRetryAfter);
  return 0;
}
