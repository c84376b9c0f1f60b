// belay spool check and compact: what is done to a spool's folder itself, read only. One thread.
#pragma once

#include <CLI/CLI.hpp>

namespace belay::cli {

void add_spool_care(CLI::App& spool, int& exit_code);

}  // namespace belay::cli
