// belay audit: do the books balance? Everything is counted again and compared with the counters. belay audit log: who did what.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "admin/render.h"
#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/json_view.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "spool/offline.h"

namespace belay::cli {

namespace {

struct Options {
  AdminFlags admin;
  std::string path;
  bool json = false;
};

struct LogOptions {
  AdminFlags admin;
  uint64_t limit = 50;
  bool json = false;
};

constexpr uint64_t kPage = 1000;

// "120", "120 (2 damaged)" or, in red, "120 (found 119)".
Cell figure(const JsonView& counter) {
  const uint64_t counted = counter["counted"].number(), found = counter["found"].number(), damaged = counter["damaged"].number();
  if (counted == found) return {format_count(counted)};
  if (counted == found + damaged) return {fmt::format("{} ({} damaged)", format_count(counted), format_count(damaged)), Colour::yellow};
  return {fmt::format("{} (found {})", format_count(counted), format_count(found)), Colour::red};
}

void print_accounts(std::string_view heading, const std::vector<JsonView>& accounts, const std::vector<std::string>& counters) {
  if (accounts.empty()) return;
  std::vector<Column> columns{{std::string(heading), Align::left, true}};
  for (const std::string& counter : counters) {
    std::string upper = counter;
    std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    columns.push_back({upper, Align::right, true});
  }
  Table table(columns);
  for (const JsonView& account : accounts) {
    std::vector<Cell> row{visible(account["name"].text(), 40)};
    for (const std::string& counter : counters) row.push_back(figure(account["counters"][counter]));
    table.add(std::move(row));
  }
  fmt::print("{}\n", table.print(stdout_has_colours()));
}

// Every counter that is not what was found, in words.
void print_differences(std::string_view of, const JsonView& account) {
  for (const auto& [name, counter] : account["counters"].members()) {
    if (counter["counted"].number() == counter["found"].number() + counter["damaged"].number()) continue;
    fmt::print("  {}{}{}: the books say {}, the store holds {}\n", of, account["name"].present() ? visible(account["name"].text(), 60) + ", " : "", name,
               format_count(counter["counted"].number()), format_count(counter["found"].number()));
  }
}

int print_books(const JsonView& books, const Options& options, Duration took) {
  const bool balanced = books["balanced"].boolean();
  if (options.json) {
    fmt::print("{}\n", books.raw());
    return balanced ? 0 : 1;
  }
  print_accounts("DESTINATION", books["destinations"].items(), {"spooled", "waiting", "delivered", "dead", "cancelled", "superseded"});
  print_accounts("SOURCE", books["sources"].items(), {"received", "forwarded", "spooled", "filtered", "duplicate", "rejected", "failed"});
  const std::string looked = fmt::format("{} messages, {} deliveries and {} lines counted in {}", format_count(books["messages"].number()),
                                         format_count(books["deliveries"].number()), format_count(books["lines"].number()), format_duration(took));
  if (balanced) {
    fmt::print("{}: {}.\n", coloured("The books balance", Colour::green, stdout_has_colours()), looked);
  } else {
    fmt::print("{}: {}.\n", coloured("The books do not balance", Colour::red, stdout_has_colours()), looked);
    for (const JsonView& account : books["destinations"].items()) print_differences("destination ", account);
    for (const JsonView& account : books["sources"].items()) print_differences("source ", account);
    print_differences("", books["store"]);
  }
  if (const uint64_t damaged = books["damaged"].number(); damaged > 0) {
    fmt::print("{} damaged records are set aside: belay quarantine list --kind damaged\n", format_count(damaged));
  }
  if (const uint64_t lines = books["damaged_lines"].number(); lines > 0) {
    fmt::print("{} lines were lost with blocks of the books that were damaged.\n", format_count(lines));
  }
  return balanced ? 0 : 1;
}

Result<std::unique_ptr<const json::Document>> recount(const Options& options) {
  if (!options.path.empty()) {
    Progress progress("deliveries");
    const auto report = spool::audit_folder(options.path, [&](uint64_t done, uint64_t all) { progress.at(done, all); });
    if (!report) return report.error();
    return json::Document::parse_owned(admin::render_books(*report));
  }
  const auto client = AdminClient::create(options.admin);
  if (!client) return client.error();
  return (*client)->get_json("/v1/books");
}

int audit(const Options& options) {
  const auto began = SystemClock().monotonic();
  const auto document = recount(options);
  if (!document) return report("audit", document.error());
  return print_books(JsonView(**document), options, std::chrono::duration_cast<Duration>(SystemClock().monotonic() - began));
}

void add_row(Table& table, const JsonView& act) {
  const auto at = read_time(act["at"].text());
  const std::string outcome = act["outcome"].text();
  const uint64_t messages = act["messages"].number(), deliveries = act["deliveries"].number(), left_out = act["left_out"].number();
  std::string changed = deliveries > 0 ? fmt::format("{} of {}", format_count(deliveries), format_count(messages)) : messages > 0 ? format_count(messages) : "";
  if (left_out > 0) changed += fmt::format("{}{} left out", changed.empty() ? "" : ", ", format_count(left_out));
  table.add({{at ? format_local_time(*at) : "", Colour::grey},
             visible(act["id"].text(), 40),
             visible(act["who"].text(), 40),
             visible(act["action"].text(), 20),
             visible(act["what"].text(), 80),
             changed,
             {visible(outcome, 60), outcome == "done" ? Colour::green : Colour::yellow}});
}

int log(const LogOptions& options) {
  const auto client = AdminClient::create(options.admin);
  if (!client) return report("audit log", client.error());
  Table table({{"AT", Align::left, true}, {"ID", Align::left, true}, {"WHO", Align::left, true}, {"ACTION", Align::left, true}, {"WHAT"}, {"DELIVERIES", Align::right}, {"OUTCOME"}});
  uint64_t left = options.limit;
  std::string before;
  do {
    const auto document = (*client)->get_json("/v1/audit" + query_string({{"limit", fmt::format("{}", std::min(left, kPage))}, {"before", before}}));
    if (!document) return report("audit log", document.error());
    const JsonView page(**document);
    for (const JsonView& act : page["acts"].items()) {
      --left;
      if (options.json) fmt::print("{}\n", act.raw());
      else add_row(table, act);
    }
    before = page["next"].text();
  } while (left > 0 && !before.empty());
  if (!options.json) fmt::print("{}", table.empty() ? std::string("Nobody has done anything yet.\n") : table.print(stdout_has_colours()));
  return 0;
}

}  // namespace

void add_audit(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("audit", "Do the books balance? Counts everything again; 'belay audit log' tells who did what");
  command->add_option("--path", options->path, "Folder of a spool that does not run, read only")->type_name("DIR");
  command->add_flag("--json", options->json, "One JSON object");
  add_admin_flags(*command, options->admin);
  const auto log_options = std::make_shared<LogOptions>();
  CLI::App* log_command = command->add_subcommand("log", "Who did what, and when, newest first");
  log_command->add_option("--limit", log_options->limit, "At most so many (50)")->type_name("N")->check(CLI::Range(1, 1'000'000));
  log_command->add_flag("--json", log_options->json, "One JSON object per line");
  add_admin_flags(*log_command, log_options->admin);
  log_command->callback([log_options, &exit_code] { exit_code = log(*log_options); });
  command->callback([command, options, &exit_code] {
    if (command->get_subcommands().empty()) exit_code = audit(*options);
  });
}

}  // namespace belay::cli
