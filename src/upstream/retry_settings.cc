#include <array>

#include "conf/documented.h"
#include "upstream/settings.h"

namespace belay::upstream {

namespace {

constexpr size_t kMaxSchedule = 100;

constexpr conf::Setting kRetry[] = {
    {.key = "preset", .type = conf::Type::text, .help = "the schedule of a known system", .example = "netx"},
    {.key = "schedule", .type = conf::Type::node, .help = "wait before each attempt, the first included", .example = "[0s, 5m, 30m, 12h]"},
    {.key = "first", .type = conf::Type::duration, .fallback = "1s", .range = "1ms..30d", .help = "wait before the second attempt"},
    {.key = "factor", .type = conf::Type::number, .fallback = "2", .range = "1..100", .help = "each wait is this many times the one before"},
    {.key = "max", .type = conf::Type::duration, .fallback = "1h", .range = "1ms..30d", .help = "no wait is longer"},
    {.key = "attempts", .type = conf::Type::integer, .fallback = "12", .range = "1..1000", .help = "all attempts, the first included"},
    {.key = "jitter", .type = conf::Type::number, .fallback = "20%", .range = "0..1", .help = "share by which a wait varies, both ways"},
};
const conf::Documented kDestinationsRetryDocumented("destinations.NAME.retry", kRetry);
constexpr std::array<std::string_view, 4> kExponential = {"first", "factor", "max", "attempts"};

std::string with_retry(const conf::Configuration& configuration) {
  std::string names;
  for (const conf::Named& preset : configuration.presets) {
    if (preset.node.at("retry").present()) names += (names.empty() ? "" : ", ") + preset.name;
  }
  return names.empty() ? "no preset has one; write schedule: [0s, 1m, 10m]" : "presets with a retry schedule: " + names;
}

std::vector<Duration> read_schedule(const conf::Node& node, conf::Problems& problems) {
  std::vector<Duration> schedule;
  if (!node.is_list() || node.items().empty()) {
    problems.add(node.position(), "schedule must be a list of waits", "write for example [0s, 5m, 30m, 12h]");
    return schedule;
  }
  if (node.items().size() > kMaxSchedule) {
    problems.add(node.position(), "schedule has more than " + std::to_string(kMaxSchedule) + " waits", "use first, factor, max and attempts");
    return schedule;
  }
  for (const conf::Node& item : node.items()) {
    const auto wait = conf::parse_duration(item.text());
    if (!wait) {
      problems.add(item.position(), wait.error().message);
    } else {
      schedule.push_back(*wait);
    }
  }
  return schedule;
}

RetryPolicy read_policy(const conf::Node& node, conf::Problems& problems) {
  const conf::Section section(node, kRetry, problems);
  RetryPolicy policy;
  policy.first = section.duration("first");
  policy.factor = section.number("factor");
  policy.max = section.duration("max");
  policy.attempts = static_cast<int>(section.integer("attempts"));
  policy.jitter = section.number("jitter");
  if (!section.has("schedule")) return policy;
  policy.schedule = read_schedule(section.node("schedule"), problems);
  policy.attempts = static_cast<int>(policy.schedule.size());
  if (!section.has("jitter")) policy.jitter = 0;  // a schedule is what somebody was promised
  for (const std::string_view key : kExponential) {
    if (section.has(key)) section.wrong(key, std::string(key) + " does not go with a schedule", "remove one of the two");
  }
  return policy;
}

}  // namespace

RetryPolicy read_retry(const conf::Node& node, const conf::Configuration& configuration, conf::Problems& problems) {
  const conf::Node& name = node.at("preset");
  if (!name.present()) return read_policy(node, problems);
  const conf::Section section(node, kRetry, problems);
  for (const conf::Setting& other : kRetry) {
    if (other.key != "preset" && section.has(other.key)) {
      section.wrong(other.key, std::string(other.key) + " does not go with a preset", "remove it, or write the whole schedule yourself");
    }
  }
  const conf::Node* preset = configuration.preset(name.text());
  if (preset == nullptr || !preset->at("retry").present()) {
    problems.add(name.position(), "no retry schedule in a preset named '" + name.text() + "'", with_retry(configuration));
    return {};
  }
  const conf::Node& retry = preset->at("retry");
  if (retry.at("preset").present()) {
    problems.add(retry.position(), "a preset's retry cannot name another preset", "write its schedule");
    return {};
  }
  return read_policy(retry, problems);
}

}  // namespace belay::upstream
