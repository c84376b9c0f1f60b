// A worker's inside without the worker: a real loop, real sockets, hand-made modules. Serves /echo (200, the body back), /early
// (200 before the body is read), /refuse (403 in front of the body), /park (waits for resume()), /big (kBig bytes), other paths 404.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/connections.h"

namespace belay::test {

class FunctionHandler final : public pipeline::Handler {
 public:
  using Act = std::function<pipeline::Verdict(pipeline::Exchange&)>;
  explicit FunctionHandler(Act act) : act_(std::move(act)) {}
  pipeline::Verdict handle(pipeline::Exchange& exchange) const override { return act_(exchange); }

 private:
  Act act_;
};

// What the books say about one request.
struct Line {
  std::string client, path, body, reason, forwarded_for;
  int status = 0;
  wire::Outcome outcome{};
};

struct Bench {
  static constexpr size_t kBig = size_t{8} << 20;
  static constexpr Duration kPatience{5'000};
  static constexpr pipeline::Module kHead{.key = "head", .stage = pipeline::Stage::on_head};
  static constexpr pipeline::Module kBody{.key = "body", .stage = pipeline::Stage::on_body};

  event::Loop loop;
  SystemClock clock;
  SeededRandom random{7};
  pipeline::SharedMemory& shared = *pipeline::SharedMemory::create().value();
  pipeline::OutcomeCounters counters{1};
  pipeline::Services services{.clock = clock, .random = random, .shared = shared, .counters = &counters};
  std::shared_ptr<conf::Configuration> configuration = std::make_shared<conf::Configuration>();
  pipeline::Ruleset ruleset;
  proxy::TrustedProxies trusted = proxy::TrustedProxies::parse({"127.0.0.0/8", "unix:"}).value();
  proxy::Entrance plain, with_proxy_header{.tls = nullptr, .proxy_protocol = true};
  std::vector<Line> books;
  std::vector<pipeline::Resume> parked;
  std::optional<proxy::Connections> connections;

  explicit Bench(const std::function<void(conf::Limits&)>& change = {}) {
    conf::Limits& limits = configuration->proxy.limits;
    limits = {.body = 1 << 20, .header = 32 << 10, .memory = 1 << 30, .headers = 100, .connections = 1000,
              .connections_per_client = 1000, .head_timeout = Duration{10'000}, .idle_timeout = Duration{10'000},
              .stop_timeout = Duration{10'000}, .body_rate = 500};
    if (change) change(limits);
    ruleset.configuration = configuration;
    auto source = std::make_unique<pipeline::Source>();
    source->name = "test";
    source->body_max = limits.body;
    ruleset.sources.push_back(std::move(source));
    add(ruleset.before, kHead, [this](pipeline::Exchange& e) { return match(e); });
    add(ruleset.sources[0]->steps, kHead, [](pipeline::Exchange& e) { return refuse(e); });
    add(ruleset.sources[0]->steps, kBody, [this](pipeline::Exchange& e) { return deliver(e); });
    add(ruleset.after, kHead, [this](pipeline::Exchange& e) { return note(e); });
    connections.emplace(loop, ruleset, services, trusted, 0);
  }
  ~Bench() { connections.reset(); }

  static void add(std::vector<pipeline::Source::Step>& to, const pipeline::Module& module, FunctionHandler::Act act) {
    to.push_back({&module, std::make_unique<FunctionHandler>(std::move(act))});
  }
  pipeline::Verdict match(pipeline::Exchange& e) {
    for (const char* known : {"/echo", "/early", "/refuse", "/park", "/big"}) {
      if (e.request.path == known) e.source = ruleset.sources[0].get();
    }
    if (e.source != nullptr) return pipeline::Verdict::next;
    e.answer(404, wire::Outcome::rejected, "match: no source");
    return pipeline::Verdict::reply;
  }
  static pipeline::Verdict refuse(pipeline::Exchange& e) {
    if (e.request.path == "/early") {
      e.answer(200, wire::Outcome::filtered, "early");
      return pipeline::Verdict::reply;
    }
    if (e.request.path != "/refuse") return pipeline::Verdict::next;
    e.answer(403, wire::Outcome::rejected, "allow: no");
    return pipeline::Verdict::reply;
  }
  pipeline::Verdict deliver(pipeline::Exchange& e) {
    if (e.request.path == "/park") {
      parked.push_back(e.park());
      return pipeline::Verdict::parked;
    }
    e.outcome = wire::Outcome::forwarded;
    e.reply.status = 200;
    e.reply.head = "X-Backend: yes\r\n";
    e.reply.body = e.request.path == "/big" ? std::string(kBig, 'b') : std::string(e.body);
    return pipeline::Verdict::reply;
  }
  pipeline::Verdict note(pipeline::Exchange& e) {
    books.push_back({e.client.text(), std::string(e.request.path), std::string(e.body), e.reason, e.client.forwarded_for,
                     e.reply.status, e.outcome});
    return pipeline::Verdict::next;
  }

  bool until(const std::function<bool()>& done, Duration limit = kPatience) { return loop.run_until(done, limit); }
};

// One sender, on a real non-blocking socket pair whose other end a Bench has accepted.
class Sender {
 public:
  explicit Sender(Bench& bench, const std::string& from = "192.0.2.1", const proxy::Entrance* entrance = nullptr) : bench_(bench) {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    fd_ = ends[0];
    event::SocketAddress peer;
    if (from == "unix:") {
      peer.unix_path = "-";  // as accept() names a client without a name
    } else {
      peer.ip = *IpAddress::parse(from);
      peer.port = 4711;
    }
    bench_.connections->accept(ends[1], peer, entrance != nullptr ? *entrance : bench_.plain);
  }
  ~Sender() { close(); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  // Sends everything, turning the loop while the socket is full. False when the other side has closed.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        text.remove_prefix(static_cast<size_t>(sent));
      } else if (errno != EAGAIN) {
        return false;
      } else {
        int turns = 0;
        bench_.until([&] { return ++turns > 1; });
      }
    }
    return true;
  }
  void pull() {
    char room[65536];
    for (;;) {
      const ssize_t got = ::recv(fd_, room, sizeof room, 0);
      if (got > 0) {
        received.append(room, static_cast<size_t>(got));
      } else {
        if (got == 0) ended = true;
        if (got < 0 && errno != EAGAIN) ended = reset = true;
        return;
      }
    }
  }
  // Turns the loop until this text has come; false when it has not in time.
  bool gets(const std::string& text, Duration limit = Bench::kPatience) {
    return bench_.until([&] {
      pull();
      return received.find(text) != std::string::npos;
    }, limit);
  }
  bool sees_end(Duration limit = Bench::kPatience) {
    return bench_.until([&] {
      pull();
      return ended;
    }, limit);
  }
  size_t answers() const {
    size_t count = 0;
    for (size_t at = received.find("HTTP/1.1 "); at != std::string::npos; at = received.find("HTTP/1.1 ", at + 1)) ++count;
    return count;
  }
  bool gets_answers(size_t count) {
    return bench_.until([&] {
      pull();
      return answers() >= count;
    });
  }

  std::string received;
  bool ended = false, reset = false;

 private:
  Bench& bench_;
  int fd_ = -1;
};

inline std::string post(const std::string& path, const std::string& body, const std::string& fields = {}) {
  return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace belay::test
