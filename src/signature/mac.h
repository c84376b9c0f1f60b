// HMAC with the key already taken in: what a signature costs per request is hashing the message, not setting up a key.
// One Mac belongs to one handler and is used by one thread at a time (a worker); begin() restores the keyed state
// without allocation of its own. RFC 2104, FIPS 180-4.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

struct evp_mac_ctx_st;

namespace belay::signature {

enum class Digest : uint8_t { md5, sha1, sha256, sha384, sha512 };

// "sha256" → Digest::sha256; nullopt for another word.
std::optional<Digest> digest_named(std::string_view name);
constexpr size_t digest_size(Digest digest) {
  switch (digest) {
    case Digest::md5: return 16;
    case Digest::sha1: return 20;
    case Digest::sha256: return 32;
    case Digest::sha384: return 48;
    case Digest::sha512: return 64;
  }
  return 0;
}

class Mac {
 public:
  static constexpr size_t kMaxSize = 64;
  using Room = std::array<char, kMaxSize>;

  // The key must not be empty.
  Mac(Digest digest, std::string_view key);
  ~Mac();
  Mac(Mac&&) noexcept;
  Mac& operator=(Mac&&) = delete;

  void begin() const;
  void update(std::string_view bytes) const;
  std::string_view finish(Room& room) const;  // a view into `room`

  size_t size() const { return digest_size(digest_); }

 private:
  Digest digest_;
  evp_mac_ctx_st* context_;
};

}  // namespace belay::signature
