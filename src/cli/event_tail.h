// Server-sent events (the HTML standard, §9.2) as a client reads them: bytes in, events out. Pure; one thread. Limits: kMaxEvent
// bytes of one event; a longer one is an error, because the stream is not what it should be.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belay::cli {

struct TailEvent {
  std::string name;  // "webhook", "gap", "end"
  std::string data;
};

class EventTail {
 public:
  static constexpr size_t kMaxEvent = size_t{4} << 20;
  using Take = std::function<void(const TailEvent&)>;

  // Any piece of the stream, however it was cut; `take` gets every event that is whole.
  Result<void> feed(std::string_view piece, const Take& take);
  // Of the last event that was whole: what to send as Last-Event-ID to go on.
  const std::string& last_id() const { return last_id_; }
  // The connection broke: what is half there is dropped.
  void reset();

 private:
  void line(std::string_view text, const Take& take);
  std::string rest_;  // of a line without its end
  TailEvent event_;
  std::string id_, last_id_;
};

}  // namespace belay::cli
