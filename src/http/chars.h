// Character classes of RFC 9110 and RFC 3986 as tables, and the one vector loop of the room. Internal to http/. Pure.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace belay::http {

using CharSet = std::array<bool, 256>;

constexpr CharSet char_set(std::string_view others) {
  CharSet set{};
  for (unsigned c = '0'; c <= '9'; ++c) set[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) set[c] = set[c + 32] = true;
  for (const char c : others) set[static_cast<uint8_t>(c)] = true;
  return set;
}

inline constexpr CharSet kTokenChars = char_set("!#$%&'*+-.^_`|~");  // RFC 9110 §5.6.2
inline constexpr CharSet kUnreserved = char_set("-._~");             // RFC 3986 §2.3

constexpr bool in(const CharSet& set, char c) {
  return set[static_cast<uint8_t>(c)];
}

constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A byte that may not stand inside a line of a head: C0 controls but HTAB, and DEL (RFC 9110 §5.5, RFC 9112 §2.2).
constexpr bool is_control(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7F;
}

// First control byte of [at, end), CR and LF among them; `end` when there is none. 16 bytes a step: every byte of every
// head passes here.
inline const char* find_control(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1F);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7F);
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, last_control), block);
    const __m128i hits = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low), _mm_cmpeq_epi8(block, del));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hits));
    if (mask != 0) return at + std::countr_zero(mask);
  }
#endif
  while (at != end && !is_control(*at)) ++at;
  return at;
}

// Whether `text` is `lower` (a literal of lower-case letters, digits and '-') in any case, eight bytes a step: this
// runs for every field of every message. Setting bit 5 maps the two cases of a letter onto it; what else it maps onto a
// letter, digit or '-' is a control byte, which no head holds.
template <size_t kSize>
inline bool is_word(std::string_view text, const char (&lower)[kSize]) {
  constexpr size_t kLength = kSize - 1;
  static_assert(kLength >= 2);
  if (text.size() != kLength) return false;
  const auto differ = [&]<typename Word>(Word, size_t at) {
    Word given, wanted;
    std::memcpy(&given, text.data() + at, sizeof given);
    std::memcpy(&wanted, lower + at, sizeof wanted);
    return (given | static_cast<Word>(0x2020202020202020)) != wanted;
  };
  if constexpr (kLength >= 8) {
    for (size_t at = 0; at + 8 < kLength; at += 8) {
      if (differ(uint64_t{}, at)) return false;
    }
    return !differ(uint64_t{}, kLength - 8);
  } else if constexpr (kLength >= 4) {
    return !differ(uint32_t{}, 0) && !differ(uint32_t{}, kLength - 4);
  } else {
    return !differ(uint16_t{}, 0) && !differ(uint16_t{}, kLength - 2);
  }
}

}  // namespace belay::http
