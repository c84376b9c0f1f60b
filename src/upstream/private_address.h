// Which addresses a host name must not lead to unless a rule allows them: a name under somebody else's control could point a
// webhook at our own network (SSRF). Pure.
#pragma once

#include "base/ip.h"

namespace belay::upstream {

// Loopback, private, link-local, carrier NAT, multicast, broadcast and unspecified addresses (RFC 6890). An address that carries
// a v4 one (mapped, NAT64, 6to4) is judged by that.
bool is_private(const IpAddress& address);

}  // namespace belay::upstream
