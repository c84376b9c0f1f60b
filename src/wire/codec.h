// Bytes to values with every length checked: the one reader behind wire messages and stored records. A read past the end
// makes the reader fail for good and gives zeros or empty views, so a decoder reads all its parts and asks once, with
// finished(), whether they fitted exactly. Views point into the bytes given. Pure.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/id.h"

namespace belay::wire {

static_assert(std::endian::native == std::endian::little);

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(uint64_t count) {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, static_cast<size_t>(count));
    rest_.remove_prefix(static_cast<size_t>(count));
    return taken;
  }
  uint8_t u8() { return static_cast<uint8_t>(integer(1)); }
  uint16_t u16() { return static_cast<uint16_t>(integer(2)); }
  uint32_t u32() { return static_cast<uint32_t>(integer(4)); }
  uint64_t u64() { return integer(8); }
  int64_t i64() { return static_cast<int64_t>(integer(8)); }
  bool boolean() {
    const uint8_t value = u8();
    if (value > 1) failed_ = true;
    return value == 1;
  }
  std::string_view text16() { return take(u16()); }
  std::string_view text32() { return take(u32()); }
  MessageId id() { return MessageId::from_bytes(take(16)).value_or(MessageId{}); }

  void fail() { failed_ = true; }
  bool failed() const { return failed_; }
  bool finished() const { return !failed_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  uint64_t integer(size_t bytes) {
    const std::string_view raw = take(bytes);
    if (raw.size() != bytes) return 0;
    if (bytes != sizeof(uint64_t)) return get_be(raw.data(), bytes);
    uint64_t value = 0;
    std::memcpy(&value, raw.data(), sizeof value);
    return __builtin_bswap64(value);
  }

  std::string_view rest_;
  bool failed_ = false;
};

// Big-endian, in place; returns the place behind it.
inline char* store_be16(char* at, uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(at, &v, sizeof v);
  return at + sizeof v;
}
inline char* store_be32(char* at, uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(at, &v, sizeof v);
  return at + sizeof v;
}
inline char* store_be64(char* at, uint64_t v) {
  v = __builtin_bswap64(v);
  std::memcpy(at, &v, sizeof v);
  return at + sizeof v;
}

inline void put_u8(std::string& out, uint8_t value) { out.push_back(static_cast<char>(value)); }

// A text too long for its length is cut: the caller has refused such input before, or it is a line for people.
inline void put_text16(std::string& out, std::string_view text, size_t max = UINT16_MAX) {
  text = text.substr(0, std::min<size_t>(max, UINT16_MAX));
  put_be16(out, static_cast<uint16_t>(text.size()));
  out.append(text);
}
inline void put_text32(std::string& out, std::string_view text) {
  put_be32(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

}  // namespace belay::wire
