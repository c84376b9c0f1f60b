// belay completion: the scripts by which bash, zsh and fish complete belay's commands, options and values, made from the command tree
// itself. Pure but for the presets' names.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace belay::cli {

// What stands behind an option, or in a place of its own.
struct CompletedArgument {
  enum class Of : uint8_t { nothing, anything, files, folders, words };
  std::vector<std::string> names;  // "-c", "--config"; none for one in a place of its own
  std::string help;
  Of of = Of::nothing;             // nothing: a flag
  std::vector<std::string> words;
  bool repeats = false;
};

struct CompletedCommand {
  std::string path;  // "belay audit log"
  std::vector<CompletedArgument> options, places;
  std::vector<std::pair<std::string, std::string>> subcommands;  // with their help
};

// `root` first, each command before its subcommands.
std::vector<CompletedCommand> completed_commands(const CLI::App& root);

std::string bash_completion(const std::vector<CompletedCommand>& commands);
std::string zsh_completion(const std::vector<CompletedCommand>& commands);
std::string fish_completion(const std::vector<CompletedCommand>& commands);

}  // namespace belay::cli
