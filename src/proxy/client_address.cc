#include "proxy/client_address.h"

#include "base/bytes.h"

namespace belay::proxy {

namespace {

// An element of X-Forwarded-For: an address, or one with a port as some proxies write it ("1.2.3.4:5", "[::1]:5").
std::optional<IpAddress> parse_hop(std::string_view text) {
  if (auto address = IpAddress::parse(text)) return address;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !parse_u64(text.substr(colon + 1))) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !host.ends_with(']')) return std::nullopt;
  return IpAddress::parse(host);
}

// Walks the chain from its right end while the hops are trusted; nothing when it holds no address to believe.
std::optional<IpAddress> rightmost_untrusted(const TrustedProxies& trusted, std::string_view chain) {
  std::optional<IpAddress> believed;
  while (!chain.empty()) {
    const size_t comma = chain.rfind(',');
    const std::string_view element = trim_ows(comma == std::string_view::npos ? chain : chain.substr(comma + 1));
    chain = comma == std::string_view::npos ? std::string_view() : chain.substr(0, comma);
    if (element.empty()) continue;
    const auto hop = parse_hop(element);
    if (!hop) break;  // "unknown" or nonsense: the hop to its right is the last one known
    believed = hop;
    if (!trusted.contains(*hop)) break;
  }
  return believed;
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& terms) {
  TrustedProxies trusted;
  for (const std::string& term : terms) {
    if (term == "unix:") {
      trusted.unix_sockets_ = true;
      continue;
    }
    auto block = Cidr::parse(term);
    if (!block) return invalid("trusted_proxies: " + block.error().message);
    trusted.blocks_.push_back(*block);
  }
  return trusted;
}

bool TrustedProxies::contains(const IpAddress& address) const {
  for (const Cidr& block : blocks_) {
    if (block.contains(address)) return true;
  }
  return false;
}

void resolve_client(const TrustedProxies& trusted, const Peer& peer, const http::Fields& fields, pipeline::Client& client) {
  client.address = peer.address;
  client.unix_socket = peer.unix_socket;
  client.tls = peer.tls;
  client.vouched = peer.trusted;
  client.cached_text = peer.text;
  client.forwarded_for.clear();
  if (peer.trusted) {
    for (const http::Field& field : fields) {
      if (ascii_iequals(field.name, "x-forwarded-for")) {
        if (!client.forwarded_for.empty()) client.forwarded_for += ", ";
        client.forwarded_for += field.value;
      } else if (ascii_iequals(field.name, "x-forwarded-proto")) {
        client.tls = ascii_iequals(field.value, "https");
      }
    }
    if (const auto sender = rightmost_untrusted(trusted, client.forwarded_for)) {
      client.address = *sender;
      client.unix_socket = false;
      client.cached_text = sender->to_string();
    }
  }
  if (peer.text.empty()) return;  // a unix socket has nothing to add to the chain
  if (!client.forwarded_for.empty()) client.forwarded_for += ", ";
  client.forwarded_for += peer.text;
}

}  // namespace belay::proxy
