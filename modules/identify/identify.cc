#include "modules/identify/identify.h"

#include "base/bytes.h"
#include "base/sha256.h"
#include "conf/documented.h"
#include "pipeline/trace.h"
#include "rules/expression.h"

namespace belay::modules {

namespace {

constexpr size_t kMaxText = 256;
constexpr size_t kHashText = 2 * std::tuple_size_v<Sha256>;

// A longer fact keeps its beginning, cut between two characters, and the hash of the whole: ids that differ stay different.
void shorten(std::string& text) {
  if (text.size() <= kMaxText) return;
  const Sha256 hash = sha256({text});
  constexpr size_t kKept = kMaxText - kHashText - 1;
  size_t kept = kKept;
  while (kept > kKept - 3 && (static_cast<uint8_t>(text[kept]) & 0xC0) == 0x80) --kept;
  text.resize(kept);
  text.push_back('~');
  text += hex_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

constexpr conf::Setting kSettings[] = {
    {.key = "type", .type = conf::Type::expression, .help = "kind of event", .example = "eventType"},
    {.key = "id", .type = conf::Type::expression, .help = "the sender's id of the event or delivery", .example = "$headers[\"X-Delivery\"]"},
    {.key = "time", .type = conf::Type::expression, .help = "when it happened", .example = "timestamp"},
    {.key = "resource", .type = conf::Type::expression, .help = "what it happened to", .example = "entityId"},
};
const conf::Documented kSourcesIdentifyDocumented("sources.NAME.identify", kSettings);

class Identify final : public pipeline::Handler {
 public:
  struct Fact {
    std::unique_ptr<rules::Expression> expression;
    std::string pipeline::EventFacts::*into;
    std::string_view name;
  };

  pipeline::Verdict handle(pipeline::Exchange& exchange) const override {
    rules::Context& context = exchange.context();
    for (const Fact& fact : facts) {
      const rules::Value value = fact.expression->run(context);
      std::string& text = exchange.event.*fact.into;
      if (value.is_error() || !value.append_text(text).ok()) text.clear();
      shorten(text);
      if (exchange.trace != nullptr) exchange.trace->fact(fact.name, value.is_error() ? "none: " + fact.expression->explain(value.failure()) : text);
    }
    return pipeline::Verdict::next;
  }

  std::vector<Fact> facts;
};

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  constexpr std::pair<std::string_view, std::string pipeline::EventFacts::*> kFacts[] = {
      {"type", &pipeline::EventFacts::type},
      {"id", &pipeline::EventFacts::id},
      {"time", &pipeline::EventFacts::time},
      {"resource", &pipeline::EventFacts::resource},
  };
  const conf::Section section(settings, kSettings, context.problems);
  auto identify = std::make_unique<Identify>();
  for (const auto& [key, into] : kFacts) {
    if (!section.has(key)) continue;
    auto expression = rules::Expression::compile(section.node(key), rules::Names::request(), context.problems);
    if (expression) identify->facts.push_back({std::move(expression), into, key});
  }
  return identify;
}

}  // namespace

const pipeline::Module kIdentify = {
    .key = "identify",
    .stage = pipeline::Stage::on_body,
    .help = "type, id, time and resource of the event",
    .settings = kSettings,
    .build = build,
};

}  // namespace belay::modules
