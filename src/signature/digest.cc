#include "signature/digest.h"

#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/check.h"

namespace belay::signature {

namespace {

const EVP_MD* algorithm_of(Digest digest) {
  switch (digest) {
    case Digest::md5: return EVP_md5();
    case Digest::sha1: return EVP_sha1();
    case Digest::sha256: return EVP_sha256();
    case Digest::sha384: return EVP_sha384();
    case Digest::sha512: return EVP_sha512();
  }
  return nullptr;
}

}  // namespace

Hash::Hash(Digest digest) : context_(EVP_MD_CTX_new()) {
  BELAY_CHECK(EVP_DigestInit_ex(context_, algorithm_of(digest), nullptr) == 1);
}

Hash::~Hash() {
  EVP_MD_CTX_free(context_);
}

void Hash::update(std::string_view bytes) const {
  BELAY_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
}

std::string_view Hash::finish(Room& room) const {
  unsigned size = 0;
  BELAY_CHECK(EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(room.data()), &size) == 1);
  return {room.data(), size};
}

std::string hash_of(Digest digest, std::string_view bytes) {
  const Hash hash(digest);
  hash.update(bytes);
  Hash::Room room;
  return std::string(hash.finish(room));
}

bool same_secret(std::string_view known, std::string_view given) {
  return constant_time_equals(hash_of(Digest::sha256, known), hash_of(Digest::sha256, given));
}

}  // namespace belay::signature
