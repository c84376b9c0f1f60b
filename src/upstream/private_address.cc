#include "upstream/private_address.h"

#include <algorithm>
#include <vector>

namespace belay::upstream {

bool is_private(const IpAddress& address) {
  static const std::vector<Cidr> blocks = [] {
    std::vector<Cidr> all;
    for (const char* text : {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
                             "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/128", "::1/128", "64:ff9b:1::/48", "fc00::/7", "fe80::/10",
                             "ff00::/8"}) {
      all.push_back(*Cidr::parse(text));
    }
    return all;
  }();
  return std::any_of(blocks.begin(), blocks.end(), [&](const Cidr& block) { return block.contains(address); });
}

}  // namespace belay::upstream
