// The scripts as their shells run them: what stands on a line, and what is offered for its last word.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "cli/run_belay.h"

using namespace belay;
using namespace belay::test;

namespace {

using Words = std::vector<std::string>;

// Without it its case says so and ends: the others of this program are none the less shown.
bool has_shell(const std::string& name) {
  const bool there = run({"sh", "-c", "command -v " + name}).code == 0;
  if (!there) MESSAGE(name, " is not installed: its script was not run");
  return there;
}

bool offers(const Words& offered, const std::string& word) { return std::find(offered.begin(), offered.end(), word) != offered.end(); }

// A folder with the script, and with files and folders that can be completed.
struct Shell {
  explicit Shell(const std::string& name) {
    setenv("BELAY_PRESETS", (source_folder() + "/conf/presets").c_str(), 1);
    const Ran made = run_belay({"completion", name});
    REQUIRE_EQ(made.code, 0);
    text = made.out;
    script = folder.write("completion", text);
    folder.write("files/belay.yaml", "");
    folder.write("files/with blank.yaml", "");
    std::filesystem::create_directory(folder / "files/state");
  }
  // `program` is the shell's: it gets the script as $1, the words behind it.
  Words run_with(Words command, const Words& words) const {
    command.push_back(script);
    command.insert(command.end(), words.begin(), words.end());
    const Finished done = test::run(command, Milliseconds(60'000), {{"HOME", folder.path()}});
    CAPTURE(done.err);
    CHECK_EQ(done.err, "");
    Words offered;
    for (const std::string_view line : split(done.out, '\n')) {
      if (!line.empty()) offered.emplace_back(line.substr(0, line.find('\t')));
    }
    return offered;
  }

  TempFolder folder;
  std::string text, script;
};

const std::string kBashProgram = R"(. "$1" && shift && COMP_WORDS=("$@") && COMP_CWORD=$(($# - 1)) && _belay && (IFS=$'\n'; echo "${COMPREPLY[*]}"))";

// zsh's own parts stand in: what they are told is printed.
const std::string kZshProgram = R"(compdef() { :; }; compset() { :; }; _files() { print -l -- files $1; }; _describe() { print -l -- ${${(P)2}%%:*}; }
. "$1" && shift && words=("$@") && CURRENT=$# && _belay)";

Words bash(const Shell& shell, const Words& words) { return shell.run_with({"bash", "--norc", "--noprofile", "-c", "cd \"$(dirname \"$1\")/files\"; " + kBashProgram, "bash"}, words); }

}  // namespace

TEST_CASE("bash_completes_commands_options_words_and_files") {
  const Shell shell("bash");
  CHECK_EQ(run({"bash", "-n", shell.script}).code, 0);
  const Words commands = bash(shell, {"belay", ""});
  for (const char* name : {"run", "check", "explain", "events", "audit", "completion"}) CHECK_MESSAGE(offers(commands, name), name);
  CHECK_EQ(bash(shell, {"belay", "re"}), Words{"rehearse", "replay", "resume", "reference"});
  CHECK_EQ(bash(shell, {"belay", "audit", ""}), Words{"log"});
  CHECK_EQ(bash(shell, {"belay", "spool", "-c", "belay.yaml", "ch"}), Words{"check"});
  CHECK_EQ(bash(shell, {"belay", "completion", ""}), Words{"bash", "zsh", "fish"});

  CHECK_EQ(bash(shell, {"belay", "events", "--fo"}), Words{"--follow"});
  CHECK(offers(bash(shell, {"belay", "audit", "log", "-"}), "--limit"));
  CHECK_FALSE(offers(bash(shell, {"belay", "audit", "log", "-"}), "--path"));
  CHECK(offers(bash(shell, {"belay", "audit", "-"}), "--path"));
  CHECK(offers(bash(shell, {"belay", "run", "-"}), "-c"));
  CHECK(offers(bash(shell, {"belay", "-"}), "--version"));

  // Behind an option stands its value, whatever else that is a word of.
  CHECK_EQ(bash(shell, {"belay", "quarantine", "list", "--kind", "re"}), Words{"refused"});
  CHECK_EQ(bash(shell, {"belay", "quarantine", "list", "--kind", "=", "re"}), Words{"refused"});
  CHECK_EQ(bash(shell, {"belay", "quarantine", "list", "--kind", "="}), Words{"refused", "unmade", "damaged"});
  CHECK(offers(bash(shell, {"belay", "audit", "--path", "log", "-"}), "--path"));
  CHECK_EQ(bash(shell, {"belay", "events", "--source", ""}), Words{});

  Words files = bash(shell, {"belay", "run", "--config", ""});
  std::sort(files.begin(), files.end());
  CHECK_EQ(files, Words{"belay.yaml", "state", "with blank.yaml"});
  CHECK_EQ(bash(shell, {"belay", "check", "-c", "bel"}), Words{"belay.yaml"});
  CHECK_EQ(bash(shell, {"belay", "run", "--state", ""}), Words{"state"});
  CHECK_EQ(bash(shell, {"belay", "spool", "check", ""}), Words{"state"});
  CHECK_EQ(bash(shell, {"belay", "explain", "wi"}), Words{"with blank.yaml"});
  CHECK_EQ(bash(shell, {"belay", "send", "gith"}), Words{"github"});
  CHECK_EQ(bash(shell, {"belay", "send", "github", "--secret", "x", "bel"}), Words{"belay.yaml"});
  CHECK_EQ(bash(shell, {"belay", "send", "github", "belay.yaml", "wi"}), Words{"with blank.yaml"});
}

TEST_CASE("every_command_and_option_stands_in_every_script") {
  const Shell bash_shell("bash"), zsh_shell("zsh"), fish_shell("fish");
  size_t seen = 0;
  const std::function<void(const Words&)> walk = [&](const Words& line) {
    Words dashes = line, next = line;
    dashes.emplace_back("-");
    next.emplace_back("");
    std::string path;
    for (const std::string& word : line) path += (path.empty() ? "" : " ") + word;
    for (const std::string& option : bash(bash_shell, dashes)) {
      ++seen;
      CHECK_MESSAGE(zsh_shell.text.find("'" + option + ":") != std::string::npos, path, " ", option);
      CHECK_MESSAGE(fish_shell.text.find(option.starts_with("--") ? " -l " + option.substr(2) : " -s " + option.substr(1)) != std::string::npos, path, " ", option);
    }
    CHECK_MESSAGE(zsh_shell.text.find("('" + path + " -')") != std::string::npos, path);
    CHECK_MESSAGE(fish_shell.text.find("'__belay_in \"" + path + "\" first later'") != std::string::npos, path);
    for (const char* const parent : {"belay", "belay audit", "belay spool", "belay quarantine"}) {
      if (path != parent) continue;
      for (const std::string& name : bash(bash_shell, next)) {
        Words below = line;
        below.push_back(name);
        walk(below);
      }
    }
  };
  walk({"belay"});
  CHECK_GT(seen, 150);
}

TEST_CASE("zsh_completes_as_bash_does") {
  const Shell shell("zsh");
  CHECK(shell.text.starts_with("#compdef belay\n"));
  if (!has_shell("zsh")) return;
  CHECK_EQ(run({"zsh", "-n", shell.script}).code, 0);
  const auto zsh = [&](const Words& words) { return shell.run_with({"zsh", "-f", "-c", kZshProgram, "zsh"}, words); };
  CHECK(offers(zsh({"belay", ""}), "explain"));
  CHECK_EQ(zsh({"belay", "audit", ""}), Words{"log"});
  CHECK(offers(zsh({"belay", "audit", "log", "-"}), "--limit"));
  CHECK(offers(zsh({"belay", "quarantine", "list", "--kind=x"}), "refused"));
  CHECK_EQ(zsh({"belay", "run", "--config", ""}), Words{"files"});
  CHECK_EQ(zsh({"belay", "run", "--state", ""}), Words{"files", "-/"});
  CHECK_EQ(zsh({"belay", "send", "github", ""}), Words{"files"});
  CHECK_EQ(zsh({"belay", "events", "--source", ""}), Words{});
}

TEST_CASE("fish_completes_as_bash_does") {
  const Shell shell("fish");
  CHECK(shell.text.find("complete -c belay -f\n") != std::string::npos);
  if (!has_shell("fish")) return;
  CHECK_EQ(run({"fish", "-n", shell.script}).code, 0);
  const auto fish = [&](const std::string& line) {
    return shell.run_with({"fish", "--no-config", "-c", "source $argv[1]; cd (dirname $argv[1])/files; complete -C $argv[2]"}, {line});
  };
  CHECK(offers(fish("belay "), "explain"));
  CHECK_EQ(fish("belay audit "), Words{"log"});
  CHECK_EQ(fish("belay spool -c belay.yaml ch"), Words{"check"});
  CHECK(offers(fish("belay audit log -"), "--limit"));
  CHECK_FALSE(offers(fish("belay audit log -"), "--path"));
  CHECK_EQ(fish("belay quarantine list --kind re"), Words{"refused"});
  CHECK_EQ(fish("belay check -c bel"), Words{"belay.yaml"});
  CHECK_EQ(fish("belay run --state "), Words{"state/"});
  CHECK_EQ(fish("belay send gith"), Words{"github"});
  CHECK_EQ(fish("belay send github bel"), Words{"belay.yaml"});
}
