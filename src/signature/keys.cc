#include "signature/keys.h"

#include "base/bytes.h"

namespace belay::signature {

namespace {

constexpr conf::Setting kSettings[] = {
    {.key = "secret", .fallback = "signing", .help = "name in the source's secrets"},
    {.key = "strip", .help = "fixed text that is taken off the front"},
    {.key = "decode",
     .range = "hex|base64|base64url",
     .help = "how the secret spells the key's bytes; absent: the text is the key"},
};

std::optional<std::string> decode_as(std::string_view encoding, std::string_view text) {
  if (encoding == "hex") return hex_decode(text);
  if (encoding == "base64") return base64_decode(text);
  if (encoding == "base64url") return base64url_decode(text);
  return std::string(text);
}

}  // namespace

std::vector<MacKey> make_keys(Digest digest, const conf::Secret& secret) {
  std::vector<MacKey> keys;
  for (const conf::SecretValue& value : secret) {
    conf::SecretValue window = value;
    window.value.clear();
    keys.push_back({std::move(window), Mac(digest, value.value)});
  }
  return keys;
}

KeyRule KeyRule::read(const conf::Node& node, conf::Problems& problems) {
  KeyRule rule;
  if (!node.present()) return rule;
  if (node.is_scalar()) {
    rule.secret = node.text();
    return rule;
  }
  const conf::Section section(node, kSettings, problems);
  rule.secret = section.text("secret");
  rule.strip = section.text("strip");
  rule.decode = section.text("decode");
  return rule;
}

conf::Secret KeyRule::find(const SecretTable& secrets, const conf::Position& where, conf::Problems& problems) const {
  const auto found = secrets.find(secret);
  if (found == secrets.end()) {
    problems.add(where, "secret '" + printable(secret) + "' is not given",
                 "write secrets: { " + printable(secret) + ": \"${env:NAME}\" }");
    return {};
  }
  conf::Secret keys = found->second;  // empty: it could not be read, which has been reported
  for (conf::SecretValue& key : keys) {
    std::string_view text = key.value;
    if (text.starts_with(strip)) text.remove_prefix(strip.size());
    auto bytes = decode_as(decode, text);
    if (!bytes || bytes->empty()) {
      problems.add(where, "secret '" + printable(secret) + "' is " + (bytes ? "empty" : "not " + decode),
                   "paste it exactly as the sender shows it");
      return {};
    }
    key.value = std::move(*bytes);
  }
  return keys;
}

}  // namespace belay::signature
