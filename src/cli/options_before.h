// Options that stand before a subcommand ("belay audit -c FILE log") count for it as if they stood behind it. What it has no use for,
// and what stands in both places, is refused: nothing that a person writes goes unheard. Main thread, while the arguments are parsed.
#pragma once

#include <CLI/CLI.hpp>

namespace belay::cli {

// For the subcommands of `command`; once all of them are there. Errors are CLI::ParseErrors of the parse.
void hand_down_options(CLI::App& command);

}  // namespace belay::cli
