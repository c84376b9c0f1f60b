// CRC-32C (Castagnoli, RFC 3720 §12.1): guards every stored record and every wire frame (P9). Uses the SSE4.2 instruction
// where the processor has it, a table otherwise. Pure, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace belay {

// `seed` is the result over the bytes before these.
uint32_t crc32c(std::string_view bytes, uint32_t seed = 0);

// The portable form, also used by the unit test to check the other one.
uint32_t crc32c_table(std::string_view bytes, uint32_t seed = 0);

}  // namespace belay
