// Runs a fuzz target over the files of the given folders: saved inputs are ordinary tests. 1 when a folder is empty or
// cannot be read; a target that finds something aborts.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/bytes.h"
#include "fuzz/input.h"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    size_t inputs = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], error)) {
      const auto file = belay::read_file(entry.path().string());
      if (!file) {
        std::fprintf(stderr, "%s\n", file.error().message.c_str());
        return 1;
      }
      std::fprintf(stderr, "%s\n", entry.path().filename().c_str());
      const auto exact = std::make_unique<uint8_t[]>(file->size());
      std::memcpy(exact.get(), file->data(), file->size());
      LLVMFuzzerTestOneInput(exact.get(), file->size());
      ++inputs;
    }
    if (inputs == 0) {
      std::fprintf(stderr, "%s: no inputs%s%s\n", argv[i], error ? ": " : "", error ? error.message().c_str() : "");
      return 1;
    }
    std::printf("%s: %zu inputs\n", argv[i], inputs);
  }
  return 0;
}
