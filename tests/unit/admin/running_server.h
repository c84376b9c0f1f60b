// An AdminServer on a loop and a thread of its own, with a fake spool behind it; spoken to over a real socket.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "admin/fake_operations.h"
#include "admin/server.h"
#include "support/sender.h"

namespace belay::test {

constexpr const char* kToken = "correct-horse";
constexpr const char* kReadToken = "battery-staple";  // of role read

class RunningServer {
 public:
  explicit RunningServer(std::vector<conf::AdminToken> tokens = {{"admin", {{.value = kToken}}, true}, {"dashboard", {{.value = kReadToken}}, false}}) {
    std::atomic<bool> ready = false;
    thread_ = std::thread([this, &ready, tokens = std::move(tokens)] {
      server_ = std::make_unique<admin::AdminServer>(loop_, operations, clock,
                                                     admin::AdminOptions{.listen = "127.0.0.1:0", .tokens = tokens});
      const Result<void> started = server_->start();
      BELAY_CHECK(started.ok());
      port_ = server_->port();
      ready = true;
      ready.notify_one();
      loop_.run();
      server_.reset();
    });
    ready.wait(false);
  }
  ~RunningServer() {
    loop_.post([this] { loop_.stop(); });
    thread_.join();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  Answer ask(std::string_view method, std::string_view target, std::string_view body = {}) const {
    return send({{"Authorization", std::string("Bearer ") + kToken}}, method, target, body);
  }
  Answer get(std::string_view target) const { return ask("GET", target); }
  Answer send(const Headers& headers, std::string_view method, std::string_view target, std::string_view body = {}) const {
    Connection connection(address());
    REQUIRE(connection.send(request(method, target, headers, body)));
    const auto answer = connection.read_answer(method == "HEAD");
    REQUIRE(answer);
    return *answer;
  }

  FakeOperations operations;
  ManualClock clock;

 private:
  event::Loop loop_;
  std::unique_ptr<admin::AdminServer> server_;
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace belay::test
