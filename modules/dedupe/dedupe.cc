#include "modules/dedupe/dedupe.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "base/sha256.h"
#include "conf/documented.h"
#include "pipeline/trace.h"
#include "rules/expression.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Verdict;

constexpr conf::Setting kSettings[] = {
    {.key = "key", .type = conf::Type::expression, .help = "what makes two webhooks the same; absent: $event.id, else the hash of the body", .example = "metadata.correlationId"},
    {.key = "window", .type = conf::Type::duration, .fallback = "24h", .range = "1s..90d", .help = "how long a key is taken"},
};
const conf::Documented kSourcesDedupeDocumented("sources.NAME.dedupe", kSettings);

class Dedupe final : public pipeline::Handler {
 public:
  Verdict handle(Exchange& exchange) const override;
  std::unique_ptr<rules::Expression> key;  // null: the default
  Duration window{};

 private:
  std::string value_of(Exchange& exchange) const;
};

std::string Dedupe::value_of(Exchange& exchange) const {
  if (!key) return exchange.event.id;
  const auto value = key->evaluate(exchange.context());
  auto text = value ? value->to_text() : Result<std::string>(value.error());
  if (text) return std::move(*text);
  log::debug("dedupe: the key of source {} cannot be evaluated: {}", exchange.source->name, printable(text.error().message));
  return {};
}

Verdict Dedupe::handle(Exchange& exchange) const {
  const std::string value = value_of(exchange);
  wire::Claim& claim = exchange.dedupe.emplace();
  claim.key = value.empty() ? claim_key(exchange.source->name, "body", exchange.body) : claim_key(exchange.source->name, "key", value);
  claim.window_ms = window.count();
  if (exchange.trace != nullptr) {
    exchange.trace->fact("key", value.empty() ? "the hash of the body" : value);
    exchange.trace->fact("window", std::to_string(window.count() / 1000) + "s");
  }
  return Verdict::next;
}

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  if (!settings.is_map()) {
    context.problems.add(settings.position(), "dedupe must be a mapping", "write dedupe: { key: $event.id, window: 24h }");
    return nullptr;
  }
  const size_t before = context.problems.all().size();
  const conf::Section section(settings, kSettings, context.problems);
  auto dedupe = std::make_unique<Dedupe>();
  dedupe->window = section.duration("window");
  if (section.has("key")) dedupe->key = rules::Expression::compile(section.node("key"), rules::Names::request(), context.problems);
  return context.problems.all().size() == before ? std::move(dedupe) : nullptr;
}

}  // namespace

wire::ClaimKey claim_key(std::string_view source, std::string_view kind, std::string_view value) {
  // Names of sources hold no zero byte, so no source can reach into another's keys.
  constexpr std::string_view kZero("\0", 1);
  const Sha256 hash = sha256({source, kZero, kind, kZero, value});
  wire::ClaimKey key;
  std::copy_n(hash.begin(), key.size(), key.begin());
  return key;
}

const pipeline::Module kDedupe = {
    .key = "dedupe",
    .stage = pipeline::Stage::on_body,
    .help = "a webhook whose key was seen within the window is answered like the first one and not delivered again",
    .settings = kSettings,
    .build = build,
};

}  // namespace belay::modules
