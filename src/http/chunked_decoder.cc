#include <algorithm>

#include "base/bytes.h"
#include "http/chars.h"
#include "http/parser.h"

namespace belay::http {

namespace {

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// A trailer line without its CRLF: a field that may stand behind a body. What decides framing or routing may not (RFC
// 9110 §6.5.1): a reader that merges trailers would take another message out of the same bytes.
const char* check_trailer(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return "trailer is not a field";
  const std::string_view name = line.substr(0, colon);
  for (const std::string_view forbidden : {"content-length", "transfer-encoding", "host", "connection", "trailer"}) {
    if (ascii_iequals(name, forbidden)) return "field that may not be a trailer";
  }
  return nullptr;
}

}  // namespace

void ChunkedDecoder::reset(uint64_t max_body) {
  step_ = Step::size;
  left_ = body_ = 0;
  framing_ = kFreeFraming;
  max_body_ = max_body;
  line_ = trailer_ = 0;
  trailer_line_.clear();
  refusal_ = {};
}

ParseState ChunkedDecoder::decode(std::string_view bytes, std::string& body, size_t& consumed) {
  consumed = 0;
  if (step_ == Step::refused) return ParseState::refused;
  size_t at = 0;
  while (step_ != Step::done && at < bytes.size()) {
    if (step_ == Step::data) {
      const size_t take = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size() - at));
      body.append(bytes.data() + at, take);
      at += take;
      left_ -= take;
      if (left_ == 0) step_ = Step::data_cr;
      continue;
    }
    const char c = bytes[at++];
    const char* why = framing_ == 0            ? "chunk framing out of proportion to the body"
                      : step_ == Step::trailer ? trailer_byte(c)
                                               : framing_byte(c);
    if (why != nullptr) {
      refusal_.reason = why;
      step_ = Step::refused;
      return ParseState::refused;
    }
    --framing_;
  }
  consumed = at;
  return step_ == Step::done ? ParseState::complete : ParseState::need_more;
}

// A byte of a size line or of the CRLF behind a chunk.
const char* ChunkedDecoder::framing_byte(char c) {
  if (++line_ > kMaxLine) return "chunk size line over the limit";
  switch (step_) {
    case Step::size:
      if (const int digit = hex_value(c); digit >= 0) {
        if (line_ > kMaxSizeDigits) return "chunk size has too many digits";
        left_ = left_ * 16 + static_cast<unsigned>(digit);
        return nullptr;
      }
      if (line_ == 1) return "chunk without a size";
      return end_of_extension(c, "chunk size is not a hexadecimal number");
    case Step::size_lf:
      if (c != '\n') return "chunk size line does not end in CRLF";
      return begin_chunk();
    case Step::data_cr: step_ = Step::data_lf; return c == '\r' ? nullptr : "chunk is longer than its size";
    case Step::data_lf:
      if (c != '\n') return "chunk does not end in CRLF";
      step_ = Step::size;
      line_ = 0;
      return nullptr;
    default: return extension_byte(c);
  }
}

// chunk-ext = *( ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112 §7.1.1); checked, then dropped.
const char* ChunkedDecoder::extension_byte(char c) {
  constexpr const char* kBad = "chunk extension is malformed";
  if (is_control(c) && c != '\r') return kBad;
  switch (step_) {
    case Step::ext_start:
      if (is_blank(c)) return nullptr;
      step_ = Step::ext_name;
      return in(kTokenChars, c) ? nullptr : kBad;
    case Step::ext_name:
      if (in(kTokenChars, c)) return nullptr;
      if (c == '=') {
        step_ = Step::ext_value_start;
        return nullptr;
      }
      return end_of_extension(c, kBad);
    case Step::ext_value_start:
      if (is_blank(c)) return nullptr;
      step_ = c == '"' ? Step::ext_quoted : Step::ext_value;
      return c == '"' || in(kTokenChars, c) ? nullptr : kBad;
    case Step::ext_value: return in(kTokenChars, c) ? nullptr : end_of_extension(c, kBad);
    case Step::ext_quoted:
      if (c == '\r') return kBad;
      if (c == '"') step_ = Step::ext_end;
      if (c == '\\') step_ = Step::ext_escape;
      return nullptr;
    case Step::ext_escape: step_ = Step::ext_quoted; return c == '\r' ? kBad : nullptr;
    default: return end_of_extension(c, kBad);
  }
}

// Behind a size, a name or a value: the next extension or the end of the line.
const char* ChunkedDecoder::end_of_extension(char c, const char* otherwise) {
  if (c != ';' && c != '\r') return otherwise;
  step_ = c == ';' ? Step::ext_start : Step::size_lf;
  return nullptr;
}

const char* ChunkedDecoder::begin_chunk() {
  line_ = 0;
  if (left_ == 0) {
    step_ = Step::trailer;
    return nullptr;
  }
  if (left_ > max_body_ - body_) {
    refusal_.status = 413;
    return "body over the limit";
  }
  body_ += left_;
  framing_ += kFramingPerChunk + 2 * left_;
  step_ = Step::data;
  return nullptr;
}

// Trailers are gathered a line at a time; they are rare and small.
const char* ChunkedDecoder::trailer_byte(char c) {
  if (++trailer_ > kMaxTrailer) return "trailers over the limit";
  const bool after_cr = !trailer_line_.empty() && trailer_line_.back() == '\r';
  if (after_cr != (c == '\n')) return "trailer line does not end in CRLF";
  if (!after_cr) {
    if (is_control(c) && c != '\r') return "control byte in a trailer";
    trailer_line_.push_back(c);
    return nullptr;
  }
  trailer_line_.pop_back();
  if (trailer_line_.empty()) {
    step_ = Step::done;
    return nullptr;
  }
  const char* why = check_trailer(trailer_line_);
  trailer_line_.clear();
  return why;
}

}  // namespace belay::http
