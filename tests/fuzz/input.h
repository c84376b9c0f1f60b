// For the fuzz targets: the input as text. libFuzzer and replay_main.cc give it in memory exactly as long as it is, so
// that a read past the end is seen. Each target is one file with LLVMFuzzerTestOneInput; tools/fuzz runs it under
// libFuzzer, replay_main.cc over the saved inputs in the ordinary tests.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace belay::fuzz {

inline std::string_view text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace belay::fuzz
