// Who the sender is: the socket's peer, or, behind proxies named in proxy.trusted_proxies, the rightmost address of
// X-Forwarded-For that is not one of them. Everything further left was written by somebody nobody vouches for. Pure; built
// when a worker starts, const afterwards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "http/message.h"
#include "pipeline/exchange.h"

namespace belay::proxy {

class TrustedProxies {
 public:
  // CIDR blocks, addresses, and "unix:" for every peer on a unix socket.
  static Result<TrustedProxies> parse(const std::vector<std::string>& terms);
  bool contains(const IpAddress& address) const;
  bool unix_sockets() const { return unix_sockets_; }

 private:
  std::vector<Cidr> blocks_;
  bool unix_sockets_ = false;
};

// The peer of a connection, after a believed PROXY header.
struct Peer {
  IpAddress address;
  std::string text;          // of `address`; empty on a unix socket
  bool unix_socket = false;
  bool trusted = false;      // its X-Forwarded-For and X-Forwarded-Proto are believed, and the like are passed on
  bool tls = false;
};

// Fills `client` for one request. Without a trusted peer the fields are not looked at.
void resolve_client(const TrustedProxies& trusted, const Peer& peer, const http::Fields& fields, pipeline::Client& client);

}  // namespace belay::proxy
