// Bytes as OpenSSL takes them.
#pragma once

#include <string_view>

namespace belay::signature {

inline const unsigned char* octets(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace belay::signature
