#include "cli/event_tail.h"

namespace belay::cli {

Result<void> EventTail::feed(std::string_view piece, const Take& take) {
  rest_ += piece;
  size_t at = 0;
  for (size_t end = rest_.find('\n'); end != std::string::npos; at = end + 1, end = rest_.find('\n', at)) {
    std::string_view text(rest_.data() + at, end - at);
    if (text.ends_with('\r')) text.remove_suffix(1);
    line(text, take);
  }
  rest_.erase(0, at);
  if (rest_.size() + event_.data.size() <= kMaxEvent) return {};
  return Error{ErrorKind::corrupt, "an event of the stream is larger than " + std::to_string(kMaxEvent) + " bytes"};
}

void EventTail::line(std::string_view text, const Take& take) {
  if (text.empty()) {
    last_id_ = id_;
    if (!event_.data.empty()) {
      event_.data.pop_back();
      if (event_.name.empty()) event_.name = "message";
      take(event_);
    }
    event_ = {};
    return;
  }
  const size_t colon = text.find(':');
  if (colon == 0) return;  // a comment
  const std::string_view field = text.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") event_.name = value;
  if (field == "data") event_.data.append(value).push_back('\n');
  if (field == "id" && value.find('\0') == std::string_view::npos) id_ = value;
}

void EventTail::reset() {
  rest_.clear();
  event_ = {};
  id_ = last_id_;
}

}  // namespace belay::cli
