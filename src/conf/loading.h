// The steps of load(), each in its own file; private to src/conf. All of them report into the same Problems and go on.
#pragma once

#include <string>
#include <string_view>

#include "conf/configuration.h"
#include "conf/node.h"

namespace belay::conf {

// Fills proxy, spool, admin and log from the main file; gives the patterns of `rules` (fallback: rules.d/*.yaml).
struct RulesPatterns {
  Node node;  // missing when the fallback is used
  std::vector<std::string> patterns;
};
RulesPatterns read_main(const Node& root, Configuration& configuration, const SecretSource& secrets,
                        Problems& problems);

// Reads every file the patterns name, in name order, into sources, destinations and documents; checks names and routes.
void read_rules(const RulesPatterns& rules, Configuration& configuration, Problems& problems);

// Adds the sources and destinations of one file, which its own root mapping holds.
void add_rules(const Node& root, Configuration& configuration, Problems& problems);

// Of sources, destinations and tokens: letters, digits, '_', '-' and '.'.
inline constexpr size_t kMaxName = 64;  // names are metric labels and parts of log lines
bool good_name(std::string_view name);

// The main file's alerts.
void read_alerts(const Node& node, Configuration& configuration, Problems& problems);

// Absolute form of a path of the main file: run/ and var/ stand in the state folder, anything else beside the main
// file.
std::string place(const Configuration& configuration, const std::string& path);

}  // namespace belay::conf
