// Rules to chains: checks the keys of every source, builds its handlers in module order, and what belongs to no module.
#include <array>

#include "base/bytes.h"
#include "base/ip.h"
#include "conf/documented.h"
#include "http/parser.h"
#include "http/writer.h"
#include "pipeline/module.h"
#include "wire/frame.h"

namespace belay::pipeline {

namespace {

using conf::Type;

// Keys of a source that no module owns.
constexpr conf::Setting kSourceSettings[] = {
    {.key = "preset", .help = "fills verify, handshake and identify from conf/presets/NAME.yaml; keys written here win", .example = "github"},
    {.key = "secrets", .type = Type::node, .help = "NAME: secret or list of secrets, for verify and handshake", .example = "{ signing: \"${env:ACME_SECRET}\" }"},
    {.key = "params", .type = Type::node, .help = "NAME: text, further settings of the preset; url: the endpoint as the sender knows it", .example = "{ url: https://hooks.example.com/acme }"},
    {.key = "trust", .range = "open|token|signed|signed+fresh", .help = "the least trust this source's rules must prove"},
    {.key = "mode", .fallback = "forward", .range = "forward|spool", .help = "forward at once, or store, answer and deliver later"},
    {.key = "reply", .type = Type::node, .help = "what the sender gets when Belay answers for the backend"},
    {.key = "body", .type = Type::node, .help = "max size and accepted types of the body"},
    {.key = "routes", .type = Type::node, .help = "where webhooks go"},
};
const conf::Documented kSourcesDocumented("sources.NAME", kSourceSettings);

constexpr conf::Setting kReplySettings[] = {
    {.key = "status", .type = Type::integer, .fallback = "200", .range = "200..299", .help = "status of the answer"},
    {.key = "headers", .type = Type::node, .help = "NAME: value", .example = "{ X-Taken: \"yes\" }"},
    {.key = "body", .help = "body of the answer, as written", .example = "'{\"received\": true}'"},
};
const conf::Documented kSourcesReplyDocumented("sources.NAME.reply", kReplySettings);

constexpr conf::Setting kBodySettings[] = {
    {.key = "max", .type = Type::size, .help = "a larger body is refused with 413; default proxy.limits.body", .example = "1MB"},
    {.key = "types", .type = Type::node, .help = "content types; any other is refused with 415", .example = "[application/json]"},
};
const conf::Documented kSourcesBodyDocumented("sources.NAME.body", kBodySettings);

constexpr std::array kTrustLevels = {Trust::open, Trust::token, Trust::signed_body, Trust::signed_fresh};

bool owns_source_key(const Module& module) { return module.scope == Scope::source || !module.settings.empty(); }

std::string listed(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

void check_keys(const Source& source, std::span<const Module> modules, conf::Problems& problems) {
  std::vector<std::string_view> known;
  for (const auto& setting : kSourceSettings) known.push_back(setting.key);
  for (const Module& module : modules) {
    if (owns_source_key(module)) known.push_back(module.key);
  }
  // For people: without modules that no key switches on.
  std::vector<std::string_view> shown(known.begin(), known.begin() + std::size(kSourceSettings));
  for (const Module& module : modules) {
    const bool key = owns_source_key(module) && (!module.always || !module.settings.empty());
    if (key && std::find(shown.begin(), shown.end(), module.key) == shown.end()) shown.push_back(module.key);
  }
  for (const conf::Entry& entry : source.named->node.entries()) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const std::string near = conf::nearest(entry.key, known);
    problems.add(entry.key_position, "unknown key '" + printable(entry.key) + "' in source '" + source.name + "'",
                 near.empty() ? "known keys: " + listed(shown) : "did you mean '" + near + "'?");
  }
}

void read_preset(Source& source, const conf::Configuration& configuration, conf::Problems& problems) {
  const conf::Node& node = source.named->node.at("preset");
  if (!node.present()) return;
  if (!node.is_scalar()) return problems.add(node.position(), "preset must be a name", "write preset: github");
  if (const conf::Node* preset = configuration.preset(node.text())) {
    source.preset = *preset;
    return;
  }
  const auto names = configuration.preset_names();
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string near = conf::nearest(node.text(), known);
  problems.add(node.position(), "unknown preset '" + printable(node.text()) + "'",
               near.empty() ? "presets are files NAME.yaml in the folder presets" : "did you mean '" + near + "'?");
}

void read_reply_headers(Source& source, const conf::Node& headers, bool& has_type, conf::Problems& problems) {
  if (headers.present() && !headers.is_map()) {
    return problems.add(headers.position(), "headers must be a mapping", "write headers: {X-Name: value}");
  }
  for (const conf::Entry& entry : headers.entries()) {
    if (!http::is_token(entry.key) || !entry.value.is_scalar() || !http::is_field_value(entry.value.text())) {
      problems.add(entry.key_position, "'" + printable(entry.key) + "' is not a header that can be sent", "write NAME: value on one line");
    } else if (http::is_hop_by_hop(entry.key) || ascii_iequals(entry.key, "content-length") || ascii_iequals(entry.key, "date")) {
      problems.add(entry.key_position, "header '" + entry.key + "' is written by Belay itself", "remove it");
    } else {
      has_type = has_type || ascii_iequals(entry.key, "content-type");
      http::append_field(source.reply_head, entry.key, entry.value.text());
    }
  }
}

void read_reply(Source& source, conf::Problems& problems) {
  const conf::Node& node = source.named->node.at("reply");
  if (!node.present()) return;
  const conf::Section section(node, kReplySettings, problems);
  source.reply_status = static_cast<int>(section.integer("status"));
  source.reply_body = section.text("body");
  bool has_type = false;
  read_reply_headers(source, section.node("headers"), has_type, problems);
  if (has_type || source.reply_body.empty()) return;
  const bool json = source.reply_body.front() == '{' || source.reply_body.front() == '[';
  http::append_field(source.reply_head, "Content-Type", json ? "application/json" : "text/plain; charset=utf-8");
}

// What is put into one frame: the body, and the head at most three times over (target, path and what follows the prefix).
static_assert(conf::kMaxBody + 3 * conf::kMaxHeader + (size_t{1} << 20) <= wire::kMaxPayload, "every webhook that limits let in can be stored");

void read_body(Source& source, const conf::Configuration& configuration, conf::Problems& problems) {
  source.body_max = configuration.proxy.limits.body;
  const conf::Node& node = source.named->node.at("body");
  if (!node.present()) return;
  const conf::Section section(node, kBodySettings, problems);
  if (section.has("max")) {
    const uint64_t max = section.size("max");
    if (max > source.body_max) {
      section.wrong("max", "body.max is above proxy.limits.body", "raise proxy.limits.body in the main file");
    }
    source.body_max = max;
  }
  for (const std::string& type : section.texts("types")) {
    if (type.find('/') == std::string::npos) section.wrong("types", "'" + printable(type) + "' is not a content type", "write application/json");
    source.body_types.push_back(ascii_lower(type));
  }
}

// Then also a port of loopback or a socket is open to strangers: the proxy in front passes them on.
bool behind_proxy(const conf::Listen& listen, const conf::ProxySettings& proxy) {
  return listen.proxy_protocol || !proxy.trusted_proxies.empty();
}

bool local(const conf::Listen& listen) {
  if (listen.address.starts_with("unix:")) return true;
  const auto colon = listen.address.rfind(':');
  const auto address = IpAddress::parse(std::string_view(listen.address).substr(0, colon));
  return address.has_value() && address->is_loopback();
}

// After every handler of the source has been built and has raised source.trust.
void check_trust(const Source& source, const conf::Configuration& configuration, conf::Problems& problems) {
  const conf::Node& node = source.named->node.at("trust");
  if (node.present()) {
    for (const Trust least : kTrustLevels) {
      if (node.text() != to_string(least)) continue;
      if (source.trust < least) {
        problems.add(node.position(), "source '" + source.name + "' asks for trust '" + node.text() + "', but its rules prove only '" +
                                          std::string(to_string(source.trust)) + "'",
                     "add verify, or write trust: " + std::string(to_string(source.trust)));
      }
      return;
    }
    return problems.add(node.position(), "trust must be open, token, signed or signed+fresh", {});
  }
  if (source.trust != Trust::open) return;
  for (const conf::Listen& listen : configuration.proxy.listen) {
    const bool near = local(listen), proxied = behind_proxy(listen, configuration.proxy);
    if (near && !proxied) continue;
    return problems.add(source.named->position,
                        "source '" + source.name + "' proves nothing about its senders and listens on " + listen.address +
                            (near ? " behind a trusted proxy" : ""),
                        "add verify or auth, or write trust: open when anybody may send");
  }
}

void check_mode(const Source& source, conf::Problems& problems) {
  const conf::Node& mode = source.named->node.at("mode");
  if (!mode.present() || mode.text() == "forward" || mode.text() == "spool") return;
  problems.add(mode.position(), "mode must be forward or spool", {});
}

struct Builder {
  std::shared_ptr<const conf::Configuration> configuration;
  std::span<const Module> modules;
  conf::Problems& problems;
  Ruleset& ruleset;

  void add_sources() {
    for (const conf::Named& named : configuration->sources) {
      auto source = std::make_unique<Source>();
      source->name = named.name;
      source->index = static_cast<uint32_t>(ruleset.sources.size());
      source->named = &named;
      check_keys(*source, modules, problems);
      check_mode(*source, problems);
      read_preset(*source, *configuration, problems);
      read_reply(*source, problems);
      read_body(*source, *configuration, problems);
      ruleset.sources.push_back(std::move(source));
    }
  }

  void build(const Module& module, Source* source, const conf::Node& settings, std::vector<Source::Step>& into) {
    const conf::SecretSource secrets = configuration->secret_source();
    BuildContext context{*configuration, ruleset.destinations, problems, ruleset, source, secrets};
    if (auto handler = module.build(settings, context)) into.push_back({&module, std::move(handler)});
  }

  void build_chain(Source& source) {
    const size_t problems_before = problems.all().size();
    for (const Module& module : modules) {
      if (module.scope != Scope::source) continue;
      const conf::Node& settings = source.settings_of(module.key);
      if (settings.present() || module.always) build(module, &source, settings, source.steps);
    }
    // A source whose own keys are wrong would be called open only because of them.
    if (problems.all().size() == problems_before) check_trust(source, *configuration, problems);
  }

  void build_gateway() {
    bool before = true;
    for (const Module& module : modules) {
      if (module.scope == Scope::source) {
        before = false;
      } else {
        build(module, nullptr, {}, before ? ruleset.before : ruleset.after);
      }
    }
  }
};

void check_module_order(std::span<const Module> modules) {
  Stage stage = Stage::on_head;
  for (const Module& module : modules) {
    if (module.scope != Scope::source) continue;
    BELAY_CHECK_NOTE(module.stage >= stage, "modules.cc: an on_head module stands behind an on_body one");
    stage = module.stage;
  }
}

}  // namespace

const conf::Node& Source::settings_of(std::string_view key) const {
  const conf::Node& own = named->node.at(key);
  return own.present() ? own : preset.at(key);
}

std::shared_ptr<const Ruleset> build_ruleset(std::shared_ptr<const conf::Configuration> configuration,
                                             std::span<const Module> modules, conf::Problems& problems) {
  check_module_order(modules);
  const size_t problems_before = problems.all().size();
  auto ruleset = std::make_shared<Ruleset>();
  ruleset->configuration = configuration;
  ruleset->destinations = upstream::build_destinations(*configuration, problems);
  Builder builder{std::move(configuration), modules, problems, *ruleset};
  builder.add_sources();
  for (const auto& source : ruleset->sources) builder.build_chain(*source);
  builder.build_gateway();
  if (problems.all().size() != problems_before) return nullptr;
  return ruleset;
}

}  // namespace belay::pipeline
