// A small HTTP server for the loopback admin API and `belay listen`, around libevent's evhttp. Never for senders: evhttp
// gets 38 of the 89 framing cases wrong. One thread; whole requests and whole answers, bodies bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "event/loop.h"

namespace belay::event {

struct SimpleRequest {
  std::string method, path, query, peer;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  const std::string* header(std::string_view name) const;  // case-insensitive; null when absent
};

// The body of an answer whose end is open: its head is out, pieces follow (chunked). Ends when it is destroyed. On the loop's
// thread, and not longer than the server.
class SimpleStream {
 public:
  static constexpr int kWriteSeconds = 60;  // a peer that takes nothing for so long is cut off
  virtual ~SimpleStream() = default;
  virtual void write(std::string_view piece) = 0;  // nothing happens once the peer is gone
  virtual size_t unsent() const = 0;               // bytes that the peer has not taken
  virtual bool gone() const = 0;                   // the peer went away
};

struct SimpleResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Given: the body is what is written there. Not called when the peer went away.
  std::function<void(std::unique_ptr<SimpleStream>)> opened = {};
};

class SimpleServer {
 public:
  static constexpr size_t kMaxBody = size_t{16} << 20;
  // `respond` may be called at once or later, once, on the loop's thread.
  using Respond = std::function<void(SimpleResponse)>;
  using Handler = std::function<void(const SimpleRequest&, Respond)>;

  SimpleServer(Loop& loop, Handler handler);
  ~SimpleServer();
  // "127.0.0.1:9180", "unix:/path"; port 0: any. `socket_mode`: who may connect to a unix socket.
  Result<void> listen(const std::string& address, uint32_t socket_mode = 0600);
  uint16_t port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::event
