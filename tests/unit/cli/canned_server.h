// Answers on loopback as a test says, byte for byte: what the real admin API would never send. One thread; one request a connection.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

namespace belay::test {

class CannedServer {
 public:
  // From the first line of a request to the whole answer.
  explicit CannedServer(std::function<std::string(const std::string&)> answer) : answer_(std::move(answer)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    REQUIRE_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    REQUIRE_EQ(::listen(listening_, 16), 0);
    REQUIRE_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &length), 0);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~CannedServer() {
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    ::close(listening_);
  }
  CannedServer(const CannedServer&) = delete;
  CannedServer& operator=(const CannedServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void serve() const {
    for (int peer = ::accept(listening_, nullptr, nullptr); peer >= 0; peer = ::accept(listening_, nullptr, nullptr)) {
      std::string request;
      char bytes[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::read(peer, bytes, sizeof bytes);
        if (got <= 0) break;
        request.append(bytes, static_cast<size_t>(got));
      }
      const std::string answer = answer_(request.substr(0, request.find('\r')));
      [[maybe_unused]] const ssize_t sent = ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(peer);
    }
  }

  const std::function<std::string(const std::string&)> answer_;
  int listening_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace belay::test
