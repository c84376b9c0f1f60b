#include "support/sender.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "base/bytes.h"

namespace belay::test {

namespace {

int connect_to(const std::string& address) {
  int fd = -1;
  int result = -1;
  if (address.starts_with("unix:")) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, address.c_str() + 5, sizeof to.sun_path - 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    result = connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  } else {
    const size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    result = connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (result != 0) {
    const int number = errno;
    close(fd);
    throw std::runtime_error("connect " + address + ": " + std::strerror(number));
  }
  return fd;
}

}  // namespace

std::string Answer::field(std::string_view name) const {
  for (const auto line : split(head, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !ascii_iequals(line.substr(0, colon), name)) continue;
    auto value = line.substr(colon + 1);
    if (value.ends_with('\r')) value.remove_suffix(1);
    return std::string(trim_ows(value));
  }
  return {};
}

Connection::Connection(const std::string& address) : fd_(connect_to(address)) {}

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), timed_out_(other.timed_out_), buffer_(std::move(other.buffer_)) {}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

bool Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool Connection::fill(std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
  pollfd waiting{fd_, POLLIN, 0};
  const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
  timed_out_ = ready == 0;
  if (ready <= 0) return false;
  std::array<char, 65536> chunk;
  const ssize_t got = recv(fd_, chunk.data(), chunk.size(), 0);
  if (got <= 0) return false;
  buffer_.append(chunk.data(), static_cast<size_t>(got));
  return true;
}

std::optional<Answer> Connection::read_answer(bool head_request, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  timed_out_ = false;
  for (;;) {
    const size_t end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) {
      if (!fill(until)) return std::nullopt;
      continue;
    }
    Answer answer;
    answer.head = buffer_.substr(0, end + 2);
    answer.status = std::atoi(answer.head.c_str() + answer.head.find(' ') + 1);
    if (answer.status == 100) {
      buffer_.erase(0, end + 4);
      continue;
    }
    const std::string length = answer.field("Content-Length");
    const bool bodyless = head_request || answer.status == 204 || answer.status == 304;
    if (!bodyless && length.empty()) {  // until close
      while (fill(until)) {
      }
      answer.body = buffer_.substr(end + 4);
      buffer_.clear();
      return answer;
    }
    const size_t body = bodyless ? 0 : std::stoul(length);
    while (buffer_.size() < end + 4 + body) {
      if (!fill(until)) return std::nullopt;
    }
    answer.body = buffer_.substr(end + 4, body);
    buffer_.erase(0, end + 4 + body);
    return answer;
  }
}

std::string Connection::read_all(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (fill(until)) {
  }
  return std::exchange(buffer_, {});
}

bool Connection::closed_by_peer(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (fill(until)) {
  }
  return !timed_out_;
}

void Connection::shutdown_write() { shutdown(fd_, SHUT_WR); }

std::string request(std::string_view method, std::string_view target, const Headers& headers, std::string_view body) {
  std::string out;
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: hooks.example.test\r\n");
  for (const auto& [name, value] : headers) out.append(name).append(": ").append(value).append("\r\n");
  out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return out;
}

std::optional<Answer> send_once(const std::string& address, std::string_view bytes) {
  Connection connection(address);
  if (!connection.send(bytes)) return std::nullopt;
  return connection.read_answer();
}

std::string hmac_sha256_hex(std::string_view key, std::string_view data) {
  std::array<unsigned char, 32> digest;
  unsigned int length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()), data.size(),
       digest.data(), &length);
  return hex_encode({reinterpret_cast<const char*>(digest.data()), length});
}

std::string sha256_hex(std::string_view data) {
  std::array<unsigned char, 32> digest;
  unsigned int length = 0;
  EVP_Digest(data.data(), data.size(), digest.data(), &length, EVP_sha256(), nullptr);
  return hex_encode({reinterpret_cast<const char*>(digest.data()), length});
}

}  // namespace belay::test
