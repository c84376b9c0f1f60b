// The spool's tables and keys in LMDB, and the schema they belong to. Keys are big-endian, so that LMDB's byte order is the
// order wanted:
//   messages    id                          → sealed message, small body inline
//   chunks      id, shape (2), number (2)   → sealed piece of a large body
//   deliveries  id, destination (8)         → sealed delivery
//   due         destination, due ms (8), id → nothing, or its group (17): what waits and has its turn, oldest due first
//   ended       state (1), id, destination  → nothing: dead and cancelled ones, to be found among millions
//   groups      destination, key (16)       → sealed: who has the turn of a key, or leads its open batch (groups.h)
//   members     destination, key or first id of a batch (16), turn (8), id → nothing: those behind it, and all of a batch
//   expiries    expires ms (8), id, destination → nothing: what waits and will not for ever; of a batch its first one
//   journal     greatest id, number (8)     → block of lines (journal.h)
//   failed      id                          → nothing: requests that failed, or for which the quarantine was full, for kFailedKept
//   clients     client (16)                 → sealed number of its last committed events
//   claims      key (16)                    → sealed claim: who had it first, until when, what it was told
//   claim_ends  until ms (8), key           → nothing: claims in the order in which they end
//   counts      destination, or "totals"    → sealed counters (books.h)
//   stops       destination (8)             → sealed stop (stop.h): who stands still, who said so
//   sources     "s", name                → sealed counters of a source (books.h)
//   acts        id                          → sealed act: the audit log (act.h)
//   kept        id                          → room (8): requests kept for quarantine, and how many bytes they take
//               id, destination             → nothing: deliveries for which nothing could be made
//   quarantine  table letter, key           → what was damaged, as it was
//   meta        "schema"                    → version of all this
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "spool/environment.h"
#include "spool/groups.h"
#include "spool/record.h"

namespace belay::spool {

struct Tables {
  static constexpr uint32_t kSchema = 3;         // what is written
  static constexpr uint32_t kOldestSchema = 2;   // brought up to kSchema when it is opened: its records are read as they are
  lmdb::Table messages{}, chunks{}, deliveries{}, due{}, ended{}, groups{}, members{}, expiries{}, journal{}, failed{}, clients{}, claims{}, claim_ends{}, counts{},
      stops{}, sources{}, acts{}, kept{}, quarantine{}, meta{};
  static constexpr std::string_view kUpgradeKey = "upgrade";  // in `meta`: an older schema's records have yet to be looked through

  static constexpr std::string_view kImportKey = "import";    // in `meta`: an import is under way, or was and did not end (import.h)

  static constexpr std::string_view kDoubtKey = "doubt";      // in `meta`: the clock may be wrong (Store::time_in_doubt)

  // Opens or creates them. corrupt: the schema is newer than kSchema or cannot be read. To be read only they must be there already.
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
// A key of `quarantine` as people see it: "m-0190…".
std::string kept_key_text(std::string_view key);
std::optional<std::string> read_kept_key(std::string_view text);
inline std::string source_key(std::string_view name) { return std::string(1, 's').append(name.substr(0, 500)); }  // LMDB: no empty keys, none above 511
inline std::string ended_key(DeliveryState state, const MessageId& id, DestinationId destination) {
  std::string key(1, static_cast<char>(state));
  key.append(id.view());
  put_be64(key, destination);
  return key;
}

inline std::string group_key(DestinationId destination, const wire::GroupKey& key) {
  std::string made;
  put_be64(made, destination);
  return made.append(reinterpret_cast<const char*>(key.data()), key.size());
}
inline std::string member_key(DestinationId destination, const wire::GroupKey& group, uint64_t turn, const MessageId& id) {
  std::string key = group_key(destination, group);
  put_be64(key, turn);
  return key.append(id.view());
}
inline std::string expiry_key(WallTime expires, const MessageId& id, DestinationId destination) {
  std::string key;
  put_be64(key, static_cast<uint64_t>(std::max<int64_t>(0, to_ms(expires))));
  key.append(id.view());
  put_be64(key, destination);
  return key;
}
// Of a member's key: who it is.
inline GroupMember read_member(std::string_view key) {
  return {get_be(key.data() + 24, 8), MessageId::from_bytes(key.substr(32)).value_or(MessageId{})};
}

// An entry of `due`. Its value is empty, or says what group it has the turn of, so that a damaged record leaves no key taken.
struct DueEntry {
  DestinationId destination = 0;
  WallTime due{};
  MessageId message;
  wire::Grouping grouping{};  // kind and key
  static DueEntry read(std::string_view key, std::string_view value = {}) {
    DueEntry entry{get_be(key.data(), 8), wall_from_ms(static_cast<int64_t>(get_be(key.data() + 8, 8))),
                   MessageId::from_bytes(key.substr(16)).value_or(MessageId{}), {}};
    if (value.size() == 1 + entry.grouping.key.size() && static_cast<uint8_t>(value[0]) <= static_cast<uint8_t>(wire::GroupKind::batch_lines)) {
      entry.grouping.kind = static_cast<wire::GroupKind>(value[0]);
      std::copy(value.begin() + 1, value.end(), entry.grouping.key.begin());
    }
    return entry;
  }
};
inline std::string due_value(const wire::Grouping& grouping) {
  std::string value;
  if (grouping.kind == wire::GroupKind::none) return value;
  value.push_back(static_cast<char>(grouping.kind));
  return value.append(reinterpret_cast<const char*>(grouping.key.data()), grouping.key.size());
}

// What stands in groups and members; a head that is damaged is none.
void append_sealed(std::string& out, const GroupHead& head);
std::optional<GroupHead> read_group_head(std::string_view stored);
std::vector<GroupMember> read_members(lmdb::Transaction& transaction, const Tables& tables, DestinationId to,
                                      const wire::GroupKey& group, size_t max);

}  // namespace belay::spool
