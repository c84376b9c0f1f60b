// belay stats: requests by source and outcome, the backlog by destination and age, the store; --watch repeats it with rates.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "cli/admin_client.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/json_view.h"
#include "cli/table.h"

namespace belay::cli {

namespace {

constexpr std::chrono::milliseconds kWatchEvery{2000};
constexpr const char* kOutcomes[] = {"forwarded", "spooled", "filtered", "duplicate", "rejected", "failed"};

struct Options {
  AdminFlags admin;
  bool watch = false;
  bool json = false;
};

// Totals of the time before, to show rates: "source acme" and "delivered crm" to their counts.
struct Before {
  std::chrono::steady_clock::time_point at;
  std::map<std::string, uint64_t> counts;
};

// "12.5/s" since the time before; empty when there was none, or the counter began anew.
std::string rate(const Before* before, const std::string& key, uint64_t count, std::chrono::steady_clock::time_point now) {
  if (before == nullptr) return {};
  const auto found = before->counts.find(key);
  const double seconds = std::chrono::duration<double>(now - before->at).count();
  if (found == before->counts.end() || count < found->second || seconds <= 0) return {};
  const double per_second = static_cast<double>(count - found->second) / seconds;
  return per_second < 100 ? fmt::format("{:.1f}/s", per_second) : format_count(static_cast<uint64_t>(per_second)) + "/s";
}

Cell alarming(uint64_t count, Colour colour) {
  return {format_count(count), count > 0 ? colour : Colour::none};
}

std::string show_head(const JsonView& stats, bool colours) {
  const bool accepting = stats["accepting"].boolean();
  const std::string state = accepting ? coloured("accepting", Colour::green, colours)
                                      : fmt::format("{}: {}", coloured("REFUSING", Colour::red, colours), visible(stats["reason"].text()));
  return fmt::format("belay {}, up {}, {}\n", visible(stats["version"].text()),
                     format_duration(Duration(static_cast<int64_t>(stats["uptime_s"].real() * 1000))), state);
}

std::string show_requests(const JsonView& stats, const Before* before, Before& counts, bool colours) {
  Table table({{"SOURCE", Align::left, true},
               {"FORWARDED", Align::right, true},
               {"SPOOLED", Align::right, true},
               {"FILTERED", Align::right, true},
               {"DUPLICATE", Align::right, true},
               {"REJECTED", Align::right, true},
               {"FAILED", Align::right, true},
               {"RATE", Align::right}});
  for (const JsonView& source : stats["requests"].items()) {
    const std::string name = source["source"].text();
    uint64_t all = 0;
    std::vector<Cell> row = {visible(name.empty() ? "(none)" : name, 40)};
    for (const char* outcome : kOutcomes) {
      const uint64_t count = source[outcome].number();
      all += count;
      const bool bad = outcome == std::string_view("failed");
      row.push_back(alarming(count, bad ? Colour::red : Colour::none));
    }
    counts.counts["source " + name] = all;
    row.emplace_back(rate(before, "source " + name, all, counts.at));
    table.add(std::move(row));
  }
  return table.empty() ? "No webhook was received yet.\n" : table.print(colours);
}

// "disabled", "breaker open", "forwards: breaker open"; green while all is well.
Cell state_cell(const JsonView& destination) {
  std::string state = visible(destination["state"].text(), 40);
  std::replace(state.begin(), state.end(), '_', ' ');
  const uint64_t down = destination["urls_down"].number();
  if (down > 0 && state != "down") state += fmt::format(", {} of {} urls down", down, destination["urls"].number());
  const bool fine = state == "ok" || state.empty();
  const std::string forwards = destination["forward_breaker"].text();
  if (fine && forwards.empty()) return {state, Colour::green};
  if (fine) state = "forwards: breaker " + std::string(forwards == "open" ? "open" : "half open");
  return {state, Colour::red};
}

std::string show_destinations(const JsonView& stats, const Before* before, Before& counts, bool colours) {
  Table table({{"DESTINATION", Align::left, true},
               {"WAITING", Align::right, true},
               {"SENDING", Align::right, true},
               {"DELIVERED", Align::right, true},
               {"DEAD", Align::right, true},
               {"CANCELLED", Align::right, true},
               {"SUPERSEDED", Align::right},
               {"STATE", Align::left},
               {"OLDEST WAITS", Align::right},
               {"RATE", Align::right}});
  for (const JsonView& destination : stats["destinations"].items()) {
    const std::string name = destination["name"].text();
    const JsonView oldest = destination["oldest_waiting_s"];
    const uint64_t delivered = destination["delivered"].number();
    counts.counts["delivered " + name] = delivered;
    table.add({visible(name, 40), alarming(destination["waiting"].number(), Colour::yellow),
               format_count(destination["sending"].number()), format_count(delivered),
               alarming(destination["dead"].number(), Colour::red), format_count(destination["cancelled"].number()),
               destination["superseded"].number() == 0 ? "" : format_count(destination["superseded"].number()), state_cell(destination),
               oldest.is_null() ? "" : format_duration(Duration(static_cast<int64_t>(oldest.real() * 1000))),
               rate(before, "delivered " + name, delivered, counts.at)});
  }
  return table.empty() ? "Nothing was spooled yet.\n" : table.print(colours);
}

std::string show_store(const JsonView& store) {
  const uint64_t quarantined = store["quarantined"].number();
  return fmt::format("store: {} of {}, {} webhooks, {} events, {} commits, the last took {}{}\n",
                     format_bytes(store["used_bytes"].number()), format_bytes(store["map_bytes"].number()),
                     format_count(store["messages"].number()), format_count(store["events"].number()),
                     format_count(store["commits"].number()), format_microseconds(store["last_commit_us"].number()),
                     quarantined > 0 ? fmt::format("; {} damaged records set aside", format_count(quarantined)) : "");
}

// The whole picture; `counts` is filled for the next time.
std::string show_stats(const JsonView& stats, const Before* before, Before& counts) {
  const bool colours = stdout_has_colours();
  return fmt::format("{}\n{}\n{}\n{}", show_head(stats, colours), show_requests(stats, before, counts, colours),
                     show_destinations(stats, before, counts, colours), show_store(stats["store"]));
}

int stats(const Options& options) {
  const auto client = AdminClient::create(options.admin);
  if (!client) return report("stats", client.error());
  const bool clear = options.watch && !options.json && isatty(STDOUT_FILENO) == 1;
  std::unique_ptr<Before> before;
  for (;;) {
    const auto document = (*client)->get_json("/v1/stats");
    if (!document) return report("stats", document.error());
    const JsonView answer(**document);
    if (options.json) {
      fmt::print("{}\n", answer.raw());
    } else {
      auto counts = std::make_unique<Before>(Before{std::chrono::steady_clock::now(), {}});
      const std::string picture = show_stats(answer, before.get(), *counts);
      // Home and clear to the end: the old picture is overwritten, not scrolled away.
      fmt::print("{}{}", clear ? "\x1b[H\x1b[2J" : before ? "\n" : "", picture);
      before = std::move(counts);
    }
    std::fflush(stdout);
    if (!options.watch) return 0;
    std::this_thread::sleep_for(kWatchEvery);  // until the person ends it
  }
}

}  // namespace

void add_stats(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("stats", "Show requests by source, backlog by destination, the store");
  command->add_flag("--watch", options->watch, "Repeat every 2 seconds, with rates");
  command->add_flag("--json", options->json, "One JSON object per line");
  add_admin_flags(*command, options->admin);
  command->callback([options, &exit_code] { exit_code = stats(*options); });
}

}  // namespace belay::cli
