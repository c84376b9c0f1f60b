#include "sim/rules.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "conf/configuration.h"
#include "modules/modules.h"
#include "sim/chance.h"

namespace belay::sim {

namespace {

std::string ms(Duration time) { return std::to_string(time.count()) + "ms"; }

std::vector<SourceFacts> sources_of(Dice& dice) {
  const Duration window = dice.ms(5'000, 40'000);
  const Duration day = std::chrono::hours(24);
  std::vector<SourceFacts> all;
  all.push_back({.name = "plain", .to = {"quick"}});
  all.push_back({.name = "pair", .dedupe = day, .to = {"quick", "slow"}});
  all.push_back({.name = "once", .dedupe = window, .to = {"quick"}});
  all.push_back({.name = "kept", .spool_first = true, .dedupe = window, .to = {"slow", "limited"}});
  all.push_back({.name = "signed", .spool_first = true, .signed_by_sender = true, .to = {"limited"}});
  all.push_back({.name = "late", .spool_first = true, .dedupe = day, .to = {"slow"}, .expire = dice.ms(8'000, 40'000)});
  all.push_back({.name = "delayed", .spool_first = true, .dedupe = day, .to = {"quick"}, .delay = dice.ms(500, 5'000)});
  all.push_back({.name = "ordered", .spool_first = true, .dedupe = day, .shape = Shape::order_wait, .to = {"fifo"}});
  all.push_back({.name = "skipping", .spool_first = true, .dedupe = day, .shape = Shape::order_skip, .to = {"fifo", "slow"}});
  all.push_back({.name = "calm", .spool_first = true, .dedupe = day, .shape = Shape::debounce, .to = {"latest"},
                 .quiet = dice.ms(500, 3'000), .at_most = dice.ms(4'000, 9'000)});
  all.push_back({.name = "bulk", .spool_first = true, .dedupe = day, .shape = Shape::batch, .to = {"many"},
                 .batch_max = static_cast<size_t>(dice.between(2, 8)), .array = true});
  all.push_back({.name = "lines", .spool_first = true, .dedupe = day, .shape = Shape::batch, .to = {"many"}, .expire = dice.ms(30'000, 60'000),
                 .batch_max = static_cast<size_t>(dice.between(2, 8))});
  return all;
}

std::string route_of(const SourceFacts& source, Dice& dice) {
  std::string out = "to: [" + fmt::format("{}", fmt::join(source.to, ", ")) + "]";
  switch (source.shape) {
    case Shape::plain: break;
    case Shape::order_wait: out += ", order: k"; break;
    case Shape::order_skip: out += ", order: { key: k, on_stuck: skip }"; break;
    case Shape::debounce: out += ", debounce: { key: k, quiet: " + ms(source.quiet) + ", at_most: " + ms(source.at_most) + " }"; break;
    case Shape::batch:
      out += fmt::format(", batch: {{ max: {}, bytes: {}KB, wait: {}, as: {}, per: k }}", source.batch_max, dice.between(1, 4),
                         ms(dice.ms(300, 4'000)), source.array ? "array" : "ndjson");
      break;
  }
  if (source.expire > Duration(0)) out += ", expire: " + ms(source.expire);
  if (source.delay > Duration(0)) out += ", delay: " + ms(source.delay);
  return out;
}

std::string text_of(const std::vector<SourceFacts>& sources, Dice& dice) {
  std::string out = "sources:\n";
  for (const SourceFacts& source : sources) {
    out += fmt::format("  {0}:\n    match: /{0}\n", source.name);
    if (source.signed_by_sender) {
      out += fmt::format("    secrets: {{ signing: \"{}\" }}\n    verify: {{ algorithm: hmac-sha256, signature: {{ header: X-Signature }} }}\n", kSigningSecret);
    } else {
      out += "    trust: open\n";
    }
    const bool mode_spool = source.spool_first && source.shape == Shape::plain && source.delay == Duration(0);
    if (mode_spool) out += "    mode: spool\n";
    if (source.dedupe > Duration(0)) out += "    dedupe: { key: d, window: " + ms(source.dedupe) + " }\n";
    out += "    routes: [{ " + route_of(source, dice) + " }]\n";
  }
  const auto schedule = [&dice] { return fmt::format("schedule: [0s, {}ms, {}ms, {}ms, {}ms]", dice.between(100, 1'500), dice.between(500, 4'000), dice.between(1'000, 9'000), dice.between(1'000, 20'000)); };
  const auto growing = [&dice] { return fmt::format("first: {}ms, factor: 2, max: 10s, attempts: {}, jitter: 20%", dice.between(200, 2'000), dice.between(2, 12)); };
  const auto destination = [&](const char* name, const std::string& retry, const std::string& more) {
    out += fmt::format("  {0}: {{ url: \"http://127.0.0.1:1/{0}\", timeout: {1}ms, concurrency: {2}, retry: {{ {3} }}{4} }}\n", name,
                       dice.between(500, 4'000), dice.between(1, 5), retry, more);
  };
  out += "destinations:\n";
  const std::string breaker = fmt::format(", breaker: {{ failures: 50%, of_last: {}, open_for: {}ms }}", dice.between(4, 20), dice.between(500, 5'000));
  const std::string ramp = fmt::format(", ramp: {}ms", dice.between(500, 5'000));
  destination("quick", schedule(), dice.chance(0.5) ? breaker : "");
  destination("slow", growing(), dice.chance(0.5) ? ramp : "");
  destination("limited", growing(), ", rate: 10/s" + std::string(dice.chance(0.5) ? ", on_dead: disable" : "") + (dice.chance(0.3) ? breaker + ramp : ""));
  destination("fifo", schedule(), "");
  destination("latest", schedule(), "");
  destination("many", growing(), "");
  return out;
}

std::string written(const std::string& folder, const std::string& name, const std::string& text) {
  const std::string path = folder + "/" + name;
  std::ofstream(path) << text;
  return path;
}

Rules build(uint64_t variant) {
  Dice dice(variant, 77);
  Rules rules;
  rules.sources = sources_of(dice);
  std::string folder = (std::filesystem::temp_directory_path() / "belay-sim-rules-XXXXXX").string();
  BELAY_CHECK(mkdtemp(folder.data()) != nullptr);
  static_cast<void>(written(folder, "rules.yaml", text_of(rules.sources, dice)));
  const std::string main = written(folder, "belay.yaml", "proxy: { listen: [\"127.0.0.1:0\"] }\nlog: { access: off }\nadmin: { token: t }\nrules: [rules.yaml]\n");
  conf::Problems problems;
  const auto configuration = conf::load({.main_file = main, .state_folder = folder + "/state"}, problems);
  if (configuration != nullptr) rules.ruleset = pipeline::build_ruleset(configuration, modules::all(), problems);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  if (rules.ruleset == nullptr) {
    std::fprintf(stderr, "the simulator's rules are refused:\n%s\n", problems.to_string().c_str());
    abort();
  }
  return rules;
}

}  // namespace

const Rules& rules_of(uint64_t seed) {
  static std::array<Rules, Rules::kVariants> built;
  Rules& rules = built[seed % Rules::kVariants];
  if (rules.ruleset == nullptr) rules = build(seed % Rules::kVariants);
  return rules;
}

}  // namespace belay::sim
