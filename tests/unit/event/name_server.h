// A name server for tests, on a loopback port and a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "base/check.h"

namespace belay::test {

// Answers by the first four letters of a name: "gone" does not exist, "mute" gets no answer, "loop" is 127.0.0.1, "priv" is
// 10.0.0.5, "pair" is 127.0.0.2 and 127.0.0.1, every other name is 192.0.2.7. No name has an AAAA record.
class NameServer {
 public:
  NameServer() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BELAY_CHECK(::bind(fd_, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    socklen_t length = sizeof any;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &length);
    port_ = ntohs(any.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    ::shutdown(fd_, SHUT_RDWR);  // wakes recvfrom
    stopping_ = true;
    thread_.join();
    ::close(fd_);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::atomic<int> questions{0};  // of type A

 private:
  void serve() {
    char buffer[512];
    const timeval wait{.tv_sec = 0, .tv_usec = 20'000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    while (!stopping_) {
      sockaddr_in from{};
      socklen_t length = sizeof from;
      const ssize_t got = ::recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (got < 17) continue;
      size_t end = 12;
      while (end < static_cast<size_t>(got) && buffer[end] != 0) ++end;
      const bool a = buffer[end + 2] == 1;
      const std::string name(buffer + 13, 4);
      if (a) ++questions;
      if (name == "mute") continue;
      std::string answer(buffer, end + 5);
      answer[2] = static_cast<char>(0x84);
      answer[3] = static_cast<char>(name == "gone" ? 0x03 : 0x00);
      answer[7] = static_cast<char>(!a || name == "gone" ? 0 : name == "pair" ? 2 : 1);
      answer[9] = answer[11] = 0;
      if (answer[7] == 2) answer += std::string("\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x02\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01", 32);
      if (answer[7] == 1) {
        answer += std::string("\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04", 12);
        answer += name == "loop" ? std::string("\x7f\0\0\x01", 4) : name == "priv" ? std::string("\x0a\0\0\x05", 4) : std::string("\xc0\0\x02\x07", 4);
      }
      ::sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
    }
  }
  int fd_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace belay::test
