// A small HTTP server for the loopback admin API and `belay listen`, around libevent's evhttp. Never for senders: evhttp
// gets 38 of the 89 framing cases wrong. One thread; whole requests and whole answers, bodies bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
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

struct SimpleResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
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
