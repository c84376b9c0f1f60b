#include "modules/verify/verify.h"

#include "signature/scheme.h"

namespace belay::modules {

namespace {

class Verify final : public pipeline::Handler {
 public:
  explicit Verify(std::unique_ptr<const signature::Scheme> scheme) : scheme_(std::move(scheme)) {}

  pipeline::Verdict handle(pipeline::Exchange& exchange) const override {
    const std::string_view reason = scheme_->check(exchange.context(), exchange.received);
    if (reason.empty()) {
      exchange.verified = true;
      return pipeline::Verdict::next;
    }
    refuse_proof(exchange, reason);
    return pipeline::Verdict::reply;
  }

 private:
  std::unique_ptr<const signature::Scheme> scheme_;
};

std::unique_ptr<pipeline::Handler> build(const conf::Node& settings, pipeline::BuildContext& context) {
  auto scheme = build_scheme_of(settings, context);
  if (!scheme) return nullptr;
  context.source->trust = std::max(context.source->trust, scheme->trust());
  return std::make_unique<Verify>(std::move(scheme));
}

}  // namespace

std::unique_ptr<signature::Scheme> build_scheme_of(const conf::Node& settings, pipeline::BuildContext& context) {
  if (settings.at("replay").present()) {
    context.problems.add(settings.at("replay").position(), "replay protection is not part of this version",
                         "remove replay; timestamp.tolerance bounds the age");
    return nullptr;
  }
  const signature::SecretTable secrets =
      signature::read_secret_table(context.source->named->node.at("secrets"), context.secrets, context.problems);
  return signature::Scheme::build(settings, secrets, context.source->named->position, context.problems);
}

void refuse_proof(pipeline::Exchange& exchange, std::string_view reason) {
  exchange.answer(401, wire::Outcome::rejected, "verify: " + std::string(reason));
  exchange.reply.head += "WWW-Authenticate: Signature\r\n";
}

const pipeline::Module kVerify = {
    .key = "verify",
    .stage = pipeline::Stage::on_body,
    .help = "the sender's signature or token",
    .build = build,
};

}  // namespace belay::modules
