// The hash of member names: two multiplications for the usual short name, seeded per process so that a sender cannot prepare
// names that collide. The seed is taken once, before any fork, so hashes made when rules load fit those made per request.
// Only for src/json.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace belay::json {

struct HashSeed {
  uint64_t a, b;
};
const HashSeed& hash_seed();

__extension__ typedef unsigned __int128 Product;  // GNU: both compilers have it

inline uint64_t fold(uint64_t x, uint64_t y) {
  const Product product = static_cast<Product>(x) * y;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t load8(const char* p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return v;
}

// The first `n` (0 to 8) bytes of a word that was loaded whole.
inline uint64_t low_bytes(uint64_t word, size_t n) { return n >= 8 ? word : word & ((uint64_t{1} << (n * 8)) - 1); }

// `readable`: bytes that may be loaded behind the beginning of `name`; with 16 or more short names need no branches.
inline uint64_t hash_name(std::string_view name, const HashSeed& seed, size_t readable) {
  static_assert(std::endian::native == std::endian::little);
  const char* p = name.data();
  size_t n = name.size();
  uint64_t state = seed.a ^ n;
  for (; n > 16; p += 16, n -= 16, readable -= 16) state = fold(load8(p) ^ seed.b, load8(p + 8) ^ state);
  char padded[16] = {};
  if (readable < 16) {
    if (n > 0) memcpy(padded, p, n);
    p = padded;
  }
  const uint64_t low = low_bytes(load8(p), n);
  const uint64_t high = n > 8 ? low_bytes(load8(p + 8), n - 8) : 0;
  return fold(low ^ seed.b, high ^ state);
}
inline uint64_t hash_name(std::string_view name) { return hash_name(name, hash_seed(), name.size()); }

// The bits kept beside a name, and where its search begins.
inline uint32_t name_mark(uint64_t hash) { return static_cast<uint32_t>(hash >> 38); }
inline uint32_t slot_of(uint32_t object, uint32_t mark) { return (mark + object * 0x9E3779B1U) * 0x85EBCA6BU >> 4; }

}  // namespace belay::json
