#include "cli/commands.h"

#include <array>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "cli/options_before.h"
#include "conf/section.h"

namespace belay::cli {

namespace {

struct Command {
  std::string_view name;
  void (*add)(CLI::App& app, int& exit_code);
};

// THE list, in the order of `belay --help`.
constexpr auto kCommands = std::to_array<Command>({
    {"run", add_run},
    {"proxy", add_proxy},
    {"spool", add_spool},
    {"check", add_check},
    {"explain", add_explain},
    {"rehearse", add_rehearse},
    {"events", add_events},
    {"show", add_show},
    {"replay", add_replay},
    {"cancel", add_cancel},
    {"quarantine", add_quarantine},
    {"stats", add_stats},
    {"audit", add_audit},
    {"pause", add_pause},
    {"resume", add_resume},
    {"disable", add_disable},
    {"enable", add_enable},
    {"eval", add_eval},
    {"verify", add_verify},
    {"sign", add_sign},
    {"send", add_send},
    {"listen", add_listen},
    {"openapi", add_openapi},
    {"reference", add_reference},
    {"completion", add_completion},
});

constexpr int kUsage = 2;

constexpr const char* kAbout = "Belay holds webhooks when the backend falls.";
constexpr const char* kFooter =
    "Start with:  belay check -c FILE   (FILE: your belay.yaml; conf/belay.yaml is a commented one)\n"
    "Exit codes:  0 yes, 1 no, 2 usage. More on a command: belay COMMAND --help";

void configure(CLI::App& app, int& exit_code) {
  app.name("belay");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("belay ") + BELAY_VERSION, "Show the version");
  app.set_help_flag("-h,--help", "Show this help");
  app.require_subcommand(1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->column_width(28);
  for (const Command& command : kCommands) command.add(app, exit_code);
  for (CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
    subcommand->group("Commands");
    hand_down_options(*subcommand);
  }
}

// CLI11 would call a mistyped subcommand an "argument not expected"; people need the word that they meant.
bool unknown_command(int argc, const char* const* argv, std::ostream& err) {
  if (argc < 2 || argv[1][0] == '-') return false;
  const std::string_view word = argv[1];
  std::vector<std::string_view> known;
  for (const Command& command : kCommands) known.push_back(command.name);
  for (const std::string_view name : known) {
    if (name == word) return false;
  }
  err << "belay: unknown command '" << printable(word) << "'";
  const std::string meant = conf::nearest(word, known);
  if (!meant.empty()) err << "; did you mean '" << meant << "'?";
  err << "\nRun 'belay --help' for the commands.\n";
  return true;
}

}  // namespace

int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  if (unknown_command(argc, argv, err)) return kUsage;
  int exit_code = 0;
  CLI::App app(kAbout);
  configure(app, exit_code);
  if (argc < 2) {
    err << app.help();
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& shown) {  // --help, --version
    return app.exit(shown, out, err);
  } catch (const CLI::ParseError& wrong) {
    const auto chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "belay" : "belay " + chosen.front()->get_name();
    err << command << ": " << wrong.what() << "\nRun '" << command << " --help' for what it takes.\n";
    return kUsage;
  }
  return exit_code;
}

}  // namespace belay::cli
