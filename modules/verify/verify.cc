#include "modules/verify/verify.h"

#include <algorithm>

#include "modules/dedupe/dedupe.h"

namespace belay::modules {

namespace {

constexpr int kRetryAfter = 30;  // seconds, when a sender's keys cannot be fetched

class Verify final : public pipeline::Handler {
 public:
  Verify(std::unique_ptr<const signature::Scheme> scheme, Duration replay) : scheme_(std::move(scheme)), replay_(replay) {}

  pipeline::Verdict handle(pipeline::Exchange& exchange) const override {
    const signature::Finding finding = scheme_->check(exchange.context(), exchange.received, exchange.services.keys);
    if (finding.is == signature::Finding::Is::pending) {
      exchange.services.keys->when_known(finding.url, [this, resume = exchange.park()] {
        // A second key that is not there yet is a fault of the rules' list, not of the sender: 503, and the sender tries again.
        if (pipeline::Exchange* waiting = resume.exchange()) {
          conclude(*waiting, scheme_->check(waiting->context(), waiting->received, waiting->services.keys));
        }
        resume();
      });
      return pipeline::Verdict::parked;
    }
    return conclude(exchange, finding);
  }

 private:
  pipeline::Verdict conclude(pipeline::Exchange& exchange, const signature::Finding& finding) const {
    if (finding.genuine()) {
      exchange.verified = true;
      if (replay_.count() > 0) exchange.replay = {replay_key(exchange), replay_.count()};
      return pipeline::Verdict::next;
    }
    refuse_proof(exchange, finding);
    return pipeline::Verdict::reply;
  }

  // What was signed, not the signature's text: that can be written in several ways.
  wire::ClaimKey replay_key(pipeline::Exchange& exchange) const {
    std::string text = scheme_->timestamp_of(exchange.context());
    text.push_back('\0');
    text.append(exchange.body);
    return claim_key(exchange.source->name, "replay", text);
  }

  std::unique_ptr<const signature::Scheme> scheme_;
  Duration replay_;  // 0: the same request may come again
};

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  auto scheme = build_scheme_of(settings, context);
  if (!scheme) return nullptr;
  Duration replay{};
  if (settings.at("replay").present()) {
    const auto value = conf::parse_duration(settings.at("replay").text());  // its range has been checked
    if (value) replay = *value;
    if (scheme->trust() < pipeline::Trust::signed_body) {
      context.problems.add(settings.at("replay").position(), "nothing of these webhooks is signed, so a replay cannot be told",
                           "remove replay; dedupe tells retries");
      return nullptr;
    }
  }
  context.source->trust = std::max(context.source->trust, scheme->trust());
  return std::make_unique<Verify>(std::move(scheme), replay);
}

}  // namespace

signature::Keyring keyring_of(pipeline::BuildContext& context) {
  const conf::Node& source = context.source->named->node;
  return {signature::read_secret_table(source.at("secrets"), context.secrets, context.problems),
          signature::read_params(source.at("params"), context.problems)};
}

std::unique_ptr<signature::Scheme> build_scheme_of(const conf::Node& settings, pipeline::BuildContext& context) {
  return signature::Scheme::build(settings, keyring_of(context), context.source->named->position, context.problems);
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
