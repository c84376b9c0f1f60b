// Any body under any of the content codings, charsets and types: a value, or an error that says why, within the limit of
// bytes. The first byte chooses type and coding, the second one the charset.
#include <array>
#include <string>

#include "fuzz/input.h"
#include "payload/payload.h"

using namespace belay;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr std::array kTypes = {"application/json", "text/xml", "application/x-www-form-urlencoded", "text/plain", ""};
  constexpr std::array kCodings = {"", "gzip", "deflate", "deflate, gzip", "identity", "br"};
  constexpr std::array kCharsets = {"", "utf-8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "windows-1252", "shift_jis", "gb18030", "euc-jp", "us-ascii", "x"};
  std::string type = kTypes[data[0] % kTypes.size()];
  const std::string coding = kCodings[data[0] / kTypes.size() % kCodings.size()], charset = kCharsets[data[1] % kCharsets.size()];
  if (!type.empty() && !charset.empty()) type += "; charset=" + charset;
  http::Fields fields;
  if (!type.empty()) fields.add("Content-Type", type);
  if (!coding.empty()) fields.add("Content-Encoding", coding);

  const payload::Options options{.max = size_t{64} << 10};
  rules::Arena arena(size_t{4} << 20);
  payload::Payload payload(fields, fuzz::text(data + 2, size - 2), options);
  const rules::Value value = payload.value(arena);
  if (value.is_error()) {
    BELAY_CHECK(value.failure().fault == rules::Fault::unreadable || value.failure().fault == rules::Fault::budget);
    BELAY_CHECK(!value.failure().message.empty());
  } else {
    const auto text = value.to_json();
    BELAY_CHECK_NOTE(text.ok(), text.error().message.c_str());
  }
  return 0;
}
