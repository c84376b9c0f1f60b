// One webhook whole, on the terminal: for `belay show` and `belay quarantine show`. Blocking; one thread.
#pragma once

#include <string>

#include "cli/admin_client.h"

namespace belay::cli {

struct ShowOptions {
  AdminFlags admin;
  std::string id;
  bool raw = false;
  bool json = false;
};

// The exit code; problems are reported as of `belay COMMAND`.
int show_webhook(const char* command, const ShowOptions& options);

}  // namespace belay::cli
