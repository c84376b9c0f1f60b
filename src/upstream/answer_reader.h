// Reads one answer from the bytes of a backend connection: interim heads, head, body by its framing. As strict as the request
// parser: what is wrong here is `bad_response` and the connection is closed. An answer that comes in one piece is never
// copied; one that comes in pieces is gathered here, whole, and counted in the budget, which may refuse what is more than
// kKeptCapacity: then the body is dropped, but a head that was whole still says what the backend did. One per connection, reused; no sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/memory_budget.h"
#include "http/message.h"
#include "http/parser.h"

namespace belay::upstream {

class AnswerReader {
 public:
  enum class State : uint8_t { need_more, complete, bad, no_memory };

  // `memory` may be null: then nothing is counted.
  AnswerReader(size_t body_limit, int informational_limit, MemoryBudget* memory = nullptr);

  // For the next answer; `method` is the request's and stays valid until the answer is complete.
  void start(std::string_view method);
  // `bytes` are what just arrived. After `complete`, head() and body() may point into them.
  State feed(std::string_view bytes);
  // Between answers: gives back what a large one took. start() does it as well.
  void rest();
  // The peer has closed: complete for a body that ends there, otherwise bad.
  State end();

  bool started() const { return started_; }  // any byte has come
  bool has_head() const { return has_head_; }  // head() is whole and stays so, also after `no_memory`
  bool complete() const { return complete_; }
  const http::ResponseHead& head() const { return head_; }
  std::string_view body() const { return body_view_; }
  // Where body() stands when it came in pieces and is large: whoever needs it longer may move it out. Else null.
  std::string* gathered_body() {
    return body_.capacity() > kKeptCapacity && body_view_.data() == body_.data() ? &body_ : nullptr;
  }
  const char* reason() const { return reason_; }
  static constexpr const char* kTooLarge = "body over the limit";  // the reason then

 private:
  static constexpr size_t kKeptCapacity = 64 << 10;    // a larger body may be moved out
  static constexpr size_t kRestingCapacity = 4 << 10;  // larger buffers are given back between answers: idle connections are many
  State step(std::string_view bytes);
  State read_head(std::string_view bytes);
  State begin_body(std::string_view head, std::string_view rest);
  State continue_body(std::string_view bytes);
  State finish(std::string_view body, size_t left_over);
  State bad(const char* reason);
  void own_head(std::string_view head);

  const size_t body_limit_;
  const int informational_limit_;
  http::ResponseParser parser_;
  http::ChunkedDecoder decoder_;
  http::ResponseHead head_;
  std::string_view method_;
  std::string gathered_;    // the unfinished head, later the finished one when the body comes in pieces
  std::string body_;
  std::string_view body_view_;
  MemoryShare held_;        // of both
  const char* reason_ = "";
  int informational_ = 0;
  bool started_ = false;
  bool in_body_ = false;
  bool has_head_ = false;
  bool complete_ = false;
};

}  // namespace belay::upstream
