#include "cli/spool_care.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "cli/admin_client.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/spool_folder.h"
#include "spool/offline.h"

namespace belay::cli {

namespace {

struct Options {
  SpoolFolder folder;
  std::string to;
};

int check(const Options& options) {
  const auto folder = read_folder(options.folder);
  if (!folder) return report("spool check", folder.error());
  Result<spool::CheckReport> found = spool::CheckReport{};
  {
    Progress progress("records");
    found = spool::check_folder(folder->path, [&](uint64_t done, uint64_t all) { progress.at(done, all); });
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
  const auto folder = read_folder(options.folder);
  if (!folder) return report("spool compact", folder.error());
  if (const auto copied = spool::compact_folder(folder->path, options.to); !copied) return report("spool compact", copied.error());
  fmt::print("Copied to {}. To use it: stop the spool, put this data.mdb in place of {}/data.mdb, start the spool.\n", visible(options.to), visible(folder->path));
  return 0;
}

}  // namespace

void add_spool_care(CLI::App& spool, int& exit_code) {
  const auto checked = std::make_shared<Options>();
  CLI::App* check_command = spool.add_subcommand("check", "Walk everything that is stored and say what is wrong; also while the spool runs");
  check_command->add_option("path", checked->folder.path, "The spool's folder")->type_name("DIR");
  add_folder_flags(*check_command, checked->folder, false);
  check_command->callback([checked, &exit_code] { exit_code = check(*checked); });
  const auto copied = std::make_shared<Options>();
  CLI::App* compact_command = spool.add_subcommand("compact", "Copy the store without its free pages; also while the spool runs");
  compact_command->add_option("to", copied->to, "An empty or missing folder")->required()->type_name("DIR");
  add_folder_flags(*compact_command, copied->folder);
  compact_command->callback([copied, &exit_code] { exit_code = compact(*copied); });
  add_spool_export(spool, exit_code);
  add_spool_import(spool, exit_code);
}

}  // namespace belay::cli
