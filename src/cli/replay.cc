// belay replay: queues finished deliveries again, of named webhooks or of all that match. With --all it counts first and asks.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "admin/json_writer.h"
#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/filters.h"
#include "cli/human.h"
#include "cli/json_view.h"
#include "spool/operations.h"

namespace belay::cli {

namespace {

struct Options {
  AdminFlags admin;
  Filters filters;
  std::vector<std::string> ids;
  bool all = false;
  bool dry_run = false;
  bool yes = false;
  bool json = false;
};

// What to replay, as the body of POST /v1/replay without dry_run.
struct Wanted {
  std::vector<std::string> ids;
  std::vector<std::pair<std::string, std::string>> conditions;

  std::string body(bool dry_run) const {
    admin::JsonWriter json;
    json.begin_object();
    if (!ids.empty()) {
      json.name("ids").begin_array();
      for (const std::string& id : ids) json.text(id);
      json.end_array();
    } else {
      json.name("filter").begin_object();
      for (const auto& [name, value] : conditions) json.field(name, value);
      json.end_object();
    }
    json.field("dry_run", dry_run).end_object();
    return json.take();
  }
};

Result<Wanted> read_wanted(const Options& options) {
  Wanted wanted;
  auto conditions = read_filters(options.filters, SystemClock().wall());
  if (!conditions) return conditions.error();
  if (options.all && !options.ids.empty()) return invalid("name ids or use --all with filters, not both");
  if (!options.all && !conditions->empty()) return invalid("filters need --all: belay replay --all --status dead");
  if (options.all && conditions->empty()) {
    return invalid("--all needs at least one filter, for example --status dead; else everything would be sent again");
  }
  if (!options.all && options.ids.empty()) return invalid("name message ids, or use --all with filters");
  if (options.ids.size() > spool::ReplayRequest::kMaxIds) {
    return invalid(fmt::format("more than {} ids; use --all with filters, or several calls", spool::ReplayRequest::kMaxIds));
  }
  for (const std::string& id : options.ids) {
    if (!MessageId::parse(id)) {
      return invalid(fmt::format("not a message id: '{}'; 'belay events' lists them", visible(id, 60)));
    }
  }
  wanted.ids = options.ids;
  wanted.conditions = std::move(*conditions);
  return wanted;
}

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", format_count(count), count == 1 ? one : many);
}

std::string amount(const JsonView& result) {
  return fmt::format("{} of {}", counted(result["deliveries"].number(), "delivery", "deliveries"),
                     counted(result["messages"].number(), "webhook", "webhooks"));
}

// 0: something was (or would be) queued again and nothing asked for by id was left out.
int print_result(const JsonView& result, const Options& options) {
  const auto skipped = result["skipped"].items();
  if (options.json) {
    fmt::print("{}\n", result.raw());
  } else {
    const bool none = result["deliveries"].number() == 0;
    fmt::print("{} {}queued again.\n", none ? "Nothing" : amount(result),
               options.dry_run ? "would be " : none ? "was " : "");
    for (const JsonView& left_out : skipped) {
      fmt::print(stderr, "not replayed: {}: {}\n", visible(left_out["id"].text()), visible(left_out["reason"].text()));
    }
  }
  return skipped.empty() && result["deliveries"].number() > 0 ? 0 : 1;
}

// Whether the person agrees; asked on the terminal. An error when there is nobody to ask.
Result<bool> agreed(AdminClient& client, const Wanted& wanted) {
  if (isatty(STDIN_FILENO) != 1) return invalid("--all asks before it replays, and there is no terminal; add --yes or --dry-run");
  const auto document = client.post_json("/v1/replay", wanted.body(true));
  if (!document) return document.error();
  const JsonView count(**document);
  if (count["deliveries"].number() == 0) return Error{ErrorKind::refused, "nothing matches that has ended"};
  fmt::print(stderr, "Queue {} again? [y/N] ", amount(count));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int replay(const Options& options) {
  const Result<Wanted> wanted = read_wanted(options);
  if (!wanted) return report("replay", wanted.error());
  const auto client = AdminClient::create(options.admin);
  if (!client) return report("replay", client.error());
  if (options.all && !options.yes && !options.dry_run) {
    const Result<bool> agreement = agreed(**client, *wanted);
    if (!agreement) return report("replay", agreement.error());
    if (!*agreement) {
      fmt::print(stderr, "Nothing was replayed.\n");
      return 1;
    }
  }
  const auto document = (*client)->post_json("/v1/replay", wanted->body(options.dry_run));
  if (!document) return report("replay", document.error());
  return print_result(JsonView(**document), options);
}

}  // namespace

void add_replay(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("replay", "Send webhooks again that were delivered, are dead or were cancelled");
  command->add_option("id", options->ids, "Message ids, as 'belay events' lists them")->type_name("ID");
  command->add_flag("--all", options->all, "All that match the filters");
  add_filter_flags(*command, options->filters);
  command->add_flag("--dry-run", options->dry_run, "Only count");
  command->add_flag("--yes", options->yes, "Do not ask");
  command->add_flag("--json", options->json, "One JSON object");
  add_admin_flags(*command, options->admin);
  command->callback([options, &exit_code] { exit_code = replay(*options); });
}

}  // namespace belay::cli
