// How far something is that takes longer than a second, on stderr: on a terminal a bar in one line that goes away at the end, else a
// line now and then. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace belay::cli {

class Progress {
 public:
  // `unit`: what is counted ("webhooks").
  explicit Progress(std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `all`: 0 when nobody knows.
  void at(uint64_t done, uint64_t all);

  static std::string line(uint64_t done, uint64_t all, const std::string& unit);

 private:
  const std::string unit_;
  const bool terminal_;
  std::chrono::steady_clock::time_point next_;
  bool shown_ = false;
};

}  // namespace belay::cli
