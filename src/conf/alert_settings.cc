// The main file's alerts: about what, how soon, and to which destination.
#include <utility>

#include "base/bytes.h"
#include "conf/documented.h"
#include "conf/loading.h"

namespace belay::conf {

namespace {

constexpr Setting kAlerts[] = {
    {.key = "to", .type = Type::text, .required = true, .help = "destination that gets them: its url, sign, auth and retry hold for them, too", .example = "ops"},
    {.key = "destination_down", .type = Type::text, .fallback = "5m", .help = "nothing is delivered to a destination for so long; off: never"},
    {.key = "dead_letters", .type = Type::text, .fallback = "10/h", .help = "more dead letters of a destination than that, per min, h or d; off: never"},
    {.key = "signature_failures", .type = Type::text, .fallback = "100/h", .help = "more refused signatures of a source than that; off: never"},
    {.key = "disk", .type = Type::text, .fallback = "85%", .help = "more of the disk, or of spool.size, is in use; off: never"},
    {.key = "suppress", .type = Type::duration, .fallback = "15m", .range = "1s..30d", .help = "no second alert about the same within"},
};
const Documented kAlertsDocumented("alerts", kAlerts);

constexpr uint64_t kMaxCount = 1'000'000'000;

void wrong(const Section& section, std::string_view key, const std::string& text, std::string_view what, std::string hint) {
  section.wrong(key, std::string(key) + " cannot be '" + printable(text, 60) + "'" + std::string(what), std::move(hint));
}

Duration read_down(const Section& section) {
  const std::string text = section.text("destination_down");
  if (text == "off") return {};
  const auto duration = parse_duration(text);
  if (duration && *duration >= Duration(1'000) && *duration <= std::chrono::hours(24 * 30)) return *duration;
  wrong(section, "destination_down", text, "", "write how long, 1s to 30d, or off");
  return {};
}

// "10/h": a whole number of them in one unit of time.
AlertSettings::Growth read_growth(const Section& section, std::string_view key) {
  const std::string text = section.text(key);
  if (text == "off") return {};
  const size_t slash = text.find('/');
  const auto count = parse_u64(text.substr(0, slash));
  const std::string unit = slash == std::string::npos ? "" : text.substr(slash + 1);
  const Duration window = unit == "min" ? Duration(60'000) : unit == "h" ? Duration(3'600'000) : unit == "d" ? Duration(86'400'000) : Duration(0);
  if (count && *count <= kMaxCount && window > Duration(0)) return {*count, window};
  wrong(section, key, text, "", "write 10/min, 10/h or 10/d, or off");
  return {};
}

double read_disk(const Section& section) {
  const std::string text = section.text("disk");
  if (text == "off") return 0;
  const auto part = parse_number(text);
  if (part && text.ends_with('%') && *part >= 0.01 && *part <= 0.99) return *part;
  wrong(section, "disk", text, "", "write 1% to 99%, or off");
  return 0;
}

}  // namespace

void read_alerts(const Node& node, Configuration& configuration, Problems& problems) {
  if (!node.present()) return;
  const Section section(node, kAlerts, problems);
  configuration.alerts_to = section.node("to");
  configuration.alerts = {.to = section.text("to"),
                          .destination_down = read_down(section),
                          .dead_letters = read_growth(section, "dead_letters"),
                          .signature_failures = read_growth(section, "signature_failures"),
                          .disk = read_disk(section),
                          .suppress = section.duration("suppress")};
}

}  // namespace belay::conf
