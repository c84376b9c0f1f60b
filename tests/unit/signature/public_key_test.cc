#include "signature/public_key.h"

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "pem.h"

using namespace belay;
using namespace belay::signature;

namespace {

// RFC 8032 §7.1, test 2.
const std::string kPublic = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const std::string kSignature =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

void signs_and_verifies(EVP_PKEY* key, const char* name) {
  INFO(name);
  const PublicAlgorithm algorithm = *public_algorithm_named(name);
  const PublicKeys secret = parse_public_keys(test::pem_of(key, test::Half::secret)).value();
  const PublicKeys open = parse_public_keys(test::pem_of(key, test::Half::open)).value();
  const auto made = secret.front().sign(algorithm, "text");
  REQUIRE(made.ok());
  CHECK(open.front().verify(algorithm, "text", *made));
  CHECK_FALSE(open.front().verify(algorithm, "texT", *made));
  CHECK_FALSE(open.front().verify(algorithm, "text", made->substr(1)));
  CHECK_FALSE(open.front().verify(algorithm, "text", ""));
  CHECK_FALSE(open.front().sign(algorithm, "text").ok());
}

}  // namespace

TEST_CASE("an_ed25519_key_is_read_in_every_form_senders_write") {
  const std::string raw = *hex_decode(kPublic), signature = *hex_decode(kSignature), message = "\x72";
  for (const std::string& text : {kPublic, ascii_upper(kPublic), base64_encode(raw), "whpk_" + base64_encode(raw), base64url_encode(raw),
                                  "  " + kPublic + "\n", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" + base64url_encode(raw) + "\"}"}) {
    INFO(text);
    const auto keys = parse_public_keys(text);
    REQUIRE_MESSAGE(keys.ok(), keys.error().message);
    CHECK(keys->front().verify(PublicAlgorithm::ed25519, message, signature));
    CHECK_FALSE(keys->front().verify(PublicAlgorithm::ed25519, "\x73", signature));
    CHECK_FALSE(keys->front().verify(PublicAlgorithm::rsa_pkcs1_sha256, message, signature));
  }
}

TEST_CASE("every_algorithm_verifies_what_its_private_half_signed_and_nothing_else") {
  EVP_PKEY* rsa = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048});
  for (const char* name : {"rsa-pkcs1-sha1", "rsa-pkcs1-sha256", "rsa-pkcs1-sha384", "rsa-pkcs1-sha512", "rsa-pss-sha256", "rsa-pss-sha512"})
    signs_and_verifies(rsa, name);
  EVP_PKEY_free(rsa);
  EVP_PKEY* p256 = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  for (const char* name : {"ecdsa-p256-sha256", "ecdsa-p256-sha1"}) signs_and_verifies(p256, name);
  EVP_PKEY_free(p256);
  EVP_PKEY* ed25519 = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  signs_and_verifies(ed25519, "ed25519");
  EVP_PKEY_free(ed25519);
}

TEST_CASE("ecdsa_signatures_are_taken_as_der_and_as_the_64_bytes_of_jws") {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  const PublicKeys keys = parse_public_keys(test::pem_of(key, test::Half::secret)).value();
  EVP_PKEY_free(key);
  for (int i = 0; i < 20; ++i) {  // leading zeros come and go
    const std::string der = keys.front().sign(PublicAlgorithm::ecdsa_p256_sha256, "text").value();
    const std::string raw = ecdsa_from_der(der, 32).value();
    CHECK_EQ(raw.size(), 64);
    CHECK(keys.front().verify(PublicAlgorithm::ecdsa_p256_sha256, "text", raw));
    CHECK_EQ(ecdsa_to_der(raw), der);
  }
  CHECK_FALSE(ecdsa_from_der("not der", 32).has_value());
}

TEST_CASE("a_key_that_is_too_weak_or_of_another_curve_fits_nothing") {
  EVP_PKEY* rsa = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{1024});
  CHECK_FALSE(parse_public_keys(test::pem_of(rsa, test::Half::open)).value().front().fits(PublicAlgorithm::rsa_pkcs1_sha256));
  EVP_PKEY_free(rsa);
  EVP_PKEY* p384 = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384");
  CHECK_FALSE(parse_public_keys(test::pem_of(p384, test::Half::open)).value().front().fits(PublicAlgorithm::ecdsa_p256_sha256));
  EVP_PKEY_free(p384);
}

TEST_CASE("a_key_set_gives_the_keys_we_can_use_with_their_ids_and_up_to_its_limit") {
  const std::string one = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" + base64url_encode(*hex_decode(kPublic)) + "\",\"kid\":\"a\",\"alg\":\"EdDSA\"}";
  const auto keys = parse_public_keys("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}," + one + ",{\"kty\":\"RSA\",\"use\":\"enc\"},7]}");
  REQUIRE(keys.ok());
  REQUIRE_EQ(keys->size(), 1);
  CHECK_EQ(keys->front().id, "a");
  CHECK_EQ(keys->front().jwa, "EdDSA");
  std::string many = "{\"keys\":[";
  for (size_t i = 0; i <= kMaxKeys; ++i) many += (i == 0 ? "" : ",") + one;
  CHECK_EQ(parse_public_keys(many + "]}").value().size(), kMaxKeys);
  CHECK_EQ(parse_public_keys(std::string(kMaxDocument + 1, ' ')).error().kind, ErrorKind::full);
}

TEST_CASE("what_is_no_key_is_refused") {
  for (const char* text : {"", "hello", "whpk_", "00ff", "{}", "{\"keys\":[]}", "[1]", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
                           "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}) {
    INFO(text);
    CHECK_FALSE(parse_public_keys(text).ok());
  }
}
