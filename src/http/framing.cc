#include "http/framing.h"

#include "base/bytes.h"
#include "http/chars.h"

namespace belay::http {

namespace {

void read_connection(std::string_view value, FieldFacts& facts) {
  while (!value.empty()) {
    const size_t comma = value.find(',');
    const std::string_view option = trim_ows(value.substr(0, comma));
    if (!option.empty()) ++facts.connection_options;
    if (is_word(option, "close")) facts.close = true;
    if (is_word(option, "keep-alive")) facts.keep_alive = true;
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
  }
}

}  // namespace

FieldFacts read_facts(const Fields& fields) {
  FieldFacts facts;
  for (const Field& field : fields) {
    // Lengths tell these names from nearly all others without a comparison.
    switch (field.name.size()) {
      case 4:
        if (is_word(field.name, "host")) {
          facts.host = field.value;
          ++facts.hosts;
        }
        break;
      case 6:
        if (is_word(field.name, "expect")) {
          (is_word(field.value, "100-continue") ? facts.expect_continue : facts.expect_other) = true;
        }
        break;
      case 10:
        if (is_word(field.name, "connection")) read_connection(field.value, facts);
        break;
      case 14:
        if (is_word(field.name, "content-length")) {
          facts.content_length = field.value;
          ++facts.content_lengths;
        }
        break;
      case 17:
        if (is_word(field.name, "transfer-encoding")) {
          facts.transfer_encoding = field.value;
          ++facts.transfer_encodings;
        }
        break;
      default: break;
    }
  }
  return facts;
}

bool decide_framing(const FieldFacts& facts, int minor_version, Framing& framing, uint64_t& content_length,
                    Refusal& refusal) {
  const auto refuse = [&](int status, const char* reason) {
    refusal = {status, reason};
    return false;
  };
  content_length = 0;
  if (facts.connection_options > kMaxConnectionOptions) return refuse(400, "too many Connection options");
  if (facts.transfer_encodings > 0) {
    // RFC 9112 §6.1: with HTTP/1.0 the framing is faulty even where the sender meant it.
    if (minor_version == 0) return refuse(400, "Transfer-Encoding with HTTP/1.0");
    if (facts.content_lengths > 0) return refuse(400, "both Content-Length and Transfer-Encoding");
    if (facts.transfer_encodings > 1) return refuse(400, "more than one Transfer-Encoding");
    if (!is_word(facts.transfer_encoding, "chunked")) return refuse(501, "Transfer-Encoding other than chunked");
    framing = Framing::chunked;
    return true;
  }
  if (facts.content_lengths > 0) {
    if (facts.content_lengths > 1) return refuse(400, "more than one Content-Length");
    const auto length = parse_u64(facts.content_length);
    if (!length || *length > kMaxContentLength) return refuse(400, "Content-Length is not a usable number");
    framing = Framing::length;
    content_length = *length;
  }
  return true;
}

bool decide_keep_alive(const FieldFacts& facts, int minor_version) {
  if (facts.close) return false;
  return minor_version >= 1 || facts.keep_alive;
}

}  // namespace belay::http
