// belay spool import: what belay spool export wrote, into a spool that does not run. The file is read twice: first all of it is
// checked, then it is imported, so that a file that is broken anywhere changes nothing.
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "admin/json_writer.h"
#include "cli/admin_client.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/spool_care.h"
#include "cli/spool_folder.h"
#include "cli/transfer_file.h"
#include "cli/transfer_reader.h"
#include "spool/import.h"

namespace belay::cli {

namespace {

struct Options {
  SpoolFolder folder;
  std::string file;
  bool edited = false, dry_run = false, json = false;
};

struct Checked {
  spool::TransferCounts counts;
  spool::BatchLeaders leaders;
  std::optional<ReadTrailer> trailer;
  uint32_t checksum = 0;  // of all before the trailer
};

Error at_line(const TransferFile& file, const Error& error) { return {error.kind, fmt::format("line {}: {}", file.number(), error.message)}; }

void count(const spool::TransferMessage& message, Checked& into) {
  ++into.counts.messages;
  into.counts.deliveries += message.deliveries.size();
  for (const spool::TransferDelivery& one : message.deliveries) {
    const spool::Delivery& delivery = one.delivery;
    const bool leads = wire::is_batch(delivery.grouping.kind) && delivery.batch == delivery.message && spool::is_waiting(delivery.state);
    if (leads) into.leaders.emplace(delivery.message, delivery.destination);
  }
}

void count(const TransferPart& part, Checked& into) {
  if (const auto* message = std::get_if<spool::TransferMessage>(&part)) count(*message, into);
  else if (std::holds_alternative<wire::Event>(part)) ++into.counts.lines;
  else if (std::holds_alternative<spool::StoredClaim>(part)) ++into.counts.claims;
  else if (!std::holds_alternative<spool::TransferHeader>(part)) ++into.counts.others;
}

// Where each part may stand.
Result<void> check_place(const TransferFile& file, const TransferPart& part, const Checked& before) {
  const auto* header = std::get_if<spool::TransferHeader>(&part);
  if ((file.number() == 1) != (header != nullptr)) {
    return invalid(header != nullptr ? "a second header; leave it out" : "the first line is no header; name a file that 'belay spool export' wrote");
  }
  if (header != nullptr && !header->bodies) return invalid("it was exported without bodies; export again, with them");
  if (before.trailer) return invalid("behind the trailer; leave it out");
  return {};
}

// The whole file, before anything of it is imported.
Result<Checked> check_file(TransferFile& file, const Options& options) {
  Checked checked;
  Progress progress("bytes checked");
  for (;;) {
    const auto line = file.next();
    if (!line) return line.error();
    if (!*line) break;
    if (!file.ended() && !options.edited) return at_line(file, invalid("it ends in the middle: the file was cut off; export again, or import what is whole of it with --edited"));
    auto part = read_transfer_line(**line);
    if (!part && !file.ended()) break;
    if (!part) return at_line(file, part.error());
    if (auto place = check_place(file, *part, checked); !place) return at_line(file, place.error());
    if (auto* trailer = std::get_if<ReadTrailer>(&*part)) {
      checked.trailer = *trailer;
      checked.checksum = file.checksum();
    } else {
      count(*part, checked);
    }
    progress.at(file.done(), file.size());
  }
  if (file.number() == 0) return invalid("it is empty; name a file that 'belay spool export' wrote");
  if (options.edited) return checked;
  if (!checked.trailer) return invalid(fmt::format("it has no trailer behind line {}: the file was cut off; export again, or import what is there with --edited", file.number()));
  if (checked.trailer->trailer.counts != checked.counts) return invalid("it does not hold what its trailer says; if you have edited it, add --edited");
  if (checked.trailer->checksum != checked.checksum) return invalid("it is not as it was exported (its checksum is another one); if you have edited it, add --edited");
  return checked;
}

// Of those parts that are imported.
Result<void> put(spool::Importer& importer, TransferPart part) {
  return std::visit(
      [&](auto& one) -> Result<void> {
        using Part = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<Part, spool::TransferHeader> || std::is_same_v<Part, ReadTrailer>) return {};
        else return importer.add(std::move(one));
      },
      part);
}

// Else it would leave files that the spool, as its own user, cannot open.
Result<void> check_owner(const std::string& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0 || status.st_uid == geteuid()) return {};
  const passwd* owner = getpwuid(status.st_uid);
  const std::string name = owner == nullptr ? fmt::format("#{}", status.st_uid) : owner->pw_name;
  return invalid(fmt::format("{} belongs to {}; run it as that user: sudo -u {} belay spool import …", visible(folder), name, name));
}

Result<spool::ImportReport> import_file(TransferFile& file, const Options& options, Checked checked) {
  const SystemClock clock;
  const auto folder = read_folder(options.folder);
  if (!folder) return folder.error();
  if (auto own = check_owner(folder->path); !own) return own.error();
  if (auto again = file.rewind(); !again) return again.error();
  auto importer = spool::Importer::open({.folder = folder->path, .map_bytes = folder->size}, clock, std::move(checked.leaders));
  if (!importer) return importer.error();
  Progress progress("bytes imported");
  for (;;) {
    const auto line = file.next();
    if (!line) return line.error();
    if (!*line) break;
    auto part = read_transfer_line(**line);
    if (!part && !file.ended()) break;
    if (!part) return at_line(file, Error{ErrorKind::io, "the file has changed since it was checked: " + part.error().message});
    if (auto added = put(**importer, std::move(*part)); !added) return added.error();
    progress.at(file.done(), file.size());
  }
  return (*importer)->finish();
}

void print_counts(const char* verb, const spool::TransferCounts& counts) {
  fmt::print("{}: {} messages, {} deliveries, {} further lines of the books, {} claims, {} others.\n", verb, format_count(counts.messages), format_count(counts.deliveries),
             format_count(counts.lines), format_count(counts.claims), format_count(counts.others));
}

void print_json(const spool::ImportReport& report) {
  const spool::TransferCounts& counts = report.imported;
  admin::JsonWriter json;
  json.begin_object().field("messages", counts.messages).field("deliveries", counts.deliveries).field("lines", counts.lines).field("claims", counts.claims);
  json.field("others", counts.others).field("known", report.known).field("line_only", report.line_only).field("not_needed", report.not_needed).field("forgotten_left_out", report.forgotten_left_out).end_object();
  fmt::print("{}\n", json.view());
}

int run_import(const Options& options) {
  auto file = TransferFile::open(options.file);
  if (!file) return report("spool import", file.error());
  const auto named = [&](const Error& error) { return Error{error.kind, fmt::format("{}: {}", visible(options.file), error.message)}; };
  auto checked = check_file(*file, options);
  if (!checked) return report("spool import", named(checked.error()));
  if (options.dry_run) {
    print_counts("It is whole, and holds", checked->counts);
    return 0;
  }
  const auto done = import_file(*file, options, std::move(*checked));
  if (!done) return report("spool import", done.error());
  if (options.json) {
    print_json(*done);
    return 0;
  }
  print_counts("Imported", done->imported);
  if (done->line_only > 0) fmt::print("Of {} refused requests only the lines were kept: the quarantine is full.\n", format_count(done->line_only));
  if (done->known > 0) fmt::print("{} messages and lines were known already, and were left as they are.\n", format_count(done->known));
  if (done->forgotten_left_out) fmt::print("What retention had taken there is not counted here: this spool has books of its own.\n");
  return 0;
}

}  // namespace

void add_spool_import(CLI::App& spool, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = spool.add_subcommand("import", "Take in what 'belay spool export' wrote; the spool must not run");
  command->add_option("file", options->file, "What was exported")->required()->type_name("EXPORT");
  command->add_flag("--edited", options->edited, "Take it although it is not whole or not as it was exported");
  command->add_flag("--dry-run", options->dry_run, "Only check the file and count what it holds");
  command->add_flag("--json", options->json, "One JSON object");
  add_folder_flags(*command, options->folder);
  command->callback([options, &exit_code] { exit_code = run_import(*options); });
}

}  // namespace belay::cli
