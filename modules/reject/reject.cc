#include "modules/reject/reject.h"

#include <xxhash.h>

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "modules/reply.h"
#include "pipeline/rate_rule.h"

namespace belay::modules {

namespace {

using pipeline::Exchange;
using pipeline::Verdict;

constexpr size_t kMaxBody = size_t{256} << 10;
constexpr double kPerSecond = 10;
constexpr uint64_t kBurst = 100;
constexpr std::string_view kStages[] = {"verify", "decode", "schema"};

constexpr conf::Setting kSettings[] = {
    {.key = "quarantine", .type = conf::Type::node, .help = "checks whose refused requests are kept: verify, decode, schema", .example = "[verify, schema]"},
};
const conf::Documented kSourcesRejectDocumented("sources.NAME.reject", kSettings);

// What one source keeps.
struct Kept {
  std::vector<std::string_view> stages;  // of kStages
  uint64_t bucket = 0;                   // of its rate, in the shared memory
};

class Reject final : public pipeline::Handler {
 public:
  Verdict handle(Exchange& exchange) const override;
  std::vector<Kept> by_source;

 private:
  bool wanted(const Exchange& exchange) const;
};

bool Reject::wanted(const Exchange& exchange) const {
  if (exchange.outcome != wire::Outcome::rejected || exchange.source == nullptr || exchange.body.size() > kMaxBody) return false;
  const Kept& kept = by_source[exchange.source->index];
  const auto refused_by = [&](std::string_view stage) {
    return exchange.reason.starts_with(stage) && exchange.reason.substr(stage.size()).starts_with(": ");
  };
  if (std::none_of(kept.stages.begin(), kept.stages.end(), refused_by)) return false;
  const wire::SpoolClient* spool = exchange.services.spool;
  if (spool == nullptr || !spool->available()) return false;
  static const pipeline::RateRule kRule = pipeline::RateRule::of(kPerSecond, kBurst);
  const auto now = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(exchange.services.clock.monotonic().time_since_epoch()).count());
  return exchange.services.shared.charge(kept.bucket, kRule, now) == 0;
}

Verdict Reject::handle(Exchange& exchange) const {
  if (!wanted(exchange)) return Verdict::next;
  wire::Put put;
  put.request = received_request(exchange);
  put.event = event_of(exchange);
  exchange.line_kept = true;
  // The exchange may be gone by the time of the answer. A line about what is stored after all is dropped by the spool.
  wire::SpoolClient* const spool = exchange.services.spool;
  spool->put(put, [spool, event = put.event](const Result<wire::PutResult>& result) {
    if (!result || result->state == wire::PutState::refused) spool->record(event);
  });
  return Verdict::next;
}

void read(const conf::Node& node, pipeline::BuildContext& context, Kept& kept) {
  const conf::Section section(node, kSettings, context.problems);
  for (const std::string& name : section.texts("quarantine")) {
    const auto known = std::find(std::begin(kStages), std::end(kStages), name);
    if (known != std::end(kStages)) {
      kept.stages.push_back(*known);
      continue;
    }
    section.wrong("quarantine", "'" + printable(name) + "' is no check whose requests can be kept", "write some of verify, decode, schema");
  }
}

std::unique_ptr<pipeline::Handler> build(const conf::Node&, pipeline::BuildContext& context) {
  auto reject = std::make_unique<Reject>();
  bool any = false;
  for (const auto& source : context.ruleset.sources) {
    Kept& kept = reject->by_source.emplace_back();
    const std::string name = "quarantine " + source->name;
    kept.bucket = XXH3_64bits(name.data(), name.size());
    const conf::Node& node = source->named->node.at("reject");
    if (!node.present()) continue;
    read(node, context, kept);
    any = any || !kept.stages.empty();
  }
  return any ? std::move(reject) : nullptr;
}

}  // namespace

const pipeline::Module kReject = {
    .key = "reject",
    .stage = pipeline::Stage::on_body,
    .scope = pipeline::Scope::gateway,
    .help = "keeps what checks refused, for a person to look at",
    .settings = kSettings,
    .build = build,
};

}  // namespace belay::modules
