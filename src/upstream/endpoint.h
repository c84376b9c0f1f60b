// Where a small document (keys, certificates) or an access token comes from: a URL of the rules, as the Destination that the
// client sends to. Made when rules load, immutable, shared. Host rule: https, or http to a loopback or private address that the
// URL names itself; a name never leads to a private address unless `network` allows it. Redirects are not followed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "upstream/destination.h"

namespace belay::upstream {

struct EndpointRules {
  static constexpr Duration kTimeout{5'000};          // for the whole answer
  static constexpr size_t kMaxAnswer = 256 << 10;     // a larger one is not read

  Duration timeout = kTimeout;
  std::vector<Cidr> network_allow = {};
  std::shared_ptr<event::ClientTls> tls = nullptr;    // of https; null: the system's authorities
};

Result<std::shared_ptr<const Destination>> make_endpoint(const std::string& url, const EndpointRules& rules = {});

}  // namespace belay::upstream
