// Claims as they stand in the store: keys that a message has taken for a window (`dedupe`, and a scheme's `replay`). A claim
// exists only together with the stored message or with the line of a forwarded one (P5): both are written in one transaction with
// it. A damaged claim counts as none: at worst a webhook is delivered twice, never lost. Writer's and readers' threads.
#pragma once

#include <optional>
#include <vector>

#include "spool/environment.h"
#include "spool/tables.h"

namespace belay::spool {

struct StoredClaim {
  wire::ClaimKey key{};
  MessageId first;       // who took it
  WallTime until{};
  uint16_t status = 0;   // what that sender was told
};

// Who has the key at `now`; `number` is passed on in the answer.
std::optional<wire::ClaimedBy> find_claim(lmdb::Transaction& transaction, const Tables& tables, const wire::ClaimKey& key, uint8_t number,
                                          WallTime now);
// The first of these that another message than `id` has.
std::optional<wire::ClaimedBy> find_claims(lmdb::Transaction& transaction, const Tables& tables, const std::vector<wire::Claim>& claims,
                                           const MessageId& id, WallTime now);
// As it is stored; nothing when it is damaged.
std::optional<StoredClaim> read_claim(std::string_view key, std::string_view stored);
// Takes each key that nobody has at `now`, until `now` + its window: whatever the clock of the worker said that received it.
void take_claims(lmdb::WriteTransaction& transaction, const Tables& tables, const std::vector<wire::Claim>& claims, const MessageId& id,
                 uint16_t status, WallTime now);
// Takes a key as another store had it, unless it has ended or somebody has it here. False: it was left out.
bool restore_claim(lmdb::WriteTransaction& transaction, const Tables& tables, const StoredClaim& claim, WallTime now);
// Forgets up to `max` claims that have ended; how many.
uint32_t prune_claims(lmdb::WriteTransaction& transaction, const Tables& tables, WallTime now, uint32_t max);

}  // namespace belay::spool
