#include <algorithm>
#include <cmath>

#include "conf/documented.h"
#include "upstream/settings.h"

namespace belay::upstream {

namespace {

constexpr conf::Setting kBreaker[] = {
    {.key = "failures", .type = conf::Type::number, .fallback = "50%", .range = "0.01..1", .help = "share of the last requests that opens it"},
    {.key = "of_last", .type = conf::Type::integer, .fallback = "20", .range = "1..64", .help = "how many requests are looked at"},
    {.key = "open_for", .type = conf::Type::duration, .fallback = "30s", .range = "10ms..1d", .help = "nothing is sent for this long, then probes"},
};
const conf::Documented kBreakerDocumented("destinations.NAME.breaker", kBreaker);

}  // namespace

BreakerRule read_breaker(const conf::Node& node, conf::Problems& problems) {
  const conf::Section section(node, kBreaker, problems);
  BreakerRule rule;
  rule.of_last = static_cast<int>(std::clamp<int64_t>(section.integer("of_last"), 1, BreakerRule::kMaxOfLast));
  rule.failures = std::max(1, static_cast<int>(std::ceil(section.number("failures") * rule.of_last)));
  rule.open_for = section.duration("open_for");
  return rule;
}

}  // namespace belay::upstream
