// belay rehearse: new rules over recorded webhooks. The running gateway's admin API lends the requests it has stored; the rules of
// the file given decide over each again, with the clock at its time of receipt. Nothing is sent or changed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/filters.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/rehearsal.h"

namespace belay::cli {

namespace {

constexpr uint32_t kPage = 1000;       // as many as the admin API gives at once
constexpr uint32_t kLast = 1000;       // without --last and --since
constexpr uint32_t kMost = 1'000'000;  // of one rehearsal

struct Options {
  AdminFlags admin;
  Filters filters;  // source and since
  uint32_t last = 0;
  bool json = false;
};

// Ids of those whose request may be stored, oldest first; the others are counted.
Result<std::vector<std::string>> list(AdminClient& client, const Options& options, RehearsalSummary& summary) {
  auto parameters = read_filters(options.filters, SystemClock().wall());
  if (!parameters) return parameters.error();
  uint32_t left = options.last > 0 ? options.last : options.filters.since.empty() ? kLast : kMost;
  std::vector<std::string> ids;
  std::string before;
  while (left > 0) {
    auto query = *parameters;
    query.emplace_back("limit", fmt::format("{}", std::min(left, kPage)));
    query.emplace_back("before", before);
    const auto document = client.get_json("/v1/events" + query_string(query));
    if (!document) return document.error();
    const JsonView page(**document);
    const auto rows = page["events"].items();
    for (const JsonView& row : rows) {
      const std::string outcome = row["outcome"].text();
      // Refused ones may be in quarantine.
      if (outcome == "spooled" || outcome == "rejected") {
        ids.push_back(row["id"].text());
      } else {
        ++summary.not_kept[outcome];
      }
    }
    left -= std::min<uint32_t>(left, static_cast<uint32_t>(rows.size()));
    before = page["next"].text();
    if (before.empty() || rows.empty()) break;
  }
  std::reverse(ids.begin(), ids.end());
  return ids;
}

Result<void> rehearse_one(AdminClient& client, const std::string& id, Rehearsal& rehearsal, RehearsalSummary& summary) {
  const auto document = client.get_json("/v1/messages/" + id);
  if (!document) {
    // Damaged, or its retention has just ended; or it is too large to be told. What is wrong with all of them ends it.
    if (document.error().kind != ErrorKind::corrupt && document.error().kind != ErrorKind::full) return document.error();
    ++summary.unreadable;
    return {};
  }
  const JsonView message(**document);
  if (!message["stored"].boolean()) {
    ++summary.not_kept[message["outcome"].text()];
    return {};
  }
  auto differences = rehearsal.compare(message);
  if (differences) {
    summary.add(message, std::move(*differences));
  } else {
    ++summary.unreadable;
  }
  return {};
}

int rehearse(const Options& options) {
  auto ruleset = load_ruleset({.main_file = options.admin.config, .state_folder = options.admin.state});
  if (!ruleset) return 1;
  const auto client = AdminClient::create(options.admin);
  if (!client) return report("rehearse", client.error());
  const auto run = DryRun::create(std::move(ruleset));
  if (!run) return report("rehearse", run.error());
  RehearsalSummary summary;
  const auto ids = list(**client, options, summary);
  if (!ids) return report("rehearse", ids.error());
  Rehearsal rehearsal(**run);
  {
    Progress progress("webhooks");
    for (size_t i = 0; i < ids->size(); ++i) {
      progress.at(i, ids->size());
      if (const auto done = rehearse_one(**client, (*ids)[i], rehearsal, summary); !done) return report("rehearse", done.error());
    }
  }
  if (options.json) {
    fmt::print("{}\n", summary.json());
  } else {
    fmt::print("{}", summary.text(stdout_has_colours()));
  }
  return summary.changed == 0 ? 0 : 1;
}

}  // namespace

void add_rehearse(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("rehearse", "What new rules would change for webhooks that were received");
  add_admin_flags(*command, options->admin);
  command->get_option("--config")->required()->description("Main file with the new rules; its admin section says where the running spool is");
  command->add_option("--last", options->last, "The newest N webhooks (1000)")->type_name("N")->check(CLI::Range(1U, kMost));
  command->add_option("--since", options->filters.since, "Not older than: 24h, 2026-01-31 or 2026-01-31T09:30:00Z")->type_name("TIME");
  command->add_option("--source", options->filters.source, "Received by this source")->type_name("NAME");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &exit_code] { exit_code = rehearse(*options); });
}

}  // namespace belay::cli
