// Puts what export.h took out of a store into another one, which does not run: `belay spool import`. Ids are kept. What the store
// knows already is left out and counted, so that importing twice is importing once. An id is known when its message is stored or
// its line stands in the books: what retention has forgotten since is not brought back, for it may have been delivered. Waiting
// deliveries wait, with their attempts; ended ones stay ended. Deliveries with `order` or `debounce` take their places among those of
// their key; a batch is imported as it is and takes no further members. Bounded transactions, each with its part of the books; a mark
// keeps a spool from starting on a store whose import was not finished, because batches may be incomplete until then. Failure: full
// (the limits of intake hold), io, refused (a spool runs on it). One thread.
#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "spool/change.h"
#include "spool/space_watch.h"
#include "spool/store_files.h"
#include "spool/transfer.h"

namespace belay::spool {

struct ImportReport {
  TransferCounts imported;
  uint64_t known = 0;         // messages and lines whose ids were there
  uint64_t line_only = 0;     // refused requests for which the quarantine had no room; among the imported lines
  uint64_t not_needed = 0;    // claims that have ended or are somebody else's, stops and acts that are there
  bool forgotten_left_out = false;  // counters of what retention took: the store has books of its own
};

// Batches that the import brings: id and destination of the first member.
using BatchLeaders = std::set<std::pair<MessageId, DestinationId>>;

class Importer {
 public:
  static constexpr size_t kStep = 1'000;                  // records in a transaction
  static constexpr size_t kStepBytes = size_t{16} << 20;  // of bodies, or one message more

  static Result<std::unique_ptr<Importer>> open(const StoreOptions& options, const Clock& clock, BatchLeaders leaders);

  Result<void> add(TransferMessage message);
  Result<void> add(const wire::Event& line);
  Result<void> add(const StoredClaim& claim);
  Result<void> add(const Stop& stop);
  Result<void> add(const Act& act);
  Result<void> add(const TransferClient& client);
  Result<void> add(ForgottenDeliveries forgotten);
  Result<void> add(ForgottenLines forgotten);
  // The last transaction; the mark goes with it.
  Result<ImportReport> finish();

 private:
  Importer(StoreFiles files, const StoreOptions& options, const Clock& clock, BatchLeaders leaders);
  Result<void> mark();
  Result<void> count(size_t bytes);
  Result<void> flush();
  void apply(Change& change);
  Result<void> commit(Change& change);
  std::set<MessageId> known_lines() const;

  StoreFiles files_;
  const Clock& clock_;
  SpaceWatch space_;
  LeaseTable leases_;  // nobody sends
  const BatchLeaders leaders_;
  std::vector<TransferMessage> messages_;
  std::vector<wire::Event> lines_;
  std::vector<StoredClaim> claims_;
  std::vector<Stop> stops_;
  std::vector<Act> acts_;
  std::vector<TransferClient> clients_;
  std::vector<ForgottenDeliveries> forgotten_deliveries_;
  std::vector<ForgottenLines> forgotten_lines_;
  size_t gathered_ = 0, bytes_ = 0;
  bool began_empty_ = false;  // the store had no books when the import began: what was forgotten elsewhere is counted here
  ImportReport report_;
};

}  // namespace belay::spool
