// Public keys of senders and signatures made with them: Ed25519 (RFC 8032), ECDSA on P-256, RSA with PKCS#1 v1.5 or PSS
// padding. Read from what senders publish: PEM (keys and certificates), JWK and JWKS (RFC 7517), bare keys in base64 or hex.
// A private key may stand wherever a public one does, to sign with. Immutable after reading, any thread.
// Limits: kMaxDocument, kMaxKeys; RSA keys of 2048 to 8192 bits. Failure: an Error for people; nothing of a key is in it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "signature/mac.h"

struct evp_pkey_st;

namespace belay::signature {

enum class PublicAlgorithm : uint8_t {
  ed25519,
  ecdsa_p256_sha256,
  ecdsa_p256_sha1,
  rsa_pkcs1_sha1,
  rsa_pkcs1_sha256,
  rsa_pkcs1_sha384,
  rsa_pkcs1_sha512,
  rsa_pss_sha256,
  rsa_pss_sha512,
};
// "ed25519", "rsa-pkcs1-sha256", …; nullopt for another word.
std::optional<PublicAlgorithm> public_algorithm_named(std::string_view name);

// The hash that an algorithm signs in a message's place; absent for Ed25519, which hashes by itself.
std::optional<Digest> digest_of(PublicAlgorithm algorithm);
std::string prepare(PublicAlgorithm algorithm, std::string_view message);

class PublicKey {
 public:
  // Takes the key over.
  explicit PublicKey(evp_pkey_st* key);

  bool fits(PublicAlgorithm algorithm) const;
  // False also when the key does not fit. ECDSA signatures are DER, or the 64 bytes r‖s of JWS.
  bool verify(PublicAlgorithm algorithm, std::string_view message, std::string_view signature) const;
  // The same for prepare(message): one message is hashed once for many keys and signatures.
  bool verify_prepared(PublicAlgorithm algorithm, std::string_view prepared, std::string_view signature) const;
  // Refused without the private half. ECDSA gives DER.
  Result<std::string> sign(PublicAlgorithm algorithm, std::string_view message) const;

  std::string id;   // `kid`; empty: none
  std::string jwa; // `alg` of a JWK; empty: any that fits
  std::optional<WallTime> valid_from, valid_until;  // of a certificate

  bool valid_at(WallTime now) const { return (!valid_from || now >= *valid_from) && (!valid_until || now < *valid_until); }

 private:
  std::shared_ptr<evp_pkey_st> key_;
};

using PublicKeys = std::vector<PublicKey>;

constexpr size_t kMaxDocument = size_t{256} << 10;  // bytes of a JWKS or certificate chain
constexpr size_t kMaxKeys = 64;                     // of one document; those beyond are not read

// Every key of a document that we can use, at least one. Of a certificate chain the first: the others vouch for it. Bare keys:
// 32 bytes are Ed25519, longer ones SubjectPublicKeyInfo; "whpk_" and "whsk_" in front are taken off.
Result<PublicKeys> parse_public_keys(std::string_view text);

// r‖s of `each` bytes ↔ DER (RFC 7518 §3.4).
std::string ecdsa_to_der(std::string_view raw);
std::optional<std::string> ecdsa_from_der(std::string_view der, size_t each);

}  // namespace belay::signature
