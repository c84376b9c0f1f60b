#include "modules/limit/limit.h"

#include <xxhash.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "conf/documented.h"
#include "pipeline/rate_rule.h"
#include "pipeline/trace.h"
#include "rules/expression.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::RateRule;
using pipeline::SharedMemory;
using pipeline::Verdict;

constexpr size_t kMaxLimits = 8;  // of one source

constexpr conf::Setting kSettings[] = {
    {.key = "rate", .type = conf::Type::rate, .required = true, .help = "webhooks per unit of time", .example = "100/min"},
    {.key = "burst",
     .type = conf::Type::integer,
     .range = "1..1000000",
     .help = "how many may come at once; default: the number in rate", .example = "50"},
    {.key = "per", .fallback = "source", .help = "source, client, or an expression over headers, path and query", .example = "client"},
    {.key = "over",
     .fallback = "refuse",
     .range = "refuse|spool",
     .help = "refuse: 429; spool: store and deliver later"},
};
const conf::Documented kSourcesLimitDocumented("sources.NAME.limit", kSettings);

enum class Per : uint8_t { source, client, expression };

struct Rule {
  RateRule rate;
  std::string shown;       // "100/min per client"
  uint64_t seed = 0;  // hash of source, position in the list and settings
  Per per = Per::source;
  bool spool = false;
  std::unique_ptr<rules::Expression> key;

  // A v6 sender usually owns its whole /64: the address below it is free to choose.
  uint64_t client_key(const Exchange& exchange, uint64_t own_seed) const {
    const auto& bytes = exchange.client.address.bytes;
    return XXH3_64bits_withSeed(bytes.data(), exchange.client.address.is_v4() ? bytes.size() : 8, own_seed);
  }
  // Where a webhook that nothing proves yet counts in place of the real bucket.
  uint64_t stand_in_key(const Exchange& exchange) const { return client_key(exchange, ~seed); }
  bool needs_proof() const { return per != Per::client; }

  // nullopt: the key cannot be read from this request.
  std::optional<uint64_t> bucket_key(Exchange& exchange) const {
    switch (per) {
      case Per::source: return seed;
      case Per::client: return client_key(exchange, seed);
      case Per::expression: break;
    }
    const rules::Value value = key->run(exchange.context());
    const auto text = value.to_text();
    if (!text) return std::nullopt;
    return XXH3_64bits_withSeed(text->data(), text->size(), seed);
  }
};

// The buckets that one webhook needs room in at one point of its way.
class Claims {
 public:
  void add(const Rule& rule, uint64_t key, SharedMemory::Bucket& bucket, bool charged = true) {
    claims_[count_++] = {&rule, key, &bucket, charged};
  }

  // Charges all and yields 0, or charges none that counts and yields the time to wait: all are looked at before any is
  // charged, because a webhook that one limit refuses must not use up another's allowance.
  uint64_t settle(Exchange& exchange, uint64_t now_us) const {
    uint64_t wait_us = 0;
    for (size_t i = 0; i < count_; ++i) {
      const auto& [rule, key, bucket, charged] = claims_[i];
      if (!rule->spool) wait_us = std::max(wait_us, bucket->wait_us(key, rule->rate, now_us));
    }
    for (size_t i = 0; wait_us == 0 && i < count_; ++i) {
      const auto& [rule, key, bucket, charged] = claims_[i];
      if (!charged) continue;
      const uint64_t wait = bucket->charge(key, rule->rate, now_us);
      if (!rule->spool) wait_us = wait;
      if (wait > 0 && rule->spool) exchange.spool_only = true;
    }
    return wait_us;
  }

 private:
  struct Claim {
    const Rule* rule = nullptr;
    uint64_t key = 0;
    SharedMemory::Bucket* bucket = nullptr;
    bool charged = true;  // false: it is only looked at
  };
  std::array<Claim, 2 * kMaxLimits> claims_;
  size_t count_ = 0;
};

Verdict refuse(Exchange& exchange, uint64_t wait_us) {
  exchange.answer(429, wire::Outcome::rejected, "limit: over the rate",
                  static_cast<int>(std::min<uint64_t>((wait_us + 999'999) / 1'000'000, 86'400)));
  return Verdict::reply;
}

uint64_t now_of(const Exchange& exchange) {
  return static_cast<uint64_t>(exchange.services.clock.monotonic().time_since_epoch().count());
}

// On the head. With `verify` behind it, a webhook counts for its client until it is proved.
class Limit final : public pipeline::Handler {
 public:
  explicit Limit(bool proof_follows) : proof_follows_(proof_follows) {}
  Verdict handle(Exchange& exchange) const override;
  Verdict proved(Exchange& exchange) const;
  std::vector<Rule> rules;

 private:
  bool proof_follows_;
};

Verdict Limit::handle(Exchange& exchange) const {
  const uint64_t now_us = now_of(exchange);
  pipeline::SharedMemory& shared = exchange.services.shared;
  Claims claims;
  for (const Rule& rule : rules) {
    if (exchange.trace != nullptr) exchange.trace->fact("rate", rule.shown);
    const auto key = rule.bucket_key(exchange);
    if (!key) {
      exchange.answer(400, wire::Outcome::rejected, "limit: the request lacks what 'per' reads");
      return Verdict::reply;
    }
    const bool later = proof_follows_ && rule.needs_proof();
    if (later && rule.spool) continue;
    claims.add(rule, *key, shared.bucket(*key, now_us), !later);
    if (!later) continue;
    const uint64_t stand_in = rule.stand_in_key(exchange);
    claims.add(rule, stand_in, shared.bucket(stand_in, now_us));
  }
  const uint64_t wait_us = claims.settle(exchange, now_us);
  return wait_us == 0 ? Verdict::next : refuse(exchange, wait_us);
}

// What handle() left to do for a webhook that `verify` let through.
Verdict Limit::proved(Exchange& exchange) const {
  const uint64_t now_us = now_of(exchange);
  pipeline::SharedMemory& shared = exchange.services.shared;
  Claims claims;
  for (const Rule& rule : rules) {
    if (!rule.needs_proof()) continue;
    if (!rule.spool) shared.bucket(rule.stand_in_key(exchange), now_us).give_back(rule.rate);
    if (const auto key = rule.bucket_key(exchange)) claims.add(rule, *key, shared.bucket(*key, now_us));
  }
  const uint64_t wait_us = claims.settle(exchange, now_us);
  return wait_us == 0 ? Verdict::next : refuse(exchange, wait_us);
}

class Proved final : public pipeline::Handler {
 public:
  explicit Proved(const Limit& limit) : limit_(limit) {}
  Verdict handle(Exchange& exchange) const override { return limit_.proved(exchange); }

 private:
  const Limit& limit_;  // a step of the same source
};

// The count in front of the unit: 100 of "100/min".
uint64_t count_of(const conf::Rate& rate) {
  const auto count = parse_u64(std::string_view(rate.text).substr(0, rate.text.find('/')));
  return std::max<uint64_t>(count.value_or(1), 1);
}

void read_rule(const conf::Node& node, size_t index, pipeline::BuildContext& context, Limit& limit) {
  const size_t before = context.problems.all().size();
  const conf::Section section(node, kSettings, context.problems);
  Rule rule;
  const conf::Rate rate = section.rate("rate");
  const std::string per = section.text("per");
  rule.spool = section.text("over") == "spool";
  rule.per = per == "source" ? Per::source : per == "client" ? Per::client : Per::expression;
  if (rule.per == Per::expression)
    rule.key = rules::Expression::compile(section.node("per"), rules::Names::head(), context.problems);
  if (context.problems.all().size() != before) return;
  const uint64_t burst = section.has("burst") ? static_cast<uint64_t>(section.integer("burst")) : count_of(rate);
  rule.rate = RateRule::of(rate.per_second, burst);
  rule.shown = rate.text + " per " + per;
  const std::string identity = context.source->name + '\0' + std::to_string(index) + '\0' + rate.text + '\0' + per;
  rule.seed = XXH3_64bits(identity.data(), identity.size());
  limit.rules.push_back(std::move(rule));
}

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  auto limit = std::make_unique<Limit>(context.source->settings_of("verify").present());
  if (settings.is_map()) {
    read_rule(settings, 0, context, *limit);
  } else if (settings.is_list() && !settings.items().empty() && settings.items().size() <= kMaxLimits) {
    for (size_t i = 0; i < settings.items().size(); ++i) read_rule(settings.items()[i], i, context, *limit);
  } else {
    context.problems.add(settings.position(), "limit must be a mapping or a list of 1 to 8 of them",
                         "write limit: { rate: 100/min, per: client }");
    return nullptr;
  }
  return limit;
}

std::unique_ptr<pipeline::Handler> build_proved(const conf::Node&, pipeline::BuildContext& context) {
  if (!context.source->settings_of("verify").present()) return nullptr;
  for (const pipeline::Source::Step& step : context.source->steps) {
    if (step.module->key == kLimit.key) return std::make_unique<Proved>(static_cast<const Limit&>(*step.handler));
  }
  return nullptr;  // its settings are wrong, which kLimit has said
}

}  // namespace

const pipeline::Module kLimit = {
    .key = "limit",
    .stage = pipeline::Stage::on_head,
    .help = "how many webhooks may come in a time",
    .settings = kSettings,
    .build = build,
};

const pipeline::Module kLimitProved = {
    .key = "limit",
    .stage = pipeline::Stage::on_body,
    .help = "counts what verify has proved",
    .settings = kSettings,
    .build = build_proved,
};

}  // namespace belay::modules
