// What a connection needs only while a request is on: receive buffer, parser, exchange, body, answer. Lent by Connections when
// bytes arrive and given back when the connection is idle again, so that thousands of idle connections hold none, and busy
// ones reuse warm memory without asking the allocator. One worker, one thread.
#pragma once

#include <string>

#include "http/parser.h"
#include "pipeline/exchange.h"
#include "proxy/buffer.h"

namespace belay::proxy {

struct Workspace {
  static constexpr size_t kReceive = size_t{16} << 10;   // holds most whole requests; grows for a longer head only
  static constexpr size_t kKeepBody = size_t{64} << 10;  // a larger body buffer is freed after its request

  Workspace(const http::HeadLimits& limits, pipeline::Services& services)
      : in(kReceive), parser(limits), exchange(services) {}

  Buffer in;                // from the first byte of the message on: head, and the body when it fits
  http::RequestParser parser;
  pipeline::Exchange exchange;
  Buffer body;              // a longer body with Content-Length; raw bytes of a chunked one
  std::string chunked;      // a chunked body without its framing
  http::ChunkedDecoder decoder;
  std::string head;         // of the answer
  size_t counted = 0;       // of held(), in limits.memory so far

  // Bytes that count against limits.memory; a backend's answer is counted by the exchange.
  size_t held() const { return in.capacity() + body.capacity() + chunked.capacity(); }

  // Frees what one large request needed and the next will not.
  void shrink() {
    if (in.capacity() > kReceive && in.size() <= kReceive) {
      Buffer smaller(kReceive);
      smaller.append(in.view());
      in.swap(smaller);
    }
    if (body.capacity() > kKeepBody) body.release();
    if (chunked.capacity() > kKeepBody) std::string().swap(chunked);
  }
};

}  // namespace belay::proxy
