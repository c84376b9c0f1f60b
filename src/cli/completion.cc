#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/bytes.h"
#include "cli/commands.h"
#include "conf/configuration.h"

namespace belay::cli {

namespace {

using Of = CompletedArgument::Of;

// The names that the commands give to values.
constexpr std::string_view kFiles[] = {"FILE", "REQUEST.http", "REQUEST.http|ID", "EXPORT"};
constexpr std::string_view kFolder = "DIR", kPreset = "PRESET";

std::vector<std::string> preset_names() {
  conf::Problems problems;
  std::vector<std::string> names;
  for (const conf::Named& preset : conf::load_presets({}, problems).presets) names.push_back(preset.name);
  return names;
}

// CLI11 tells a fixed set of words behind the type's name: "WORD:{refused,unmade}".
std::vector<std::string> words_of(const std::string& type) {
  const size_t begin = type.find(":{"), end = type.rfind('}');
  std::vector<std::string> words;
  if (begin == std::string::npos || end == std::string::npos) return words;
  for (const std::string_view word : split(std::string_view(type).substr(begin + 2, end - begin - 2), ',')) words.emplace_back(word);
  return words;
}

CompletedArgument read_argument(const CLI::Option& option) {
  CompletedArgument argument;
  for (const std::string& name : option.get_snames()) argument.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) argument.names.push_back("--" + name);
  argument.help = option.get_description();
  argument.repeats = option.get_items_expected_max() > 1;
  if (option.get_items_expected_max() == 0) return argument;
  const std::string type = option.get_type_name();
  argument.words = type == kPreset ? preset_names() : words_of(type);
  argument.of = !argument.words.empty()                                                       ? Of::words
                : type == kFolder                                                             ? Of::folders
                : std::find(std::begin(kFiles), std::end(kFiles), type) != std::end(kFiles) ? Of::files
                                                                                              : Of::anything;
  return argument;
}

void read_command(const CLI::App& app, const std::string& path, std::vector<CompletedCommand>& into) {
  CompletedCommand command{.path = path};
  for (const CLI::Option* option : app.get_options()) (option->get_positional() ? command.places : command.options).push_back(read_argument(*option));
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* subcommand : subcommands) command.subcommands.emplace_back(subcommand->get_name(), subcommand->get_description());
  into.push_back(std::move(command));
  for (const CLI::App* subcommand : subcommands) read_command(*subcommand, path + " " + subcommand->get_name(), into);
}

}  // namespace

std::vector<CompletedCommand> completed_commands(const CLI::App& root) {
  std::vector<CompletedCommand> commands;
  read_command(root, root.get_name(), commands);
  return commands;
}

void add_completion(CLI::App& app, int& exit_code) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print what makes a shell complete belay's commands and options");
  command->add_option("shell", *shell, "For bash: source <(belay completion bash)")->required()->type_name("SHELL")->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&app, shell, &exit_code] {
    const auto commands = completed_commands(app);
    fmt::print("{}", *shell == "bash" ? bash_completion(commands) : *shell == "zsh" ? zsh_completion(commands) : fish_completion(commands));
    exit_code = 0;
  });
}

}  // namespace belay::cli
