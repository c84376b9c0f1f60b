// Counts again what the books count, from the records themselves, in pieces: state and destination of every delivery, source
// and outcome of every line. Only keys and fields at fixed places are read of deliveries; `belay spool check` reads them whole.
// While pieces are counted the store goes on: what changes behind the place reached is told to the recount by the books, in the
// transaction that changes it, so the sum is that of one moment. Lives on the writer thread, or alone on a store that nobody has
// open. Not thread-safe; copied with each transaction while it is under way.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "spool/books_report.h"
#include "spool/environment.h"
#include "spool/record.h"
#include "spool/tables.h"

namespace belay::spool {

struct Totals;
struct DestinationCounts;
struct SourceCounts;

class Recount {
 public:
  static constexpr uint32_t kStep = 20'000;  // records in a piece: a few milliseconds

  // True: all is counted.
  bool step(lmdb::Transaction& transaction, const Tables& tables, uint32_t max);

  // By the books: a delivery or a line at `key` of its table has changed.
  void delivery(std::string_view key, const DeliveryState* from, const DeliveryState* to);
  void line(std::string_view block_key, std::string_view source, wire::Outcome outcome, bool added);

  // A line of every block is counted by the block's key, so a block that is written behind the place counts as a whole.
  bool counts_block(std::string_view key) const { return behind(Phase::journal, key); }

  const std::unordered_map<DestinationId, std::array<uint64_t, 8>>& deliveries() const { return deliveries_; }
  const std::unordered_map<std::string, std::array<uint64_t, 8>>& lines() const { return lines_; }
  uint64_t damaged() const;  // records
  uint64_t damaged_blocks() const { return damaged_blocks_; }
  uint64_t damaged_deliveries(DestinationId destination) const;

 private:
  enum class Phase : uint8_t { deliveries, journal, done };
  bool behind(Phase phase, std::string_view key) const { return phase < phase_ || (phase == phase_ && key <= at_); }
  bool walk(lmdb::Transaction& transaction, lmdb::Table table, uint32_t& left);
  void count_delivery(std::string_view key, std::string_view value);
  uint32_t count_block(std::string_view value);

  Phase phase_ = Phase::deliveries;
  std::string at_;  // counted up to and with this key of the phase's table
  std::unordered_map<DestinationId, std::array<uint64_t, 8>> deliveries_;  // by DeliveryState
  std::unordered_map<std::string, std::array<uint64_t, 8>> lines_;         // of a source by wire::Outcome
  std::unordered_map<DestinationId, uint64_t> damaged_deliveries_;
  uint64_t damaged_blocks_ = 0, damaged_others_ = 0;
};

}  // namespace belay::spool
