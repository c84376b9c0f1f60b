// belay cancel: gives up deliveries that wait or are dead. They stay in the log, and a replay queues them again.
#include <memory>

#include "cli/bulk.h"
#include "cli/commands.h"

namespace belay::cli {

namespace {

constexpr BulkVerb kCancel{"cancel", "/v1/cancels", "Give up {}?", "{} cancelled.", "{} would be cancelled.", "Nothing was cancelled.", "--status scheduled --destination NAME"};

}  // namespace

void add_cancel(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<BulkOptions>();
  CLI::App* command = app.add_subcommand("cancel", "Give up deliveries that wait or are dead; 'belay replay' brings them back");
  command->add_option("id", options->ids, "Message ids, as 'belay events' lists them")->type_name("ID");
  add_filter_flags(*command, options->filters);
  command->add_option("--stop", options->stop, "Stop a cancellation that runs; what it did stays done")->type_name("ID");
  add_bulk_flags(*command, *options);
  command->callback([options, &exit_code] { exit_code = run_bulk(kCancel, *options); });
}

}  // namespace belay::cli
