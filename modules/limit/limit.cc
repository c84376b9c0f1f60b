#include "modules/limit/limit.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/bytes.h"
#include "modules/context.h"
#include "rules/expression.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::SharedMemory;
using pipeline::Verdict;

constexpr size_t kMaxLimits = 8;  // of one source

constexpr conf::Setting kSettings[] = {
    {.key = "rate", .type = conf::Type::rate, .required = true, .help = "webhooks per unit of time: 100/min"},
    {.key = "burst",
     .type = conf::Type::integer,
     .range = "1..1000000",
     .help = "how many may come at once; default: the number in rate"},
    {.key = "per", .fallback = "source", .help = "source, client, or an expression over headers, path and query"},
    {.key = "over",
     .fallback = "refuse",
     .range = "refuse|spool",
     .help = "refuse: 429; spool: store and deliver later"},
};

enum class Per : uint8_t { source, client, expression };

struct Rule {
  RateRule rate;
  uint64_t seed = 0;  // hash of source, position in the list and settings
  Per per = Per::source;
  bool spool = false;
  std::unique_ptr<rules::Expression> key;

  // nullopt: the key cannot be read from this request.
  std::optional<uint64_t> bucket_key(Exchange& exchange) const {
    switch (per) {
      case Per::source: return seed;
      case Per::client: {
        // A v6 sender usually owns its whole /64: the address below it is free to choose.
        const auto& bytes = exchange.client.address.bytes;
        return XXH3_64bits_withSeed(bytes.data(), exchange.client.address.is_v4() ? bytes.size() : 8, seed);
      }
      case Per::expression: break;
    }
    const rules::Value value = key->run(RequestContext::of(exchange));
    const auto text = value.to_text();
    if (!text) return std::nullopt;
    return XXH3_64bits_withSeed(text->data(), text->size(), seed);
  }
};

// Takes one webhook from the allowance unless another worker was faster and left none; then the time to wait.
uint64_t charge(const RateRule& rate, std::atomic<uint64_t>& arrival, uint64_t now_us) {
  uint64_t seen = arrival.load(std::memory_order_relaxed);
  for (;;) {
    if (const uint64_t wait = rate.wait_us(seen, now_us); wait > 0) return wait;
    if (arrival.compare_exchange_weak(seen, rate.next_arrival_us(seen, now_us), std::memory_order_relaxed)) return 0;
  }
}

class Limit final : public pipeline::Handler {
 public:
  Verdict handle(Exchange& exchange) const override;
  std::vector<Rule> rules;
};

Verdict Limit::handle(Exchange& exchange) const {
  const auto now_us = static_cast<uint64_t>(exchange.services.clock.monotonic().time_since_epoch().count());
  std::array<SharedMemory::Bucket*, kMaxLimits> buckets{};
  uint64_t wait_us = 0;
  // All are looked at before any is charged: a webhook that one limit refuses must not use up another's allowance.
  for (size_t i = 0; i < rules.size(); ++i) {
    const auto key = rules[i].bucket_key(exchange);
    if (!key) {
      exchange.answer(400, wire::Outcome::rejected, "limit: the request lacks what 'per' reads");
      return Verdict::reply;
    }
    buckets[i] = &exchange.services.shared.bucket(*key, now_us);
    const uint64_t wait = rules[i].rate.wait_us(buckets[i]->arrival_us.load(std::memory_order_relaxed), now_us);
    if (!rules[i].spool) wait_us = std::max(wait_us, wait);
  }
  for (size_t i = 0; wait_us == 0 && i < rules.size(); ++i) {
    const uint64_t wait = charge(rules[i].rate, buckets[i]->arrival_us, now_us);
    if (!rules[i].spool) wait_us = wait;
    if (wait > 0 && rules[i].spool) exchange.spool_only = true;
  }
  if (wait_us == 0) return Verdict::next;
  exchange.answer(429, wire::Outcome::rejected, "limit: over the rate",
                  static_cast<int>(std::min<uint64_t>((wait_us + 999'999) / 1'000'000, 86'400)));
  return Verdict::reply;
}

// The count in front of the unit: 100 of "100/min".
uint64_t count_of(const conf::Rate& rate) {
  const auto count = parse_u64(std::string_view(rate.text).substr(0, rate.text.find('/')));
  return std::max<uint64_t>(count.value_or(1), 1);
}

rules::Names head_names() {
  rules::Names names = rules::Names::request();
  names.payload = false;
  for (const auto variable :
       {rules::Variable::body, rules::Variable::raw, rules::Variable::form, rules::Variable::event}) {
    names.variables &= ~(1U << static_cast<int>(variable));
  }
  return names;
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
    rule.key = rules::Expression::compile(section.node("per"), head_names(), context.problems);
  if (section.has("rate") && rate.per_second <= 0) section.wrong("rate", "the rate is zero", "write rate: 100/min");
  if (context.problems.all().size() != before) return;
  const uint64_t burst = section.has("burst") ? static_cast<uint64_t>(section.integer("burst")) : count_of(rate);
  rule.rate.interval_us = std::max<uint64_t>(static_cast<uint64_t>(std::llround(1e6 / rate.per_second)), 1);
  rule.rate.tolerance_us = (burst - 1) * rule.rate.interval_us;
  const std::string identity = context.source->name + '\0' + std::to_string(index) + '\0' + rate.text + '\0' + per;
  rule.seed = XXH3_64bits(identity.data(), identity.size());
  limit.rules.push_back(std::move(rule));
}

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  auto limit = std::make_unique<Limit>();
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

}  // namespace

const pipeline::Module kLimit = {
    .key = "limit",
    .stage = pipeline::Stage::on_head,
    .help = "how many webhooks may come in a time",
    .settings = kSettings,
    .build = build,
};

}  // namespace belay::modules
