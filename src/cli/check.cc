// belay check: reads the whole configuration as a start would and says what is wrong, or what it amounts to.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/masked_url.h"
#include "cli/commands.h"
#include "cli/problems_text.h"
#include "conf/configuration.h"
#include "modules/modules.h"
#include "pipeline/module.h"

namespace belay::cli {

namespace {

struct Options {
  conf::LoadOptions load;
  bool print = false;
};

// Rows of equal length, columns padded to their widest cell, indented by two.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line = " ";
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format(" {:<{}} ", row[i], widths[i]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return out;
}

// The key by which a route's webhooks are stored first, also in mode forward; empty: none.
std::string_view waits_by(const conf::Node& route) {
  for (const std::string_view key : {"order", "debounce", "batch", "delay"}) {
    if (route.at(key).present()) return key;
  }
  return {};
}

// "crm, fulfilment (order)" in the order of the routes, each once.
std::string destinations_of(const conf::Node& source) {
  std::vector<std::string> names;
  const auto note = [&](const conf::Node& to, std::string_view waits) {
    const std::string name = to.text() + (waits.empty() ? "" : fmt::format(" ({})", waits));
    if (to.is_scalar() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const conf::Node& route : source.at("routes").items()) {
    note(route.at("to"), waits_by(route));
    for (const conf::Node& item : route.at("to").items()) note(item, waits_by(route));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

// The path a source answers on; a match that is written as one word is the path itself.
std::string path_of(const conf::Node& source) {
  const conf::Node& match = source.at("match");
  return match.is_scalar() ? match.text() : match.at("path").text();
}

std::string summary(const pipeline::Ruleset& ruleset) {
  const conf::Configuration& configuration = *ruleset.configuration;
  std::vector<std::vector<std::string>> sources = {{"SOURCE", "PATH", "MODE", "TRUST", "DESTINATIONS"}};
  for (const auto& source : ruleset.sources) {
    const conf::Node& node = source->named->node;
    const std::string mode = node.at("mode").text();
    sources.push_back({source->name, path_of(node), mode.empty() ? "forward" : mode,
                       std::string(pipeline::to_string(source->trust)), destinations_of(node)});
  }
  std::string_view note;
  for (const auto& source : ruleset.sources) {
    for (const conf::Node& route : source->named->node.at("routes").items()) {
      if (!waits_by(route).empty()) note = "  (order), (debounce), (batch), (delay): stored first, also in mode forward\n\n";
    }
  }
  std::vector<std::vector<std::string>> destinations = {{"DESTINATION", "URL"}};
  for (const conf::Named& named : configuration.destinations) {
    std::string urls = masked_url(named.node.at("url").text());
    for (const conf::Node& url : named.node.at("urls").items()) urls += (urls.empty() ? "" : ", ") + masked_url(url.text());
    destinations.push_back({named.name, urls});
  }
  return fmt::format("{}: {} sources, {} destinations, {} files\n\n{}\n{}{}", configuration.main_file,
                     ruleset.sources.size(), configuration.destinations.size(), configuration.documents.size(),
                     table(sources), note, table(destinations));
}

int check(const Options& options) {
  conf::Problems problems;
  const auto configuration = conf::load(options.load, problems);
  std::shared_ptr<const pipeline::Ruleset> ruleset;
  if (configuration) ruleset = pipeline::build_ruleset(configuration, modules::all(), problems);
  if (!problems.empty() || !ruleset) {
    std::cerr << problems_text(problems) << "belay check: " << problems.all().size()
              << (problems.all().size() == 1 ? " problem\n" : " problems\n");
    return 1;
  }
  std::cerr << problems.warnings_to_string();  // what stops a start comes first, alone
  std::cout << (options.print ? conf::print(*configuration) : summary(*ruleset));
  return 0;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  options->load.despite_problems = true;
  CLI::App* command = app.add_subcommand("check", "Check the main file and all rules files");
  command->add_option("-c,--config", options->load.main_file, "Main file")->required()->type_name("FILE");
  command->add_option("--state", options->load.state_folder, "Folder that holds run/ and var/")->type_name("DIR");
  command->add_flag("--strict-secrets", options->load.strict_secrets, "Refuse secrets written in the files themselves");
  command->add_flag("--print", options->print, "Show the effective settings, secrets masked");
  command->callback([options, &exit_code] { exit_code = check(*options); });
}

}  // namespace belay::cli
