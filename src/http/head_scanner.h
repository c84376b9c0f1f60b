// The first pass over a head: finds its lines and its end, and refuses every stray byte (bare CR or LF, NUL, controls),
// folded lines and whatever is over a limit. Resumable: a byte is looked at once however the head was cut, and the
// verdict depends on the bytes alone, not on the cuts. Positions are offsets, because the caller's buffer may move
// between calls. Internal to http/; one per parser.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/message.h"
#include "http/parser.h"

namespace belay::http {

class HeadScanner {
 public:
  enum class Event : uint8_t {
    need_more,
    first_line,  // given once: the first line is whole and clean, call again for the rest
    end,         // the whole head is there
    refused,
  };

  // Empty lines before a request that are skipped (RFC 9112 §2.2 asks for at least one).
  static constexpr size_t kMaxLeadingLines = 4;

  // `first_line_bytes` without its CRLF. A response may not begin with empty lines: they would be bytes nobody asked
  // for.
  HeadScanner(const HeadLimits& limits, size_t first_line_bytes, bool skip_leading_lines);

  Event next(std::string_view bytes);
  void reset();

  std::string_view first_line(std::string_view bytes) const { return bytes.substr(start_, first_line_end_ - start_); }
  std::string_view head(std::string_view bytes) const { return bytes.substr(start_, end_ - start_); }
  size_t start() const { return start_; }
  size_t end() const { return end_; }
  size_t field_lines() const { return field_lines_; }
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class Phase : uint8_t { leading, first_line, fields, done };

  Event skip_leading(std::string_view bytes);
  Event end_of_line(std::string_view bytes);
  Event refuse(int status, const char* reason);

  const size_t head_bytes_;
  const size_t first_line_bytes_;
  const size_t max_fields_;
  const Phase first_phase_;

  Phase phase_;
  size_t start_ = 0;           // of the first line
  size_t first_line_end_ = 0;  // its CR
  size_t line_start_ = 0;
  size_t position_ = 0;  // everything before it is clean
  size_t end_ = 0;       // behind the empty line
  size_t leading_lines_ = 0;
  size_t field_lines_ = 0;
  Refusal refusal_;
};

}  // namespace belay::http
