// Frames over one connected socket, used by both ends: reads whole frames into one buffer and hands them over in place, and
// gathers what is appended to out() until flush() writes it in one call. Owner: the client or the intake; one loop. Limits:
// kMaxPayload per frame, kReadPerTurn per wake-up so that one peer cannot keep the loop; what may gather in out() is the
// owner's limit (unsent()). Failure: on_ended() once, then it may be destroyed; a failed write is told by the next read.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "event/stream.h"
#include "wire/frame.h"

namespace belay::wire {

class FrameHandler {
 public:
  virtual void on_open() = 0;
  // Views into the stream's buffer. The stream must not be destroyed here; false ends it (on_ended follows).
  virtual bool on_frame(const Frame& frame) = 0;
  virtual void on_ended(const Error& reason) = 0;

 protected:
  ~FrameHandler() = default;
};

class FrameStream final : private event::StreamHandler {
 public:
  static constexpr size_t kReadAtOnce = 256 << 10;
  static constexpr size_t kReadPerTurn = size_t{2} << 20;

  FrameStream(event::Loop& loop, int fd, FrameHandler& handler);  // accepted: open at once, no on_open()
  FrameStream(event::Loop& loop, const event::SocketAddress& to, FrameHandler& handler);

  std::string& out() { return out_; }
  size_t unsent() const { return out_.size() - sent_; }
  void flush();
  bool open() const { return open_; }
  // Stops and starts to be woken by frames. read_now() takes those that came meanwhile; on_ended() may follow.
  void want_frames(bool on) { stream_.want_read(on); }
  void read_now() { on_readable(); }

 private:
  void on_readable() override;
  void on_writable() override;
  void on_open_failed(const Error& reason) override;
  void make_room();
  Result<void> take_frames();

  FrameHandler& handler_;
  bool open_;
  std::unique_ptr<char[]> in_;
  size_t room_ = 0, filled_ = 0, wanted_ = 0;  // wanted_: bytes of the frame that is arriving, when its head is known
  std::string out_;
  size_t sent_ = 0;
  bool blocked_ = false;
  event::Stream stream_;
};

}  // namespace belay::wire
