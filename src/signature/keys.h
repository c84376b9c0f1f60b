// Secrets as keys of a MAC: text or its decoded bytes, each with its validity window and a Mac keyed once.
#pragma once

#include <string>
#include <vector>

#include "conf/section.h"
#include "signature/secrets.h"
#include "signature/mac.h"

namespace belay::signature {

struct MacKey {
  conf::SecretValue window;  // its validity; the value itself is not kept
  Mac mac;
};

std::vector<MacKey> make_keys(Digest digest, const conf::Secret& secret);

// `key: NAME` or `key: { secret: NAME, strip: "whsec_", decode: base64 }` of a scheme.
struct KeyRule {
  std::string secret = "signing";
  std::string strip;   // taken off the front where a secret has it
  std::string decode;  // hex | base64 | base64url; empty: the secret's text is the key

  static KeyRule read(const conf::Node& node, conf::Problems& problems);
  // The named secret of the table as key bytes; empty with a problem at `where` when it is absent or cannot be decoded.
  conf::Secret find(const SecretTable& secrets, const conf::Position& where, conf::Problems& problems) const;
};

}  // namespace belay::signature
