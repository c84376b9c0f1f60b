// Text by characters (Unicode code points), as CEL's string functions count. Bytes that are not UTF-8 count as one character
// each. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace belay::rules {

// Bytes of the character that begins `text`, which is not empty.
inline size_t character_length(std::string_view text) {
  const auto byte = static_cast<uint8_t>(text.front());
  const size_t length = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  if (length > text.size()) return 1;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) return 1;
  }
  return length;
}

inline bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

inline size_t character_count(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); text.remove_prefix(character_length(text))) ++count;
  return count;
}

// Byte offset of character `index`; text.size() for the one behind the last, npos beyond.
inline size_t byte_offset(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0; --index) {
    if (at >= text.size()) return std::string_view::npos;
    at += character_length(text.substr(at));
  }
  return at;
}

}  // namespace belay::rules
