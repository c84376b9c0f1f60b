// IP addresses and CIDR blocks, v4 and v6 in one 16-byte form (v4 as ::ffff:a.b.c.d, RFC 4291 §2.5.5.2). Pure.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belay {

struct IpAddress {
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const IpAddress&) const = default;
  bool is_v4() const;
  bool is_loopback() const;
  std::string to_string() const;
  static std::optional<IpAddress> parse(std::string_view text);  // brackets around v6 allowed
  static std::optional<IpAddress> from_sockaddr(const sockaddr* address);
};

struct Cidr {
  IpAddress base;
  uint8_t prefix = 128;  // of the 16-byte form
  bool contains(const IpAddress& address) const;
  // "10.0.0.0/8", "::1/128" or a bare address. Refuses host bits set: the error names the block that was probably meant.
  static Result<Cidr> parse(std::string_view text);
};

}  // namespace belay
