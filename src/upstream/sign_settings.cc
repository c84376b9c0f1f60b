// Settings of `sign`.
#include "signature/keys.h"
#include "signature/scheme.h"
#include "upstream/settings.h"

namespace belay::upstream {

namespace {

constexpr conf::Setting kSign[] = {
    {.key = "preset", .help = "whose `verify` says how to sign: standard_webhooks"},
    {.key = "scheme", .type = conf::Type::node, .help = "a scheme written out, as in a source's `verify`"},
    {.key = "secret", .type = conf::Type::node, .help = "the key"},
    {.key = "secrets", .type = conf::Type::node, .help = "{ NAME: … }, for a scheme that uses several"},
};

// The table that the scheme finds its key in: `secrets`, or `secret` under the one name that the scheme asks for.
signature::SecretTable read_secrets(const conf::Section& section, const conf::Node& scheme, const conf::SecretSource& source) {
  if (section.has("secret") == section.has("secrets")) {
    section.problems().add(section.self().position(), section.has("secret") ? "secret and secrets exclude each other" : "sign needs a secret",
                           "write secret: \"${env:NAME}\"");
    return {};
  }
  if (section.has("secrets")) return signature::read_secret_table(section.node("secrets"), source, section.problems());
  const conf::Node& key = scheme.at("key");
  const std::string name = key.is_scalar() ? key.text() : key.at("secret").present() ? key.at("secret").text() : signature::KeyRule().secret;
  signature::SecretTable table;
  table.emplace(name, conf::read_secret(section.node("secret"), source, section.problems()));
  return table;
}

}  // namespace

std::shared_ptr<const signature::Scheme> read_sign(const conf::Node& node, const conf::Configuration& configuration,
                                                   const conf::SecretSource& secrets, conf::Problems& problems) {
  const size_t before = problems.all().size();
  const conf::Section section(node, kSign, problems);
  if (section.has("preset") == section.has("scheme")) {
    problems.add(node.position(), "sign is either a preset or a scheme",
                 "write sign: { preset: standard_webhooks, secret: \"${env:NAME}\" }");
    return nullptr;
  }
  conf::Node scheme = section.node("scheme");
  if (section.has("preset")) {
    const conf::Node* const preset = configuration.preset(section.text("preset"));
    if (preset == nullptr || !preset->at("verify").present()) {
      section.wrong("preset", preset == nullptr ? "there is no such preset" : "this preset has no scheme (verify) to sign with",
                    "write for example standard_webhooks");
      return nullptr;
    }
    scheme = preset->at("verify");
  }
  if (scheme.at("signature").at("body").present()) {
    problems.add(node.position(), "this scheme's proof stands in the payload, where sign cannot put it", "use a scheme with a header or a query parameter");
    return nullptr;
  }
  const signature::SecretTable table = read_secrets(section, scheme, secrets);
  if (problems.all().size() != before) return nullptr;
  return signature::Scheme::build(scheme, {table, {}}, node.position(), problems);
}

}  // namespace belay::upstream
