// The process log: one line per event on stderr, "2026-01-02T03:04:05.678Z level process[pid] text". For what an operator must
// know about Belay itself; requests go to the access log (modules/log). Levels: debug, info, warn, error, alert. An alert
// means a promise is in danger and a person must look. Never pass a secret, and pass foreign bytes through printable().
// Thread-safe; init() once before threads start, set_level() at any time.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace belay::log {

enum class Level { debug, info, warn, error, alert };

// `process` is "master", "worker", "spool", …; level from the main file. May be called again after a fork.
void init(std::string_view process, Level level);
// At a reload.
void set_level(Level level);
// Of log.level's word; info when it is none of them.
Level level_of(std::string_view word);
bool enabled(Level level);
void write(Level level, std::string_view text);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warn)) write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::error)) write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void alert(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::alert)) write(Level::alert, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace belay::log
