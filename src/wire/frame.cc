#include "wire/frame.h"

#include <cstring>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "wire/codec.h"

namespace belay::wire {

namespace {

constexpr std::string_view kMagic = "BLY";
constexpr size_t kChecked = 16;  // of the head; the checksum itself follows

Error broken(std::string_view what) { return {ErrorKind::corrupt, "wire: " + std::string(what)}; }

}  // namespace

size_t begin_frame(std::string& out) {
  const size_t start = out.size();
  out.append(kFrameHead, '\0');
  return start;
}

void end_frame(std::string& out, size_t start, FrameType type, uint32_t sequence) {
  const size_t length = out.size() - start - kFrameHead;
  BELAY_CHECK_NOTE(length <= kMaxPayload, "frame payload over kMaxPayload");
  char* head = out.data() + start;
  std::memcpy(head, kMagic.data(), kMagic.size());
  head[3] = static_cast<char>(kVersion);
  head[4] = static_cast<char>(type);
  store_be32(head + 8, static_cast<uint32_t>(length));
  store_be32(head + 12, sequence);
  const std::string_view frame(head, kFrameHead + length);
  store_be32(head + kChecked, crc32c(frame.substr(kFrameHead), crc32c(frame.substr(0, kChecked))));
}

void append_frame(std::string& out, FrameType type, uint32_t sequence, std::string_view payload) {
  const size_t start = begin_frame(out);
  out.append(payload);
  end_frame(out, start, type, sequence);
}

Result<std::optional<Frame>> next_frame(std::string_view bytes, size_t& consumed) {
  if (bytes.size() < kFrameHead) {
    if (bytes.substr(0, kMagic.size()) != kMagic.substr(0, bytes.size())) return broken("not a frame");
    return std::optional<Frame>();
  }
  if (!bytes.starts_with(kMagic)) return broken("not a frame");
  if (static_cast<uint8_t>(bytes[3]) != kVersion) {
    return broken("frame version " + std::to_string(static_cast<uint8_t>(bytes[3])) + ", this side speaks " +
                  std::to_string(kVersion) + ": run proxy and spool of one release");
  }
  const auto type = static_cast<uint8_t>(bytes[4]);
  if (type < static_cast<uint8_t>(FrameType::hello) || type > static_cast<uint8_t>(FrameType::destinations)) {
    return broken("unknown frame type " + std::to_string(type));
  }
  const uint64_t length = get_be(bytes.data() + 8, 4);
  if (length > kMaxPayload) return broken("frame of " + std::to_string(length) + " bytes is over the limit");
  if (bytes.size() < kFrameHead + length) return std::optional<Frame>();
  const std::string_view payload = bytes.substr(kFrameHead, static_cast<size_t>(length));
  if (get_be(bytes.data() + kChecked, 4) != crc32c(payload, crc32c(bytes.substr(0, kChecked)))) {
    return broken("frame checksum does not fit");
  }
  consumed = kFrameHead + payload.size();
  return std::optional<Frame>(
      Frame{static_cast<FrameType>(type), static_cast<uint32_t>(get_be(bytes.data() + 12, 4)), payload});
}

}  // namespace belay::wire
