// Which spool's folder a command looks after: named itself, or by the main file. One thread.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"
#include "conf/configuration.h"

namespace belay::cli {

struct SpoolFolder {
  conf::LoadOptions load;
  std::string path;
};

// -c and --state; and --path, unless the folder is the command's own argument.
void add_folder_flags(CLI::App& command, SpoolFolder& folder, bool with_path = true);

struct FolderSettings {
  std::string path;
  uint64_t size = 0;  // spool.size; its default when no main file is named
};
Result<FolderSettings> read_folder(const SpoolFolder& folder);

}  // namespace belay::cli
