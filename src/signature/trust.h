// How far a source's rules let its webhooks be believed: the strongest of what its checks prove. The numbers are stored in the
// books (wire/messages.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace belay::signature {

// Ascending; unknown: no source, or a line of an earlier release.
enum class Trust : uint8_t { unknown = 0, open = 1, token = 2, signed_body = 3, signed_fresh = 4 };

constexpr std::string_view to_string(Trust trust) {
  switch (trust) {
    case Trust::unknown: return "";
    case Trust::open: return "open";
    case Trust::token: return "token";
    case Trust::signed_body: return "signed";
    case Trust::signed_fresh: return "signed+fresh";
  }
  return {};
}

}  // namespace belay::signature
