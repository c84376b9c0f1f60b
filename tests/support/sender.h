// A webhook sender over a plain blocking socket: writes raw bytes, reads whole answers. It trusts nothing of Belay's own
// parser: answers are taken apart here, naively, so that both cannot share one mistake. One thread per Connection.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::test {

struct Answer {
  int status = 0;
  std::string head;  // status line and fields as received
  std::string body;
  std::string field(std::string_view name) const;  // first value, case-insensitive; empty when absent
};

class Connection {
 public:
  // "127.0.0.1:8080" or "unix:/path". Throws when refused.
  explicit Connection(const std::string& address);
  ~Connection();
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;

  bool send(std::string_view bytes);  // false when the peer has closed
  // nullopt: the peer closed or reset before a whole answer, or the limit passed (see timed_out()).
  std::optional<Answer> read_answer(bool head_request = false, std::chrono::milliseconds limit = std::chrono::milliseconds(10'000));
  bool timed_out() const { return timed_out_; }
  // Everything until the peer closes or the limit passes.
  std::string read_all(std::chrono::milliseconds limit = std::chrono::milliseconds(5'000));
  bool closed_by_peer(std::chrono::milliseconds limit);
  void shutdown_write();
  int fd() const { return fd_; }

 private:
  bool fill(std::chrono::steady_clock::time_point until);
  int fd_ = -1;
  bool timed_out_ = false;
  std::string buffer_;
};

// A literal with its zero bytes.
template <size_t N>
std::string bytes_of(const char (&text)[N]) {
  return std::string(text, N - 1);
}

using Headers = std::vector<std::pair<std::string, std::string>>;

// "POST target HTTP/1.1" with Host, the headers and Content-Length.
std::string request(std::string_view method, std::string_view target, const Headers& headers, std::string_view body);
// One request on its own connection.
std::optional<Answer> send_once(const std::string& address, std::string_view bytes);

std::string hmac_sha256_hex(std::string_view key, std::string_view data);
std::string sha256_hex(std::string_view data);

}  // namespace belay::test
