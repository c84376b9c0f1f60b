// belay proxy: the half that receives webhooks, as a process of its own.
#include <memory>

#include "cli/commands.h"
#include "cli/hold_reloads.h"
#include "modules/modules.h"
#include "proxy/master.h"

namespace belay::cli {

void add_proxy(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<conf::LoadOptions>();
  CLI::App* command = app.add_subcommand("proxy", "Run the half that receives webhooks");
  command->add_option("-c,--config", options->main_file, "Main file")->required()->type_name("FILE");
  command->add_option("--state", options->state_folder, "Folder that holds run/ and var/")->type_name("DIR");
  options->despite_problems = true;  // what modules say comes in the same run
  command->callback([options, &exit_code] {
    hold_reloads();
    exit_code = proxy::run_master(*options, modules::all());
  });
}

}  // namespace belay::cli
