#include "proxy/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace belay::proxy {

namespace {

using State = ProxyHeaderState;

constexpr std::string_view kV1Start = "PROXY ";
constexpr std::string_view kV2Start("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kV2Fixed = 16;
constexpr uint8_t kTypeCrc32c = 0x03;
constexpr uint8_t kTypeTls = 0x20;

bool begins_like(std::string_view bytes, std::string_view start) {
  const size_t length = std::min(bytes.size(), start.size());
  return bytes.substr(0, length) == start.substr(0, length);
}

// Only what inet_pton reads for the family: no brackets, no leading zeros, no other forms.
std::optional<IpAddress> parse_address(std::string_view text, int family) {
  unsigned char raw[16];
  const std::string copy(text);
  if (inet_pton(family, copy.c_str(), raw) != 1) return std::nullopt;
  return IpAddress::parse(text);
}

std::optional<uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  const auto value = parse_u64(text);
  if (!value || *value > 65535) return std::nullopt;
  return static_cast<uint16_t>(*value);
}

State parse_v1(std::string_view bytes, ProxyHeader& header) {
  const size_t end = bytes.substr(0, kMaxV1).find("\r\n");
  if (end == std::string_view::npos) return bytes.size() < kMaxV1 ? State::need_more : State::refused;
  header.bytes = end + 2;
  const std::string_view line = bytes.substr(0, end);
  // Behind UNKNOWN anything may stand and is ignored.
  if (line == "PROXY UNKNOWN" || line.starts_with("PROXY UNKNOWN ")) return State::complete;
  const auto parts = split(line, ' ');
  if (parts.size() != 6) return State::refused;
  const int family = parts[1] == "TCP4" ? AF_INET : parts[1] == "TCP6" ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC) return State::refused;
  const auto source = parse_address(parts[2], family);
  const auto port = parse_port(parts[4]);
  if (!source || !parse_address(parts[3], family) || !port || !parse_port(parts[5])) return State::refused;
  header.source = source;
  header.source_port = *port;
  return State::complete;
}

// The checksum stands over the whole header with its own four bytes as zero.
bool checksum_matches(std::string_view header, size_t offset) {
  constexpr std::string_view kZero("\0\0\0\0", 4);
  uint32_t sum = crc32c(header.substr(0, offset));
  sum = crc32c(kZero, sum);
  sum = crc32c(header.substr(offset + 4), sum);
  return sum == get_be(header.data() + offset, 4);
}

// Type-length-value extensions: lengths must add up; a checksum must be right; the TLS one says whether the sender used TLS.
bool parse_extensions(std::string_view header, size_t at, ProxyHeader& out) {
  while (at < header.size()) {
    if (header.size() - at < 3) return false;
    const auto type = static_cast<uint8_t>(header[at]);
    const size_t length = get_be(header.data() + at + 1, 2);
    at += 3;
    if (header.size() - at < length) return false;
    if (type == kTypeCrc32c && (length != 4 || !checksum_matches(header, at))) return false;
    if (type == kTypeTls) {
      if (length < 5) return false;
      out.tls = (static_cast<uint8_t>(header[at]) & 1U) != 0;
    }
    at += length;
  }
  return true;
}

IpAddress address_from(const char* raw, size_t length) {
  IpAddress address;
  if (length == 4) address.bytes[10] = address.bytes[11] = 0xff;
  std::memcpy(address.bytes.data() + 16 - length, raw, length);
  return address;
}

State parse_v2(std::string_view bytes, ProxyHeader& header) {
  if (bytes.size() < kV2Fixed) return State::need_more;
  const auto version = static_cast<uint8_t>(bytes[12]);
  const auto family = static_cast<uint8_t>(bytes[13]);
  const size_t length = kV2Fixed + get_be(bytes.data() + 14, 2);
  const uint8_t command = version & 0x0fU;
  if ((version >> 4) != 2 || command > 1 || length > kMaxV2) return State::refused;
  if (bytes.size() < length) return State::need_more;
  header.bytes = length;
  if (command == 0) return State::complete;  // LOCAL: the balancer's own health check; the rest is ignored

  size_t addresses = 0;
  switch (family) {
    case 0x00: return State::complete;  // unspecified: like UNKNOWN
    case 0x11: addresses = 12; break;   // TCP over IPv4
    case 0x21: addresses = 36; break;   // TCP over IPv6
    case 0x31: addresses = 216; break;  // unix stream
    default: return State::refused;
  }
  if (length < kV2Fixed + addresses) return State::refused;
  if (family != 0x31) {
    const size_t each = family == 0x11 ? 4 : 16;
    header.source = address_from(bytes.data() + kV2Fixed, each);
    header.source_port = static_cast<uint16_t>(get_be(bytes.data() + kV2Fixed + 2 * each, 2));
  }
  return parse_extensions(bytes.substr(0, length), kV2Fixed + addresses, header) ? State::complete : State::refused;
}

}  // namespace

ProxyHeaderState parse_proxy_header(std::string_view bytes, ProxyHeader& header) {
  header = {};
  if (bytes.empty()) return State::need_more;
  State state = State::refused;
  if (begins_like(bytes, kV2Start)) {
    state = bytes.size() < kV2Start.size() ? State::need_more : parse_v2(bytes, header);
  } else if (begins_like(bytes, kV1Start)) {
    state = bytes.size() < kV1Start.size() ? State::need_more : parse_v1(bytes, header);
  }
  if (state != State::complete) header = {};
  return state;
}

}  // namespace belay::proxy
