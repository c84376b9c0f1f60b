// A backend for tests, on the test's own loop: reads whole requests and does what its script says with each.
#pragma once

#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "event/stream.h"
#include "event/tls.h"
#include "upstream/client.h"

namespace belay::test {

struct Answer {
  enum class Then : uint8_t { keep, close, reset };
  std::string bytes;
  Then then = Then::keep;
  bool byte_by_byte = false;  // one byte a turn of 5 ms
};

inline Answer ok(const std::string& body = "ok") {
  return {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

class ScriptedBackend {
 public:
  using Script = std::function<Answer(const std::string& request)>;

  ScriptedBackend(event::Loop& loop, Script script, const event::ServerTls* tls = nullptr, const std::string& listen = "127.0.0.1:0")
      : loop_(loop), script_(std::move(script)), tls_(tls), fd_(*event::open_listener(listen)), address_(event::local_address(fd_)) {
    listener_ = std::make_unique<event::Listener>(loop_, fd_, [this](int fd, const event::SocketAddress&) {
      ++connections;
      living_.push_back(std::make_unique<Connection>(*this, fd));
    });
  }
  ~ScriptedBackend() {
    listener_.reset();
    living_.clear();
    ::close(fd_);
  }

  std::string url(const std::string& path = "") const { return (tls_ != nullptr ? "https://" : "http://") + address_.to_string() + path; }
  void script(Script script) { script_ = std::move(script); }
  void close_all() { living_.clear(); }
  // Bytes that no request asked for, on every open connection.
  void inject(const std::string& bytes) {
    for (const auto& each : living_) {
      each->answer = {.bytes = bytes};
      each->send();
    }
  }
  size_t open_connections() const { return living_.size(); }

  std::vector<std::string> requests;  // whole, in order of arrival
  int connections = 0;
  bool answer_before_the_body = false;

 private:
  struct Connection final : event::StreamHandler {
    Connection(ScriptedBackend& owner_in, int fd)
        : owner(owner_in), stream(std::make_unique<event::Stream>(owner.loop_, fd, *this, owner.tls_)), drip(owner.loop_, [this] { send(); }) {}
    void on_readable() override {
      char buffer[16 << 10];
      const event::Io io = stream->read(buffer, sizeof buffer);
      if (io.state == event::IoState::blocked) return;
      if (io.state != event::IoState::ok) return end();
      received.append(buffer, io.bytes);
      const size_t head = received.find("\r\n\r\n");
      if (head == std::string::npos) return;
      size_t whole = head + 4;
      const size_t length = received.find("Content-Length: ");
      if (length < head && !owner.answer_before_the_body) whole += std::stoul(received.substr(length + 16));
      if (received.size() < whole) return;
      owner.requests.push_back(received.substr(0, whole));
      received.erase(0, whole);
      answer = owner.script_(owner.requests.back());
      send();
    }
    void on_writable() override { send(); }
    void on_open_failed(const Error&) override { end(); }
    void send() {
      while (!answer.bytes.empty()) {
        const iovec part{answer.bytes.data(), answer.byte_by_byte ? 1 : answer.bytes.size()};
        const event::Io io = stream->write(&part, 1);
        if (io.state != event::IoState::ok) return;
        answer.bytes.erase(0, io.bytes);
        if (answer.byte_by_byte) return drip.start(Duration(5));
      }
      if (answer.then == Answer::Then::reset) stream->linger_reset();
      if (answer.then != Answer::Then::keep) end();
    }
    void end() {
      for (auto& each : owner.living_) {
        if (each.get() != this) continue;
        std::swap(each, owner.living_.back());
        owner.living_.pop_back();
        return;
      }
    }
    ScriptedBackend& owner;
    std::string received;
    Answer answer;
    std::unique_ptr<event::Stream> stream;
    event::Timer drip;
  };

  event::Loop& loop_;
  Script script_;
  const event::ServerTls* tls_;
  int fd_;
  event::SocketAddress address_;
  std::unique_ptr<event::Listener> listener_;
  std::vector<std::unique_ptr<Connection>> living_;
};

// What became of one request.
struct Sent {
  bool done = false;
  upstream::Outcome outcome{};
  int status = 0;
  std::string body, error, peer, field_x;
  Duration retry_after{}, total{};
  std::unique_ptr<upstream::Client::Call> call;
};

// A loop, a client on it, and requests that own their bytes.
struct Caller {
  event::Loop& loop;
  event::Resolver resolver;
  upstream::Client client;
  http::Fields fields;
  std::string body = "{\"a\":1}";
  std::string method = "POST", target = "/hook?x=1";

  explicit Caller(event::Loop& loop_in, upstream::ClientLimits limits = {}, const std::string& name_server = "127.0.0.1:1")
      : loop(loop_in), resolver(loop_in, name_server), client(loop_in, resolver, limits) {
    fields.add("Host", "sender.test");
    fields.add("Content-Type", "application/json");
    fields.add("Content-Length", "7");
  }

  upstream::Outbound outbound() const {
    upstream::Outbound request;
    request.method = method;
    request.target = target;
    request.fields = &fields;
    request.body = body;
    request.has_body = true;
    request.id = *MessageId::parse("0198c0de-0000-7000-8000-000000000001");
    request.client = "192.0.2.9";
    return request;
  }

  std::unique_ptr<Sent> begin(const std::shared_ptr<const upstream::Destination>& to) {
    auto sent = std::make_unique<Sent>();
    sent->call = client.send(to, outbound(), [sent = sent.get()](const upstream::Attempt& attempt) {
      BELAY_CHECK_NOTE(!sent->done, "done ran twice");
      sent->done = true;
      sent->outcome = attempt.outcome;
      sent->status = attempt.status();
      sent->body = attempt.body;
      sent->error = attempt.error;
      sent->peer = attempt.peer;
      sent->retry_after = attempt.retry_after;
      sent->total = attempt.total;
      if (attempt.head != nullptr) {
        if (const auto* value = attempt.head->fields.find("x-field")) sent->field_x = *value;
      }
      sent->call.reset();  // as an exchange does that ends inside its callback
    });
    return sent;
  }

  std::unique_ptr<Sent> send(const std::shared_ptr<const upstream::Destination>& to) {
    auto sent = begin(to);
    BELAY_CHECK_NOTE(!sent->done, "done ran inside send()");
    BELAY_CHECK_NOTE(loop.run_until([&] { return sent->done; }, std::chrono::seconds(60)), "no outcome within 60 s");
    return sent;
  }
};

inline std::shared_ptr<upstream::Destination> destination(const std::vector<std::string>& urls) {
  auto to = std::make_shared<upstream::Destination>();
  to->name = "backend";
  for (const std::string& url : urls) to->urls.push_back(*http::parse_url(url));
  to->timeout = Duration(60'000);
  to->connect_timeout = Duration(30'000);
  to->success = *upstream::StatusSet::parse({"2xx"});
  to->retry_on = *upstream::StatusSet::parse({"5xx"});
  to->concurrency = 100;
  return to;
}

}  // namespace belay::test
