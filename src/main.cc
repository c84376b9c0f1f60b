// The process's entry; the subcommand table is in cli/commands.cc.
#include <iostream>

#include "cli/commands.h"

int main(int argc, char** argv) {
  return belay::cli::run(argc, argv, std::cout, std::cerr);
}
