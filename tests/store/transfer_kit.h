// Exports and imports of stores in folders, through the NDJSON form that the commands write and read.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "cli/transfer_reader.h"
#include "cli/transfer_writer.h"
#include "spool/export.h"
#include "spool/import.h"
#include "spool/store_reader.h"
#include "tests/store/lmdb_files.h"

namespace belay::spool::test {

using Lines = std::vector<std::string>;

inline Lines split_lines(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

struct Exported {
  ExportReport report;
  Lines lines;
};

inline Exported export_of(const Folder& folder, const Clock& clock, const ExportOptions& options = {}) {
  Folder scratch;
  const std::string path = scratch.path() + "/export";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  cli::TransferWriter writer(file, options.bodies);
  auto report = export_folder(folder.path(), options, clock, writer, [](uint64_t, uint64_t) {});
  ::close(file);
  REQUIRE(report.ok());
  std::ifstream in(path, std::ios::binary);
  return {*report, split_lines({std::istreambuf_iterator<char>(in), {}})};
}

inline cli::TransferPart part_of(const std::string& line) {
  auto part = cli::read_transfer_line(line);
  INFO(line.substr(0, 2000));
  if (!part) FAIL(part.error().message);
  return std::move(*part);
}

inline BatchLeaders leaders_in(const Lines& lines) {
  BatchLeaders leaders;
  for (const std::string& line : lines) {
    const auto part = part_of(line);
    const auto* message = std::get_if<TransferMessage>(&part);
    if (message == nullptr) continue;
    for (const TransferDelivery& one : message->deliveries) {
      if (one.delivery.batch == one.delivery.message && is_waiting(one.delivery.state)) leaders.emplace(one.delivery.message, one.delivery.destination);
    }
  }
  return leaders;
}

inline std::unique_ptr<Importer> importer_of(const Folder& folder, const Clock& clock, const Lines& lines) {
  auto importer = Importer::open(options_of(folder), clock, leaders_in(lines));
  if (!importer) FAIL(importer.error().message);
  return std::move(*importer);
}

inline void feed(Importer& importer, const Lines& lines) {
  for (const std::string& line : lines) {
    auto part = part_of(line);
    const auto added = std::visit(
        [&](auto& one) -> Result<void> {
          using Part = std::decay_t<decltype(one)>;
          if constexpr (std::is_same_v<Part, TransferHeader> || std::is_same_v<Part, cli::ReadTrailer>) return {};
          else return importer.add(std::move(one));
        },
        part);
    REQUIRE(added.ok());
  }
}

inline ImportReport import_into(const Folder& folder, const Clock& clock, const Lines& lines) {
  const auto importer = importer_of(folder, clock, lines);
  feed(*importer, lines);
  const auto report = importer->finish();
  REQUIRE(report.ok());
  return *report;
}

// What does not depend on when it was written.
inline Lines without_frame(const Lines& lines) {
  Lines kept;
  for (const std::string& line : lines) {
    if (!line.starts_with(R"({"kind":"header")") && !line.starts_with(R"({"kind":"trailer")")) kept.push_back(line);
  }
  return kept;
}

inline BooksReport audited(const Folder& folder) {
  const auto report = audit_folder(folder.path(), [](uint64_t, uint64_t) {});
  if (!report) FAIL(report.error().message);
  return *report;
}

inline void check_whole(const Folder& folder) {
  const auto report = check_folder(folder.path(), [](uint64_t, uint64_t) {});
  REQUIRE(report.ok());
  CHECK(report->problems == Lines{});
  CHECK(audited(folder).balanced());
}

}  // namespace belay::spool::test
