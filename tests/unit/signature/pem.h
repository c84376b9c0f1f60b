// Keys as users paste them.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>

namespace belay::test {

enum class Half { secret, open };

// Does not take the key over.
inline std::string pem_of(EVP_PKEY* key, Half half) {
  BIO* out = BIO_new(BIO_s_mem());
  if (half == Half::secret) {
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  } else {
    PEM_write_bio_PUBKEY(out, key);
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  std::string pem(text, static_cast<size_t>(size));
  BIO_free(out);
  return pem;
}

// Takes a fresh key over: pem_of(EVP_PKEY_Q_keygen(…)).
inline std::string pem_of(EVP_PKEY* key) {
  std::string pem = pem_of(key, Half::secret);
  EVP_PKEY_free(key);
  return pem;
}

}  // namespace belay::test
