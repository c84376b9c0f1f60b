#include "modules/match/match.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/host.h"
#include "conf/documented.h"
#include "http/parser.h"
#include "http/url.h"
#include "modules/match/paths.h"
#include "pipeline/trace.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Source;
using pipeline::Verdict;

constexpr conf::Setting kSettings[] = {
    {.key = "path", .required = true, .help = "/exact, /with/{capture}, or /prefix/*", .example = "/webhooks/{tenant}"},
    {.key = "methods",
     .type = conf::Type::node,
     .fallback = "POST",
     .help = "methods that are let in; any: all of them", .example = "[POST, PUT]"},
    {.key = "host", .help = "only requests for this host name; absent: any", .example = "hooks.example.com"},
};
const conf::Documented kSourcesMatchDocumented("sources.NAME.match", kSettings);

// A source's settings, as far as match needs them at run time.
struct Target {
  const Source* source = nullptr;
  PathPattern pattern;
  std::string host;
  std::vector<std::string> methods;  // empty: any
  conf::Position position;

  bool takes(std::string_view method) const {
    return methods.empty() || std::find(methods.begin(), methods.end(), method) != methods.end();
  }
  bool overlaps(const Target& other) const {
    if (methods.empty() || other.methods.empty()) return true;
    return std::any_of(methods.begin(), methods.end(), [&](const std::string& method) { return other.takes(method); });
  }
};

// Sources of one path shape: they differ in their methods.
struct Slot {
  std::string shape;
  std::vector<Target> targets;
  size_t prefix_length = 0;  // in segments; for path_rest
  uint32_t reading = PathTable::kNone;
};

// Everything for one host name, or for requests no named host took.
struct Host {
  PathTable paths;
  std::vector<Slot> slots;
  std::unordered_map<std::string, uint32_t> by_shape;
  PathTable readings;  // plain path → Slot::reading; slots that differ only in spelling share one

  void add_readings();
};

// A prefix owns its folder too, where no other pattern does: backends often take "/a" for "/a/".
void Host::add_readings() {
  std::unordered_map<std::string, uint32_t> known;
  const auto add = [&](const PathPattern& pattern, uint32_t reading) {
    const auto [found, fresh] = known.emplace(pattern.shape(), reading);
    if (fresh) readings.add(pattern, reading);
    return found->second;
  };
  uint32_t next = 0;
  for (Slot& slot : slots) slot.reading = add(slot.targets.front().pattern.plain(), next++);
  for (const Slot& slot : slots) {
    PathPattern folder = slot.targets.front().pattern.plain();
    if (!folder.prefix || folder.segments.empty()) continue;
    folder.prefix = false;
    folder.text = folder.shape();
    add(folder, slot.reading);
  }
}

class Match final : public pipeline::Handler {
 public:
  Verdict handle(Exchange& exchange) const override;

  // Reports a source that answers nothing because an earlier one has the same path and a method in common.
  void add(Target target, conf::Problems& problems);
  // After the last add().
  void complete();

 private:
  const Host* named_host(std::string_view host) const;
  const char* other_meaning(const Host& host, const Slot& slot, const Host* named, std::string_view path) const;
  Verdict enter(const Slot& slot, Exchange& exchange) const;

  std::unordered_map<std::string, Host> hosts_;
  Host any_;
};

void Match::add(Target target, conf::Problems& problems) {
  Host& host = target.host.empty() ? any_ : hosts_[target.host];
  const std::string shape = target.pattern.shape();
  const auto [found, fresh] = host.by_shape.emplace(shape, static_cast<uint32_t>(host.slots.size()));
  if (fresh) {
    host.paths.add(target.pattern, found->second);
    host.slots.push_back({shape, {}, target.pattern.segments.size()});
  }
  Slot& slot = host.slots[found->second];
  for (const Target& other : slot.targets) {
    if (!target.overlaps(other)) continue;
    problems.add(target.position,
                 "source '" + target.source->name + "' never gets a webhook: source '" + other.source->name + "' (" +
                     other.position.to_string() + ") has the same path, host and method",
                 "give one of them another path, host or methods");
    return;
  }
  slot.targets.push_back(std::move(target));
}

void Match::complete() {
  any_.add_readings();
  for (auto& [name, host] : hosts_) host.add_readings();
}

const Host* Match::named_host(std::string_view host) const {
  if (hosts_.empty()) return nullptr;
  const auto found = hosts_.find(host_key(host));
  return found == hosts_.end() ? nullptr : &found->second;
}

// Why a path that a pattern took must be refused, or null: a backend that reads it more freely than we do would see a path
// of another source, whose rules it passed by, or one that no source lets in.
const char* Match::other_meaning(const Host& host, const Slot& slot, const Host* named, std::string_view path) const {
  if (const char* refusal = path_refusal(path)) return refusal;
  std::string room;
  const std::string_view plain = plain_path(path, room);
  const bool passed_by_named = named != nullptr && named != &host && named->readings.find(plain) != PathTable::kNone;
  const bool same = !passed_by_named && host.readings.find(plain) == slot.reading;
  return same ? nullptr : "the path in another spelling is not this source's";
}

Verdict Match::enter(const Slot& slot, Exchange& exchange) const {
  const std::string_view path = exchange.request.path;
  for (const Target& target : slot.targets) {
    if (!target.takes(exchange.request.method)) continue;
    exchange.source = target.source;
    if (exchange.trace != nullptr) exchange.trace->fact("path", target.pattern.text);
    if (target.pattern.exact()) return Verdict::next;
    for (const auto& [index, name] : target.pattern.captures) {
      exchange.captures.emplace_back(name, http::percent_decode(segment_at(path, index)).value_or(std::string()));
    }
    if (target.pattern.prefix) {
      size_t begin = 0;
      for (size_t i = 0; i < slot.prefix_length; ++i) begin = path.find('/', begin + 1);
      exchange.path_rest = path.substr(begin);
    }
    return Verdict::next;
  }
  std::string allowed;
  for (const Target& target : slot.targets) {
    for (const std::string& method : target.methods) allowed += (allowed.empty() ? "" : ", ") + method;
  }
  exchange.answer(405, wire::Outcome::rejected, "match: this source does not take the method");
  exchange.reply.head += "Allow: " + allowed + "\r\n";
  return Verdict::reply;
}

Verdict Match::handle(Exchange& exchange) const {
  const std::string_view path = exchange.request.path;
  const Host* const named = named_host(exchange.request.host);
  const Host* host = named != nullptr ? named : &any_;
  uint32_t found = host->paths.find(path);
  if (found == PathTable::kNone && host != &any_) {
    host = &any_;
    found = host->paths.find(path);
  }
  if (found == PathTable::kNone) {
    exchange.answer(404, wire::Outcome::rejected, "match: no source at this path");
    return Verdict::reply;
  }
  const Slot& slot = host->slots[found];
  // An exact path is what the rules say, letter by letter.
  const char* const refusal =
      slot.targets.front().pattern.exact() ? nullptr : other_meaning(*host, slot, named, path);
  if (refusal != nullptr) {
    exchange.answer(400, wire::Outcome::rejected, std::string("match: ") + refusal);
    return Verdict::reply;
  }
  return enter(slot, exchange);
}

void read_methods(const conf::Section& section, Target& target) {
  target.methods = {"POST"};
  if (!section.has("methods")) return;
  target.methods = section.texts("methods");
  for (const std::string& method : target.methods) {
    if (method == "any") {
      target.methods.clear();
      return;
    }
    if (!http::is_token(method) || ascii_upper(method) != method) {
      section.wrong("methods", "'" + printable(method) + "' is not a method", "write methods: [POST, PUT], or any");
    }
  }
  if (target.methods.empty()) section.wrong("methods", "no method is let in", "write methods: [POST], or any");
}

void read_host(const conf::Section& section, Target& target) {
  const std::string text = section.text("host");
  target.host = host_key(text);
  if (http::is_authority(text) && !target.host.empty()) return;
  section.wrong("host", "'" + printable(text) + "' is not the name of a host: names are exact, without scheme, path or *",
                "write host: hooks.example.com, one source for each name; leave host out for any");
}

// False when the settings are wrong; the problems say how.
bool read_target(const Source& source, conf::Problems& problems, Target& target) {
  const conf::Node& node = source.settings_of("match");
  const size_t before = problems.all().size();
  target.source = &source;
  if (!node.present()) {
    problems.add(source.named->position, "source '" + source.name + "' has no match",
                 "write match: { path: /webhooks/" + source.name + " }");
    return false;
  }
  target.position = node.position();
  std::string path = node.text();
  if (node.is_scalar()) {
    target.methods = {"POST"};
  } else {
    const conf::Section section(node, kSettings, problems);
    path = section.text("path");
    read_methods(section, target);
    if (section.has("host")) read_host(section, target);
    if (section.has("path")) target.position = section.node("path").position();
  }
  if (problems.all().size() != before) return false;
  auto pattern = PathPattern::parse(path);
  if (!pattern) {
    problems.add(target.position, "path '" + printable(path) + "': " + pattern.error().message);
    return false;
  }
  target.pattern = std::move(*pattern);
  return true;
}

std::unique_ptr<pipeline::Handler> build(const conf::Node&, pipeline::BuildContext& context) {
  auto match = std::make_unique<Match>();
  for (const auto& source : context.ruleset.sources) {
    Target target;
    if (read_target(*source, context.problems, target)) match->add(std::move(target), context.problems);
  }
  match->complete();
  return match;
}

}  // namespace

const pipeline::Module kMatch = {
    .key = "match",
    .stage = pipeline::Stage::on_head,
    .scope = pipeline::Scope::gateway,
    .help = "finds the source of a request by host, path and method",
    .settings = kSettings,
    .build = build,
};

}  // namespace belay::modules
