// SHA-256 (FIPS 180-4) of texts one after another, for keys and fingerprints. Pure, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace belay {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(std::initializer_list<std::string_view> parts);

}  // namespace belay
