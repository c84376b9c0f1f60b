#include "message_stream.h"

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/random.h"

namespace belay::http::testing {

namespace {

std::string describe(const RequestHead& head) {
  std::string text;
  for (const std::string_view part : {head.method, head.target, head.path, head.query, head.host})
    text.append(part).append(1, '\n');
  text += std::to_string(head.minor_version) + std::to_string(static_cast<int>(head.framing)) + ' ' +
          std::to_string(head.content_length) + (head.keep_alive ? " keep" : " close") +
          (head.expect_continue ? " expect\n" : "\n");
  for (const Field& field : head.fields) text.append(field.name).append(": ").append(field.value).append(1, '\n');
  return text;
}

std::string describe(const ResponseHead& head) {
  std::string text = std::to_string(head.status) + '\n';
  text.append(head.reason).append(1, '\n');
  text += std::to_string(head.minor_version) + std::to_string(static_cast<int>(head.framing)) + ' ' +
          std::to_string(head.content_length) + (head.keep_alive ? " keep\n" : " close\n");
  for (const Field& field : head.fields) text.append(field.name).append(": ").append(field.value).append(1, '\n');
  return text;
}

void check_inside(std::string_view part, std::string_view buffer) {
  if (part.empty()) return;
  BELAY_CHECK(part.data() >= buffer.data() && part.data() + part.size() <= buffer.data() + buffer.size());
}

void check_views(const RequestHead& head, std::string_view buffer) {
  for (const std::string_view part : {head.method, head.target, head.path, head.query, head.host})
    check_inside(part, buffer);
  for (const Field& field : head.fields) check_inside(field.name, buffer), check_inside(field.value, buffer);
  BELAY_CHECK(is_token(head.method) && !head.target.empty());
  BELAY_CHECK(head.framing == Framing::none || head.framing == Framing::length || head.framing == Framing::chunked);
}

void check_views(const ResponseHead& head, std::string_view buffer) {
  check_inside(head.reason, buffer);
  for (const Field& field : head.fields) check_inside(field.name, buffer), check_inside(field.value, buffer);
  BELAY_CHECK(head.status >= 100 && head.status <= 599);
}

// The bytes received and not consumed, in a fresh allocation after every piece.
class Buffer {
 public:
  Buffer(std::string_view stream, const Pieces& next_piece) : stream_(stream), next_piece_(next_piece) {}
  std::string_view bytes() const { return {data_.get(), size_}; }
  bool more() {
    if (stream_.empty()) return false;
    const size_t take = std::min(next_piece_(), stream_.size());
    replace(std::string(bytes()).append(stream_.substr(0, take)));
    stream_.remove_prefix(take);
    return true;
  }
  void consume(size_t count) { replace(std::string(bytes().substr(count))); }
  size_t left() const { return size_ + stream_.size(); }

 private:
  void replace(const std::string& content) {
    // Exactly as large as its content: a read past the end is seen by the sanitizer.
    data_ = std::make_unique<char[]>(content.size());
    std::copy(content.begin(), content.end(), data_.get());
    size_ = content.size();
  }
  std::string_view stream_;
  const Pieces& next_piece_;
  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
};

// False when the body was refused or is not whole.
template <typename Head>
bool read_body(const Head& head, Buffer& buffer, bool closed, std::string& body, Reading& reading) {
  if (head.framing == Framing::none) return true;
  if (head.framing == Framing::chunked) {
    ChunkedDecoder decoder(kMaxBody);
    for (;;) {
      size_t consumed = 0;
      const ParseState state = decoder.decode(buffer.bytes(), body, consumed);
      BELAY_CHECK(consumed <= buffer.bytes().size() && body.size() <= kMaxBody);
      if (state == ParseState::refused) {
        BELAY_CHECK(consumed == 0 && decoder.decode(buffer.bytes(), body, consumed) == ParseState::refused);
        reading.refused = decoder.refusal().status;
        reading.reason = decoder.refusal().reason;
        return false;
      }
      buffer.consume(consumed);
      if (state == ParseState::complete) return true;
      BELAY_CHECK(buffer.bytes().empty());
      if (!buffer.more()) return false;
    }
  }
  if (head.framing == Framing::length && head.content_length > kMaxBody) {
    reading.refused = 413;
    return false;
  }
  const uint64_t length = head.framing == Framing::length ? head.content_length : UINT64_MAX;
  while (buffer.bytes().size() < length && buffer.more()) {
  }
  if (head.framing == Framing::length && buffer.bytes().size() < length) return false;
  if (head.framing == Framing::close && !closed) return false;
  body = buffer.bytes().substr(0, static_cast<size_t>(std::min<uint64_t>(length, buffer.bytes().size())));
  buffer.consume(body.size());
  return true;
}

}  // namespace

Reading read_requests(std::string_view stream, const HeadLimits& limits, const Pieces& next_piece) {
  Reading reading;
  Buffer buffer(stream, next_piece);
  RequestParser parser(limits);
  RequestHead head;
  for (;;) {
    reading.left = buffer.left();
    const ParseState state = parser.parse(buffer.bytes(), head);
    if (state == ParseState::refused) {
      BELAY_CHECK(parser.head_bytes() == 0 && parser.parse(buffer.bytes(), head) == ParseState::refused);
      reading.refused = parser.refusal().status;
      reading.reason = parser.refusal().reason;
      return reading;
    }
    if (state == ParseState::need_more) {
      BELAY_CHECK(parser.head_bytes() == 0);
      if (!buffer.more()) return reading;
      continue;
    }
    check_views(head, buffer.bytes());
    Seen seen{describe(head), {}};
    buffer.consume(parser.head_bytes());
    parser.reset();
    if (!read_body(head, buffer, false, seen.body, reading)) return reading;
    reading.messages.push_back(std::move(seen));
    // A pair of requests whose first one ends the connection has no second one.
    if (!head.keep_alive) {
      reading.left = buffer.left();
      return reading;
    }
  }
}

Reading read_responses(std::string_view stream, std::string_view request_method, const HeadLimits& limits,
                       const Pieces& next_piece, bool closed) {
  Reading reading;
  Buffer buffer(stream, next_piece);
  ResponseParser parser(limits);
  ResponseHead head;
  for (;;) {
    reading.left = buffer.left();
    const ParseState state = parser.parse(buffer.bytes(), request_method, head);
    if (state == ParseState::refused) {
      BELAY_CHECK(parser.head_bytes() == 0 &&
                  parser.parse(buffer.bytes(), request_method, head) == ParseState::refused);
      reading.refused = 502;
      reading.reason = parser.reason();
      return reading;
    }
    if (state == ParseState::need_more) {
      BELAY_CHECK(parser.head_bytes() == 0);
      if (!buffer.more()) return reading;
      continue;
    }
    check_views(head, buffer.bytes());
    Seen seen{describe(head), {}};
    buffer.consume(parser.head_bytes());
    parser.reset();
    if (!read_body(head, buffer, closed, seen.body, reading)) return reading;
    reading.messages.push_back(std::move(seen));
    if (!head.keep_alive && head.status >= 200) {
      reading.left = buffer.left();
      return reading;
    }
  }
}

Pieces random_pieces(uint64_t seed, size_t most) {
  return
      [random = SeededRandom(seed * 2 + 1), most]() mutable { return 1 + static_cast<size_t>(random.next() % most); };
}

Pieces fine_pieces(std::string_view stream) {
  constexpr size_t kShort = 400;
  return stream.size() <= kShort ? bytewise() : random_pieces(stream.size(), stream.size() / 50);
}

}  // namespace belay::http::testing
