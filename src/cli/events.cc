// belay events: what was received and what became of it, newest first; --follow goes on with what arrives and with what becomes of it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
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
constexpr std::chrono::milliseconds kAgain{1000};
// Lines reach the books a moment after their ids were made: the stream begins this long before the list was asked for.
constexpr Duration kOverlap{10'000};
constexpr size_t kRemembered = 10'000;  // rows that are not shown twice; also the most that --follow begins with

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

// Newest first, page by page, until there are `limit` rows or no more.
Result<void> each_page(AdminClient& client, const Parameters& parameters, uint32_t limit, const std::function<void(Page)>& take) {
  std::string before;
  for (uint32_t left = limit; left > 0;) {
    Result<Page> page = fetch(client, parameters, std::min(left, kPage), before);
    if (!page) return page.error();
    left -= std::min<uint32_t>(left, static_cast<uint32_t>(page->rows.size()));
    before = page->next;
    take(std::move(*page));
    if (before.empty()) break;
  }
  return {};
}

void print_json(const std::vector<JsonView>& rows) {
  for (const JsonView& row : rows) fmt::print("{}\n", row.raw());
}

int list(AdminClient& client, const Options& options, const Parameters& parameters) {
  EventTable table(EventTable::Time::age);
  bool any = false;
  const auto listed = each_page(client, parameters, options.limit, [&](const Page& page) {
    if (options.json) print_json(page.rows);
    const WallTime now = SystemClock().wall();
    if (!options.json) {
      for (const JsonView& row : page.rows) table.add(row, now);
      fmt::print("{}", table.print(!any));
    }
    any = any || !page.rows.empty();
  });
  if (!listed) return report("events", listed.error());
  if (!any && !options.json) fmt::print(stderr, "No webhook matches.\n");
  return 0;
}

// The rows of the list, then those of the stream: new ones, and those that have changed since they were shown.
class Follower {
 public:
  Follower(AdminClient& client, const Options& options, Parameters parameters)
      : client_(client), options_(options), parameters_(std::move(parameters)), table_(EventTable::Time::clock) {}

  // Until it is worth no other try.
  Error run() {
    const WallTime from = SystemClock().wall();
    std::vector<Page> pages;  // oldest last
    const auto listed = each_page(client_, parameters_, options_.limit, [&](Page page) { pages.push_back(std::move(page)); });
    if (!listed) return listed.error();
    for (auto page = pages.rbegin(); page != pages.rend(); ++page) {
      for (auto row = page->rows.rbegin(); row != page->rows.rend(); ++row) add(*row);
    }
    pages.clear();
    print(true);
    std::erase_if(parameters_, [](const auto& parameter) { return parameter.first == "since"; });
    parameters_.emplace_back("since", admin::format_time(from - kOverlap));
    const std::string path = "/v1/events/stream" + query_string(parameters_);
    for (;;) {
      const Error why = client_.tail(path, tail_, [this](const TailEvent& event) { take(event); });
      if (why.kind != ErrorKind::unavailable) return why;
      if (!std::exchange(told_, true)) fmt::print(stderr, "belay events: {}; trying again until it is back\n", ended_.empty() ? why.message : ended_);
      ended_.clear();
      std::this_thread::sleep_for(kAgain);
    }
  }

 private:
  void take(const TailEvent& event) {
    told_ = false;
    const auto document = json::Document::parse(event.data);
    if (!document) return;
    const JsonView data(**document);
    if (event.name == "webhook" && add(data)) print(false);
    if (event.name == "gap") fmt::print(stderr, "belay events: {}; 'belay events' lists it\n", visible(data["reason"].text()));
    if (event.name == "end") ended_ = "the stream has ended: " + visible(data["reason"].text());
  }

  // False: it was shown as it is.
  bool add(const JsonView& row) {
    const auto [at, fresh] = shown_.try_emplace(row["id"].text());
    if (!fresh && at->second == row.raw()) return false;
    at->second = row.raw();
    if (shown_.size() > kRemembered) shown_.erase(shown_.begin());  // ids ascend with time
    if (options_.json) fmt::print("{}\n", row.raw());
    else table_.add(row, SystemClock().wall());
    return true;
  }

  void print(bool heading) {
    if (!options_.json) fmt::print("{}", table_.print(heading));
    std::fflush(stdout);
  }

  AdminClient& client_;
  const Options& options_;
  Parameters parameters_;
  EventTable table_;
  EventTail tail_;
  std::map<std::string, std::string> shown_;
  std::string ended_;  // what the API said of it
  bool told_ = false;  // that it is away
};

int events(const Options& options) {
  if (options.follow && !options.filters.until.empty()) {
    return report("events", invalid("--follow and --until exclude each other; leave one out"));
  }
  if (options.follow && options.limit > kRemembered) {
    return report("events", invalid(fmt::format("--follow begins with {} webhooks at most; write a smaller --limit, or leave out --follow", kRemembered)));
  }
  const auto parameters = read_filters(options.filters, SystemClock().wall());
  if (!parameters) return report("events", parameters.error());
  const auto client = AdminClient::create(options.admin);
  if (!client) return report("events", client.error());
  if (options.follow) return report("events", Follower(**client, options, *parameters).run());
  return list(**client, options, *parameters);
}

}  // namespace

void add_events(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("events", "List received webhooks, newest first, and what became of them");
  add_filter_flags(*command, options->filters);
  command->add_option("--limit", options->limit, "At most so many (50)")->type_name("N")->check(CLI::Range(1, 1'000'000));
  command->add_flag("--follow", options->follow, "Go on with what arrives and what becomes of it; with --limit, after so many earlier ones");
  command->add_flag("--json", options->json, "One JSON object per line");
  add_admin_flags(*command, options->admin);
  command->callback([options, &exit_code] { exit_code = events(*options); });
}

}  // namespace belay::cli
