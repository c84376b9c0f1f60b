// The process's entry; the subcommand table is in cli/commands.cc.
#include <malloc.h>

#include <iostream>

#include "base/core_dumps.h"
#include "cli/commands.h"

namespace {

// Large bodies have pages of their own that go back to the system with them. As glibc does it by itself, the first large block
// that is freed makes it take all later ones from the heap, and there the holes between bodies came to half of limits.memory.
void give_large_blocks_back() {
  constexpr int kLarge = 256 << 10, kHeapKept = 4 << 20;  // bytes; what is free at the heap's end and stays for the next
  mallopt(M_MMAP_THRESHOLD, kLarge);
  mallopt(M_TRIM_THRESHOLD, kHeapKept);
}

}  // namespace

int main(int argc, char** argv) {
  belay::set_core_dumps(false);  // before any secret is in memory; log.core_dumps of the main file may allow them
  give_large_blocks_back();
  return belay::cli::run(argc, argv, std::cout, std::cerr);
}
