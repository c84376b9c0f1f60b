// One sender's connection: bytes in, exchanges through the pipeline, answers out, one request at a time. Owner: Connections;
// one thread. A request is read straight into its buffer, walked through the modules, and answered at the end of the turn in
// one write; the next pipelined request is parsed after that.
//
// Deadlines are absolute and cannot be pushed by sending a byte now and then: head_timeout from the first byte of a head (and
// from accept to the first byte, TLS and PROXY header included), idle_timeout between requests, head_timeout plus the received
// bytes at body_rate for a body, idle_timeout plus the bytes it took since it first fell behind at body_rate for a slow reader. Late
// heads and bodies get 408. An answer that goes out while the sender is still sending is followed by a half close and a bounded wait (kLingerTime or
// head_timeout, kLingerBytes), because closing at once would make the kernel reset the connection and lose the answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "event/loop.h"
#include "event/stream.h"
#include "pipeline/module.h"
#include "proxy/client_address.h"
#include "proxy/workspace.h"

namespace belay::proxy {

class Connections;
struct Entrance;

class Connection final : public event::StreamHandler {
 public:
  static constexpr Duration kLingerTime{5'000};
  static constexpr uint64_t kLingerBytes = uint64_t{64} << 20;
  static constexpr size_t kFirstBodyBuffer = size_t{64} << 10;  // grows twofold as bytes arrive, never ahead of them

  explicit Connection(Connections& owner);
  ~Connection();

  void open(int fd, const event::SocketAddress& peer, const Entrance& entrance);
  // Over a cap: 503, then closed. Instead of anything else after open().
  void turn_away();
  // Writes the queued answer; called by Connections at the end of the turn.
  void write_answer();
  // The worker stops: an idle connection gets a last grace, a busy one closes with its answer.
  void drain();
  // Ends now, whatever is under way.
  void abandon();
  // Back to the state before open(), descriptor closed.
  void recycle();

  size_t place = 0;  // in Connections::open_
  uint32_t client_place = pipeline::ClientCounts::kUncounted;  // where peer_.address is counted
  bool turned_away = false;

 private:
  enum class Phase : uint8_t {
    preamble,   // the PROXY header is to come
    idle,       // no byte of a request yet
    head,
    body,
    waiting,    // in the pipeline
    answering,  // the answer is queued or partly written
    lingering,  // answer written, the sender may still be sending
    closed,
  };

  void on_readable() override;
  void on_writable() override;
  void on_open_failed(const Error& reason) override;
  void expired();

  void receive();
  void advance();
  void receive_preamble();
  void start_tls();
  void believe(const IpAddress& address, bool tls);
  void read_head();
  void stamp();
  void begin_request();
  void walk(bool body_complete);
  void go_on(pipeline::RunState state);
  void take_body();
  void take_chunked();
  void await_body();
  void read_body();
  void decode_more();
  void body_complete(std::string_view body);
  bool make_room(size_t more);
  void push_body_deadline(uint64_t received);
  void sender_gone();

  // Ends the request beside the modules, in the books and with an answer; the connection closes after it.
  void give_up(int status, wire::Outcome outcome, std::string_view reason, int retry_after = -1);
  void answered();
  void compose_answer();
  void write_more();
  void push_reader_deadline();
  void answer_sent();
  void next_request();
  void rest();
  void linger();
  void discard();
  void close();
  void give_back_workspace();
  bool write_small(std::string_view text);
  void want_read(bool on);
  void set_deadline(Duration from_now);

  Connections& owner_;
  const Entrance* entrance_ = nullptr;
  std::optional<event::Stream> stream_;
  std::unique_ptr<Workspace> work_;
  Peer peer_;
  std::string tls_subject_;
  event::DeadlineList::Entry deadline_;
  pipeline::Runner::Resumed resumed_;
  Phase phase_ = Phase::closed;
  bool reading_ = true;        // interest in readability
  bool started_ = false;       // a request has begun and is not answered
  bool unread_ = false;        // bytes of this request are still to come, or have no meaning
  bool own_buffer_ = false;    // the body is read into work_->body, not behind its head in work_->in
  bool close_after_ = false;
  bool body_follows_ = false;  // the answer has a body
  size_t head_bytes_ = 0;
  size_t message_bytes_ = 0;   // of work_->in that belong to the request under way
  size_t written_ = 0;         // of the answer
  bool slow_reader_ = false;   // the sender fell behind while it read the answer
  size_t written_then_ = 0;    // when it did
  MonotonicTime fell_behind_{};
  uint64_t lingered_ = 0;
  MonotonicTime body_started_{};
};

}  // namespace belay::proxy
