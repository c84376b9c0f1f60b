#include "wire/frame_stream.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace belay::wire {

namespace {

constexpr size_t kKeptBuffer = size_t{4} << 20;  // a larger one is given back when it is empty

}  // namespace

FrameStream::FrameStream(event::Loop& loop, int fd, FrameHandler& handler)
    : handler_(handler), open_(true), stream_(loop, fd, *this) {}

FrameStream::FrameStream(event::Loop& loop, const event::SocketAddress& to, FrameHandler& handler)
    : handler_(handler), open_(false), stream_(loop, to, *this) {}

void FrameStream::on_open_failed(const Error& reason) { handler_.on_ended(reason); }

void FrameStream::on_writable() {
  blocked_ = false;
  if (!open_) {
    open_ = true;
    handler_.on_open();
  }
  flush();
}

void FrameStream::flush() {
  while (open_ && !blocked_ && sent_ < out_.size()) {
    iovec part{out_.data() + sent_, out_.size() - sent_};
    const event::Io io = stream_.write(&part, 1);
    if (io.state == event::IoState::blocked) {
      blocked_ = true;
      break;
    }
    if (io.state != event::IoState::ok) {  // the end of it comes through on_readable()
      sent_ = out_.size();
      break;
    }
    sent_ += io.bytes;
  }
  if (sent_ == out_.size()) {
    sent_ = 0;
    out_.clear();
    if (out_.capacity() > kKeptBuffer) out_.shrink_to_fit();
  } else if (sent_ > out_.size() / 2) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
}

// Room for the frame that is arriving, at least kReadAtOnce.
void FrameStream::make_room() {
  const size_t needed = std::max(wanted_, filled_ + 1);
  if (filled_ == 0 && room_ > kKeptBuffer && wanted_ <= kReadAtOnce) {
    in_.reset();
    room_ = 0;
  }
  if (room_ >= needed) return;
  const size_t bigger = std::max({kReadAtOnce, needed, std::min(room_ * 2, kFrameHead + kMaxPayload)});
  auto moved = std::make_unique_for_overwrite<char[]>(bigger);
  if (filled_ > 0) std::memcpy(moved.get(), in_.get(), filled_);
  in_ = std::move(moved);
  room_ = bigger;
}

void FrameStream::on_readable() {
  for (size_t taken = 0; taken < kReadPerTurn;) {
    make_room();
    const size_t asked = room_ - filled_;
    const event::Io io = stream_.read(in_.get() + filled_, asked);
    if (io.state == event::IoState::blocked) return;
    if (io.state != event::IoState::ok) {
      return handler_.on_ended({ErrorKind::unavailable, "the connection was closed"});
    }
    filled_ += io.bytes;
    taken += io.bytes;
    if (auto frames = take_frames(); !frames) return handler_.on_ended(frames.error());
    if (io.bytes < asked) return;
  }
}

Result<void> FrameStream::take_frames() {
  size_t at = 0;
  wanted_ = 0;
  while (at < filled_) {
    const std::string_view rest(in_.get() + at, filled_ - at);
    size_t consumed = 0;
    auto frame = next_frame(rest, consumed);
    if (!frame) return frame.error();
    if (!frame->has_value()) {
      if (rest.size() >= kFrameHead) wanted_ = kFrameHead + static_cast<size_t>(get_be(rest.data() + 8, 4));
      break;
    }
    at += consumed;
    if (!handler_.on_frame(**frame)) return Error{ErrorKind::corrupt, "wire: a frame that cannot be understood"};
  }
  if (at > 0 && at < filled_) std::memmove(in_.get(), in_.get() + at, filled_ - at);
  filled_ -= at;
  return {};
}

}  // namespace belay::wire
