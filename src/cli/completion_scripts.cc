// The three scripts. Those of bash and zsh walk the words of the line with two lists (options that take a value, paths of commands) and then
// look up what can follow: "belay run --config" behind an option, "belay run -" where an option begins, "belay send " for the first
// word that is none, "belay send +" for those after it. fish brings the looking up with it and asks only which command it is in.
#include <fmt/format.h>

#include <algorithm>

#include "cli/completion.h"

namespace belay::cli {

namespace {

using Of = CompletedArgument::Of;
using Word = std::pair<std::string, std::string>;  // with its help

std::string replaced(std::string text, char what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) text.replace(at, 1, by);
  return text;
}

std::string quote(const std::string& text) { return "'" + replaced(text, '\'', R"('\'')") + "'"; }

std::string quote_for_fish(const std::string& text) { return "'" + replaced(replaced(text, '\\', R"(\\)"), '\'', R"(\')") + "'"; }

// What can follow on what.
struct Follower {
  std::string key;
  Of of;
  std::vector<Word> words;
};

Follower follower(std::string key, const CompletedArgument& argument) {
  Follower made{std::move(key), argument.of, {}};
  for (const std::string& word : argument.words) made.words.emplace_back(word, "");
  return made;
}

std::vector<Follower> followers(const std::vector<CompletedCommand>& commands) {
  std::vector<Follower> all;
  for (const CompletedCommand& command : commands) {
    Follower dashes{command.path + " -", Of::words, {}};
    for (const CompletedArgument& option : command.options) {
      for (const std::string& name : option.names) {
        dashes.words.emplace_back(name, option.help);
        if (option.of != Of::nothing) all.push_back(follower(command.path + " " + name, option));
      }
    }
    all.push_back(std::move(dashes));
    if (!command.subcommands.empty()) all.push_back({command.path + " ", Of::words, command.subcommands});
    if (command.places.empty()) continue;
    all.push_back(follower(command.path + " ", command.places.front()));
    if (command.places.size() > 1 || command.places.back().repeats) all.push_back(follower(command.path + " +", command.places.back()));
  }
  return all;
}

// 'a'|'b', of the followers for which it holds.
template <typename Condition>
std::string patterns(const std::vector<Follower>& all, const Condition& condition) {
  std::string out;
  for (const Follower& one : all) {
    if (condition(one)) out += (out.empty() ? "" : "|") + quote(one.key);
  }
  return out;
}

bool behind_option(const Follower& follower) {
  const size_t dash = follower.key.rfind(" -");
  return dash != std::string::npos && dash + 2 < follower.key.size();
}

std::string options_with_values(const std::vector<Follower>& all) { return patterns(all, behind_option); }

std::string paths(const std::vector<CompletedCommand>& commands) {
  std::string out;
  for (const CompletedCommand& command : commands) {
    for (const auto& [name, help] : command.subcommands) out += (out.empty() ? "" : "|") + quote(command.path + " " + name);
  }
  return out;
}

constexpr std::string_view kBash = R"(# Completes belay in bash. Now: source <(belay completion bash). For good: belay completion bash > /etc/bash_completion.d/belay
_belay() {{
  local command=belay current=${{COMP_WORDS[COMP_CWORD]}} option= later= known= word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    if [[ $word == = ]]; then continue; fi # --limit=5 comes in three words
    if [[ -n $option ]]; then option=; continue; fi
    case "$command $word" in
      {options}) option=$word ;;
      {paths}) command="$command $word" ;;
      "$command -"*) ;;
      *) later=+ ;;
    esac
  done
  if [[ $current == = ]]; then current=; fi
  if [[ -z $option ]]; then
    if [[ $current == -* ]]; then option=-; else option=$later; fi
  fi
  case "$command $option" in
    {files}) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    {folders}) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
{words}  esac
  mapfile -t COMPREPLY < <(compgen -W "$known" -- "$current")
}}
complete -F _belay belay
)";

constexpr std::string_view kZsh = R"(#compdef belay
# Completes belay in zsh. Now: source <(belay completion zsh). For good: belay completion zsh > _belay in a folder of $fpath
_belay() {{
  local command=belay option= later= word i
  local -a known
  for ((i = 2; i < CURRENT; i++)); do
    word=${{words[i]}}
    if [[ -n $option ]]; then option=; continue; fi
    case "$command $word" in
      ({options}) option=$word ;;
      ({paths}) command="$command $word" ;;
      ("$command -"*) ;;
      (*) later=+ ;;
    esac
  done
  if [[ -z $option ]]; then
    case ${{words[CURRENT]}} in
      (--*=*) option=${{words[CURRENT]%%=*}}; compset -P '*=' ;;
      (-*) option=- ;;
      (*) option=$later ;;
    esac
  fi
  case "$command $option" in
    ({files}) _files ;;
    ({folders}) _files -/ ;;
{words}  esac
  if (( $#known )); then _describe belay known; fi
}}
if [[ ${{funcstack[1]-}} == _belay ]]; then _belay "$@"; else compdef _belay belay; fi
)";

constexpr std::string_view kFish = R"(# Completes belay in fish. Now: belay completion fish | source. For good: belay completion fish > ~/.config/fish/completions/belay.fish
function __belay_where
  set -l command belay
  set -l option ''
  set -l later first
  for word in (commandline -opc)[2..-1]
    if test -n "$option"
      set option ''
      continue
    end
    switch "$command $word"
      case {options}
        set option $word
      case {paths}
        set command "$command $word"
      case "$command -*"
      case '*'
        set later later
    end
  end
  printf '%s\n' $command $later
end
# The command, and whether a word stands behind it that is no option: first, later.
function __belay_in
  set -l where (__belay_where)
  test "$where[1]" = "$argv[1]"; and contains -- "$where[2]" $argv[2..-1]
end
complete -c belay -f
)";

bool in_files(const Follower& follower) { return follower.of == Of::files; }
bool in_folders(const Follower& follower) { return follower.of == Of::folders; }

std::string bash_words(const std::vector<Follower>& all) {
  std::string out;
  for (const Follower& one : all) {
    if (one.of != Of::words) continue;
    std::string words;
    for (const auto& [word, help] : one.words) words += (words.empty() ? "" : " ") + word;
    out += fmt::format("    {}) known={} ;;\n", quote(one.key), quote(words));
  }
  return out;
}

std::string zsh_words(const std::vector<Follower>& all) {
  std::string out;
  for (const Follower& one : all) {
    if (one.of != Of::words) continue;
    out += fmt::format("    ({}) known=(", quote(one.key));
    for (const auto& [word, help] : one.words) out += " " + quote(replaced(word, ':', R"(\:)") + (help.empty() ? "" : ":" + help));
    out += " ) ;;\n";
  }
  return out;
}

std::string fish_values(const CompletedArgument& argument) {
  switch (argument.of) {
    case Of::nothing: return "";
    case Of::anything: return " -x";
    case Of::files: return " -r -F";
    case Of::folders: return " -x -a '(__fish_complete_directories)'";
    case Of::words: break;
  }
  std::string words;
  for (const std::string& word : argument.words) words += (words.empty() ? "" : " ") + word;
  return " -x -a " + quote_for_fish(words);
}

std::string fish_places(const CompletedCommand& command) {
  std::string out;
  const auto add = [&](const CompletedArgument& place, const char* where) {
    if (place.of == Of::anything) return;
    const std::string what = place.of == Of::files ? std::string(" -F") : fish_values(place).substr(3);  // -x is an option's
    out += fmt::format("complete -c belay -n '__belay_in \"{}\" {}'{}\n", command.path, where, what);
  };
  if (command.places.empty()) return out;
  add(command.places.front(), "first");
  if (command.places.size() > 1 || command.places.back().repeats) add(command.places.back(), "later");
  return out;
}

}  // namespace

std::string bash_completion(const std::vector<CompletedCommand>& commands) {
  const auto all = followers(commands);
  return fmt::format(kBash, fmt::arg("options", options_with_values(all)), fmt::arg("paths", paths(commands)), fmt::arg("files", patterns(all, in_files)),
                     fmt::arg("folders", patterns(all, in_folders)), fmt::arg("words", bash_words(all)));
}

std::string zsh_completion(const std::vector<CompletedCommand>& commands) {
  const auto all = followers(commands);
  return fmt::format(kZsh, fmt::arg("options", options_with_values(all)), fmt::arg("paths", paths(commands)), fmt::arg("files", patterns(all, in_files)),
                     fmt::arg("folders", patterns(all, in_folders)), fmt::arg("words", zsh_words(all)));
}

std::string fish_completion(const std::vector<CompletedCommand>& commands) {
  const auto all = followers(commands);
  std::string out = fmt::format(kFish, fmt::arg("options", replaced(options_with_values(all), '|', " ")), fmt::arg("paths", replaced(paths(commands), '|', " ")));
  for (const CompletedCommand& command : commands) {
    for (const auto& [name, help] : command.subcommands) {
      out += fmt::format("complete -c belay -n '__belay_in \"{}\" first' -a {} -d {}\n", command.path, name, quote_for_fish(help));
    }
    out += fish_places(command);
    for (const CompletedArgument& option : command.options) {
      out += fmt::format("complete -c belay -n '__belay_in \"{}\" first later'", command.path);
      for (const std::string& name : option.names) out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      out += fish_values(option) + " -d " + quote_for_fish(option.help) + "\n";
    }
  }
  return out;
}

}  // namespace belay::cli
