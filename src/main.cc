// The process's entry; the subcommand table is in cli/commands.cc.
#include <iostream>

#include "base/core_dumps.h"
#include "cli/commands.h"

int main(int argc, char** argv) {
  belay::set_core_dumps(false);  // before any secret is in memory; log.core_dumps of the main file may allow them
  return belay::cli::run(argc, argv, std::cout, std::cerr);
}
