#include "upstream/answer_reader.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace belay::upstream {

namespace {

// A backend's head may be larger than a sender's: cookies and tracing of old programs.
constexpr http::HeadLimits kHeadLimits{.head_bytes = 64 << 10, .target_bytes = 8 << 10, .fields = 200};
// A body that comes in pieces is given this much room at once; the rest as it arrives, whatever its length claims.
constexpr size_t kFirstRoom = size_t{1} << 20;

}  // namespace

AnswerReader::AnswerReader(size_t body_limit, int informational_limit, MemoryBudget* memory)
    : body_limit_(body_limit), informational_limit_(informational_limit), parser_(kHeadLimits), held_(memory) {}

void AnswerReader::start(std::string_view method) {
  rest();
  method_ = method;
  reason_ = "";
  informational_ = 0;
  started_ = in_body_ = has_head_ = complete_ = false;
}

void AnswerReader::rest() {
  parser_.reset();
  head_.fields.clear();
  for (std::string* buffer : {&gathered_, &body_}) {
    if (buffer->capacity() > kRestingCapacity) std::string().swap(*buffer);
    buffer->clear();
  }
  body_view_ = {};
  held_.hold(gathered_.capacity() + body_.capacity());
}

AnswerReader::State AnswerReader::feed(std::string_view bytes) {
  started_ = true;
  const State state = step(bytes);
  const size_t capacity = gathered_.capacity() + body_.capacity();
  if (held_.hold(capacity) || state != State::need_more || capacity <= kKeptCapacity) return state;
  reason_ = "limits.memory is reached";
  std::string().swap(body_);
  held_.hold(gathered_.capacity());
  return State::no_memory;
}

AnswerReader::State AnswerReader::step(std::string_view bytes) {
  if (in_body_) return continue_body(bytes);
  if (gathered_.empty()) return read_head(bytes);
  gathered_ += bytes;
  return read_head(gathered_);
}

AnswerReader::State AnswerReader::read_head(std::string_view bytes) {
  const bool own = !gathered_.empty();  // then `bytes` are these
  for (;;) {
    switch (parser_.parse(bytes, method_, head_)) {
      case http::ParseState::refused: return bad(parser_.reason());
      case http::ParseState::need_more:
        if (own) {
          gathered_.erase(0, gathered_.size() - bytes.size());  // the interim heads in front
        } else {
          gathered_.assign(bytes);
        }
        return State::need_more;
      case http::ParseState::complete: break;
    }
    const size_t size = parser_.head_bytes();
    if (head_.status >= 200) return begin_body(bytes.substr(0, size), bytes.substr(size));
    if (head_.status == 101) return bad("101 Switching Protocols, which nobody asked for");
    if (++informational_ > informational_limit_) return bad("too many interim answers (1xx)");
    bytes.remove_prefix(size);
    parser_.reset();
  }
}

AnswerReader::State AnswerReader::begin_body(std::string_view head, std::string_view rest) {
  switch (head_.framing) {
    case http::Framing::none: return finish({}, rest.size());
    case http::Framing::length:
      if (head_.content_length > body_limit_) return bad(kTooLarge);
      if (rest.size() >= head_.content_length) return finish(rest.substr(0, head_.content_length), rest.size() - head_.content_length);
      body_.reserve(std::min<size_t>(head_.content_length, kFirstRoom));
      break;
    case http::Framing::chunked: decoder_.reset(body_limit_); break;
    case http::Framing::close: break;
  }
  in_body_ = true;
  const State state = continue_body(rest);
  if (state == State::need_more) own_head(head);
  has_head_ = state == State::need_more;
  return state;
}

// The head must outlive the read that brought it: kept here, and parsed again where it now stands.
void AnswerReader::own_head(std::string_view head) {
  std::string kept(head);
  gathered_ = std::move(kept);
  parser_.reset();
  BELAY_CHECK(parser_.parse(gathered_, method_, head_) == http::ParseState::complete);
}

AnswerReader::State AnswerReader::continue_body(std::string_view bytes) {
  switch (head_.framing) {
    case http::Framing::length: {
      const size_t take = std::min<size_t>(bytes.size(), head_.content_length - body_.size());
      body_ += bytes.substr(0, take);
      if (body_.size() == head_.content_length) return finish(body_, bytes.size() - take);
      return State::need_more;
    }
    case http::Framing::chunked: {
      size_t consumed = 0;
      switch (decoder_.decode(bytes, body_, consumed)) {
        case http::ParseState::refused: return bad(decoder_.refusal().reason);
        case http::ParseState::need_more: return State::need_more;
        case http::ParseState::complete: return finish(body_, bytes.size() - consumed);
      }
      return bad("chunked body");
    }
    case http::Framing::close:
      if (body_.size() + bytes.size() > body_limit_) return bad(kTooLarge);
      body_ += bytes;
      return State::need_more;
    case http::Framing::none: break;
  }
  return finish({}, bytes.size());
}

AnswerReader::State AnswerReader::finish(std::string_view body, size_t left_over) {
  // Nobody pipelines here: whatever follows was not asked for, and may be meant for the next request (response splitting).
  if (left_over != 0) return bad("bytes after the answer");
  body_view_ = body;
  has_head_ = complete_ = true;
  return State::complete;
}

AnswerReader::State AnswerReader::end() {
  if (in_body_ && head_.framing == http::Framing::close) return finish(body_, 0);
  return bad("closed in the middle of the answer");
}

AnswerReader::State AnswerReader::bad(const char* reason) {
  reason_ = reason;
  return State::bad;
}

}  // namespace belay::upstream
