// A spool's folder looked at from outside, read only: `belay audit --path`, `belay spool check` and `compact`. One thread, one short
// snapshot after another. Failure: no spool in the folder, another one runs on it (audit), damaged beyond reading.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "spool/books_report.h"
#include "spool/environment.h"
#include "spool/tables.h"

namespace belay::spool {

using Step = std::function<void(uint64_t done, uint64_t all)>;

struct OpenedFolder {
  std::unique_ptr<lmdb::Environment> environment;
  Tables tables;
};
// Of a spool that runs or not; nothing is changed.
Result<OpenedFolder> open_folder_to_read(const std::string& folder);

// P11 of a spool that does not run.
Result<BooksReport> audit_folder(const std::string& folder, const Step& step);

// What does not fit together, in order of discovery; the first kMaxProblems in words.
struct CheckReport {
  static constexpr size_t kMaxProblems = 100;
  uint64_t messages = 0, deliveries = 0, lines = 0, claims = 0, quarantined = 0;
  uint64_t wrong = 0;
  std::vector<std::string> problems;
};

// Walks everything: every record's checksum and form, and what refers to what. Also of a spool that runs: what belongs together
// is looked at in one snapshot.
Result<CheckReport> check_folder(const std::string& folder, const Step& step);

// A copy without free pages in `to`, which must be empty or missing. Also of a spool that runs; it goes on meanwhile, and its file
// may grow by what it writes until the copy is done.
Result<void> compact_folder(const std::string& folder, const std::string& to);

}  // namespace belay::spool
