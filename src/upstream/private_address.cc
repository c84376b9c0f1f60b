#include "upstream/private_address.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

namespace belay::upstream {

namespace {

std::vector<Cidr> parsed(std::initializer_list<const char*> texts) {
  std::vector<Cidr> blocks;
  for (const char* text : texts) blocks.push_back(*Cidr::parse(text));
  return blocks;
}

// The v4 address that a translator (NAT64) or a tunnel (6to4) on the way makes of this one; itself when it carries none.
IpAddress reached_by(const IpAddress& address) {
  static const Cidr nat64 = *Cidr::parse("64:ff9b::/96");  // RFC 6052 §2.1: the last four bytes
  static const Cidr tunnel = *Cidr::parse("2002::/16");    // RFC 3056 §2: bytes 2 to 5
  const bool translated = nat64.contains(address);
  if (!translated && !tunnel.contains(address)) return address;
  IpAddress v4;
  v4.bytes[10] = v4.bytes[11] = 0xff;
  std::copy_n(address.bytes.begin() + (translated ? 12 : 2), 4, v4.bytes.begin() + 12);
  return v4;
}

}  // namespace

bool is_private(const IpAddress& address) {
  // ::/96 are :: and ::1 and the long abandoned v4-compatible form (RFC 4291 §2.5.5.1). v4 itself stands at ::ffff:0:0/96.
  static const std::vector<Cidr> blocks =
      parsed({"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
              "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/96", "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "fec0::/10",
              "ff00::/8"});
  const IpAddress reached = reached_by(address);
  return std::any_of(blocks.begin(), blocks.end(), [&](const Cidr& block) { return block.contains(reached); });
}

}  // namespace belay::upstream
