// Everything that a spool holds, taken out of its folder piece by piece: `belay spool export`. Read only, also beside a spool that
// runs: a piece is read in one short snapshot and handed on after it has ended, so that a slow reader of the export holds no freed
// pages back. One moment is shown only of a spool that does not run; of one that does, each message stands with its deliveries as
// they were together, and what comes after the beginning is left out. Damaged records are left out and counted; a delivery whose
// record is damaged is exported as dead, with that reason. One thread.
#pragma once

#include <string>
#include <vector>

#include "spool/offline.h"
#include "spool/store.h"
#include "spool/transfer.h"

namespace belay::spool {

// Takes the parts in this order; lines of the books but of those messages whose own line came with them.
class ExportSink {
 public:
  virtual ~ExportSink() = default;
  virtual void header(const TransferHeader& header) = 0;
  virtual void forgotten(const ForgottenDeliveries& forgotten) = 0;
  virtual void forgotten(const ForgottenLines& forgotten) = 0;
  virtual void client(const TransferClient& client) = 0;
  virtual void stop(const Stop& stop) = 0;
  virtual void message(const TransferMessage& message) = 0;
  virtual void line(const wire::Event& event) = 0;
  virtual void claim(const StoredClaim& claim) = 0;
  virtual void act(const Act& act) = 0;
  virtual void trailer(const TransferTrailer& trailer) = 0;
  // Between two pieces, while nothing of the store is held: what was taken may be written. An error ends the export.
  virtual Result<void> flush() = 0;
};

struct ExportOptions {
  EventQuery filter;      // chooses webhooks, each with all its deliveries
  bool filtered = false;  // there is one
  bool bodies = true;
};

struct ExportReport {
  static constexpr size_t kMaxProblems = 20;
  TransferTrailer trailer;
  std::vector<std::string> problems;  // the first kMaxProblems of what is damaged, in words
};

Result<ExportReport> export_folder(const std::string& folder, const ExportOptions& options, const Clock& clock, ExportSink& sink, const Step& step);

}  // namespace belay::spool
