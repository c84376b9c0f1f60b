#include "conf/documented.h"
#include "http/writer.h"
#include "upstream/settings.h"

namespace belay::upstream {

namespace {

constexpr conf::Setting kHealth[] = {
    {.key = "path", .type = conf::Type::text, .required = true, .help = "what is asked for on every url", .example = "/healthz"},
    {.key = "every", .type = conf::Type::duration, .fallback = "10s", .range = "50ms..1h", .help = "how often"},
    {.key = "timeout", .type = conf::Type::duration, .fallback = "5s", .range = "10ms..5m", .help = "for the whole answer"},
};
const conf::Documented kHealthDocumented("destinations.NAME.health", kHealth);

}  // namespace

HealthRule read_health(const conf::Node& node, conf::Problems& problems) {
  const conf::Section section(node, kHealth, problems);
  HealthRule rule;
  rule.path = section.text("path");
  rule.every = section.duration("every");
  rule.timeout = section.duration("timeout");
  const bool plain = rule.path.find_first_of(" #") == std::string::npos && http::is_field_value(rule.path);
  if (section.has("path") && (!rule.path.starts_with('/') || !plain)) section.wrong("path", "'" + rule.path + "' is no path", "write for example /healthz");
  return rule;
}

}  // namespace belay::upstream
