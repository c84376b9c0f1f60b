#include "base/id.h"

#include <cstring>

#include "base/bytes.h"

namespace belay {

namespace {

constexpr uint32_t kCounterLimit = 1U << 12;  // the 12 bits of rand_a

void put_ms(std::array<uint8_t, 16>& bytes, int64_t ms) {
  for (int i = 0; i < 6; ++i) bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(ms >> (40 - 8 * i));
}

}  // namespace

MessageId IdGenerator::next() {
  const int64_t now_ms = to_ms(clock_.wall());
  if (now_ms > last_ms_) {
    last_ms_ = now_ms;
    counter_ = 0;
  } else if (++counter_ == kCounterLimit) {  // also when the wall clock steps back: ids of one generator never do
    ++last_ms_;
    counter_ = 0;
  }
  MessageId id;
  put_ms(id.bytes, last_ms_);
  id.bytes[6] = static_cast<uint8_t>(0x70 | (counter_ >> 8));
  id.bytes[7] = static_cast<uint8_t>(counter_);
  const uint64_t random = random_.next();
  std::memcpy(id.bytes.data() + 8, &random, sizeof random);
  id.bytes[8] = static_cast<uint8_t>(0x80 | (id.bytes[8] & 0x3F));
  return id;
}

void MessageId::write_text(char* out) const {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = kDigits[bytes[i] >> 4];
    *out++ = kDigits[bytes[i] & 15];
  }
}

std::string MessageId::to_string() const {
  std::string text(kTextLength, '\0');
  write_text(text.data());
  return text;
}

WallTime MessageId::time() const {
  int64_t ms = 0;
  for (size_t i = 0; i < 6; ++i) ms = (ms << 8) | bytes[i];
  return wall_from_ms(ms);
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  if (text.size() != kTextLength) return std::nullopt;
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) return std::nullopt;
    if (!dash) digits.push_back(text[i]);
  }
  const auto raw = hex_decode(digits);
  return raw ? from_bytes(*raw) : std::nullopt;
}

std::optional<MessageId> MessageId::from_bytes(std::string_view raw) {
  if (raw.size() != 16) return std::nullopt;
  MessageId id;
  std::memcpy(id.bytes.data(), raw.data(), raw.size());
  return id;
}

MessageId MessageId::first_at(WallTime time) {
  MessageId id;
  put_ms(id.bytes, to_ms(time));
  return id;
}

}  // namespace belay
