// Public keys as senders write them down.
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>

#include "base/bytes.h"
#include "json/document.h"
#include "signature/public_key.h"
#include "signature/octets.h"

namespace belay::signature {

namespace {

constexpr size_t kEd25519 = 32, kEd25519Private = 64, kP256 = 32;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)>;
using Parameters = std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return wall_from_ms(static_cast<int64_t>(timegm(&parts)) * 1000);
}

Bio reader_of(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

int no_password(char*, int, int, void*) {
  return 0;
}

Result<PublicKeys> from_pem(std::string_view text) {
  PublicKeys keys;
  if (text.find("BEGIN CERTIFICATE") != std::string_view::npos) {
    const Bio bio = reader_of(text);
    X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr);
    if (certificate == nullptr) return invalid("the certificate cannot be read");
    if (EVP_PKEY* key = X509_get_pubkey(certificate); key != nullptr) {
      keys.emplace_back(key);
      keys.back().valid_from = time_of(X509_get0_notBefore(certificate));
      keys.back().valid_until = time_of(X509_get0_notAfter(certificate));
    }
    X509_free(certificate);
  } else {
    const bool secret = text.find("PRIVATE KEY") != std::string_view::npos;
    const Bio bio = reader_of(text);
    EVP_PKEY* key = secret ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr)
                           : PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr);
    if (key != nullptr) keys.emplace_back(key);
  }
  if (keys.empty()) return invalid("the PEM text holds no key that can be read");
  return keys;
}

std::string text_of(const json::Document& document, json::Ref object, std::string_view name) {
  const json::Ref value = document.find(object, name);
  if (value == json::kNone || document.type(value) != json::Type::string) return {};
  std::string scratch;
  return std::string(document.string(value, scratch));
}

// A member that holds bytes in base64url; empty when it is missing or wrong.
std::string bytes_of(const json::Document& document, json::Ref object, std::string_view name) {
  return base64url_decode(text_of(document, object, name)).value_or(std::string());
}

EVP_PKEY* build(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder), OSSL_PARAM_free);
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1)
    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get());
  return key;
}

EVP_PKEY* rsa_of(const std::string& modulus, const std::string& exponent) {
  if (modulus.empty() || exponent.empty() || exponent.size() > 8) return nullptr;
  const Number n(BN_bin2bn(octets(modulus), static_cast<int>(modulus.size()), nullptr), BN_free);
  const Number e(BN_bin2bn(octets(exponent), static_cast<int>(exponent.size()), nullptr), BN_free);
  const Builder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return build("RSA", builder.get());
}

EVP_PKEY* p256_of(const std::string& x, const std::string& y) {
  if (x.size() != kP256 || y.size() != kP256) return nullptr;
  const std::string point = '\x04' + x + y;
  const Builder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return build("EC", builder.get());
}

EVP_PKEY* ed25519_of(std::string_view bytes) {
  if (bytes.size() != kEd25519) return nullptr;
  return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(bytes), bytes.size());
}

// Null for a kind of key that no algorithm of ours uses: a set may hold others.
EVP_PKEY* from_jwk(const json::Document& document, json::Ref object) {
  const std::string use = text_of(document, object, "use");
  if (!use.empty() && use != "sig") return nullptr;
  const std::string type = text_of(document, object, "kty"), curve = text_of(document, object, "crv");
  if (type == "RSA") return rsa_of(bytes_of(document, object, "n"), bytes_of(document, object, "e"));
  if (type == "EC" && curve == "P-256") return p256_of(bytes_of(document, object, "x"), bytes_of(document, object, "y"));
  if (type == "OKP" && curve == "Ed25519") return ed25519_of(bytes_of(document, object, "x"));
  return nullptr;
}

// A JWK, a JWKS, or an object of PEM texts by key id.
Result<PublicKeys> from_json(std::string_view text) {
  const auto parsed = json::Document::parse(text);
  if (!parsed) return invalid("the keys are not JSON: " + parsed.error().message);
  const json::Document& document = **parsed;
  PublicKeys keys;
  const auto add = [&](json::Ref object) {
    if (keys.size() == kMaxKeys || document.type(object) != json::Type::object) return;
    EVP_PKEY* key = from_jwk(document, object);
    if (key == nullptr) return;
    keys.emplace_back(key);
    keys.back().id = text_of(document, object, "kid");
    keys.back().jwa = text_of(document, object, "alg");
  };
  const json::Ref list = document.find(document.root(), "keys");
  if (list != json::kNone && document.type(list) == json::Type::array) {
    for (json::Ref one = document.first(list); one != json::kNone; one = document.next(list, one)) add(one);
  } else if (document.find(document.root(), "kty") != json::kNone) {
    add(document.root());
  } else if (document.type(document.root()) == json::Type::object) {
    const json::Ref root = document.root();
    for (json::Ref name = document.first(root); name != json::kNone && keys.size() < kMaxKeys;
         name = document.next(root, name)) {
      std::string scratch, id_scratch;
      const json::Ref value = json::Document::value_of(name);
      if (document.type(value) != json::Type::string) continue;
      auto pem = from_pem(document.string(value, scratch));
      if (!pem) continue;
      keys.push_back(std::move(pem->front()));
      keys.back().id = document.string(name, id_scratch);
    }
  }
  if (keys.empty()) return invalid("the JSON holds no key that can be used (JWK of RSA, P-256 or Ed25519)");
  return keys;
}

Result<PublicKeys> from_bytes(std::string_view bytes) {
  EVP_PKEY* key = nullptr;
  if (bytes.size() == kEd25519) {
    key = ed25519_of(bytes);
  } else if (bytes.size() == kEd25519Private) {  // seed and public key, as libsodium writes a private one
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(bytes), kEd25519);
  } else {
    const unsigned char* at = octets(bytes);
    key = d2i_PUBKEY(nullptr, &at, static_cast<long>(bytes.size()));
  }
  if (key == nullptr) return invalid("this is no public key: paste PEM, a JWK, or the sender's key in base64 or hex");
  PublicKeys keys;
  keys.emplace_back(key);
  return keys;
}

}  // namespace

Result<PublicKeys> parse_public_keys(std::string_view text) {
  if (text.size() > kMaxDocument) return Error{ErrorKind::full, "the keys are longer than 256 KB"};
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  if (text.starts_with("-----BEGIN")) return from_pem(text);
  if (text.starts_with('{')) return from_json(text);
  if (text.starts_with("whpk_") || text.starts_with("whsk_")) text.remove_prefix(5);
  // Hex first: 64 hex digits are also base64, of 48 bytes that are no key.
  auto bytes = hex_decode(text);
  if (!bytes || bytes->size() < kEd25519) bytes = base64_decode(text);
  if (!bytes) bytes = base64url_decode(text);
  return from_bytes(bytes.value_or(std::string()));
}

}  // namespace belay::signature
