#include "base/host.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/ip.h"

namespace belay {

std::string host_key(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::string_view literal = authority.substr(0, std::min(authority.find(']'), authority.size() - 1) + 1);
    const auto address = IpAddress::parse(literal);
    return address ? "[" + address->to_string() + "]" : ascii_lower(literal);
  }
  std::string_view name = authority.substr(0, authority.find(':'));
  while (name.ends_with('.')) name.remove_suffix(1);
  return ascii_lower(name);
}

}  // namespace belay
