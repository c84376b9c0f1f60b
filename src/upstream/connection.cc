#include "upstream/connection.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "upstream/pool.h"

namespace belay::upstream {

namespace {

const std::string& verify_name(const Destination& to, size_t url) {
  return to.server_name.empty() ? to.urls[url].host : to.server_name;
}

const event::ClientTls* tls_of(const Destination& to, size_t url) {
  return to.urls[url].scheme == "https" ? to.tls.get() : nullptr;
}

}  // namespace

Connection::Connection(event::Loop& loop, event::DeadlineList& deadlines, ConnectionOwner& owner, Pool& pool_in, size_t url_in,
                       const event::SocketAddress& to, const ClientLimits& limits)
    : pool(pool_in),
      url(url_in),
      loop_(loop),
      owner_(owner),
      peer_(to.to_string()),
      reuse_until_(loop.now() + limits.connection_age),
      reader_(pool.to->answer_limit > 0 ? std::min(pool.to->answer_limit, limits.response_body) : limits.response_body, limits.informational, limits.memory),
      stream_(loop, to, *this, tls_of(*pool.to, url), verify_name(*pool.to, url)) {
  deadlines.link(deadline_, [this] { expired(); });
}

Result<void> Connection::send(const Outbound& request, MonotonicTime deadline) {
  BELAY_CHECK(phase_ == Phase::idle || phase_ == Phase::opening);
  head_.clear();
  if (auto made = append_head(head_, *pool.to, pool.to->urls[url], request); !made) return made;
  body_ = request.body;
  written_ = 0;
  ++exchanges_;
  phase_ = Phase::active;
  deadline_.set(deadline);
  reader_.start(request.method);
  to_write_ = true;
  owner_.gathered(*this);
  return {};
}

void Connection::write_more() {
  const size_t total = head_.size() + body_.size();
  while (written_ < total && !write_failed_) {
    const size_t head_left = head_.size() - std::min(written_, head_.size());
    const size_t body_done = written_ - (head_.size() - head_left);
    // sendmsg() reads from these; iovec has no const form.
    iovec parts[2] = {{const_cast<char*>(head_.data()) + head_.size() - head_left, head_left},
                      {const_cast<char*>(body_.data()) + body_done, body_.size() - body_done}};
    const bool head_done = head_left == 0;
    const event::Io io = stream_.write(parts + (head_done ? 1 : 0), head_done || body_.empty() ? 1 : 2);
    if (io.state == event::IoState::blocked) return;
    // The backend may have answered before it closed ("413, and no more of it please"): reading will tell.
    if (io.state != event::IoState::ok) write_failed_ = true;
    written_ += io.bytes;
  }
}

bool Connection::reusable() const {
  return reader_.complete() && !write_failed_ && written_ == head_.size() + body_.size() && reader_.head().keep_alive && loop_.now() < reuse_until_;
}

void Connection::wait_in_pool(Duration idle_timeout) {
  phase_ = Phase::idle;
  body_ = {};
  reader_.rest();
  deadline_.set(loop_.now() + idle_timeout);
}

void Connection::on_readable() {
  char* const buffer = owner_.read_buffer();
  for (;;) {
    const event::Io io = stream_.read(buffer, ConnectionOwner::kReadBuffer);
    if (io.state == event::IoState::blocked) return;
    if (io.state != event::IoState::ok) return peer_closed(io.state == event::IoState::closed);
    // Bytes that nobody asked for can only be meant to answer the next request. One that waits to be written has not been seen by
    // anybody: it goes out once more, like one whose kept connection was closed.
    if (phase_ != Phase::active || to_write_) {
      return owner_.ended(*this, to_write_ && exchanges_ > 1 ? Outcome::reset : Outcome::bad_response, "bytes before any request");
    }
    switch (reader_.feed({buffer, io.bytes})) {
      case AnswerReader::State::need_more: break;
      case AnswerReader::State::bad: return owner_.ended(*this, Outcome::bad_response, reader_.reason());
      case AnswerReader::State::no_memory:
        if (!reader_.has_head()) return owner_.ended(*this, Outcome::no_memory, reader_.reason());
        [[fallthrough]];  // the body is lost, but not what the backend made of the webhook
      case AnswerReader::State::complete: phase_ = Phase::answered; return owner_.answered(*this);
    }
    if (io.bytes < ConnectionOwner::kReadBuffer) return;  // level-triggered: what came meanwhile is announced again
  }
}

void Connection::peer_closed(bool cleanly) {
  if (phase_ == Phase::active && cleanly && reader_.started()) {
    if (reader_.end() == AnswerReader::State::complete) {
      phase_ = Phase::answered;
      return owner_.answered(*this);
    }
    return owner_.ended(*this, Outcome::reset, reader_.reason());
  }
  owner_.ended(*this, Outcome::reset, cleanly ? "closed before the answer" : "connection reset");
}

void Connection::on_writable() {
  if (phase_ == Phase::opening) return owner_.opened(*this);
  if (phase_ == Phase::active && !to_write_) write_more();
}

void Connection::on_open_failed(const Error& reason) {
  failed_here_ = reason.kind == ErrorKind::io;
  owner_.ended(*this, stream_.connected() ? Outcome::tls_failed : reason.kind == ErrorKind::timeout ? Outcome::timeout : Outcome::refused,
               reason.message);
}

void Connection::expired() {
  const bool opening = phase_ == Phase::opening;
  owner_.ended(*this, Outcome::timeout,
               !opening              ? reader_.started() ? "the answer did not end in time" : "no answer in time"
               : stream_.connected() ? "TLS handshake not done in time"
                                     : "connect not done in time");
}

}  // namespace belay::upstream
