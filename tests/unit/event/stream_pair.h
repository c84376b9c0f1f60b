// A Stream's owner for tests: gathers what arrives, writes what it is told, remembers what happened.
#pragma once

#include <memory>
#include <string>

#include "event/stream.h"
#include "event/tls.h"

namespace belay::test {

struct Peer final : event::StreamHandler {
  std::unique_ptr<event::Stream> stream;
  std::string received, unsent;
  std::string failure;
  int opened = 0, readable = 0;
  bool closed = false, failed = false;
  bool read_once = false;        // one small read() for each on_readable
  bool destroy_on_read = false;  // the owner lets go of the Stream inside its callback

  void accept(event::Loop& loop, int fd, const event::ServerTls* tls = nullptr) {
    stream = std::make_unique<event::Stream>(loop, fd, *this, tls);
  }
  void connect(event::Loop& loop, const event::SocketAddress& to, const event::ClientTls* tls = nullptr, const std::string& name = {}) {
    stream = std::make_unique<event::Stream>(loop, to, *this, tls, name);
  }
  void send(std::string_view bytes) {
    unsent += bytes;
    if (stream != nullptr && stream->open()) flush();
  }
  void flush() {
    while (!unsent.empty()) {
      const size_t half = unsent.size() / 2;  // two parts, as a head and a body
      const iovec parts[] = {{unsent.data(), half}, {unsent.data() + half, unsent.size() - half}};
      const event::Io io = stream->write(parts, 2);
      if (io.state != event::IoState::ok) return;
      unsent.erase(0, io.bytes);
    }
  }
  void on_readable() override {
    ++readable;
    if (destroy_on_read) return stream.reset();
    char buffer[4096];
    for (;;) {
      const event::Io io = stream->read(buffer, read_once ? 100 : sizeof buffer);
      if (io.state == event::IoState::closed) closed = true;
      if (io.state == event::IoState::failed) failed = true;
      if (io.state != event::IoState::ok) {
        if (closed || failed) stream->want_read(false);
        return;
      }
      received.append(buffer, io.bytes);
      if (read_once) return;
    }
  }
  void on_writable() override {
    ++opened;
    flush();
  }
  void on_open_failed(const Error& reason) override { failure = reason.message; }
};

// A listening socket on any free loopback port whose first connection becomes `server`.
struct Pair {
  event::Loop loop;
  Peer client, server;
  int fd;
  event::SocketAddress address;
  std::unique_ptr<event::Listener> listener;

  explicit Pair(const event::ServerTls* tls = nullptr, const std::string& listen = "127.0.0.1:0") {
    fd = *event::open_listener(listen);
    address = event::local_address(fd);
    listener = std::make_unique<event::Listener>(loop, fd, [this, tls](int accepted, const event::SocketAddress&) {
      server.accept(loop, accepted, tls);
    });
  }
  ~Pair() {
    listener.reset();
    ::close(fd);
  }
};

}  // namespace belay::test
