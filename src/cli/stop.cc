// belay pause | resume | disable | enable: destinations that stand still, and go on.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/json_view.h"

namespace belay::cli {

namespace {

struct Options {
  AdminFlags admin;
  std::vector<std::string> destinations;
  std::string reason;
  bool json = false;
};

struct Verb {
  const char* name;
  const char* state;    // the member of the answer that it changes
  const char* done;
  const char* already;
  const char* help;
};
constexpr Verb kPause{"pause", "paused", "is paused; what comes for it waits", "was paused already", "Hold a destination's deliveries back until 'belay resume'"};
constexpr Verb kResume{"resume", "paused", "goes on", "was not paused", "Let a paused destination go on"};
constexpr Verb kDisable{"disable", "disabled", "is disabled; what comes for it waits", "was disabled already", "Stop a destination until 'belay enable'"};
constexpr Verb kEnable{"enable", "disabled", "is enabled", "was not disabled", "Let a disabled destination go on"};

// "by admin, 2026-01-31T09:00:00Z: maintenance"
std::string told_by(const JsonView& mark) {
  const std::string why = visible(mark["reason"].text(), 200);
  return fmt::format("by {}, {}{}", visible(mark["by"].text(), 60), visible(mark["since"].text(), 40), why.empty() ? "" : ": " + why);
}

void print_answer(const Verb& verb, const std::string& destination, const JsonView& answer) {
  const bool changed = answer["changed"].boolean();
  std::string line = fmt::format("{} {}", destination, changed ? verb.done : verb.already);
  const JsonView mark = answer[verb.state];
  if (!changed && mark["by"].present()) line += " " + told_by(mark);
  // Two people may stop it for two reasons, and one of them goes on standing.
  const char* other = verb.state == std::string_view("paused") ? "disabled" : "paused";
  if (answer[other]["by"].present()) line += fmt::format("; it is {} {}", other, told_by(answer[other]));
  fmt::print("{}\n", line);
}

int run_verb(const Verb& verb, const Options& options) {
  const auto client = AdminClient::create(options.admin);
  if (!client) return report(verb.name, client.error());
  int exit_code = 0;
  for (const std::string& destination : options.destinations) {
    const std::string path = fmt::format("/v1/destinations/{}/{}{}", http::percent_encode(destination), verb.name, query_string({{"reason", options.reason}}));
    const auto document = (*client)->post_json(path, {});
    if (!document) {
      exit_code = std::max(exit_code, report(verb.name, document.error()));
      continue;
    }
    const JsonView answer(**document);
    if (options.json) fmt::print("{}\n", answer.raw());
    else print_answer(verb, visible(destination, 80), answer);
  }
  return exit_code;
}

void add(CLI::App& app, int& exit_code, const Verb& verb) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(verb.name, verb.help);
  command->add_option("destination", options->destinations, "Names, as the rules files say them")->type_name("DEST")->required();
  if (&verb == &kPause || &verb == &kDisable) command->add_option("--reason", options->reason, "Why: shown to everybody who asks")->type_name("TEXT");
  command->add_flag("--json", options->json, "One JSON object per line");
  add_admin_flags(*command, options->admin);
  command->callback([options, &exit_code, &verb] { exit_code = run_verb(verb, *options); });
}

}  // namespace

void add_pause(CLI::App& app, int& exit_code) { add(app, exit_code, kPause); }
void add_resume(CLI::App& app, int& exit_code) { add(app, exit_code, kResume); }
void add_disable(CLI::App& app, int& exit_code) { add(app, exit_code, kDisable); }
void add_enable(CLI::App& app, int& exit_code) { add(app, exit_code, kEnable); }

}  // namespace belay::cli
