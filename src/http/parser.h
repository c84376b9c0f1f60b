// Strict HTTP/1.x heads and bodies: bytes in, messages out, no sockets. llhttp does the tokens, our policy around it decides
// what may pass (reference/http-hardening.json is the contract): one pass over the whole head for stray bytes, then tokens,
// then framing, Host, target and limits. Nothing is repaired. A parser belongs to one connection; its output points into
// the caller's buffer. After an error the connection must be closed after the answer: the next byte has no meaning.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace belay::http {

// Why a message is refused: the status a sender gets (400, 413, 414, 417, 431, 501, 505 …) and a one-line reason for the log.
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

  // `bytes` is everything received and not yet consumed, from the start of the message; on need_more call again with the same
  // bytes at the front and more behind (the buffer may have moved). Scanning is linear over all calls. On complete, `head`
  // points into `bytes` and head_bytes() of them are consumed.
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
  // Framing::none: the caller counts and skips them, and refuses 101.
  ParseState parse(std::string_view bytes, std::string_view request_method, ResponseHead& head);
  size_t head_bytes() const;
  const char* reason() const;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Takes the chunk framing off a body, in place or appending (RFC 9112 §7.1): strict hex sizes, CRLF only, extensions
// checked and dropped, trailers checked and dropped, total bounded by `max_body`.
class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(uint64_t max_body = 0) { reset(max_body); }
  void reset(uint64_t max_body);
  // Consumes from `bytes`, appends payload to `body`; `consumed` says how much of `bytes` was used. need_more until the last
  // chunk and trailers are read; refused with 400 or 413.
  ParseState decode(std::string_view bytes, std::string& body, size_t& consumed);
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class Step : uint8_t { size, extension, size_lf, data, data_cr, data_lf, trailer, done };
  static constexpr size_t kMaxLine = 4096;       // one size line with extensions
  static constexpr size_t kMaxTrailer = 8192;    // all trailers together
  Step step_ = Step::size;
  uint64_t left_ = 0, max_body_ = 0;
  size_t line_ = 0, trailer_ = 0;
  std::string trailer_line_;
  Refusal refusal_;
};

// True for a method, field name etc. of RFC 9110 §5.6.2 token characters, and not empty.
bool is_token(std::string_view text);

}  // namespace belay::http
