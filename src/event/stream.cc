#include "event/stream.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "event/address.h"
#include "event/tls.h"

namespace belay::event {

namespace {

void no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on unix sockets, which need no such thing
}

// This machine has none left of what a connection takes: that says nothing about the peer.
bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
}

Error connect_error(int error) {
  const ErrorKind kind = error == ETIMEDOUT       ? ErrorKind::timeout
                         : error == ECONNREFUSED  ? ErrorKind::refused
                         : is_shortage(error)     ? ErrorKind::io
                                                  : ErrorKind::unavailable;
  return {kind, std::string("connect: ") + std::strerror(error)};
}

}  // namespace

Stream::Stream(Loop& loop, int fd, StreamHandler& handler, const ServerTls* tls) : loop_(loop), handler_(handler), fd_(fd) {
  BELAY_CHECK(fd >= 0);
  no_delay(fd_);
  if (tls == nullptr) {
    open_ = true;
    watch_read(true);
    return;
  }
  start_tls(tls->context(), {});
  SSL_set_accept_state(ssl_);
  watch_read(true);  // the ClientHello
}

Stream::Stream(Loop& loop, const SocketAddress& to, StreamHandler& handler, const ClientTls* tls, const std::string& server_name)
    : loop_(loop), handler_(handler) {
  start_connect(to);
  if (tls == nullptr) return;
  start_tls(tls->context(), server_name.empty() ? to.ip.to_string() : server_name);
  SSL_set_connect_state(ssl_);
}

Stream::~Stream() {
  if (read_event_ != nullptr) event_free(read_event_);
  if (write_event_ != nullptr) event_free(write_event_);
  if (ssl_ != nullptr) {
    if (open_ && !tls_broken_) shutdown_write();
    SSL_free(ssl_);
  }
  if (fd_ >= 0) ::close(fd_);
}

void Stream::start_connect(const SocketAddress& to) {
  connecting_ = true;
  sockaddr_storage address{};
  const socklen_t length = to_sockaddr(to, address);
  fd_ = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ >= 0 && to.unix_path.empty()) no_delay(fd_);
  const int result = fd_ < 0 ? -1 : ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), length);
  if (result == 0) return activate_write();
  if (fd_ >= 0 && errno == EINPROGRESS) return watch_write();
  failed_early_ = std::make_unique<Error>(connect_error(errno));
  activate_write();
}

void Stream::read_ready(int, short, void* self_pointer) {
  auto* self = static_cast<Stream*>(self_pointer);
  self->loop_.entered();
  if (!self->open_) return self->handshake();
  if (self->wants_read_) self->handler_.on_readable();
}

void Stream::write_ready(int, short, void* self_pointer) {
  auto* self = static_cast<Stream*>(self_pointer);
  self->loop_.entered();
  self->watching_write_ = false;
  if (self->open_) return self->handler_.on_writable();
  if (self->connecting_) return self->finish_connect();
  self->handshake();
}

void Stream::finish_connect() {
  if (failed_early_ != nullptr) return fail(std::move(*failed_early_));
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return fail(connect_error(error));
  connecting_ = false;
  if (ssl_ == nullptr) return opened();
  handshake();
}

// Connected, and shaken hands where TLS is on. The last thing this does is a callback: the Stream may be gone after it.
void Stream::opened() {
  open_ = true;
  watch_read(wants_read_);
  if (ssl_ != nullptr && wants_read_ && SSL_has_pending(ssl_) != 0) event_active(read_event_, EV_READ, 0);
  handler_.on_writable();
}

void Stream::fail(Error reason) { handler_.on_open_failed(reason); }

void Stream::watch_read(bool on) {
  if (on == watching_read_) return;
  if (read_event_ == nullptr) {
    read_event_ = event_new(loop_.base(), fd_, EV_READ | EV_PERSIST, &Stream::read_ready, this);
    BELAY_CHECK(read_event_ != nullptr);
  }
  BELAY_CHECK((on ? event_add(read_event_, nullptr) : event_del(read_event_)) == 0);
  watching_read_ = on;
}

void Stream::watch_write() {
  if (watching_write_) return;
  if (write_event_ == nullptr) {
    write_event_ = event_new(loop_.base(), fd_, EV_WRITE, &Stream::write_ready, this);
    BELAY_CHECK(write_event_ != nullptr);
  }
  BELAY_CHECK(event_add(write_event_, nullptr) == 0);
  watching_write_ = true;
}

void Stream::activate_write() {
  if (write_event_ == nullptr) {
    write_event_ = event_new(loop_.base(), fd_, EV_WRITE, &Stream::write_ready, this);
    BELAY_CHECK(write_event_ != nullptr);
  }
  event_active(write_event_, EV_WRITE, 0);
}

void Stream::want_read(bool on) {
  if (on == wants_read_) return;
  wants_read_ = on;
  if (!open_) return;  // opened() looks at it
  watch_read(on);
  if (on && ssl_ != nullptr && SSL_has_pending(ssl_) != 0) event_active(read_event_, EV_READ, 0);
}

Io Stream::read(char* into, size_t room) {
  BELAY_CHECK(open_);
  if (ssl_ != nullptr) return tls_read(into, room);
  for (;;) {
    const ssize_t got = ::recv(fd_, into, room, 0);
    if (got > 0) return {IoState::ok, static_cast<size_t>(got)};
    if (got == 0) return {room == 0 ? IoState::ok : IoState::closed, 0};
    if (errno == EAGAIN) return {IoState::blocked, 0};
    if (errno != EINTR) return {IoState::failed, 0};
  }
}

Io Stream::write(const iovec* parts, int count) {
  BELAY_CHECK(open_);
  if (ssl_ != nullptr) return tls_write(parts, count);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);  // sendmsg does not write to it
  message.msg_iovlen = static_cast<size_t>(count);
  for (;;) {
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent >= 0) return {IoState::ok, static_cast<size_t>(sent)};
    if (errno == EAGAIN) {
      watch_write();
      return {IoState::blocked, 0};
    }
    if (errno != EINTR) return {errno == EPIPE || errno == ECONNRESET ? IoState::closed : IoState::failed, 0};
  }
}

void Stream::shutdown_write() {
  if (!open_) return;
  if (ssl_ == nullptr) {
    ::shutdown(fd_, SHUT_WR);
    return;
  }
  if (tls_broken_) return;
  SSL_shutdown(ssl_);  // writes close_notify when the socket has room; never waits for the peer's
}

void Stream::linger_reset() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

}  // namespace belay::event
