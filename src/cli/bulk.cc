#include "cli/bulk.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <thread>

#include "admin/json_writer.h"
#include "cli/human.h"
#include "cli/json_view.h"
#include "cli/progress.h"
#include "spool/operations.h"

namespace belay::cli {

namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr size_t kMaxLeftOutShown = 20;  // of those named by id

volatile sig_atomic_t interrupted = 0;
void on_interrupt(int) { interrupted = 1; }

// Which, as the body of the call.
struct Wanted {
  std::vector<std::string> ids;
  std::vector<std::pair<std::string, std::string>> conditions;
  bool reapply = false;

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
    if (reapply) json.field("as", "reapplied");
    json.field("dry_run", dry_run).end_object();
    return json.take();
  }
};

Result<Wanted> read_wanted(const BulkVerb& verb, const BulkOptions& options) {
  Wanted wanted;
  auto conditions = read_filters(options.filters, SystemClock().wall());
  if (!conditions) return conditions.error();
  if (!options.kind.empty()) conditions->emplace_back("kind", options.kind);
  if (options.all && !options.ids.empty()) return invalid("name ids or use --all with filters, not both");
  if (!options.all && !conditions->empty()) return invalid(fmt::format("filters need --all: belay {} --all {}", verb.command, verb.example));
  if (options.all && conditions->empty()) {
    return invalid(fmt::format("--all needs at least one filter, for example {}; else it would be everything", verb.example));
  }
  if (!options.all && options.ids.empty()) return invalid("name message ids, or use --all with filters");
  if (options.ids.size() > spool::BulkRequest::kMaxIds) {
    return invalid(fmt::format("more than {} ids; use --all with filters, or several calls", spool::BulkRequest::kMaxIds));
  }
  for (const std::string& id : options.ids) {
    const bool record = verb.of_quarantine && id.size() > 2 && id[1] == '-';
    if (record || MessageId::parse(id)) continue;
    return invalid(fmt::format("not a message id: '{}'; 'belay {}' lists them", visible(id, 60), verb.of_quarantine ? "quarantine list" : "events"));
  }
  wanted.ids = options.ids;
  wanted.conditions = std::move(*conditions);
  wanted.reapply = options.reapply;
  return wanted;
}

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", format_count(count), count == 1 ? one : many);
}

std::string amount(const JsonView& result) {
  const std::string webhooks = counted(result["messages"].number(), "webhook", "webhooks");
  if (result["deliveries"].number() == 0) return webhooks;
  return fmt::format("{} of {}", counted(result["deliveries"].number(), "delivery", "deliveries"), webhooks);
}

// Of those named one by one each; of a filter how many for each reason.
void print_left_out(const JsonView& result, const BulkOptions& options) {
  const auto skipped = result["skipped"].items();
  std::map<std::string, uint64_t> reasons;
  for (size_t i = 0; i < skipped.size(); ++i) {
    const std::string why = visible(skipped[i]["reason"].text());
    if (options.all) ++reasons[why];
    else if (i < kMaxLeftOutShown) fmt::print(stderr, "left out: {}: {}\n", visible(skipped[i]["id"].text()), why);
  }
  if (!options.all && skipped.size() > kMaxLeftOutShown) fmt::print(stderr, "left out: {} more\n", skipped.size() - kMaxLeftOutShown);
  for (const auto& [why, count] : reasons) fmt::print(stderr, "left out: {}: {}\n", format_count(count), why);
  const uint64_t all = result["left_out"].number();
  if (options.all && all > skipped.size()) fmt::print(stderr, "left out: {} more\n", format_count(all - skipped.size()));
}

// 2: nothing of what was named could be changed, as it is unknown or in another state.
int print_result(const BulkVerb& verb, const JsonView& result, const BulkOptions& options) {
  const bool none = result["messages"].number() == 0;
  const std::string outcome = result["outcome"].text();
  const auto skipped = result["skipped"].items();
  const bool wrong = none && !options.all && !verb.of_quarantine;  // unknown ids, or in no state for this
  if (wrong && !options.json && skipped.size() == 1) {
    return report(verb.command, invalid(fmt::format("{}: {}", visible(skipped[0]["id"].text()), visible(skipped[0]["reason"].text()))));
  }
  if (options.json) {
    fmt::print("{}\n", result.raw());
  } else {
    if (none) fmt::print("{}\n", verb.nothing);
    else fmt::print("{}\n", fmt::format(fmt::runtime(options.dry_run ? verb.would : verb.done), amount(result)));
    if (outcome != spool::Act::kDone && !options.dry_run) fmt::print(stderr, "{}\n", visible(outcome));
    print_left_out(result, options);
  }
  const bool whole = options.all || result["left_out"].number() == 0;
  if (wrong) return 2;
  return !none && whole && (options.dry_run || outcome == spool::Act::kDone) ? 0 : 1;
}

// Whether the person agrees; asked on the terminal. An error when there is nobody to ask. `all`: how many it will be.
Result<bool> agreed(AdminClient& client, const BulkVerb& verb, const Wanted& wanted, uint64_t& all) {
  if (isatty(STDIN_FILENO) != 1) return invalid(fmt::format("--all asks before it begins, and there is no terminal; add --yes or --dry-run"));
  const auto document = client.post_json(verb.path, wanted.body(true));
  if (!document) return document.error();
  const JsonView count(**document);
  all = count["messages"].number();
  if (all == 0) return Error{ErrorKind::refused, "nothing matches that could be changed"};
  fmt::print(stderr, "{} [y/N] ", fmt::format(fmt::runtime(verb.question), amount(count)));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// Asks again and again until it has ended; Ctrl-C stops it first.
Result<std::unique_ptr<const json::Document>> follow(AdminClient& client, const BulkVerb& verb, std::string id, uint64_t all) {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  const std::string path = fmt::format("{}/{}", verb.path, id);
  Progress progress("webhooks");
  bool stopped = false;
  for (;;) {
    if (interrupted != 0 && !stopped) {
      stopped = true;
      if (auto document = client.delete_json(path); !document) return document.error();
    }
    auto document = client.get_json(path);
    if (!document) return document.error();
    const JsonView state(**document);
    if (!state["running"].boolean()) return document;
    progress.at(state["messages"].number(), all);
    std::this_thread::sleep_for(kPoll);  // until the spool is done
  }
}

// It chooses no webhooks: of a call that does both, one half would go unheard.
Result<void> check_stop(const BulkOptions& options) {
  if (options.ids.empty() && !options.all && !options.dry_run && !options.reapply && !options.as_sent && !any(options.filters)) return {};
  return invalid("--stop ID stands alone: it stops what runs; leave out it, or the ids, filters and flags that choose webhooks");
}

int stop_running(AdminClient& client, const BulkVerb& verb, const BulkOptions& options) {
  if (!MessageId::parse(options.stop)) return report(verb.command, invalid(fmt::format("not an id: '{}'; 'belay audit log' lists what runs", visible(options.stop, 60))));
  const auto before = client.get_json(fmt::format("{}/{}", verb.path, options.stop));
  if (!before) return report(verb.command, before.error());
  if (!JsonView(**before)["running"].boolean()) {
    return report(verb.command, Error{ErrorKind::refused, fmt::format("it does not run any more: {}", visible(JsonView(**before)["outcome"].text()))});
  }
  if (const auto stopped = client.delete_json(fmt::format("{}/{}", verb.path, options.stop)); !stopped) return report(verb.command, stopped.error());
  const auto document = follow(client, verb, options.stop, 0);
  if (!document) return report(verb.command, document.error());
  print_result(verb, JsonView(**document), options);
  return 0;
}

}  // namespace

void add_bulk_flags(CLI::App& command, BulkOptions& options) {
  command.add_flag("--all", options.all, "All that match the filters");
  command.add_flag("--dry-run", options.dry_run, "Only count");
  command.add_flag("--yes", options.yes, "Do not ask");
  command.add_flag("--json", options.json, "One JSON object");
  add_admin_flags(command, options.admin);
}

int run_bulk(const BulkVerb& verb, const BulkOptions& options) {
  Result<Wanted> wanted = Wanted{};
  if (options.stop.empty()) {
    wanted = read_wanted(verb, options);
  } else if (const auto alone = check_stop(options); !alone) {
    wanted = alone.error();
  }
  if (!wanted) return report(verb.command, wanted.error());
  const auto client = AdminClient::create(options.admin);
  if (!client) return report(verb.command, client.error());
  if (!options.stop.empty()) return stop_running(**client, verb, options);
  uint64_t all = wanted->ids.size();
  if (options.all && !options.yes && !options.dry_run) {
    const Result<bool> agreement = agreed(**client, verb, *wanted, all);
    if (!agreement) return report(verb.command, agreement.error());
    if (!*agreement) {
      fmt::print(stderr, "{}\n", verb.nothing);
      return 1;
    }
  }
  auto document = (*client)->post_json(verb.path, wanted->body(options.dry_run));
  if (document && JsonView(**document)["running"].boolean()) {
    document = follow(**client, verb, JsonView(**document)["id"].text(), all);
  }
  if (!document) return report(verb.command, document.error());
  return print_result(verb, JsonView(**document), options);
}

}  // namespace belay::cli
