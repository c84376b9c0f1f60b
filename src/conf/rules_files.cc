// Rules files: which there are, what they name, and what their routes refer to.
#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <unordered_map>
#include <unordered_set>

#include "base/bytes.h"
#include "conf/documented.h"
#include "conf/loading.h"

namespace belay::conf {

bool good_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), good);
}

namespace {

constexpr Setting kRulesFile[] = {
    {.key = "sources", .type = Type::node, .help = "inbound URLs and what is checked there"},
    {.key = "destinations", .type = Type::node, .help = "backends and how to reach them"},
};
const Documented kRulesFileDocumented("rules.d/*.yaml", kRulesFile);

constexpr size_t kMaxFiles = 100'000;

// What glob() could not read; it hands nothing on to who asked.
thread_local std::string unreadable;
int note_unreadable(const char* path, int error) {
  if (error != ENOENT && unreadable.empty()) unreadable = printable(path, 200) + ": " + std::generic_category().message(error);
  return 0;
}

// The files of one pattern in name order. Names begin with the pattern's folder as the user would write it from where
// he stands, so that an error can be clicked.
std::vector<std::string> expand(const std::string& pattern, const Configuration& configuration, Problems& problems) {
  const size_t slash = configuration.main_file.rfind('/');
  std::string whole;
  if (!pattern.starts_with('/') && slash != std::string::npos) {
    for (const char c : configuration.main_file.substr(0, slash + 1)) {  // no pattern, whatever its name
      if (std::string_view("*?[\\").find(c) != std::string_view::npos) whole += '\\';
      whole += c;
    }
  }
  whole += pattern;
  glob_t found{};
  std::vector<std::string> files;
  unreadable.clear();
  const int code = glob(whole.c_str(), 0, note_unreadable, &found);
  if (!unreadable.empty()) problems.add({configuration.main_file}, "rules " + printable(pattern, 120) + ": " + unreadable, "make the folder readable for Belay's user");
  if (code == 0) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  std::sort(files.begin(), files.end());
  return files;
}

void add_named(const Node& section, std::string_view kind, std::vector<Named>& out, const Configuration& configuration,
               Problems& problems) {
  if (!section.present() || section.kind() == Kind::null) return;
  if (!section.is_map()) {
    problems.add(section.position(), std::string(kind) + "s must be a mapping of names",
                 "write 'NAME:' and below it what it is");
    return;
  }
  for (const Entry& entry : section.entries()) {
    const Node& first = section.at(entry.key);
    if (first.position().line != entry.value.position().line) continue;  // written twice: reported by the parser
    if (!good_name(entry.key)) {
      problems.add(entry.key_position, "'" + printable(entry.key, 60) + "' cannot name a " + std::string(kind),
                   "use letters, digits, '-', '_' and '.', " + std::to_string(kMaxName) + " at most");
    } else if (!entry.value.is_map()) {
      problems.add(entry.key_position, std::string(kind) + " '" + entry.key + "' must be a mapping",
                   "write " + entry.key + (kind == "source" ? ": { match: { path: /webhooks/" + entry.key + " } }" : std::string(": { url: \"http://127.0.0.1:8081\" }")) +
                       ", or its keys below it, indented");
    } else {
      out.push_back({entry.key, entry.key_position, entry.value, configuration.folder});
    }
  }
}

// Every name once over all files; the later one is the problem.
void refuse_repeated(const std::vector<Named>& all, std::string_view kind, Problems& problems) {
  std::unordered_map<std::string_view, const Named*> seen;
  for (const Named& named : all) {
    const auto [first, added] = seen.emplace(named.name, &named);
    if (added) continue;
    problems.add(
        named.position,
        std::string(kind) + " '" + named.name + "' is already defined at " + first->second->position.to_string(),
        "rename one");
  }
}

void check_routes(const Configuration& configuration, Problems& problems) {
  std::vector<std::string_view> known;
  std::unordered_set<std::string_view> names, used;
  for (const Named& destination : configuration.destinations) {
    if (names.insert(destination.name).second) known.push_back(destination.name);
  }
  const auto refer = [&](const Node& to) {
    if (!to.is_scalar()) return;
    if (names.contains(to.text())) {
      used.insert(to.text());
      return;
    }
    const std::string meant = nearest(to.text(), known);
    if (!meant.empty()) used.insert(*std::find(known.begin(), known.end(), meant));  // one slip, one problem
    problems.add(to.position(), "unknown destination '" + printable(to.text(), 60) + "'",
                 meant.empty() ? "define it under destinations" : "did you mean '" + meant + "'?");
  };
  refer(configuration.alerts_to);
  for (const Named& source : configuration.sources) {
    for (const Node& route : source.node.at("routes").items()) {
      refer(route.at("to"));
      for (const Node& item : route.at("to").items()) refer(item);
    }
  }
  for (const Named& destination : configuration.destinations) {
    if (used.contains(destination.name)) continue;
    problems.add(destination.position, "destination '" + destination.name + "' is used by no route",
                 "name it in a route's 'to', or remove it");
  }
}

}  // namespace

void add_rules(const Node& root, Configuration& configuration, Problems& problems) {
  add_named(root.at("sources"), "source", configuration.sources, configuration, problems);
  add_named(root.at("destinations"), "destination", configuration.destinations, configuration, problems);
}

void read_rules(const RulesPatterns& rules, Configuration& configuration, Problems& problems) {
  std::unordered_set<std::string> read;
  bool complete = true;  // only then an absent or unused name means something
  for (const std::string& pattern : rules.patterns) {
    const size_t problems_before = problems.all().size();
    const auto files = expand(pattern, configuration, problems);
    if (problems.all().size() > problems_before) {
      complete = false;
    } else if (files.empty() && rules.node.present()) {
      problems.add(rules.node.position(), "no file matches " + printable(pattern, 120),
                   "relative patterns start at the main file's folder");
      complete = false;
    }
    for (const std::string& file : files) {
      if (!read.insert(file).second) continue;
      if (read.size() > kMaxFiles) {
        problems.add({file}, "more than " + std::to_string(kMaxFiles) + " rules files",
                     "put several sources into one file");
        return;
      }
      const auto document = Document::load(file, problems);
      complete &= document != nullptr;
      if (!document) continue;
      configuration.documents.push_back(document);
      const Section section(document->root(), kRulesFile, problems);
      add_rules(document->root(), configuration, problems);
    }
  }
  refuse_repeated(configuration.sources, "source", problems);
  refuse_repeated(configuration.destinations, "destination", problems);
  if (complete) check_routes(configuration, problems);
  if (complete && configuration.sources.empty() && problems.empty()) {
    problems.add({configuration.main_file}, "no sources: nothing would be received",
                 "write a rules file into rules.d with 'sources:' and 'destinations:'");
  }
}

}  // namespace belay::conf
