#include "signature/keys.h"

#include <algorithm>

#include "base/bytes.h"
#include "conf/documented.h"
#include "http/message.h"

namespace belay::signature {

namespace {

constexpr conf::Setting kSettings[] = {
    {.key = "secret", .fallback = "signing", .help = "name in the source's secrets"},
    {.key = "strip", .help = "fixed text that is taken off the front", .example = "whsec_"},
    {.key = "decode",
     .type = conf::Type::node,
     .help = "how the secret spells the key's bytes: hex, base64, base64url or text (default); a list: any of them", .example = "base64"},
    {.key = "optional", .type = conf::Type::boolean, .fallback = "false", .help = "without the secret the check never holds"},
    {.key = "derive", .type = conf::Type::node, .help = "template of the key, made of $secret.NAME", .example = "\"AWS4{{ $secret.signing }}\""},
    {.key = "id", .type = conf::Type::expression, .help = "which of `secrets`, or which key of a set, the request names", .example = "$headers['X-Key-Id']"},
    {.key = "secrets", .type = conf::Type::node, .help = "names in the source's secrets that `id` may be", .example = "[first, second]"},
};
const conf::Documented kSourcesVerifyKeyDocumented("sources.NAME.verify.key", kSettings);

std::optional<std::string> decode_as(std::string_view encoding, std::string_view text) {
  if (encoding == "hex") return hex_decode(text);
  if (encoding == "base64") return base64_decode(text);
  if (encoding == "base64url") return base64url_decode(text);
  return std::string(text);
}

// A request with nothing in it: what a derivation that reads no request is evaluated with.
struct NoRequest {
  http::RequestHead head;
  payload::RequestContext context{payload::RequestView{.head = &head}};
};

std::vector<KeyBytes> derive_all(const rules::Template& derivation, const std::vector<KeyBytes>& from, Work& work) {
  std::vector<KeyBytes> made;
  for (const KeyBytes& key : from) {
    work.secrets.put(key.name, key.bytes);
    std::string bytes;
    if (feed(derivation, work, [&bytes](std::string_view piece) { bytes += piece; }) && !bytes.empty())
      made.push_back({key.window, key.name, std::move(bytes)});
    work.secrets.put({}, {});
  }
  return made;
}

}  // namespace

std::vector<MacKey> make_keys(Digest digest, const std::vector<KeyBytes>& keys) {
  std::vector<MacKey> made;
  made.reserve(keys.size());
  for (const KeyBytes& key : keys) made.push_back({key.window, key.name, Mac(digest, key.bytes)});
  return made;
}

bool any_makes(const std::vector<MacKey>& keys, WallTime now, std::string_view text, std::string_view given) {
  bool makes = false;
  for (const MacKey& key : keys) {
    if (!key.window.valid_at(now)) continue;
    Mac::Room room;
    key.mac.begin();
    key.mac.update(text);
    if (constant_time_equals(key.mac.finish(room), given)) makes = true;
  }
  return makes;
}

std::optional<std::string> make_mac(const std::vector<MacKey>& keys, WallTime now, std::string_view text) {
  const auto valid = std::find_if(keys.begin(), keys.end(), [now](const MacKey& key) { return key.window.valid_at(now); });
  if (valid == keys.end()) return std::nullopt;
  Mac::Room room;
  valid->mac.begin();
  valid->mac.update(text);
  return std::string(valid->mac.finish(room));
}

KeyRule KeyRule::read(const conf::Node& node, const rules::Names& names, const Keyring& keyring,
                      conf::Problems& problems) {
  KeyRule rule;
  if (!node.present()) return rule;
  if (node.is_scalar()) {
    rule.secret = node.text();
    return rule;
  }
  const conf::Section section(node, kSettings, problems);
  rule.secret = section.text("secret");
  rule.strip = section.text("strip");
  rule.optional = section.boolean("optional");
  if (section.has("decode")) rule.decodes = section.texts("decode");
  for (const std::string& decode : rule.decodes) {
    if (decode != "hex" && decode != "base64" && decode != "base64url" && decode != "text")
      section.wrong("decode", "'" + printable(decode) + "' is no encoding", "write hex, base64, base64url or text");
  }
  if (section.has("derive")) rule.derivation = rules::Template::compile(section.node("derive"), names, problems);
  if (section.has("id")) rule.id = rules::Expression::compile(section.node("id"), names, problems);
  if (section.has("secrets")) rule.candidates = section.texts("secrets");
  if (section.has("secrets") && (!section.has("id") || section.has("secret") || rule.candidates.empty()))
    section.wrong("secrets", "secrets are what id chooses from", "write key: { id: '$headers[\"Key-Id\"]', secrets: [first, second] }");
  if (rule.derivation && !rule.derivation->reads(rules::Variable::secret))
    section.wrong("derive", "a key that no secret has a part in can be made by anybody", "write derive: \"{{ $secret." + rule.secret + " }}…\"");
  if (rule.derivation) {
    constexpr uint32_t kLoadTime =
        1U << static_cast<int>(rules::Variable::secret) | 1U << static_cast<int>(rules::Variable::param);
    rule.dynamic = (rule.derivation->variables_read() & ~kLoadTime) != 0 || rule.derivation->reads_payload();
  }
  if (rule.dynamic) {
    KeyRule plain = rule;
    plain.derivation = nullptr;
    rule.decoded = plain.find(keyring, section.self().position(), problems);
  }
  return rule;
}

std::vector<KeyBytes> KeyRule::find(const Keyring& keyring, const conf::Position& where,
                                    conf::Problems& problems) const {
  std::vector<KeyBytes> keys;
  const auto add = [&](const std::string& name, const conf::Secret& values) {
    for (const conf::SecretValue& value : values) {
      std::string_view text = value.value;
      if (text.starts_with(strip)) text.remove_prefix(strip.size());
      conf::SecretValue window = value;
      window.value.clear();
      bool usable = false;
      const std::vector<std::string> as = decodes.empty() ? std::vector<std::string>{"text"} : decodes;
      for (const std::string& encoding : as) {
        auto bytes = decode_as(encoding, text);
        if (!bytes || bytes->empty()) continue;
        usable = true;
        keys.push_back({window, name, std::move(*bytes)});
      }
      if (!usable)
        problems.add(where, "secret '" + printable(name) + "' is " + (text.empty() ? "empty" : "not " + as.front()),
                     "paste it exactly as the sender shows it");
    }
  };
  for (const std::string& name : candidates.empty() ? std::vector<std::string>{secret} : candidates) {
    // Given but empty: it could not be read, which has been reported.
    if (const auto found = keyring.secrets.find(name); found != keyring.secrets.end()) {
      add(name, found->second);
    } else if (!optional) {
      problems.add(where, "secret '" + printable(name) + "' is not given", "write secrets: { " + printable(name) + ": \"${env:NAME}\" }");
    }
  }
  if (!derivation || dynamic || keys.empty()) return keys;
  NoRequest nothing;
  Work work(nothing.context, keyring, WallTime{}, nullptr);
  auto derived = derive_all(*derivation, keys, work);
  if (derived.empty()) problems.add(where, "the key cannot be derived from secret '" + printable(secret) + "'");
  return derived;
}

std::vector<KeyBytes> KeyRule::derive(Work& work) const {
  return derive_all(*derivation, decoded, work);
}

bool KeyRule::chosen(Work& work, std::string& name) const {
  const Loan loan(work);
  const auto text = id->run(work.context).to_text();
  if (!text || text->empty()) return false;
  name = *text;
  return true;
}

}  // namespace belay::signature
