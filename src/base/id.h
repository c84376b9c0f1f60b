// MessageId: 16 bytes, time-ordered (UUID version 7, RFC 9562 §5.7): 48 bits of wall milliseconds, a 12-bit counter that
// keeps ids of one generator ascending inside a millisecond, 62 random bits. Its text form is the usual 36 characters.
// It names a webhook everywhere: answer, log line, spool key, webhook-id header.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace belay {

struct MessageId {
  static constexpr size_t kTextLength = 36;

  std::array<uint8_t, 16> bytes{};

  auto operator<=>(const MessageId&) const = default;
  bool empty() const { return *this == MessageId{}; }
  std::string to_string() const;
  // Writes kTextLength characters.
  void write_text(char* out) const;
  WallTime time() const;
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

  // The text form in either case; nullopt for anything else.
  static std::optional<MessageId> parse(std::string_view text);
  static std::optional<MessageId> from_bytes(std::string_view raw);
  // The smallest id of a moment, for range scans.
  static MessageId first_at(WallTime time);
};

// One per thread; not shared.
class IdGenerator {
 public:
  IdGenerator(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
  MessageId next();

 private:
  const Clock& clock_;
  Random& random_;
  int64_t last_ms_ = 0;
  uint32_t counter_ = 0;
};

}  // namespace belay

template <>
struct std::hash<belay::MessageId> {
  size_t operator()(const belay::MessageId& id) const noexcept {
    uint64_t low = 0;
    __builtin_memcpy(&low, id.bytes.data() + 8, sizeof low);
    uint64_t high = 0;
    __builtin_memcpy(&high, id.bytes.data(), sizeof high);
    return low ^ (high * 0x9E3779B97F4A7C15ULL);
  }
};
