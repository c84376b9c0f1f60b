// Plain hashes, fed piece by piece. For schemes that hash a secret together with the message instead of keying a MAC with it,
// and for Content-Digest. FIPS 180-4, RFC 1321.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "signature/mac.h"

struct evp_md_ctx_st;

namespace belay::signature {

class Hash {
 public:
  using Room = Mac::Room;

  explicit Hash(Digest digest);
  ~Hash();
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  void update(std::string_view bytes) const;
  std::string_view finish(Room& room) const;  // a view into `room`

 private:
  evp_md_ctx_st* context_;
};

std::string hash_of(Digest digest, std::string_view bytes);

// Whether two secret texts are the same, in a time that tells nothing of them: not even how long the known one is.
bool same_secret(std::string_view known, std::string_view given);

}  // namespace belay::signature
