// belay quarantine: requests that a source's rules refused and it keeps, deliveries for which a transform could make nothing, and
// stored records that are damaged. They are listed, shown, released through the present rules, or dropped.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/bytes.h"
#include "cli/bulk.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/json_view.h"
#include "cli/show.h"
#include "cli/table.h"

namespace belay::cli {

namespace {

constexpr BulkVerb kRelease{"quarantine release", "/v1/releases", "Let {} through the present rules, and out when they accept it?", "{} released.",
                            "{} would be released.", "Nothing was released.", "--source NAME", true};
constexpr BulkVerb kDrop{"quarantine drop", "/v1/drops", "Forget {} for good?", "{} dropped.", "{} would be dropped.", "Nothing was dropped.", "--source NAME", true};

constexpr uint64_t kPage = 1000;

struct ListOptions {
  AdminFlags admin;
  Filters filters;
  std::string kind;
  uint64_t limit = 50;
  bool json = false;
};

void add_filters(CLI::App& command, Filters& filters, std::string& kind) {
  command.add_option("--kind", kind, "refused, unmade or damaged")->check(CLI::IsMember({"refused", "unmade", "damaged"}))->type_name("WORD")->group("Filters");
  add_quarantine_filter_flags(command, filters);
}

void add_row(Table& table, const JsonView& row, WallTime now) {
  const auto received = read_time(row["received"].text());
  table.add({{received ? format_age(*received, now) : "", Colour::grey},
             visible(row["id"].text(), 60),
             {row["kind"].text(), row["kind"].text() == "damaged" ? Colour::red : Colour::yellow},
             visible(row["source"].text(), 40),
             visible(row["destination"].text(), 40),
             visible(row["type"].text(), 40),
             format_bytes(row["bytes"].number()),
             visible(row["reason"].text(), 80)});
}

int list(const ListOptions& options) {
  auto parameters = read_filters(options.filters, SystemClock().wall());
  if (!parameters) return report("quarantine list", parameters.error());
  const auto client = AdminClient::create(options.admin);
  if (!client) return report("quarantine list", client.error());
  parameters->emplace_back("kind", options.kind);
  Table table({{"RECEIVED", Align::left, true}, {"ID", Align::left, true}, {"KIND", Align::left, true}, {"SOURCE"}, {"DESTINATION"}, {"TYPE"}, {"BYTES", Align::right}, {"REASON"}});
  uint64_t left = options.limit;
  std::string before;
  bool any = false;
  do {
    auto query = *parameters;
    query.emplace_back("limit", fmt::format("{}", std::min(left, kPage)));
    query.emplace_back("before", before);
    const auto document = (*client)->get_json("/v1/quarantine" + query_string(query));
    if (!document) return report("quarantine list", document.error());
    const JsonView page(**document);
    for (const JsonView& row : page["kept"].items()) {
      any = true;
      --left;
      if (options.json) fmt::print("{}\n", row.raw());
      else add_row(table, row, SystemClock().wall());
    }
    before = page["next"].text();
  } while (left > 0 && !before.empty());
  if (!options.json) fmt::print("{}", any ? table.print(stdout_has_colours()) : std::string("Nothing is in quarantine that matches.\n"));
  if (left == 0 && !before.empty()) fmt::print(stderr, "There is more; --limit N shows it.\n");
  return 0;
}

void add_list(CLI::App& quarantine, int& exit_code) {
  const auto options = std::make_shared<ListOptions>();
  CLI::App* command = quarantine.add_subcommand("list", "What is set aside, newest first, and why");
  add_filters(*command, options->filters, options->kind);
  command->add_option("--limit", options->limit, "At most so many (50)")->type_name("N")->check(CLI::Range(1, 1'000'000));
  command->add_flag("--json", options->json, "One JSON object per line");
  add_admin_flags(*command, options->admin);
  command->callback([options, &exit_code] { exit_code = list(*options); });
}

constexpr size_t kBytesInLine = 16;

// "  0010  6e 6f …  |no…|"
void print_bytes(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size(); at += kBytesInLine) {
    std::string codes, text;
    for (const char c : bytes.substr(at, kBytesInLine)) {
      codes += fmt::format("{:02x} ", static_cast<unsigned char>(c));
      text.push_back(c >= 0x20 && c < 0x7f ? c : '.');
    }
    fmt::print("  {:04x}  {:<{}} |{}|\n", at, codes, kBytesInLine * 3, text);
  }
}

// What can still be said of a record that cannot be read.
int show_damaged(const ShowOptions& options) {
  if (options.raw) return report("quarantine show", invalid("a damaged record holds no request that can be read; leave out --raw"));
  const auto client = AdminClient::create(options.admin);
  if (!client) return report("quarantine show", client.error());
  const auto document = (*client)->get_json("/v1/quarantine" + query_string({{"kind", "damaged"}, {"id", options.id}, {"limit", "1"}}));
  if (!document) return report("quarantine show", document.error());
  const auto rows = JsonView(**document)["kept"].items();
  if (rows.empty() || rows[0]["id"].text() != options.id) {
    return report("quarantine show", invalid(fmt::format("no damaged record {} is in quarantine; 'belay quarantine list --kind damaged' lists them", visible(options.id, 100))));
  }
  const JsonView& row = rows[0];
  if (options.json) {
    fmt::print("{}\n", row.raw());
    return 0;
  }
  const auto received = read_time(row["received"].text());
  const std::string begins = hex_decode(row["begins_hex"].text()).value_or("");
  fmt::print("{}\n  {:<12}{}\n  {:<12}{}\n  {:<12}{}\n", coloured(visible(options.id, 100), Colour::bold, stdout_has_colours()), "record of", visible(row["table"].text()), "size",
             format_bytes(row["bytes"].number()), "reason", visible(row["reason"].text(), 400));
  if (received) fmt::print("  {:<12}{} ({}), by its id\n", "received", format_local_time(*received), format_age(*received, SystemClock().wall()));
  fmt::print("\n{}\n", coloured(begins.size() < row["bytes"].number() ? fmt::format("The first {} bytes", begins.size()) : "Its bytes", Colour::bold, stdout_has_colours()));
  print_bytes(begins);
  return 0;
}

bool names_record(const std::string& id) { return id.size() > 2 && id[1] == '-'; }

void add_show_one(CLI::App& quarantine, int& exit_code) {
  const auto options = std::make_shared<ShowOptions>();
  CLI::App* command = quarantine.add_subcommand("show", "One of them whole, with its request");
  command->add_option("id", options->id, "Id, as 'belay quarantine list' lists it")->required()->type_name("ID");
  CLI::Option* raw = command->add_flag("--raw", options->raw, "Only the stored request, as raw HTTP: for belay explain and belay verify");
  command->add_flag("--json", options->json, "One JSON object")->excludes(raw);
  add_admin_flags(*command, options->admin);
  command->callback([options, &exit_code] { exit_code = names_record(options->id) ? show_damaged(*options) : show_webhook("quarantine show", *options); });
}

void add_verb(CLI::App& quarantine, int& exit_code, const BulkVerb& verb, const char* name, const char* help) {
  const auto options = std::make_shared<BulkOptions>();
  CLI::App* command = quarantine.add_subcommand(name, help);
  command->add_option("id", options->ids, "Ids, as 'belay quarantine list' lists them")->type_name("ID");
  add_filters(*command, options->filters, options->kind);
  add_bulk_flags(*command, *options);
  command->callback([options, &exit_code, &verb] { exit_code = run_bulk(verb, *options); });
}

}  // namespace

void add_quarantine(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("quarantine", "What was refused and kept, could not be made, or is damaged: list, show, release, drop");
  command->require_subcommand(1);
  add_list(*command, exit_code);
  add_show_one(*command, exit_code);
  add_verb(*command, exit_code, kRelease, "release", "Let them through the present rules, and out as the source's routes say; what is still refused stays");
  add_verb(*command, exit_code, kDrop, "drop", "Forget them for good");
}

}  // namespace belay::cli
