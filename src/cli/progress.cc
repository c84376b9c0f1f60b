#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/human.h"

namespace belay::cli {

namespace {

constexpr uint64_t kBar = 30;

}  // namespace

Progress::Progress(std::string unit)
    : unit_(std::move(unit)), terminal_(isatty(STDERR_FILENO) == 1), next_(std::chrono::steady_clock::now() + std::chrono::seconds(1)) {}

Progress::~Progress() {
  if (shown_ && terminal_) fmt::print(stderr, "\r{:78}\r", "");
}

std::string Progress::line(uint64_t done, uint64_t all, const std::string& unit) {
  if (all == 0) return fmt::format("{} {}", format_count(done), unit);
  const uint64_t filled = std::min(kBar, kBar * done / all);
  return fmt::format("[{:#>{}}{: >{}}] {} of {} {}", "", filled, "", kBar - filled, format_count(done), format_count(all), unit);
}

void Progress::at(uint64_t done, uint64_t all) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(10));
  fmt::print(stderr, "{}{}{}", terminal_ ? "\r" : "", line(done, all, unit_), terminal_ ? " " : "\n");
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace belay::cli
