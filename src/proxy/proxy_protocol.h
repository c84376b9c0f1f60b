// The PROXY protocol, versions 1 and 2: the line or block with which a balancer tells who the real sender is, before any byte
// of TLS or HTTP. Pure and strict: what does not read exactly is refused, and the connection is closed without an answer.
// Whether a header is expected and believed is the caller's business (proxy_protocol: true, trusted_proxies).
// Limits: kMaxV1 and kMaxV2 bytes. Specification: haproxy.org, "The PROXY protocol", versions 1 and 2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ip.h"

namespace belay::proxy {

struct ProxyHeader {
  std::optional<IpAddress> source;  // nothing for UNKNOWN, LOCAL and unix senders: the peer itself counts
  uint16_t source_port = 0;
  bool tls = false;                 // version 2 says that the sender came over TLS
  size_t bytes = 0;                 // of the header
};

enum class ProxyHeaderState : uint8_t { need_more, complete, refused };

inline constexpr size_t kMaxV1 = 107;        // "PROXY UNKNOWN" with the longest addresses, CRLF included
inline constexpr size_t kMaxV2 = 16 + 2048;  // fixed part, addresses and extensions

// `bytes` is everything received so far.
ProxyHeaderState parse_proxy_header(std::string_view bytes, ProxyHeader& header);

}  // namespace belay::proxy
