// A command line run within the test: exit code, and what it wrote to stdout and stderr.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "support/process.h"

namespace belay::test {

struct Ran {
  int code = -1;
  std::string out, err;
};

// Puts a file in a descriptor's place while it lives.
class Redirected {
 public:
  Redirected(int descriptor, const std::string& path) : descriptor_(descriptor), saved_(dup(descriptor)) {
    std::fflush(nullptr);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(dup2(file, descriptor_) == descriptor_);
    close(file);
  }
  ~Redirected() {
    std::fflush(nullptr);
    dup2(saved_, descriptor_);
    close(saved_);
  }

 private:
  int descriptor_, saved_;
};

inline Ran run_belay(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "belay");
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  const TempFolder folder;
  Ran ran;
  std::ostringstream out, err;
  {
    const Redirected no_input(STDIN_FILENO, "/dev/null"), to_out(STDOUT_FILENO, folder / "out"),
        to_err(STDERR_FILENO, folder / "err");
    ran.code = cli::run(static_cast<int>(pointers.size()), pointers.data(), out, err);
  }
  ran.out = read_text(folder / "out") + out.str();
  ran.err = read_text(folder / "err") + err.str();
  return ran;
}

}  // namespace belay::test
