// belay spool: the half that keeps what cannot be delivered yet, as a process of its own, with the admin API beside it.
#include <cstdio>
#include <memory>

#include "admin/companion.h"
#include "base/core_dumps.h"
#include "base/log.h"
#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/hold_reloads.h"
#include "cli/present_rules.h"
#include "cli/spool_care.h"
#include "conf/configuration.h"
#include "spool/process.h"

namespace belay::cli {

namespace {

int run_half(const conf::LoadOptions& load) {
  hold_reloads();
  conf::Problems problems;
  auto configuration = conf::load(load, problems);
  if (configuration == nullptr || !problems.empty()) {
    std::fputs(problems.to_string().c_str(), stderr);
    return 1;
  }
  log::init("spool", log::level_of(configuration->log.level));
  set_core_dumps(configuration->log.core_dumps);
  return spool::run_spool(std::move(configuration), load, admin::make_companion, present_rules);
}

}  // namespace

void add_spool(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<conf::LoadOptions>();
  CLI::App* command = app.add_subcommand("spool", "Run the half that stores and delivers later; check, compact, export, import: look after its folder");
  command->add_option("-c,--config", options->main_file, "Main file")->type_name("FILE");
  command->add_option("--state", options->state_folder, "Folder that holds run/ and var/")->type_name("DIR");
  add_spool_care(*command, exit_code);
  command->callback([command, options, &exit_code] {
    if (!command->get_subcommands().empty()) return;
    if (options->main_file.empty()) {
      exit_code = report("spool", invalid("-c FILE is required"));
      return;
    }
    exit_code = run_half(*options);
  });
}

}  // namespace belay::cli
