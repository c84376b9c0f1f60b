#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "base/bytes.h"

namespace belay {

namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

IpAddress masked(const IpAddress& address, unsigned prefix) {
  IpAddress out = address;
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned keep = prefix >= (i + 1) * 8 ? 8 : prefix > i * 8 ? prefix - i * 8 : 0;
    out.bytes[i] = static_cast<uint8_t>(out.bytes[i] & (0xFF00U >> keep));
  }
  return out;
}

}  // namespace

bool IpAddress::is_v4() const { return std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0; }

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  IpAddress one;
  one.bytes[15] = 1;
  return *this == one;
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  const bool ok = is_v4() ? inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text) != nullptr
                          : inet_ntop(AF_INET6, bytes.data(), text, sizeof text) != nullptr;
  BELAY_CHECK(ok);
  return text;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  const std::string copy(text);
  IpAddress address;
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  std::memcpy(address.bytes.data(), kMapped.data(), kMapped.size());
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data() + 12) == 1) return address;
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::from_sockaddr(const sockaddr* generic) {
  IpAddress address;
  if (generic->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, generic, sizeof v4);
    std::memcpy(address.bytes.data(), kMapped.data(), kMapped.size());
    std::memcpy(address.bytes.data() + 12, &v4.sin_addr, 4);
    return address;
  }
  if (generic->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, generic, sizeof v6);
    std::memcpy(address.bytes.data(), &v6.sin6_addr, 16);
    return address;
  }
  return std::nullopt;
}

bool Cidr::contains(const IpAddress& address) const { return masked(address, prefix) == base; }

Result<Cidr> Cidr::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return invalid("'" + printable(text) + "' is not an IP address or block; write 10.0.0.0/8, 192.168.1.7 or 2001:db8::/32");
  const bool v4 = address->is_v4() && text.find(':') == std::string_view::npos;
  unsigned prefix = 128;
  if (slash != std::string_view::npos) {
    const auto bits = parse_u64(text.substr(slash + 1));
    const unsigned most = v4 ? 32 : 128;
    if (!bits || *bits > most) return invalid("the prefix of '" + printable(text) + "' must be a number up to " + std::to_string(most));
    prefix = static_cast<unsigned>(*bits) + (v4 ? 96 : 0);
  }
  Cidr block{masked(*address, prefix), static_cast<uint8_t>(prefix)};
  if (block.base != *address) {
    return invalid("'" + printable(text) + "' has address bits behind its prefix; write " + block.base.to_string() + "/" +
                   std::to_string(prefix - (v4 ? 96 : 0)));
  }
  return block;
}

}  // namespace belay
