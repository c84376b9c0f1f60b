// What an export of a spool holds, as values: export.h takes them out of a store, import.h puts them into one, cli/transfer_text.h
// writes and reads them as NDJSON. What can be derived from them (indexes, chunks, counters of what is there) is no part of it.
// Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "spool/act.h"
#include "spool/books.h"
#include "spool/claims.h"
#include "spool/record.h"
#include "spool/stop.h"

namespace belay::spool {

struct TransferDelivery {
  Delivery delivery;
  bool in_group = false;  // it has the turn of its key or waits for it, or belongs to a batch that is still to be sent
};

struct TransferMessage {
  Message message;
  std::vector<TransferDelivery> deliveries;  // none: it is kept for quarantine
};

// The last number of a worker's lines that is taken as done.
struct TransferClient {
  ClientId id{};
  uint64_t number = 0;
};

// What retention took and the books still count: of a destination, of a source by wire::Outcome.
struct ForgottenDeliveries {
  std::string destination;
  uint64_t delivered = 0, dead = 0, cancelled = 0, superseded = 0;
  uint64_t all() const { return delivered + dead + cancelled + superseded; }
};
struct ForgottenLines {
  std::string source;
  std::array<uint64_t, 8> by_outcome{};
  uint64_t all() const {
    uint64_t sum = 0;
    for (const uint64_t count : by_outcome) sum += count;
    return sum;
  }
};

struct TransferCounts {
  uint64_t messages = 0, deliveries = 0, lines = 0, claims = 0, others = 0;  // others: stops, acts, clients, what is forgotten
  bool operator==(const TransferCounts&) const = default;
};

struct TransferHeader {
  static constexpr uint32_t kFormat = 1;
  uint32_t format = kFormat, schema = 0;
  WallTime at{};
  bool bodies = true;     // without them it is a list to read, and cannot be imported
  bool filtered = false;  // a part of the store: without stops, acts, clients and what is forgotten
  uint64_t messages = 0;  // in the store when it began
};

// How the export ended. `damaged`: records that could not be read and are left out.
struct TransferTrailer {
  TransferCounts counts;
  uint64_t damaged = 0;
};

}  // namespace belay::spool
