#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <memory>
#include <utility>

#include "base/check.h"

namespace belay::log {

namespace {

std::shared_ptr<spdlog::logger> logger;
std::atomic<Level> minimum = Level::info;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
    case Level::alert: return spdlog::level::critical;
  }
  return spdlog::level::info;
}

}  // namespace

void init(std::string_view process, Level level) {
  minimum = level;
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  logger = std::make_shared<spdlog::logger>(std::string(process), std::move(sink));
  logger->set_level(spdlog::level::debug);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n[%P] %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::debug);
}

void set_level(Level level) { minimum = level; }

Level level_of(std::string_view word) {
  constexpr auto kLevels = std::to_array<std::pair<std::string_view, Level>>(
      {{"debug", Level::debug}, {"info", Level::info}, {"warn", Level::warn}, {"error", Level::error}, {"alert", Level::alert}});
  for (const auto& [name, level] : kLevels) {
    if (name == word) return level;
  }
  return Level::info;
}

bool enabled(Level level) { return logger != nullptr && level >= minimum.load(std::memory_order_relaxed); }

void write(Level level, std::string_view text) {
  if (logger == nullptr) return;
  // spdlog calls its top level "critical"; the word operators search for is "alert".
  if (level == Level::alert) {
    logger->log(to_spdlog(level), "ALERT {}", text);
  } else {
    logger->log(to_spdlog(level), "{}", text);
  }
}

}  // namespace belay::log
