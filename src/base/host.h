// One spelling for a host as requests and rules name it, so that every check of a request looks at the same name. Pure.
#pragma once

#include <string>
#include <string_view>

namespace belay {

// "Hooks.Example.test.:443" → "hooks.example.test", "[0::1]:80" → "[::1]": without port and the root's dot, letters small,
// an IPv6 address in its shortest form (RFC 5952). Empty when no name is left.
std::string host_key(std::string_view authority);

}  // namespace belay
