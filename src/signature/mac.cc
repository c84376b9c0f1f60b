#include "signature/mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <string>
#include <utility>

#include "base/check.h"
#include "signature/octets.h"

namespace belay::signature {

namespace {

constexpr std::pair<std::string_view, Digest> kDigests[] = {
    {"md5", Digest::md5},       {"sha1", Digest::sha1}, {"sha256", Digest::sha256}, {"sha384", Digest::sha384}, {"sha512", Digest::sha512}};

const char* openssl_name(Digest digest) {
  switch (digest) {
    case Digest::md5: return "MD5";
    case Digest::sha1: return "SHA1";
    case Digest::sha256: return "SHA256";
    case Digest::sha384: return "SHA384";
    case Digest::sha512: return "SHA512";
  }
  return "";
}

// Fetched once: a fetch walks OpenSSL's providers.
EVP_MAC* hmac() {
  static EVP_MAC* const fetched = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  return fetched;
}

}  // namespace

std::optional<Digest> digest_named(std::string_view name) {
  for (const auto& [known, digest] : kDigests) {
    if (known == name) return digest;
  }
  return std::nullopt;
}

Mac::Mac(Digest digest, std::string_view key) : digest_(digest), context_(EVP_MAC_CTX_new(hmac())) {
  BELAY_CHECK_NOTE(!key.empty(), "an empty key would make signatures that anybody can make");
  std::string name = openssl_name(digest);
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
                                   OSSL_PARAM_construct_end()};
  BELAY_CHECK(EVP_MAC_init(context_, octets(key), key.size(), parameters) == 1);
}

Mac::~Mac() {
  EVP_MAC_CTX_free(context_);
}

Mac::Mac(Mac&& other) noexcept : digest_(other.digest_), context_(std::exchange(other.context_, nullptr)) {}

// Without a key EVP_MAC_init starts over with the one it has (EVP_MAC(3)): two copies of a hash state less than a fresh
// context.
void Mac::begin() const {
  BELAY_CHECK(EVP_MAC_init(context_, nullptr, 0, nullptr) == 1);
}

void Mac::update(std::string_view bytes) const {
  BELAY_CHECK(EVP_MAC_update(context_, octets(bytes), bytes.size()) == 1);
}

std::string_view Mac::finish(Room& room) const {
  size_t size = 0;
  BELAY_CHECK(EVP_MAC_final(context_, reinterpret_cast<unsigned char*>(room.data()), &size, room.size()) == 1);
  return {room.data(), size};
}

}  // namespace belay::signature
