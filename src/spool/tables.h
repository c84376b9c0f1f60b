// The spool's tables and keys in LMDB, and the schema they belong to. Keys are big-endian, so that LMDB's byte order is the
// order wanted:
//   messages    id                          → sealed message, small body inline
//   chunks      id, shape (2), number (2)   → sealed piece of a large body
//   deliveries  id, destination (8)         → sealed delivery
//   due         destination, due ms (8), id → nothing: what waits, oldest due first
//   ended       state (1), id, destination  → nothing: dead and cancelled ones, to be found among millions
//   journal     greatest id, number (8)     → block of lines (journal.h)
//   failed      id                          → nothing: requests that failed, for kFailedKept
//   clients     client (16)                 → sealed number of its last committed events
//   claims      key (16)                    → sealed claim: who had it first, until when, what it was told
//   claim_ends  until ms (8), key           → nothing: claims in the order in which they end
//   counts      destination, or "totals"    → sealed counters (books.h)
//   quarantine  table letter, key           → what was damaged, as it was
//   meta        "schema"                    → version of all this
#pragma once

#include <string>

#include "base/bytes.h"
#include "spool/environment.h"
#include "spool/record.h"

namespace belay::spool {

struct Tables {
  static constexpr uint32_t kSchema = 2;
  lmdb::Table messages{}, chunks{}, deliveries{}, due{}, ended{}, journal{}, failed{}, clients{}, claims{}, claim_ends{}, counts{},
      quarantine{}, meta{};

  // Opens or creates them. corrupt: the schema is newer than kSchema or cannot be read.
  static Result<Tables> open(lmdb::Environment& environment, const std::string& folder);
};

inline std::string delivery_key(const MessageId& id, DestinationId destination) {
  std::string key(id.view());
  put_be64(key, destination);
  return key;
}
inline std::string chunk_key(const MessageId& id, uint16_t shape, uint16_t number) {
  std::string key(id.view());
  put_be16(key, shape);
  put_be16(key, number);
  return key;
}
inline std::string_view claim_key(const wire::ClaimKey& key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }
inline std::string claim_end_key(WallTime until, std::string_view key) {
  std::string end;
  put_be64(end, static_cast<uint64_t>(std::max<int64_t>(0, to_ms(until))));
  return end.append(key);
}
inline std::string due_key(DestinationId destination, WallTime due, const MessageId& id) {
  std::string key;
  key.reserve(32);
  put_be64(key, destination);
  put_be64(key, static_cast<uint64_t>(std::max<int64_t>(0, to_ms(due))));
  key.append(id.view());
  return key;
}
inline std::string ended_key(DeliveryState state, const MessageId& id, DestinationId destination) {
  std::string key(1, static_cast<char>(state));
  key.append(id.view());
  put_be64(key, destination);
  return key;
}

// The parts of a due key.
struct DueEntry {
  DestinationId destination = 0;
  WallTime due{};
  MessageId message;
  static DueEntry read(std::string_view key) {
    return {get_be(key.data(), 8), wall_from_ms(static_cast<int64_t>(get_be(key.data() + 8, 8))),
            MessageId::from_bytes(key.substr(16)).value_or(MessageId{})};
  }
};

}  // namespace belay::spool
