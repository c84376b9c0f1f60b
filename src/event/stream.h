// Non-blocking byte streams over TCP, unix sockets and TLS, on plain descriptors (no bufferevents: measured in
// architecture.md). A Stream belongs to one connection on one loop; it owns its descriptor. Reading and writing are direct
// system calls when the owner wants them; interest in readability is registered once and kept, interest in writability only
// while a write is blocked. Readiness is level-triggered for plain and TLS streams alike: on_readable() comes again while
// bytes wait, whether the kernel or the TLS record layer holds them. A handler may destroy its Stream in any callback.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "event/loop.h"

struct event;
struct ssl_st;
struct ssl_ctx_st;

namespace belay::event {

class ClientTls;
class ServerTls;

// A resolved or literal peer: IP and port, or a unix socket path.
struct SocketAddress {
  IpAddress ip;
  uint16_t port = 0;
  std::string unix_path;  // not empty: a unix socket
  std::string to_string() const;
  bool operator==(const SocketAddress&) const = default;
};

class StreamHandler {
 public:
  virtual void on_readable() = 0;            // bytes, end of stream or an error wait to be read
  virtual void on_writable() = 0;            // after a blocked write, and once when a connect or handshake is done
  // connect or TLS handshake failed; no other call follows. `reason` is one line without secrets; io: this machine has no
  // descriptor, port or memory left for it.
  virtual void on_open_failed(const Error& reason) = 0;

 protected:
  ~StreamHandler() = default;
};

enum class IoState : uint8_t { ok, blocked, closed, failed };

struct Io {
  IoState state = IoState::ok;
  size_t bytes = 0;  // > 0 only with ok
};

class Stream {
 public:
  // Takes over an accepted descriptor (already non-blocking). With `tls`, the handshake runs first: no callback but
  // on_open_failed before it is done.
  Stream(Loop& loop, int fd, StreamHandler& handler, const ServerTls* tls = nullptr);
  // Starts to connect; on_writable() when open (after the TLS handshake), or on_open_failed().
  Stream(Loop& loop, const SocketAddress& to, StreamHandler& handler, const ClientTls* tls = nullptr, const std::string& server_name = {});
  ~Stream();  // closes; TLS sends close_notify when it can without waiting
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Io read(char* into, size_t room);
  // May write a part; `blocked` registers for on_writable.
  Io write(const iovec* parts, int count);
  // Stops and starts on_readable (back-pressure); started at first.
  void want_read(bool on);
  void shutdown_write();  // half close: FIN or close_notify
  void linger_reset();    // close() will send RST instead of FIN (refused floods)

  bool open() const { return open_; }
  bool connected() const { return !connecting_; }  // tells a failed connect from a failed handshake
  int fd() const { return fd_; }
  bool is_tls() const { return ssl_ != nullptr; }
  std::string tls_version() const;
  bool may_carry(const ServerTls& tls, std::string_view host) const;  // of an accepted one: ServerTls::covers()
  std::optional<std::string> peer_subject() const;  // of a verified client certificate, RFC 4514 text

 private:
  static void read_ready(int fd, short what, void* self);
  static void write_ready(int fd, short what, void* self);
  void start_connect(const SocketAddress& to);
  void start_tls(ssl_ctx_st* context, const std::string& verify_name);
  void finish_connect();
  void handshake();
  void opened();
  void fail(Error reason);
  void watch_read(bool on);
  void watch_write();
  void activate_write();  // on_writable soon, without asking the kernel
  Io tls_read(char* into, size_t room);
  Io tls_write(const iovec* parts, int count);
  Io tls_result(int result);

  Loop& loop_;
  StreamHandler& handler_;
  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  ::event* read_event_ = nullptr;
  ::event* write_event_ = nullptr;
  std::unique_ptr<Error> failed_early_;  // connect() itself failed: told on the next turn, never inside the constructor
  bool open_ = false;         // connect and handshake are done
  bool connecting_ = false;   // the TCP or unix connect is under way
  bool wants_read_ = true;    // as the owner said
  bool watching_read_ = false, watching_write_ = false;
  bool tls_broken_ = false;   // after a fatal TLS error no close_notify may be sent
};

// Accepts on a listening descriptor that somebody else owns (the master). Takes up to kBurst connections a wake-up; pauses
// for kPause when descriptors run out (EMFILE) instead of spinning. `accepted` owns the descriptor (non-blocking,
// close-on-exec) and may destroy the Listener.
class Listener {
 public:
  static constexpr int kBurst = 64;
  static constexpr Duration kPause{200};
  using Accepted = std::function<void(int fd, const SocketAddress& peer)>;
  Listener(Loop& loop, int fd, Accepted accepted);
  ~Listener();
  void pause();
  void resume();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Opens and binds a listening socket (SO_REUSEADDR, backlog kBacklog, non-blocking, close-on-exec). The kernel queues no more than
// kUnsentBytes of what is written to a TCP connection beyond what its peer takes, not megabytes for everyone who never reads. A stale unix socket file
// is replaced only when nobody answers on it. "[::]" means IPv6 only, as in nginx. The caller owns the descriptor; a unix
// socket's file stays behind when it closes; with `socket_mode` its permissions are these from the first moment on.
inline constexpr int kBacklog = 4096;
inline constexpr int kUnsentBytes = 16 << 10;
Result<int> open_listener(const std::string& address, std::optional<uint32_t> socket_mode = {});  // "127.0.0.1:8080", "[::]:443", "unix:/path"
Result<SocketAddress> parse_address(std::string_view text);
SocketAddress local_address(int fd);

}  // namespace belay::event
