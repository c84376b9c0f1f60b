// belay events: what was received and what became of it, newest first; --follow goes on with what arrives.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "admin/json_writer.h"
#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/event_row.h"
#include "cli/filters.h"
#include "cli/human.h"
#include "cli/json_view.h"

namespace belay::cli {

namespace {

constexpr uint32_t kPage = 1000;  // as many as the admin API gives at once
constexpr std::chrono::milliseconds kPoll{1000};
// Lines reach the books a moment after their ids were made, and not in their order: every poll looks back this far.
constexpr Duration kOverlap{10'000};
constexpr size_t kMaxPagesPerPoll = 10;

using Parameters = std::vector<std::pair<std::string, std::string>>;

struct Options {
  AdminFlags admin;
  Filters filters;
  uint32_t limit = 50;
  bool json = false;
  bool follow = false;
};

struct Page {
  std::unique_ptr<const json::Document> document;
  std::vector<JsonView> rows;
  std::string next;
};

Result<Page> fetch(AdminClient& client, Parameters parameters, uint32_t limit, const std::string& before) {
  parameters.emplace_back("limit", fmt::format("{}", limit));
  parameters.emplace_back("before", before);
  auto document = client.get_json(fmt::format("/v1/events{}", query_string(parameters)));
  if (!document) return document.error();
  const JsonView answer(**document);
  return Page{std::move(*document), answer["events"].items(), answer["next"].text()};
}

void print_json(const std::vector<JsonView>& rows) {
  for (const JsonView& row : rows) fmt::print("{}\n", row.raw());
}

int list(AdminClient& client, const Options& options, const Parameters& parameters) {
  EventTable table(EventTable::Time::age);
  std::string before;
  uint32_t left = options.limit;
  bool any = false;
  while (left > 0) {
    const Result<Page> page = fetch(client, parameters, std::min(left, kPage), before);
    if (!page) return report("events", page.error());
    left -= std::min<uint32_t>(left, static_cast<uint32_t>(page->rows.size()));
    if (options.json) print_json(page->rows);
    const WallTime now = SystemClock().wall();
    if (!options.json) {
      for (const JsonView& row : page->rows) table.add(row, now);
      fmt::print("{}", table.print(!any));
    }
    any = any || !page->rows.empty();
    before = page->next;
    if (before.empty()) break;
  }
  if (!any && !options.json) fmt::print(stderr, "No webhook matches.\n");
  return 0;
}

// Rows of the period that were not shown before, oldest first.
class Follower {
 public:
  Follower(AdminClient& client, const Options& options, Parameters parameters)
      : client_(client), options_(options), parameters_(std::move(parameters)), table_(EventTable::Time::clock) {}

  Result<void> start() {
    from_ = SystemClock().wall();
    const Result<Page> page = fetch(client_, parameters_, options_.limit, {});
    if (!page) return page.error();
    show(page->rows, true);
    return {};
  }

  Result<void> poll() {
    const WallTime now = SystemClock().wall();
    Parameters parameters = parameters_;
    std::erase_if(parameters, [](const auto& parameter) { return parameter.first == "since"; });
    parameters.emplace_back("since", admin::format_time(from_ - kOverlap));
    std::vector<Page> pages;
    std::string before;
    do {
      Result<Page> page = fetch(client_, parameters, kPage, before);
      if (!page) return page.error();
      before = page->next;
      pages.push_back(std::move(*page));
    } while (!before.empty() && pages.size() < kMaxPagesPerPoll);
    if (!before.empty()) {
      fmt::print(stderr, "belay events: more arrives than is shown here; narrow the filters\n");
    }
    for (auto page = pages.rbegin(); page != pages.rend(); ++page) show(page->rows, false);
    std::erase_if(shown_, [&](const auto& entry) { return entry.second < from_ - 2 * kOverlap; });
    from_ = now;
    return {};
  }

 private:
  void show(std::vector<JsonView> rows, bool heading) {
    std::reverse(rows.begin(), rows.end());
    std::vector<JsonView> fresh;
    for (const JsonView& row : rows) {
      const WallTime received = read_time(row["received"].text()).value_or(from_);
      if (shown_.emplace(row["id"].text(), std::max(received, from_ - kOverlap)).second) fresh.push_back(row);
    }
    if (options_.json) {
      print_json(fresh);
    } else {
      for (const JsonView& row : fresh) table_.add(row, SystemClock().wall());
      if (heading || !fresh.empty()) fmt::print("{}", table_.print(heading));
    }
    std::fflush(stdout);
  }

  AdminClient& client_;
  const Options& options_;
  const Parameters parameters_;
  EventTable table_;
  WallTime from_{};
  std::map<std::string, WallTime> shown_;
};

int follow(AdminClient& client, const Options& options, const Parameters& parameters) {
  Follower follower(client, options, parameters);
  if (const Result<void> started = follower.start(); !started) return report("events", started.error());
  for (;;) {
    std::this_thread::sleep_for(kPoll);  // until the person ends it
    if (const Result<void> polled = follower.poll(); !polled) return report("events", polled.error());
  }
}

int events(const Options& options) {
  if (options.follow && !options.filters.until.empty()) {
    return report("events", invalid("--follow and --until exclude each other; leave one out"));
  }
  const auto parameters = read_filters(options.filters, SystemClock().wall());
  if (!parameters) return report("events", parameters.error());
  const auto client = AdminClient::create(options.admin);
  if (!client) return report("events", client.error());
  return options.follow ? follow(**client, options, *parameters) : list(**client, options, *parameters);
}

}  // namespace

void add_events(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("events", "List received webhooks, newest first, and what became of them");
  add_filter_flags(*command, options->filters);
  command->add_option("--limit", options->limit, "At most so many (50)")->type_name("N")->check(CLI::Range(1, 1'000'000));
  command->add_flag("--follow", options->follow, "Go on with what arrives; with --limit, after so many earlier ones");
  command->add_flag("--json", options->json, "One JSON object per line");
  add_admin_flags(*command, options->admin);
  command->callback([options, &exit_code] { exit_code = events(*options); });
}

}  // namespace belay::cli
