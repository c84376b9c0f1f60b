#include "http/head_scanner.h"

#include <algorithm>

#include "http/chars.h"

namespace belay::http {

HeadScanner::HeadScanner(const HeadLimits& limits, size_t first_line_bytes, bool skip_leading_lines)
    : head_bytes_(limits.head_bytes),
      first_line_bytes_(first_line_bytes),
      max_fields_(limits.fields),
      first_phase_(skip_leading_lines ? Phase::leading : Phase::first_line),
      phase_(first_phase_) {}

void HeadScanner::reset() {
  phase_ = first_phase_;
  start_ = first_line_end_ = line_start_ = position_ = end_ = leading_lines_ = field_lines_ = 0;
}

HeadScanner::Event HeadScanner::refuse(int status, const char* reason) {
  refusal_ = {status, reason};
  return Event::refused;
}

HeadScanner::Event HeadScanner::skip_leading(std::string_view bytes) {
  while (position_ < bytes.size() && bytes[position_] == '\r') {
    if (leading_lines_ == kMaxLeadingLines) return refuse(400, "too many empty lines before the request");
    if (position_ + 1 == bytes.size()) return Event::need_more;
    if (bytes[position_ + 1] != '\n') return refuse(400, "CR without LF");
    position_ += 2;
    ++leading_lines_;
  }
  if (position_ == bytes.size()) return Event::need_more;
  start_ = line_start_ = position_;
  phase_ = Phase::first_line;
  return Event::first_line;
}

HeadScanner::Event HeadScanner::next(std::string_view bytes) {
  if (phase_ == Phase::leading) {
    const Event event = skip_leading(bytes);
    if (event != Event::first_line) return event;
  }
  for (;;) {
    // Nothing at or behind the limit is looked at, so that a long head is refused for its length wherever it was cut.
    const bool in_first_line = phase_ == Phase::first_line;
    const size_t room = in_first_line ? std::min(first_line_bytes_ + 2, head_bytes_) : head_bytes_;
    const size_t limit = start_ + room;
    const size_t until = std::min(bytes.size(), limit);
    position_ = static_cast<size_t>(find_control(bytes.data() + position_, bytes.data() + until) - bytes.data());
    if (position_ == until && until < limit) return Event::need_more;
    if (position_ < until && bytes[position_] != '\r') {
      return refuse(400, bytes[position_] == '\n' ? "LF without CR" : "control byte in the head");
    }
    if (position_ + 1 >= limit) {  // no line end, or no room for its LF
      return in_first_line ? refuse(414, "first line over the limit") : refuse(431, "head over the limit");
    }
    if (position_ + 1 == bytes.size()) return Event::need_more;
    if (bytes[position_ + 1] != '\n') return refuse(400, "CR without LF");
    const Event event = end_of_line(bytes);
    if (event != Event::need_more) return event;
  }
}

// At the CR of a line. need_more: the next line may begin.
HeadScanner::Event HeadScanner::end_of_line(std::string_view bytes) {
  const size_t line_end = position_;
  position_ += 2;
  if (phase_ == Phase::first_line) {
    first_line_end_ = line_end;
    line_start_ = position_;
    phase_ = Phase::fields;
    return Event::first_line;
  }
  if (line_end == line_start_) {
    end_ = position_;
    phase_ = Phase::done;
    return Event::end;
  }
  const char first = bytes[line_start_];
  if (first == ' ' || first == '\t') return refuse(400, "line folding or white space before a field name");
  if (++field_lines_ > max_fields_) return refuse(431, "too many fields");
  line_start_ = position_;
  return Event::need_more;
}

}  // namespace belay::http
