#include "cli/raw_request.h"

#include <iostream>
#include <iterator>

#include "base/bytes.h"
#include "http/parser.h"

namespace belay::cli {

namespace {

constexpr http::HeadLimits kHeadLimits{.head_bytes = 1 << 20, .target_bytes = 64 << 10, .fields = 1000};

// Parses the head of request.bytes; gives its length.
Result<size_t> parse_head(RawRequest& request) {
  http::RequestParser parser(kHeadLimits);
  const http::ParseState state = parser.parse(request.bytes, request.head);
  if (state == http::ParseState::complete) return parser.head_bytes();
  const std::string_view text(request.bytes);
  if (text.find('\n') != std::string_view::npos && text.find("\r\n") == std::string_view::npos) {
    return invalid(
        "its lines end in LF only; the head of an HTTP request ends its lines in CRLF (unix2dos, or sed 's/$/\\r/')");
  }
  if (state == http::ParseState::need_more)
    return invalid("the head does not end: an empty line with CRLF stands between head and body");
  return invalid(std::string("not an HTTP/1.1 request: ") + parser.refusal().reason);
}

}  // namespace

Result<std::unique_ptr<RawRequest>> RawRequest::parse(std::string bytes) {
  auto request = std::make_unique<RawRequest>();
  request->bytes = std::move(bytes);
  const auto length_of_head = parse_head(*request);
  if (!length_of_head) return length_of_head.error();
  const http::RequestHead& head = request->head;
  const std::string_view rest = std::string_view(request->bytes).substr(*length_of_head);
  if (head.framing == http::Framing::chunked) {
    http::ChunkedDecoder decoder(kMaxInput);
    size_t consumed = 0;
    if (decoder.decode(rest, request->body, consumed) != http::ParseState::complete)
      return invalid("its chunked body is broken or cut off");
    return request;
  }
  const uint64_t length = head.framing == http::Framing::length ? head.content_length : 0;
  if (rest.size() != length) {
    return invalid(std::to_string(rest.size()) + " bytes follow the head, but Content-Length says " + std::to_string(length));
  }
  request->body = rest;
  return request;
}

Result<std::unique_ptr<RawRequest>> RawRequest::of(std::string head_bytes, std::string body) {
  auto request = std::make_unique<RawRequest>();
  request->bytes = std::move(head_bytes);
  request->body = std::move(body);
  if (const auto parsed = parse_head(*request); !parsed) return parsed.error();
  return request;
}

Result<std::string> read_input(const std::string& path) {
  if (path != "-") return read_file(path, kMaxInput);
  std::string text;
  char chunk[65536];
  while (std::cin.read(chunk, sizeof chunk) || std::cin.gcount() > 0) {
    text.append(chunk, static_cast<size_t>(std::cin.gcount()));
    if (text.size() > kMaxInput) return Error{ErrorKind::full, "standard input is over 64 MB"};
  }
  return text;
}

}  // namespace belay::cli
