// belay replay: sends webhooks again, named ones or all that match: the same bytes, or what the present rules make of them.
#include <memory>

#include "cli/bulk.h"
#include "cli/commands.h"

namespace belay::cli {

namespace {

constexpr BulkVerb kReplay{"replay", "/v1/replays", "Queue {} again?", "{} queued again.", "{} would be queued again.", "Nothing was queued again.", "--status dead"};
constexpr BulkVerb kReapply{"replay", "/v1/replays", "Let the present rules decide anew over {}?", "{} went through the present rules and out.",
                            "{} would go through the present rules and out.", "Nothing was sent anew.", "--status dead"};

}  // namespace

void add_replay(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<BulkOptions>();
  CLI::App* command = app.add_subcommand("replay", "Send webhooks again that were delivered, are dead or were cancelled");
  command->add_option("id", options->ids, "Message ids, as 'belay events' lists them")->type_name("ID");
  add_filter_flags(*command, options->filters);
  CLI::Option* as_sent = command->add_flag("--as-sent", options->as_sent, "The same id, the same bytes (this is how it is without a flag)");
  command->add_flag("--reapply", options->reapply, "What the present rules make of the request, under a new id; dead ones are cancelled in its favour")->excludes(as_sent);
  command->add_option("--stop", options->stop, "Stop a replay that runs; what it did stays done")->type_name("ID");
  add_bulk_flags(*command, *options);
  command->callback([options, &exit_code] { exit_code = run_bulk(options->reapply ? kReapply : kReplay, *options); });
}

}  // namespace belay::cli
