// The hash of member names: two multiplications for the usual short name, seeded per process so that a sender cannot prepare
// names that collide. The seed is taken once, before any fork, so hashes made when rules load fit those made per request.
// Only for src/json.
#pragma once

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

inline uint64_t hash_name(std::string_view name, const HashSeed& seed = hash_seed()) {
  const char* p = name.data();
  size_t n = name.size();
  uint64_t state = seed.a ^ n;
  while (n > 16) {
    state = fold(load8(p) ^ seed.b, load8(p + 8) ^ state);
    p += 16;
    n -= 16;
  }
  uint64_t low = 0, high = 0;
  if (n >= 8) {
    low = load8(p);
    high = load8(p + n - 8);
  } else if (n >= 4) {
    uint32_t first, last;
    memcpy(&first, p, 4);
    memcpy(&last, p + n - 4, 4);
    low = first;
    high = last;
  } else if (n > 0) {
    const auto byte = [p](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(p[i])); };
    low = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
  }
  return fold(fold(low ^ seed.b, high ^ state) ^ seed.a, 0x9E3779B97F4A7C15ULL);
}

// The bits kept beside a name, and where its search begins.
inline uint32_t name_mark(uint64_t hash) { return static_cast<uint32_t>(hash >> 38); }
inline uint32_t slot_of(uint32_t object, uint64_t hash) { return static_cast<uint32_t>(hash) + object * 0x9E3779B1U; }

}  // namespace belay::json
