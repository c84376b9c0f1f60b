#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/check.h"

namespace belay::log {

namespace {

std::shared_ptr<spdlog::logger> logger;
Level minimum = Level::info;

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

bool enabled(Level level) { return logger != nullptr && level >= minimum; }

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
