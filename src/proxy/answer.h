// The head of an answer to a sender: status line, the reply's own fields, then what belongs to this hop: Date, Content-Length,
// Connection. Appends to a string that a connection keeps, so that answering allocates nothing. Pure.
#pragma once

#include <string>
#include <string_view>

#include "pipeline/exchange.h"

namespace belay::proxy {

struct AnswerFacts {
  std::string_view date;       // of this second, "Sun, 06 Nov 1994 08:49:37 GMT"
  std::string_view method;     // of the request; HEAD gets no body (RFC 9110 §9.3.2)
  int minor_version = 1;       // of the request
  bool close = false;          // the connection ends with this answer
};

// Appends the whole head; true when reply.body follows it.
bool append_answer_head(std::string& out, const pipeline::Reply& reply, const AnswerFacts& facts);

}  // namespace belay::proxy
