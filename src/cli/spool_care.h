// belay spool check, compact, export and import: what is done to a spool's folder itself. One thread.
#pragma once

#include <CLI/CLI.hpp>

namespace belay::cli {

void add_spool_care(CLI::App& spool, int& exit_code);
void add_spool_export(CLI::App& spool, int& exit_code);
void add_spool_import(CLI::App& spool, int& exit_code);

}  // namespace belay::cli
