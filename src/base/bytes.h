// Pure helpers over bytes and ASCII text: hex, base64, case-insensitive comparison, trimming, splitting, numbers, files.
// No locale, no allocation where a view will do. Decoders return nullopt on any character outside their alphabet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belay {

std::string hex_encode(std::string_view raw);                        // lower case
std::optional<std::string> hex_decode(std::string_view text);        // either case, even length
std::string base64_encode(std::string_view raw);                     // RFC 4648 §4, padded
std::string base64url_encode(std::string_view raw);                  // RFC 4648 §5, no padding
std::optional<std::string> base64_decode(std::string_view text);     // padding optional, but right where present
std::optional<std::string> base64url_decode(std::string_view text);  // padding optional, but right where present

constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
bool ascii_iequals(std::string_view a, std::string_view b);
std::string ascii_lower(std::string_view text);
std::string ascii_upper(std::string_view text);

// Removes spaces and horizontal tabs (RFC 9110 §5.6.3 OWS) at both ends.
std::string_view trim_ows(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

// Whole text, decimal digits only: no sign, no space, no overflow.
std::optional<uint64_t> parse_u64(std::string_view text);

// Time does not depend on where the bytes differ; lengths are public.
bool constant_time_equals(std::string_view a, std::string_view b);

// Replaces control bytes, quotes and backslashes by \xNN or their short forms, cuts at `max` bytes: for log lines and errors.
std::string printable(std::string_view text, size_t max = 200);

// Well-formed UTF-8 (RFC 3629 §4) throughout.
bool is_utf8(std::string_view text);

// "..." with the escapes of RFC 8259 §7. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Whole file, refused over `max` bytes.
Result<std::string> read_file(const std::string& path, size_t max = size_t{64} << 20);

// Big-endian integers, the byte order of stored keys and frames.
inline void put_be16(std::string& out, uint16_t v) { for (int s = 8; s >= 0; s -= 8) out.push_back(static_cast<char>(v >> s)); }
inline void put_be32(std::string& out, uint32_t v) { for (int s = 24; s >= 0; s -= 8) out.push_back(static_cast<char>(v >> s)); }
inline void put_be64(std::string& out, uint64_t v) { for (int s = 56; s >= 0; s -= 8) out.push_back(static_cast<char>(v >> s)); }
inline uint64_t get_be(const char* in, size_t bytes) {
  uint64_t v = 0;
  for (size_t i = 0; i < bytes; ++i) v = (v << 8) | static_cast<uint8_t>(in[i]);
  return v;
}

}  // namespace belay
