// Settings of `sign`.
#include "conf/documented.h"
#include "signature/keys.h"
#include "signature/scheme.h"
#include "upstream/settings.h"

namespace belay::upstream {

namespace {

constexpr conf::Setting kSign[] = {
    {.key = "preset", .help = "whose `verify` says how to sign: standard_webhooks; without it the scheme stands here, as in a source's `verify`", .example = "standard_webhooks"},
    {.key = "secret", .type = conf::Type::node, .help = "the key", .example = "\"${env:CRM_SECRET}\""},
    {.key = "secrets", .type = conf::Type::node, .help = "for a scheme that uses several", .example = "{ signing: \"${env:CRM_SECRET}\" }"},
    {.key = "params", .type = conf::Type::node, .help = "further settings of the scheme, as in a source", .example = "{ url: https://crm.example.com/hooks }"},
};
const conf::Documented kDestinationsSignDocumented("destinations.NAME.sign", kSign);

// The table that the scheme finds its key in: `secrets`, or `secret` under the one name that the scheme asks for.
signature::SecretTable read_secrets(const conf::Node& node, const conf::Node& scheme, const conf::SecretSource& source,
                                    conf::Problems& problems) {
  const conf::Node& secret = node.at("secret");
  const conf::Node& secrets = node.at("secrets");
  if (secret.present() == secrets.present()) {
    problems.add(node.position(), secret.present() ? "secret and secrets exclude each other" : "sign needs a secret",
                 "write secret: \"${env:NAME}\"");
    return {};
  }
  if (secrets.present()) return signature::read_secret_table(secrets, source, problems);
  const conf::Node& key = scheme.at("key");
  const std::string name = key.is_scalar() ? key.text() : key.at("secret").present() ? key.at("secret").text() : signature::KeyRule().secret;
  signature::SecretTable table;
  table.emplace(name, conf::read_secret(secret, source, problems));
  return table;
}

// The scheme of a preset; a missing Node with problems recorded.
conf::Node scheme_of_preset(const conf::Node& node, const conf::Configuration& configuration, conf::Problems& problems) {
  const size_t before = problems.all().size();
  const conf::Section section(node, kSign, problems);
  if (problems.all().size() != before) return {};
  const conf::Node* const preset = configuration.preset(section.text("preset"));
  if (preset != nullptr && preset->at("verify").present()) return preset->at("verify");
  section.wrong("preset", preset == nullptr ? "there is no such preset" : "this preset has no scheme (verify) to sign with",
                "write for example standard_webhooks");
  return {};
}

}  // namespace

std::shared_ptr<const signature::Scheme> read_sign(const conf::Node& node, const conf::Configuration& configuration,
                                                   const conf::SecretSource& secrets, conf::Problems& problems) {
  const size_t before = problems.all().size();
  if (!node.is_map()) {
    problems.add(node.position(), "sign must be a mapping", "write sign: { preset: standard_webhooks, secret: \"${env:NAME}\" }");
    return nullptr;
  }
  const bool by_preset = node.at("preset").present();
  const conf::Node scheme = by_preset ? scheme_of_preset(node, configuration, problems) : node;
  if (!scheme.present()) return nullptr;
  signature::Keyring keyring{read_secrets(node, scheme, secrets, problems), signature::read_params(node.at("params"), problems), secrets.folder};
  if (problems.all().size() != before) return nullptr;
  const std::span<const conf::Setting> beside = by_preset ? std::span<const conf::Setting>() : kSign;
  std::shared_ptr<const signature::Scheme> made = signature::Scheme::build(scheme, std::move(keyring), node.position(), problems, beside);
  if (made && !made->can_sign()) {
    problems.add(node.position(), "this scheme's proof stands in the payload, or is made with keys that only the sender has: sign cannot make it",
                 "use a scheme with a header or a query parameter, and a secret");
    return nullptr;
  }
  return made;
}

}  // namespace belay::upstream
