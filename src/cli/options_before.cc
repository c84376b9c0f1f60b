#include "cli/options_before.h"

#include <fmt/format.h>

namespace belay::cli {

namespace {

[[noreturn]] void refuse(const std::string& why) { throw CLI::ArgumentMismatch(why, CLI::ExitCodes::ArgumentMismatch); }

void take_options(CLI::App& subcommand, CLI::App& command) {
  const CLI::Option* const help = command.get_help_ptr();
  for (const CLI::Option* before : command.get_options([&](const CLI::Option* option) { return option != help && option->count() > 0; })) {
    const std::string name = before->get_name();
    CLI::Option* const own = subcommand.get_option_no_throw(name);
    if (own == nullptr) refuse(fmt::format("{} means nothing to '{}'; leave it out", name, subcommand.get_name()));
    if (own->count() > 0) refuse(fmt::format("{} stands before and behind '{}'; write it once", name, subcommand.get_name()));
    own->add_result(before->results());
    own->run_callback();
  }
}

}  // namespace

void hand_down_options(CLI::App& command) {
  for (CLI::App* subcommand : command.get_subcommands([](const CLI::App*) { return true; })) {
    // Runs when the subcommand's own arguments are read: those before it have been, too.
    subcommand->parse_complete_callback([subcommand, &command] { take_options(*subcommand, command); });
  }
}

}  // namespace belay::cli
