// One connection to a backend: carries one exchange at a time, then waits in its pool for the next. Owned by the client's
// pool, on its loop. Tells its owner when it opened, when an answer is whole, and when it ended; after `ended` it is gone.
#pragma once

#include <memory>
#include <string>

#include "event/loop.h"
#include "event/stream.h"
#include "upstream/answer_reader.h"
#include "upstream/client.h"

namespace belay::upstream {

struct Pool;
class CallState;
class Connection;

class ConnectionOwner {
 public:
  virtual void opened(Connection& connection) = 0;    // ready for its first request
  virtual void answered(Connection& connection) = 0;  // connection.reader() holds the answer, or its head when !complete()
  // Nothing more will happen on it: the owner destroys it. Idle connections end with Outcome::reset or timeout.
  virtual void ended(Connection& connection, Outcome why, std::string error) = 0;
  // Has a request to write: wants write_now() at the end of this turn.
  virtual void gathered(Connection& connection) = 0;
  // Room for one read, shared by all connections of the loop: what an answer does not finish with is copied out of it.
  virtual char* read_buffer() = 0;
  static constexpr size_t kReadBuffer = 64 << 10;

 protected:
  ~ConnectionOwner() = default;
};

class Connection final : public event::StreamHandler {
 public:
  Connection(event::Loop& loop, event::DeadlineList& deadlines, ConnectionOwner& owner, Pool& pool, size_t url,
             const event::SocketAddress& to, const ClientLimits& limits);

  // Takes the request, which is written at the end of the turn. An error when its head must not be sent (see append_head); then
  // nothing of it will be.
  Result<void> send(const Outbound& request, MonotonicTime deadline);
  void write_now() {
    to_write_ = false;
    write_more();
  }
  bool to_write() const { return to_write_; }
  // After answered(): true when the next request may go out on it.
  bool reusable() const;
  void wait_in_pool(Duration idle_timeout);
  void fail_at(MonotonicTime when) { deadline_.set(when); }

  AnswerReader& reader() { return reader_; }
  const AnswerReader& reader() const { return reader_; }
  const std::string& peer() const { return peer_; }
  bool failed_here() const { return failed_here_; }  // to open, by this machine: Attempt::local
  uint32_t exchanges() const { return exchanges_; }  // begun on it, the running one included

  Pool& pool;
  const size_t url;        // index into the destination's urls
  CallState* call = nullptr;
  size_t place = 0;        // in pool.all

  void on_readable() override;
  void on_writable() override;
  void on_open_failed(const Error& reason) override;

 private:
  enum class Phase : uint8_t { opening, active, answered, idle };
  void write_more();
  void peer_closed(bool cleanly);
  void expired();

  event::Loop& loop_;
  ConnectionOwner& owner_;
  const std::string peer_;
  const MonotonicTime reuse_until_;
  event::DeadlineList::Entry deadline_;
  AnswerReader reader_;
  std::string head_;           // of the request; the buffer is kept from one to the next
  std::string_view body_;
  size_t written_ = 0;         // of head and body together
  uint32_t exchanges_ = 0;
  Phase phase_ = Phase::opening;
  bool write_failed_ = false;
  bool to_write_ = false;      // gathered() was told
  bool failed_here_ = false;
  event::Stream stream_;       // last: it must go first
};

}  // namespace belay::upstream
