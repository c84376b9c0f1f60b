// Strict HTTP/1.x heads and bodies: bytes in, messages out, no sockets. llhttp does the tokens, our policy around it
// decides what may pass (reference/http-hardening.json is the contract): one pass over the whole head for stray bytes,
// then tokens, then framing, Host, target and limits. Nothing is repaired. A parser belongs to one connection; its
// output points into the caller's buffer. After an error the connection must be closed after the answer: the next byte
// has no meaning.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace belay::http {

// Why a message is refused: the status a sender gets (400, 413, 414, 417, 431, 501, 505 …) and a one-line reason for
// the log.
struct Refusal {
  int status = 400;
  const char* reason = "";
};

enum class ParseState : uint8_t { need_more, complete, refused };

class RequestParser {
 public:
  explicit RequestParser(const HeadLimits& limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) = delete;

  // `bytes` is everything received and not yet consumed, from the start of the message; on need_more call again with
  // the same bytes at the front and more behind (the buffer may have moved). Scanning is linear over all calls. On
  // complete, `head` points into `bytes` and head_bytes() of them are consumed; reset() before the next call. A refused
  // message consumes nothing.
  ParseState parse(std::string_view bytes, RequestHead& head);
  size_t head_bytes() const;
  const Refusal& refusal() const;
  void reset();  // ready for the next message of the connection

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class ResponseParser {
 public:
  explicit ResponseParser(const HeadLimits& limits);
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) = delete;

  // As above. `request_method` decides whether a body follows (RFC 9112 §6.3). 1xx heads are returned like others with
  // Framing::none: the caller counts and skips them, and refuses 101. Nothing may stand before the status line.
  ParseState parse(std::string_view bytes, std::string_view request_method, ResponseHead& head);
  size_t head_bytes() const;
  const char* reason() const;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Takes the chunk framing off a body, appending (RFC 9112 §7.1): strict hex sizes, CRLF only, no white space before an
// extension, extensions and trailers checked and dropped. Payload is bounded by `max_body`, framing by its own limits.
// The outcome depends on the bytes alone, not on how they were cut.
class ChunkedDecoder {
 public:
  static constexpr size_t kMaxSizeDigits = 15;  // 60 bits: no overflow
  static constexpr size_t kMaxLine = 4096;      // one size line with extensions
  static constexpr size_t kMaxTrailer = 8192;   // all trailers together
  // Framing is paid for by payload: a body of one-byte chunks with long extensions would cost us a thousand times its
  // size.
  static constexpr size_t kFreeFraming = size_t{16} << 10;  // framing bytes that need no payload
  static constexpr size_t kFramingPerChunk = 16;            // and for each chunk these and twice its size

  explicit ChunkedDecoder(uint64_t max_body = 0) { reset(max_body); }
  void reset(uint64_t max_body);
  // Consumes from `bytes`, appends payload to `body`; `consumed` says how much of `bytes` was used, 0 when refused.
  // need_more until the last chunk and the trailers are read; refused with 400, or 413 before a chunk that would pass
  // `max_body`.
  ParseState decode(std::string_view bytes, std::string& body, size_t& consumed);
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class Step : uint8_t {
    size,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    done,
    refused,
    ext_start,
    ext_name,
    ext_value_start,
    ext_value,
    ext_quoted,
    ext_escape,
    ext_end,
  };
  // One byte each; nullptr, or why it is refused.
  const char* framing_byte(char c);
  const char* extension_byte(char c);
  const char* end_of_extension(char c, const char* otherwise);
  const char* begin_chunk();
  const char* trailer_byte(char c);

  Step step_ = Step::size;
  uint64_t left_ = 0;     // of the chunk, or its size while that is read
  uint64_t body_ = 0;     // payload announced so far
  uint64_t framing_ = 0;  // framing bytes that may still come
  uint64_t max_body_ = 0;
  size_t line_ = 0;
  size_t trailer_ = 0;
  std::string trailer_line_;
  Refusal refusal_;
};

// True for a method, field name etc. of RFC 9110 §5.6.2 token characters, and not empty.
bool is_token(std::string_view text);

// uri-host [ ":" port ] as a name, IPv4 or bracketed IPv6 address (RFC 9110 §7.2). Narrower than RFC 3986: no userinfo,
// no percent-coding, no sub-delims, no empty port: none of these resolve, all of them have fooled a reader.
bool is_authority(std::string_view text);

}  // namespace belay::http
