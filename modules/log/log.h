// log: one JSON line for every request, and the line of the books for everything that is not stored with its message.
// Runs after the outcome is decided, always. Lines gather in a buffer and go out in one write a turn (turn_end), whole
// lines only, O_APPEND, so that several workers can share a file. Queries, headers and bodies are never logged: secrets
// live there. Limits: kMaxBuffer; past it lines are dropped, counted and told when it is written again. Failure: a target
// that cannot be written, or whose reader stands still, costs lines, not requests; an alert or a warning says so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "pipeline/module.h"

namespace belay::modules {

// Where lines go. The target is opened at the first flush: `belay check` and the master open nothing.
class LineWriter {
 public:
  static constexpr size_t kFlushAt = size_t{64} << 10;
  static constexpr size_t kMaxBuffer = size_t{4} << 20;

  // "stdout", "stderr", "off" or a file's path.
  explicit LineWriter(std::string target) : target_(std::move(target)) {}
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  bool off() const { return target_ == "off"; }
  // The buffer to append one line to; end_line() after it.
  std::string& buffer() { return buffer_; }
  void end_line();
  void flush();
  uint64_t dropped() const { return dropped_; }

 private:
  enum class Kind : uint8_t { file, stream, socket };  // a stream: pipe or terminal
  bool open();
  void look_at(int fd);
  ssize_t write_some(const char* bytes, size_t size) const;
  void complain(const std::string& what);

  std::string target_, buffer_;
  size_t line_begin_ = 0;  // of the line being written
  int fd_ = -1;
  Kind kind_ = Kind::file;
  uint64_t dropped_ = 0, told_dropped_ = 0;
  bool complained_ = false;
};

// The formatted time of the last line: most lines of a busy worker share their second.
struct LineClock {
  int64_t second = -1;
  char text[20] = {};  // "2026-01-02T03:04:05."
};

// Appends the exchange as one JSON object and a newline.
void append_access_line(std::string& out, const pipeline::Exchange& exchange, LineClock& clock);

extern const pipeline::Module kLog;

}  // namespace belay::modules
