// Request line, request target and Host (RFC 9112 §3). Internal to http/. Pure; positions are offsets into the line,
// because the buffer may move before the head is whole.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/message.h"
#include "http/parser.h"

namespace belay::http {

struct Slice {
  size_t at = 0;
  size_t length = 0;
  std::string_view of(std::string_view text) const { return text.substr(at, length); }
};

struct RequestLine {
  Slice method;
  Slice target;     // origin-form, or "*"
  Slice authority;  // of an absolute-form target, else empty
  int minor_version = 1;
};

// method SP target SP HTTP/1.x, nothing else. False with `refusal`: 400, 414 (target), 501 (CONNECT, TRACE), 505
// (version).
bool read_request_line(std::string_view line, const HeadLimits& limits, RequestLine& out, Refusal& refusal);

}  // namespace belay::http
