// The answering half: answers, slow readers, keep-alive, and how a connection ends.
#include <algorithm>

#include "proxy/answer.h"
#include "proxy/connection.h"
#include "proxy/connections.h"

namespace belay::proxy {

using wire::Outcome;

void Connection::give_up(int status, Outcome outcome, std::string_view reason, int retry_after) {
  pipeline::Exchange& exchange = work_->exchange;
  if (!started_) {
    // No head to speak of: nothing that the parser may have left there is used.
    exchange.request.fields.clear();
    exchange.request.method = exchange.request.target = exchange.request.path = exchange.request.query = {};
    stamp();
  }
  exchange.answer(status, outcome, reason, retry_after);
  pipeline::Runner::finish(owner_.ruleset(), exchange);
  unread_ = true;
  answered();
}

void Connection::answered() {
  owner_.measure(work_->exchange);
  started_ = false;
  phase_ = Phase::answering;
  deadline_.clear();
  owner_.queue_answer(*this);
}

void Connection::compose_answer() {
  const pipeline::Exchange& exchange = work_->exchange;
  close_after_ = unread_ || exchange.reply.close || !exchange.request.keep_alive || owner_.draining();
  work_->head.clear();
  body_follows_ = append_answer_head(work_->head, exchange.reply,
                                     {.date = owner_.date(),
                                      .method = exchange.request.method,
                                      .minor_version = exchange.request.minor_version,
                                      .close = close_after_});
  written_ = 0;
  slow_reader_ = false;
  owner_.count_memory(*work_);
}

void Connection::write_answer() {
  if (phase_ != Phase::answering) return;
  compose_answer();
  write_more();
}

void Connection::write_more() {
  const std::string_view head = work_->head;
  const std::string_view body = body_follows_ ? std::string_view(work_->exchange.reply.body) : std::string_view();
  const size_t total = head.size() + body.size();
  while (written_ < total) {
    iovec parts[2];
    int count = 0;
    if (written_ < head.size()) parts[count++] = {const_cast<char*>(head.data()) + written_, head.size() - written_};
    const size_t of_body = written_ < head.size() ? 0 : written_ - head.size();
    if (of_body < body.size()) parts[count++] = {const_cast<char*>(body.data()) + of_body, body.size() - of_body};
    const event::Io io = stream_->write(parts, count);
    if (io.state == event::IoState::blocked) return push_reader_deadline();
    if (io.state != event::IoState::ok) return close();
    written_ += io.bytes;
  }
  answer_sent();
}

// Counts what the sender has taken, not what is left: who reads nothing would hold a large answer for hours.
void Connection::push_reader_deadline() {
  if (!slow_reader_) {
    slow_reader_ = true;
    written_then_ = written_;
    fell_behind_ = owner_.loop().now();
  }
  const uint64_t rate = std::max<uint64_t>(owner_.limits().body_rate, 1);
  const uint64_t taken = written_ - written_then_ + event::kUnsentBytes;  // we hear of it only when that has gone
  deadline_.set(fell_behind_ + owner_.limits().idle_timeout + Duration(taken * 1000 / rate));
}

void Connection::answer_sent() {
  owner_.count_request();
  deadline_.clear();
  if (!close_after_) return next_request();
  // Unread bytes in the kernel would turn our close into a reset.
  if (unread_ || work_->in.size() > message_bytes_ || !reading_) return linger();
  close();
}

void Connection::next_request() {
  Workspace& work = *work_;
  const bool chunked = work.exchange.request.framing == http::Framing::chunked;
  work.exchange.reset();
  work.parser.reset();
  work.in.consume(message_bytes_);
  if (chunked) work.in.append(work.body.view());  // what came behind the last chunk
  work.body.truncate(0);
  message_bytes_ = head_bytes_ = 0;
  work.shrink();
  owner_.count_memory(work);
  if (work.in.size() == 0) return rest();
  phase_ = Phase::head;
  set_deadline(owner_.limits().head_timeout);
  read_head();
}

void Connection::rest() {
  phase_ = Phase::idle;
  set_deadline(owner_.limits().idle_timeout);
  give_back_workspace();
  want_read(true);
}

void Connection::give_back_workspace() {
  if (!work_) return;
  work_->exchange.reset();
  work_->parser.reset();
  work_->in.truncate(0);
  work_->body.truncate(0);
  work_->shrink();
  owner_.give_back(std::move(work_));
}

void Connection::linger() {
  phase_ = Phase::lingering;
  lingered_ = 0;
  give_back_workspace();
  stream_->shutdown_write();
  set_deadline(std::min(kLingerTime, owner_.limits().head_timeout));
  want_read(true);
}

// Reads what the sender is still sending, so that it gets to read our answer.
void Connection::discard() {
  Buffer& scratch = owner_.scratch();
  const event::Io io = stream_->read(scratch.data(), scratch.capacity());
  if (io.state == event::IoState::blocked) return;
  lingered_ += io.bytes;
  if (io.state != event::IoState::ok || lingered_ > kLingerBytes) close();
}

bool Connection::write_small(std::string_view text) {
  const iovec part{const_cast<char*>(text.data()), text.size()};
  const event::Io io = stream_->write(&part, 1);
  return io.state == event::IoState::ok && io.bytes == text.size();
}

void Connection::turn_away() {
  const bool told = entrance_->tls == nullptr && stream_->open() && owner_.may_linger_turned_away() && write_small(owner_.busy_answer());
  owner_.count_turned_away();
  turned_away = true;
  if (told) return linger();
  stream_->linger_reset();
  close();
}

void Connection::drain() {
  if (phase_ == Phase::idle || phase_ == Phase::preamble) {
    deadline_.set(std::min(deadline_.when(), owner_.loop().now() + Connections::kDrainGrace));
  }
}

void Connection::abandon() { close(); }

void Connection::close() {
  if (phase_ == Phase::closed) return;
  if (started_) {
    started_ = false;
    work_->exchange.answer(503, Outcome::failed, "the gateway stopped before the answer");
    pipeline::Runner::finish(owner_.ruleset(), work_->exchange);
  }
  phase_ = Phase::closed;
  deadline_.clear();
  owner_.retire(*this);
}

void Connection::recycle() {
  deadline_.unlink();
  stream_.reset();
  give_back_workspace();
  peer_.text.clear();
  tls_subject_.clear();
  phase_ = Phase::closed;
  reading_ = true;
  started_ = unread_ = close_after_ = body_follows_ = slow_reader_ = false;
  turned_away = false;
  client_place = pipeline::ClientCounts::kUncounted;
  head_bytes_ = message_bytes_ = written_ = 0;
}

}  // namespace belay::proxy
