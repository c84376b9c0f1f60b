#include "signature/public_key.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>
#include <utility>

#include "signature/digest.h"
#include "signature/octets.h"

namespace belay::signature {

namespace {

constexpr int kMinRsaBits = 2048, kMaxRsaBits = 8192;

constexpr std::pair<std::string_view, PublicAlgorithm> kNames[] = {
    {"ed25519", PublicAlgorithm::ed25519},
    {"ecdsa-p256-sha256", PublicAlgorithm::ecdsa_p256_sha256},
    {"ecdsa-p256-sha1", PublicAlgorithm::ecdsa_p256_sha1},
    {"rsa-pkcs1-sha1", PublicAlgorithm::rsa_pkcs1_sha1},
    {"rsa-pkcs1-sha256", PublicAlgorithm::rsa_pkcs1_sha256},
    {"rsa-pkcs1-sha384", PublicAlgorithm::rsa_pkcs1_sha384},
    {"rsa-pkcs1-sha512", PublicAlgorithm::rsa_pkcs1_sha512},
    {"rsa-pss-sha256", PublicAlgorithm::rsa_pss_sha256},
    {"rsa-pss-sha512", PublicAlgorithm::rsa_pss_sha512},
};

const EVP_MD* openssl_digest(PublicAlgorithm algorithm) {
  const auto digest = digest_of(algorithm);
  if (!digest) return nullptr;
  switch (*digest) {
    case Digest::md5: return EVP_md5();
    case Digest::sha1: return EVP_sha1();
    case Digest::sha256: return EVP_sha256();
    case Digest::sha384: return EVP_sha384();
    case Digest::sha512: return EVP_sha512();
  }
  return nullptr;
}

bool is_ecdsa(PublicAlgorithm algorithm) {
  return algorithm == PublicAlgorithm::ecdsa_p256_sha256 || algorithm == PublicAlgorithm::ecdsa_p256_sha1;
}

bool is_pss(PublicAlgorithm algorithm) {
  return algorithm == PublicAlgorithm::rsa_pss_sha256 || algorithm == PublicAlgorithm::rsa_pss_sha512;
}

using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;

bool pad(EVP_PKEY_CTX* context, PublicAlgorithm algorithm) {
  if (!is_pss(algorithm)) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

}  // namespace

std::optional<PublicAlgorithm> public_algorithm_named(std::string_view name) {
  for (const auto& [known, algorithm] : kNames) {
    if (known == name) return algorithm;
  }
  return std::nullopt;
}

std::optional<Digest> digest_of(PublicAlgorithm algorithm) {
  switch (algorithm) {
    case PublicAlgorithm::ed25519: return std::nullopt;
    case PublicAlgorithm::ecdsa_p256_sha1:
    case PublicAlgorithm::rsa_pkcs1_sha1: return Digest::sha1;
    case PublicAlgorithm::ecdsa_p256_sha256:
    case PublicAlgorithm::rsa_pkcs1_sha256:
    case PublicAlgorithm::rsa_pss_sha256: return Digest::sha256;
    case PublicAlgorithm::rsa_pkcs1_sha384: return Digest::sha384;
    case PublicAlgorithm::rsa_pkcs1_sha512:
    case PublicAlgorithm::rsa_pss_sha512: return Digest::sha512;
  }
  return std::nullopt;
}

std::string prepare(PublicAlgorithm algorithm, std::string_view message) {
  const auto digest = digest_of(algorithm);
  return digest ? hash_of(*digest, message) : std::string(message);
}

PublicKey::PublicKey(evp_pkey_st* key) : key_(key, EVP_PKEY_free) {}

bool PublicKey::fits(PublicAlgorithm algorithm) const {
  const int type = EVP_PKEY_get_base_id(key_.get());
  if (algorithm == PublicAlgorithm::ed25519) return type == EVP_PKEY_ED25519;
  if (is_ecdsa(algorithm)) {
    std::array<char, 64> group{};
    size_t size = 0;
    return type == EVP_PKEY_EC && EVP_PKEY_get_group_name(key_.get(), group.data(), group.size(), &size) == 1 &&
           (std::string_view(group.data(), size) == "prime256v1" || std::string_view(group.data(), size) == "P-256");
  }
  const int bits = EVP_PKEY_get_bits(key_.get());
  return type == EVP_PKEY_RSA && bits >= kMinRsaBits && bits <= kMaxRsaBits;
}

bool PublicKey::verify(PublicAlgorithm algorithm, std::string_view message, std::string_view signature) const {
  return fits(algorithm) && verify_prepared(algorithm, prepare(algorithm, message), signature);
}

bool PublicKey::verify_prepared(PublicAlgorithm algorithm, std::string_view prepared, std::string_view signature) const {
  constexpr size_t kRawP256 = 64;
  if (!fits(algorithm)) return false;
  if (algorithm == PublicAlgorithm::ed25519) {
    const DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
           EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(prepared), prepared.size()) == 1;
  }
  const std::string der =
      is_ecdsa(algorithm) && signature.size() == kRawP256 ? ecdsa_to_der(signature) : std::string();
  if (!der.empty()) signature = der;
  // OpenSSL takes one without its leading zeros, too: one text for one signature (RFC 8017 §8.1.2).
  if (EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_RSA && signature.size() != static_cast<size_t>(EVP_PKEY_get_size(key_.get()))) return false;
  const KeyContext context(EVP_PKEY_CTX_new(key_.get(), nullptr), EVP_PKEY_CTX_free);
  return EVP_PKEY_verify_init(context.get()) == 1 && pad(context.get(), algorithm) &&
         EVP_PKEY_CTX_set_signature_md(context.get(), openssl_digest(algorithm)) == 1 &&
         EVP_PKEY_verify(context.get(), octets(signature), signature.size(), octets(prepared), prepared.size()) == 1;
}

Result<std::string> PublicKey::sign(PublicAlgorithm algorithm, std::string_view message) const {
  if (!fits(algorithm)) return invalid("the key does not fit the algorithm");
  const DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_PKEY_CTX* key_context = nullptr;
  size_t size = 0;
  std::string made;
  if (EVP_DigestSignInit(context.get(), &key_context, openssl_digest(algorithm), nullptr, key_.get()) == 1 &&
      pad(key_context, algorithm) &&
      EVP_DigestSign(context.get(), nullptr, &size, octets(message), message.size()) == 1) {
    made.resize(size);
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(made.data()), &size, octets(message),
                       message.size()) == 1) {
      made.resize(size);
      return made;
    }
  }
  return invalid("this is a public key; signing needs the private one");
}

std::string ecdsa_to_der(std::string_view raw) {
  const auto half = static_cast<int>(raw.size() / 2);
  ECDSA_SIG* parts = ECDSA_SIG_new();
  ECDSA_SIG_set0(parts, BN_bin2bn(octets(raw), half, nullptr),
                 BN_bin2bn(octets(raw.substr(raw.size() / 2)), half, nullptr));
  unsigned char* out = nullptr;
  const int size = i2d_ECDSA_SIG(parts, &out);
  std::string der;
  if (size > 0) der.assign(reinterpret_cast<const char*>(out), static_cast<size_t>(size));
  OPENSSL_free(out);
  ECDSA_SIG_free(parts);
  return der;
}

std::optional<std::string> ecdsa_from_der(std::string_view der, size_t each) {
  const unsigned char* at = octets(der);
  ECDSA_SIG* parts = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  if (parts == nullptr) return std::nullopt;
  std::string raw(2 * each, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  const auto size = static_cast<int>(each);
  const bool fits = BN_bn2binpad(ECDSA_SIG_get0_r(parts), out, size) == size &&
                    BN_bn2binpad(ECDSA_SIG_get0_s(parts), out + each, size) == size;
  ECDSA_SIG_free(parts);
  if (!fits) return std::nullopt;
  return raw;
}

}  // namespace belay::signature
