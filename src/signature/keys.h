// Secrets as keys: which secret, what is taken off its text, how the rest spells the key's bytes, and how the key is derived
// from them. Nearly always decided when rules load; a derivation that reads the request is made for each one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conf/section.h"
#include "rules/template.h"
#include "signature/mac.h"
#include "signature/secrets.h"
#include "signature/work.h"

namespace belay::signature {

struct KeyBytes {
  conf::SecretValue window;  // its validity; the value itself is not kept
  std::string name;          // of the secret
  std::string bytes;
};

struct MacKey {
  conf::SecretValue window;
  std::string name;
  Mac mac;
};

std::vector<MacKey> make_keys(Digest digest, const std::vector<KeyBytes>& keys);

// Whether `given` is the MAC of `text` under a key that is valid at `now`; every one is tried.
bool any_makes(const std::vector<MacKey>& keys, WallTime now, std::string_view text, std::string_view given);
// The MAC under the first valid key; nullopt without one.
std::optional<std::string> make_mac(const std::vector<MacKey>& keys, WallTime now, std::string_view text);

// `key: NAME` or `key: { secret: NAME, strip: "whsec_", decode: base64, derive: "{{ … }}", id: EXPR, secrets: [NAME] }` of a scheme.
struct KeyRule {
  std::string secret = "signing";
  std::string strip;                 // taken off the front where a secret has it
  std::vector<std::string> decodes;  // hex | base64 | base64url | text; several: every one that can be read is a key
  std::shared_ptr<rules::Template> derivation;  // $secret.NAME is the decoded secret
  std::shared_ptr<rules::Expression> id;        // names the secret, or the key of a set, that this request was signed with

  static KeyRule read(const conf::Node& node, const rules::Names& names, const Keyring& keyring, conf::Problems& problems);

  std::vector<std::string> candidates;          // secrets that `id` may name, never others, which have other uses; empty: `secret`

  // The keys of the named secret (of the candidates when the request chooses by id); empty with a problem at `where` when it
  // is absent or cannot be decoded.
  std::vector<KeyBytes> find(const Keyring& keyring, const conf::Position& where, conf::Problems& problems) const;

  // The derivation reads the request: find() cannot be asked, derive() is.
  bool is_dynamic() const { return dynamic; }
  std::vector<KeyBytes> derive(Work& work) const;

  bool chooses() const { return id != nullptr; }
  // The id this request names; false when it names none.
  bool chosen(Work& work, std::string& name) const;

  bool optional = false;
  bool dynamic = false;
  std::vector<KeyBytes> decoded;  // what a dynamic derivation starts from
};

}  // namespace belay::signature
