#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "event/resolver.h"

using namespace belay;
using namespace belay::event;
using namespace std::chrono_literals;

namespace {

// A name server on a loopback port that knows one thing: every name has the address 192.0.2.7 (A), no AAAA; names that
// begin with "gone" do not exist, names that begin with "mute" get no answer.
class NameServer {
 public:
  NameServer() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
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
      answer[7] = a && name != "gone" ? 1 : 0;
      answer[9] = answer[11] = 0;
      if (answer[7] == 1) answer += std::string("\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07", 16);
      ::sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
    }
  }
  int fd_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("literals_and_localhost_are_answered_at_once") {
  Loop loop;
  Resolver resolver(loop, "127.0.0.1:1");
  int answered = 0;
  for (const std::string host : {"127.0.0.1", "::1", "localhost", "api.localhost", "LOCALHOST"}) {
    resolver.resolve(host, [&](const Result<std::vector<IpAddress>>& found) {
      ++answered;
      REQUIRE(found.ok());
      CHECK((*found)[0].is_loopback());
    });
  }
  CHECK_EQ(answered, 5);
}

TEST_CASE("names_asked_together_are_asked_once_and_kept_for_their_time_to_live") {
  NameServer server;
  Loop loop;
  Resolver resolver(loop, server.address());
  int answered = 0;
  const auto done = [&](const Result<std::vector<IpAddress>>& found) {
    ++answered;
    REQUIRE(found.ok());
    REQUIRE_EQ(found->size(), 1);
    CHECK_EQ((*found)[0].to_string(), "192.0.2.7");
  };
  for (int i = 0; i < 5; ++i) resolver.resolve("backend.example", done);
  REQUIRE(loop.run_until([&] { return answered == 5; }, 5s));
  resolver.resolve("backend.example", done);
  CHECK_EQ(answered, 6);
  CHECK_EQ(server.questions, 1);
}

TEST_CASE("a_name_that_does_not_exist_is_an_error_in_words_and_is_asked_again_next_time") {
  NameServer server;
  Loop loop;
  Resolver resolver(loop, server.address());
  std::string error;
  for (int i = 1; i <= 2; ++i) {
    error.clear();
    resolver.resolve("gone.example", [&](const Result<std::vector<IpAddress>>& found) {
      REQUIRE_FALSE(found.ok());
      error = found.error().message;
    });
    REQUIRE(loop.run_until([&] { return !error.empty(); }, 5s));
    CHECK_EQ(error, "DNS: gone.example: Domain name not found");
    CHECK_EQ(server.questions, i);
  }
}

TEST_CASE("a_silent_name_server_is_a_timeout_in_bounded_time") {
  NameServer server;
  Loop loop;
  Resolver resolver(loop, server.address());
  bool timed_out = false;
  const auto start = std::chrono::steady_clock::now();
  resolver.resolve("mute.example", [&](const Result<std::vector<IpAddress>>& found) {
    REQUIRE_FALSE(found.ok());
    timed_out = found.error().kind == ErrorKind::timeout;
  });
  CHECK(loop.run_until([&] { return timed_out; }, 10s));
  CHECK(std::chrono::steady_clock::now() - start < Resolver::kTimeout + 1s);
}

TEST_CASE("a_resolver_destroyed_with_questions_under_way_calls_nobody") {
  NameServer server;
  Loop loop;
  auto resolver = std::make_unique<Resolver>(loop, server.address());
  resolver->resolve("mute.example", [&](const Result<std::vector<IpAddress>>&) { FAIL("called back"); });
  loop.run_until([] { return false; }, 20ms);
  resolver.reset();
}
