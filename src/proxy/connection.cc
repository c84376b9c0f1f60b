// The receiving half: PROXY header, head, body, the walk through the modules. connection_answer.cc has the other half.
#include "proxy/connection.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "proxy/connections.h"
#include "proxy/proxy_protocol.h"

namespace belay::proxy {

using pipeline::RunState;
using wire::Outcome;

Connection::Connection(Connections& owner) : owner_(owner), resumed_([this](RunState state) { go_on(state); }) {}
Connection::~Connection() = default;

void Connection::open(int fd, const event::SocketAddress& peer, const Entrance& entrance) {
  entrance_ = &entrance;
  phase_ = entrance.proxy_protocol ? Phase::preamble : Phase::idle;
  peer_.unix_socket = !peer.unix_path.empty();
  peer_.address = peer.ip;
  peer_.trusted = peer_.unix_socket ? owner_.trusted().unix_sockets() : owner_.trusted().contains(peer.ip);
  peer_.tls = entrance.tls != nullptr;
  if (!peer_.unix_socket) peer_.text = peer.ip.to_string();
  stream_.emplace(owner_.loop(), fd, *this, entrance.proxy_protocol ? nullptr : entrance.tls);
  owner_.link_deadline(deadline_, [this] { expired(); });
  set_deadline(owner_.limits().head_timeout);
}

void Connection::set_deadline(Duration from_now) { deadline_.set(owner_.loop().now() + from_now); }

void Connection::want_read(bool on) {
  if (on == reading_) return;
  reading_ = on;
  stream_->want_read(on);
}

void Connection::on_readable() {
  switch (phase_) {
    case Phase::waiting:
    case Phase::answering: return want_read(false);  // pipelined bytes, or the end of the stream, wait for their turn
    case Phase::lingering: return discard();
    case Phase::closed: return;
    case Phase::preamble: return receive_preamble();
    case Phase::idle:
    case Phase::head:
    case Phase::body: return receive();
  }
}

void Connection::on_writable() {
  if (phase_ == Phase::answering) return write_more();
  if (stream_->is_tls() && tls_subject_.empty()) tls_subject_ = stream_->peer_subject().value_or(std::string());
}

void Connection::on_open_failed(const Error&) { close(); }

void Connection::receive() {
  if (!work_ && !(work_ = owner_.lend())) return turn_away();
  const bool to_body = phase_ == Phase::body && own_buffer_;
  Buffer& into = to_body ? work_->body : work_->in;
  if (to_body && into.room() == 0 && !make_room(into.capacity())) return;
  size_t room = into.room();
  const auto& request = work_->exchange.request;
  // Never past the end of a body with a length: what follows belongs to the next message.
  if (to_body && request.framing == http::Framing::length) room = std::min<uint64_t>(room, request.content_length - into.size());
  const event::Io io = stream_->read(into.end(), room);
  if (io.state == event::IoState::blocked) {
    if (phase_ == Phase::idle) give_back_workspace();
    return;
  }
  if (io.state != event::IoState::ok) return sender_gone();
  into.added(io.bytes);
  advance();
}

void Connection::advance() {
  if (phase_ == Phase::body) return read_body();
  if (phase_ == Phase::idle) {
    phase_ = Phase::head;
    set_deadline(owner_.limits().head_timeout);
  }
  read_head();
}

// Takes exactly the header off the socket: what follows it belongs to TLS or HTTP.
void Connection::receive_preamble() {
  if (!work_ && !(work_ = owner_.lend())) return turn_away();
  Buffer& in = work_->in;
  const ssize_t waiting = ::recv(stream_->fd(), in.end(), in.room(), MSG_PEEK);
  if (waiting < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (waiting <= 0) return close();
  const size_t before = in.size();
  in.added(static_cast<size_t>(waiting));
  ProxyHeader header;
  const ProxyHeaderState state = parse_proxy_header(in.view(), header);
  if (state == ProxyHeaderState::refused) return close();
  const size_t taken = (state == ProxyHeaderState::complete ? header.bytes : in.size()) - before;
  in.truncate(before);
  const event::Io io = stream_->read(in.end(), taken);
  if (io.state != event::IoState::ok || io.bytes != taken) return close();
  in.added(taken);
  if (state == ProxyHeaderState::need_more) return;
  give_back_workspace();
  phase_ = Phase::idle;
  if (peer_.trusted && header.source) believe(*header.source, header.tls);
  if (phase_ == Phase::idle && entrance_->tls != nullptr) start_tls();
}

void Connection::start_tls() {
  const int fd = ::fcntl(stream_->fd(), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return close();
  stream_.emplace(owner_.loop(), fd, *this, entrance_->tls);
}

void Connection::believe(const IpAddress& address, bool tls) {
  peer_.address = address;
  peer_.text = address.to_string();
  peer_.unix_socket = false;
  peer_.trusted = owner_.trusted().contains(address);
  peer_.tls = tls || entrance_->tls != nullptr;
  if (peer_.trusted) return;
  if (!owner_.count_client(*this, address)) turn_away();
}

void Connection::read_head() {
  switch (work_->parser.parse(work_->in.view(), work_->exchange.request)) {
    case http::ParseState::need_more:
      if (work_->in.room() == 0 && !make_room(work_->in.capacity())) return;
      return want_read(true);
    case http::ParseState::refused: {
      const http::Refusal& refusal = work_->parser.refusal();
      return give_up(refusal.status, Outcome::rejected, std::string("head: ") + refusal.reason);
    }
    case http::ParseState::complete: return begin_request();
  }
}

// The request has an id and a time from here on.
void Connection::stamp() {
  pipeline::Exchange& exchange = work_->exchange;
  started_ = true;
  exchange.id = owner_.next_id();
  exchange.received = owner_.loop().wall();
  exchange.started = owner_.services().clock.monotonic();
  exchange.client.tls_subject = tls_subject_;
  resolve_client(owner_.trusted(), peer_, exchange.request.fields, exchange.client);
}

void Connection::begin_request() {
  stamp();
  // The client's certificate was verified for the name that TLS asked for, and the Host of a request may be another.
  if (entrance_->tls != nullptr && !stream_->may_carry(*entrance_->tls, work_->exchange.request.host)) {
    return give_up(421, Outcome::rejected, "tls: this host verifies clients by another authority: connect to it by its own name");
  }
  head_bytes_ = work_->parser.head_bytes();
  const http::RequestHead& request = work_->exchange.request;
  const size_t behind = work_->in.size() - head_bytes_;
  // Whole already: an early answer need not close the connection.
  const bool whole = request.framing == http::Framing::none ||
                     (request.framing == http::Framing::length && request.content_length <= behind);
  message_bytes_ = head_bytes_ + (whole ? static_cast<size_t>(request.content_length) : 0);
  unread_ = !whole;
  own_buffer_ = false;
  deadline_.clear();
  walk(false);
}

void Connection::walk(bool complete) {
  go_on(pipeline::Runner::run(owner_.ruleset(), work_->exchange, complete, resumed_));
}

void Connection::go_on(RunState state) {
  switch (state) {
    case RunState::need_body: return take_body();
    case RunState::parked: phase_ = Phase::waiting; return;
    case RunState::done: return answered();
  }
}

void Connection::take_body() {
  const http::RequestHead& request = work_->exchange.request;
  if (request.framing == http::Framing::none) return body_complete({});
  if (request.framing == http::Framing::chunked) return take_chunked();
  if (request.content_length > work_->exchange.source->body_max) {
    return give_up(413, Outcome::rejected, "body: larger than this source accepts");
  }
  Buffer& in = work_->in;
  if (!unread_) return body_complete(in.view().substr(head_bytes_, request.content_length));
  const size_t behind = in.size() - head_bytes_;
  if (request.content_length > in.capacity() - head_bytes_) {
    work_->body.truncate(0);
    const uint64_t first = std::min<uint64_t>(request.content_length, std::max(kFirstBodyBuffer, behind));
    if (!make_room(first)) return;
    work_->body.append(in.view().substr(head_bytes_));
    message_bytes_ = in.size();
    own_buffer_ = true;
  }
  if (behind == 0 && request.expect_continue && !write_small("HTTP/1.1 100 Continue\r\n\r\n")) return close();
  await_body();
}

void Connection::take_chunked() {
  http::ChunkedDecoder& decoder = work_->decoder;
  decoder.reset(work_->exchange.source->body_max);
  work_->chunked.clear();
  work_->body.truncate(0);
  work_->body.append(work_->in.view().substr(head_bytes_));
  message_bytes_ = work_->in.size();
  own_buffer_ = true;
  if (!make_room(Workspace::kReceive)) return;
  const bool waits = work_->body.size() == 0 && work_->exchange.request.expect_continue;
  if (waits && !write_small("HTTP/1.1 100 Continue\r\n\r\n")) return close();
  await_body();
  if (work_->body.size() != 0) decode_more();
}

void Connection::await_body() {
  phase_ = Phase::body;
  body_started_ = owner_.loop().now();
  push_body_deadline(0);
  want_read(true);
}

void Connection::push_body_deadline(uint64_t received) {
  const uint64_t rate = std::max<uint64_t>(owner_.limits().body_rate, 1);
  deadline_.set(body_started_ + owner_.limits().head_timeout + Duration(received * 1000 / rate));
}

void Connection::read_body() {
  const http::RequestHead& request = work_->exchange.request;
  if (request.framing == http::Framing::chunked) return decode_more();
  const size_t received = own_buffer_ ? work_->body.size() : work_->in.size() - head_bytes_;
  if (received < request.content_length) return push_body_deadline(received);
  if (own_buffer_) return body_complete(work_->body.view());
  message_bytes_ = head_bytes_ + static_cast<size_t>(request.content_length);
  body_complete(work_->in.view().substr(head_bytes_, request.content_length));
}

void Connection::decode_more() {
  size_t consumed = 0;
  const auto state = work_->decoder.decode(work_->body.view(), work_->chunked, consumed);
  const size_t before = work_->counted;
  owner_.count_memory(*work_);
  if (state == http::ParseState::refused) {
    const http::Refusal& refusal = work_->decoder.refusal();
    return give_up(refusal.status, Outcome::rejected, std::string("body: ") + refusal.reason);
  }
  work_->body.consume(consumed);
  if (state == http::ParseState::complete) return body_complete(work_->chunked);
  if (work_->counted > before && !owner_.memory_left(0)) return give_up(503, Outcome::failed, "limits.memory is reached", Connections::kRetryAfterSeconds);
  push_body_deadline(work_->chunked.size());
}

void Connection::body_complete(std::string_view body) {
  deadline_.clear();
  unread_ = false;
  work_->exchange.body = body;
  walk(true);
}

// Room for `more` bytes in the buffer that receives at the moment. False when limits.memory forbids: the request has ended.
bool Connection::make_room(size_t more) {
  Buffer& buffer = started_ ? work_->body : work_->in;
  const auto& request = work_->exchange.request;
  size_t capacity = buffer.size() + more;
  if (started_ && request.framing == http::Framing::length) capacity = std::min<uint64_t>(capacity, request.content_length);
  if (capacity <= buffer.capacity()) return true;
  if (!owner_.memory_left(capacity - buffer.capacity())) {
    give_up(503, Outcome::failed, "limits.memory is reached", Connections::kRetryAfterSeconds);
    return false;
  }
  buffer.reserve(capacity);
  owner_.count_memory(*work_);
  return true;
}

// End of stream or an error instead of the bytes that should follow.
void Connection::sender_gone() {
  if (phase_ == Phase::body) {
    work_->exchange.answer(400, Outcome::rejected, "body: the sender closed the connection before its end");
    pipeline::Runner::finish(owner_.ruleset(), work_->exchange);
    started_ = false;
  }
  close();
}

void Connection::expired() {
  switch (phase_) {
    case Phase::head: return give_up(408, Outcome::rejected, "head: not complete within limits.head_timeout");
    case Phase::body: return give_up(408, Outcome::rejected, "body: slower than limits.body_rate");
    default: return close();
  }
}

}  // namespace belay::proxy
