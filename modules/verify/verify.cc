#include "modules/verify/verify.h"

#include <algorithm>

#include "conf/documented.h"
#include "modules/dedupe/dedupe.h"
#include "pipeline/key_wait.h"
#include "pipeline/trace.h"

namespace belay::modules {

namespace {

constexpr int kRetryAfter = 30;  // seconds, when a sender's keys cannot be fetched

// What a source may say beside its preset's scheme; anything else is a scheme of its own.
constexpr conf::Setting kBesidePreset[] = {
    {.key = "replay", .type = conf::Type::duration, .range = signature::kReplayRange, .help = signature::kReplayHelp, .example = "10m"},
};
const conf::Documented kSourcesVerifyBesidePresetDocumented("sources.NAME.verify beside a preset", kBesidePreset);

class Verify final : public pipeline::Handler {
 public:
  explicit Verify(std::unique_ptr<const signature::Scheme> scheme) : scheme_(std::move(scheme)) {}

  pipeline::Verdict handle(pipeline::Exchange& exchange) const override {
    return pipeline::decide_with_keys(
        exchange, [this](pipeline::Exchange& asked) { return check(asked); },
        [](pipeline::Exchange& decided, const signature::Finding& finding) {
          if (finding.genuine()) return pipeline::Verdict::next;
          if (decided.trace != nullptr && decided.trace->excuses(finding, decided.services.keys != nullptr)) return pipeline::Verdict::next;
          refuse_proof(decided, finding);
          return pipeline::Verdict::reply;
        });
  }

 private:
  signature::Finding check(pipeline::Exchange& exchange) const {
    const Duration replay = scheme_->replay();
    std::string proven;
    signature::Finding finding =
        scheme_->check(exchange.context(), exchange.received, exchange.services.keys, replay.count() > 0 ? &proven : nullptr);
    exchange.verified = finding.genuine();
    if (finding.genuine() && replay.count() > 0)
      exchange.replay = wire::Claim{claim_key(exchange.source->name, "replay", proven), replay.count()};
    return finding;
  }

  std::unique_ptr<const signature::Scheme> scheme_;
};

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  auto scheme = build_scheme_of(settings, context);
  if (!scheme) return nullptr;
  context.source->trust = std::max(context.source->trust, scheme->trust());
  const conf::Node& source = context.source->named->node;
  if (scheme->trusts_request_host() && !source.at("match").at("host").present()) {
    context.problems.warn(context.source->named->position,
                          "what " + context.source->name + "'s sender signs has its address in it, and Belay takes the host from the request: a webhook "
                          "that was signed for another address with the same secret passes here, too",
                          "write params: { url: \"https://HOST/PATH\" } as the sender knows it, or match: { host: HOST }");
  }
  return std::make_unique<Verify>(std::move(scheme));
}

}  // namespace

signature::Keyring keyring_of(pipeline::BuildContext& context) {
  const conf::Node& source = context.source->named->node;
  return {signature::read_secret_table(source.at("secrets"), context.secrets, context.problems),
          signature::read_params(source.at("params"), context.problems), context.secrets.folder};
}

std::unique_ptr<signature::Scheme> build_scheme_of(const conf::Node& settings, pipeline::BuildContext& context) {
  const conf::Node& preset = context.source->preset.at("verify");
  const conf::Position& where = context.source->named->position;
  const bool scheme_is_here = !settings.is_map() || settings.at("algorithm").present() || settings.at("any").present() || settings.at("all").present();
  if (scheme_is_here || !preset.present()) return signature::Scheme::build(settings, keyring_of(context), where, context.problems);
  const size_t before = context.problems.all().size();
  const conf::Section section(settings, kBesidePreset, context.problems);
  if (context.problems.all().size() != before) return nullptr;
  return signature::Scheme::build(preset, keyring_of(context), where, context.problems, {}, section.node("replay"));
}

void refuse_proof(pipeline::Exchange& exchange, const signature::Finding& finding) {
  const std::string reason = "verify: " + std::string(finding.reason);
  if (finding.is != signature::Finding::Is::refused)
    return exchange.answer(503, wire::Outcome::failed, reason, kRetryAfter);
  exchange.answer(401, wire::Outcome::rejected, reason);
  exchange.reply.head += "WWW-Authenticate: Signature\r\n";
}

const pipeline::Module kVerify = {
    .key = "verify",
    .stage = pipeline::Stage::on_body,
    .help = "the sender's signature or token",
    .build = build,
};

}  // namespace belay::modules
