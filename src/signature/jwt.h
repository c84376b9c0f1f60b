// JSON Web Tokens (RFC 7519, RFC 7515, RFC 7518, RFC 8037): HS256/384/512 with a shared secret; RS256/384/512, PS256/512,
// ES256 and EdDSA with the sender's public keys. The rules decide which algorithms are taken, never the token; "none" cannot be
// written in them, and shared and public ones do not mix. Claims may bind the body or the URL. Limits: kMaxToken bytes,
// kMaxClaims. Failure: a reason.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/document.h"
#include "rules/template.h"
#include "signature/public_prover.h"

namespace belay::signature {

class JwtRule {
 public:
  static constexpr size_t kMaxToken = 16 << 10;
  static constexpr size_t kMaxClaims = 16;

  // Of `verify.jwt` or `auth.jwt`. Keys: from `keys` when it is present, else from the secret of `key`. Null with problems
  // recorded.
  static std::unique_ptr<JwtRule> build(const conf::Node& node, const conf::Node& keys, const KeyRule& key,
                                        const Keyring& keyring, const rules::Names& names, const conf::Position& where,
                                        conf::Problems& problems);

  Finding check(std::string_view token, Work& work) const;

  // A token these rules accept, for signing.
  Result<std::string> make(Work& work) const;

  bool can_make() const { return !ring_.is_published(); }
  bool tells_replays() const;  // a token is of one webhook alone
  bool binds_body() const;   // a claim is made of the whole body
  bool bounds_age() const;   // a token is accepted for a limited time only
  bool reads_url() const;

 private:
  struct Algorithm {
    std::string name;  // "HS256"
    std::optional<Digest> shared;
    PublicAlgorithm public_one = PublicAlgorithm::ed25519;  // unless it is shared
    std::vector<MacKey> keys;
  };
  // Accepted values of a claim; one that yields null: the claim must not be there.
  struct Claim {
    std::string name;
    std::vector<std::unique_ptr<rules::Template>> values;
  };

  JwtRule() = default;
  bool read_algorithms(const conf::Section& section, const conf::Node& keys, const KeyRule& key, const Keyring& keyring,
                       const rules::Names& names, const conf::Position& where, conf::Problems& problems);
  void add_claim(std::string name, const conf::Node& node, const rules::Names& names, conf::Problems& problems);
  const Algorithm* algorithm_of(std::string_view header, std::string& key_id) const;
  Finding check_signature(const Algorithm& algorithm, std::string_view key_id, std::string_view text,
                          std::string_view signature, Work& work) const;
  std::string_view check_claims(std::string_view text, Work& work) const;
  std::string_view check_times(const json::Document& claims, WallTime now) const;
  bool holds(const Claim& claim, const json::Document& claims, Work& work) const;

  std::vector<Algorithm> algorithms_;
  KeyRing ring_;
  std::vector<Claim> claims_;
  std::vector<std::string> required_;
  Duration leeway_{}, max_age_{}, max_life_{};  // 0: no limit beyond the token's own
};

}  // namespace belay::signature
