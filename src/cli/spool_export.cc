// belay spool export: everything that a spool holds, or a part of it, as NDJSON; also while the spool runs.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "cli/admin_client.h"
#include "cli/filters.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/spool_care.h"
#include "cli/spool_folder.h"
#include "cli/transfer_writer.h"
#include "spool/export.h"

namespace belay::cli {

namespace {

struct Options {
  SpoolFolder folder;
  Filters filters;
  std::string output;
  bool without_bodies = false, with_bodies = false;
};

// Under another name until it is whole and on the disk. Webhooks are nobody else's business: 0600.
class Output {
 public:
  static Result<Output> open(const std::string& path) {
    Output made;
    if (path.empty()) return made;
    if (access(path.c_str(), F_OK) == 0) return invalid(fmt::format("{} exists; name another file, or remove it", visible(path)));
    made.path_ = path;
    made.part_ = path + ".part";
    made.file_ = ::open(made.part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (made.file_ < 0) return invalid(fmt::format("{} cannot be written: {}", visible(made.part_), strerror(errno)));
    return made;
  }
  Output(Output&& other) noexcept : file_(std::exchange(other.file_, STDOUT_FILENO)), path_(std::exchange(other.path_, {})), part_(std::exchange(other.part_, {})) {}
  Output& operator=(Output&&) = delete;
  ~Output() {
    if (part_.empty()) return;
    ::close(file_);
    ::unlink(part_.c_str());
  }

  int file() const { return file_; }
  Result<void> finish() {
    if (part_.empty()) return {};
    if (fsync(file_) != 0) return errno_error(fmt::format("{} cannot be written", visible(part_)));
    ::close(std::exchange(file_, STDOUT_FILENO));
    const std::string part = std::exchange(part_, {});
    if (rename(part.c_str(), path_.c_str()) != 0) return errno_error(fmt::format("{} cannot be renamed to {}", visible(part), visible(path_)));
    return {};
  }

 private:
  Output() = default;
  int file_ = STDOUT_FILENO;
  std::string path_, part_;
};

int run_export(const Options& options) {
  const SystemClock clock;
  auto query = read_query(options.filters, clock.wall());
  if (!query) return report("spool export", query.error());
  const auto folder = read_folder(options.folder);
  if (!folder) return report("spool export", folder.error());
  auto output = Output::open(options.output);
  if (!output) return report("spool export", output.error());
  const spool::ExportOptions what{.filter = std::move(*query), .filtered = any(options.filters), .bodies = !options.without_bodies};
  TransferWriter writer(output->file(), what.bodies);
  Result<spool::ExportReport> done = spool::ExportReport{};
  {
    Progress progress("records");
    done = spool::export_folder(folder->path, what, clock, writer, [&](uint64_t at, uint64_t all) { progress.at(at, all); });
  }
  if (!done) return report("spool export", done.error());
  if (auto finished = output->finish(); !finished) return report("spool export", finished.error());
  const spool::TransferCounts& counts = done->trailer.counts;
  fmt::print(stderr, "Exported: {} messages, {} deliveries, {} further lines of the books, {} claims.\n", format_count(counts.messages), format_count(counts.deliveries),
             format_count(counts.lines), format_count(counts.claims));
  if (done->trailer.damaged == 0) return 0;
  fmt::print(stderr, "{} damaged records are left out, or stand there as dead deliveries:\n", format_count(done->trailer.damaged));
  for (const std::string& problem : done->problems) fmt::print(stderr, "  {}\n", visible(problem, 400));
  if (done->trailer.damaged > done->problems.size()) fmt::print(stderr, "  and {} more\n", format_count(done->trailer.damaged - done->problems.size()));
  return 1;
}

}  // namespace

void add_spool_export(CLI::App& spool, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = spool.add_subcommand("export", "Write everything that is stored, or what matches, as NDJSON; also while the spool runs");
  command->add_option("-o,--output", options->output, "A file that is made; without it stdout")->type_name("FILE");
  CLI::Option* without = command->add_flag("--without-bodies", options->without_bodies, "A list to read: it cannot be imported");
  command->add_flag("--with-bodies", options->with_bodies, "This is how it is without a flag")->excludes(without);
  add_folder_flags(*command, options->folder);
  add_filter_flags(*command, options->filters);
  command->callback([options, &exit_code] { exit_code = run_export(*options); });
}

}  // namespace belay::cli
