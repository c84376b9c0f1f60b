#include "cli/spool_care.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "cli/admin_client.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "conf/configuration.h"
#include "spool/offline.h"

namespace belay::cli {

namespace {

struct Options {
  conf::LoadOptions load;
  std::string path, to;
};

// Named, or of the main file.
Result<std::string> folder_of(const Options& options) {
  if (!options.path.empty()) return options.path;
  conf::LoadOptions load = options.load;
  if (load.main_file.empty()) return invalid("name the spool's folder, or the main file with -c FILE");
  conf::Problems problems;
  const auto configuration = conf::load_main(load, problems);
  if (!configuration) return invalid(problems.to_string());
  return configuration->spool.path;
}

int check(const Options& options) {
  const auto folder = folder_of(options);
  if (!folder) return report("spool check", folder.error());
  Result<spool::CheckReport> found = spool::CheckReport{};
  {
    Progress progress("records");
    found = spool::check_folder(*folder, [&](uint64_t done, uint64_t all) { progress.at(done, all); });
  }
  if (!found) return report("spool check", found.error());
  for (const std::string& problem : found->problems) fmt::print("{}\n", visible(problem, 400));
  if (found->wrong > found->problems.size()) fmt::print("and {} more\n", format_count(found->wrong - found->problems.size()));
  fmt::print("{}: {} messages, {} deliveries, {} lines, {} claims{}.\n", found->wrong == 0 ? "All is well" : fmt::format("{} things are wrong", format_count(found->wrong)),
             format_count(found->messages), format_count(found->deliveries), format_count(found->lines), format_count(found->claims),
             found->quarantined == 0 ? "" : fmt::format("; {} damaged records were set aside before", format_count(found->quarantined)));
  return found->wrong == 0 ? 0 : 1;
}

int compact(const Options& options) {
  const auto folder = folder_of(options);
  if (!folder) return report("spool compact", folder.error());
  if (const auto copied = spool::compact_folder(*folder, options.to); !copied) return report("spool compact", copied.error());
  fmt::print("Copied to {}. To use it: stop the spool, put this data.mdb in place of {}/data.mdb, start the spool.\n", visible(options.to), visible(*folder));
  return 0;
}

}  // namespace

void add_spool_care(CLI::App& spool, int& exit_code) {
  const auto add_load = [](CLI::App& command, Options& options) {
    command.add_option("-c,--config", options.load.main_file, "Main file; its spool.path is the folder")->type_name("FILE");
    command.add_option("--state", options.load.state_folder, "Folder that holds run/ and var/")->type_name("DIR");
  };
  const auto checked = std::make_shared<Options>();
  CLI::App* check_command = spool.add_subcommand("check", "Walk everything that is stored and say what is wrong; also while the spool runs");
  check_command->add_option("path", checked->path, "The spool's folder")->type_name("DIR");
  add_load(*check_command, *checked);
  check_command->callback([checked, &exit_code] { exit_code = check(*checked); });
  const auto copied = std::make_shared<Options>();
  CLI::App* compact_command = spool.add_subcommand("compact", "Copy the store without its free pages; also while the spool runs");
  compact_command->add_option("to", copied->to, "An empty or missing folder")->required()->type_name("DEST");
  compact_command->add_option("--path", copied->path, "The spool's folder")->type_name("DIR");
  add_load(*compact_command, *copied);
  compact_command->callback([copied, &exit_code] { exit_code = compact(*copied); });
}

}  // namespace belay::cli
