#include "spool/claims.h"

#include <algorithm>

#include "wire/codec.h"

namespace belay::spool {

namespace {

struct StoredClaim {
  MessageId first;
  WallTime until{};
  uint16_t status = 0;
};

std::optional<StoredClaim> read(std::string_view stored) {
  auto payload = unseal(stored);
  if (!payload) return std::nullopt;
  wire::Reader in(*payload);
  StoredClaim claim;
  claim.first = in.id();
  claim.until = wall_from_ms(in.i64());
  claim.status = in.u16();
  return in.finished() ? std::optional(claim) : std::nullopt;
}

std::optional<StoredClaim> read(lmdb::Transaction& transaction, const Tables& tables, std::string_view key) {
  const auto stored = transaction.get(tables.claims, key);
  return stored ? read(*stored) : std::nullopt;
}

}  // namespace

std::optional<WallTime> claim_until(std::string_view stored) {
  const auto claim = read(stored);
  return claim ? std::optional(claim->until) : std::nullopt;
}

std::optional<wire::ClaimedBy> find_claim(lmdb::Transaction& transaction, const Tables& tables, const wire::ClaimKey& key, uint8_t number,
                                          WallTime now) {
  const auto claim = read(transaction, tables, claim_key(key));
  if (!claim || claim->until <= now) return std::nullopt;
  return wire::ClaimedBy{claim->first, claim->status, number};
}

std::optional<wire::ClaimedBy> find_claims(lmdb::Transaction& transaction, const Tables& tables, const std::vector<wire::Claim>& claims,
                                           const MessageId& id, WallTime now) {
  for (size_t i = 0; i < claims.size(); ++i) {
    auto by = find_claim(transaction, tables, claims[i].key, static_cast<uint8_t>(i), now);
    if (by && by->first != id) return by;
  }
  return std::nullopt;
}

void take_claims(lmdb::WriteTransaction& transaction, const Tables& tables, const std::vector<wire::Claim>& claims, const MessageId& id,
                 uint16_t status, WallTime now) {
  for (const wire::Claim& claim : claims) {
    const std::string_view key = claim_key(claim.key);
    if (const auto before = read(transaction, tables, key)) {
      if (before->until > now) continue;
      transaction.remove(tables.claim_ends, claim_end_key(before->until, key));
    }
    const WallTime until = now + Duration(claim.window_ms);
    std::string payload(id.view());
    put_be64(payload, static_cast<uint64_t>(to_ms(until)));
    put_be16(payload, status);
    std::string value;
    append_sealed(value, payload);
    transaction.put(tables.claims, key, value);
    transaction.put(tables.claim_ends, claim_end_key(until, key), {});
  }
}

uint32_t prune_claims(lmdb::WriteTransaction& transaction, const Tables& tables, WallTime now, uint32_t max) {
  std::vector<std::string> ended;
  {
    lmdb::Cursor cursor(transaction, tables.claim_ends);
    for (bool more = cursor.first(); more && ended.size() < max; more = cursor.next()) {
      if (wall_from_ms(static_cast<int64_t>(get_be(cursor.key().data(), 8))) > now) break;
      ended.emplace_back(cursor.key());
    }
  }
  for (const std::string& end : ended) {
    const std::string_view key = std::string_view(end).substr(8);
    transaction.remove(tables.claim_ends, end);
    // A key taken again since has another end. One that cannot be read is gone for good with this.
    const auto claim = read(transaction, tables, key);
    if (!claim || claim->until <= now) transaction.remove(tables.claims, key);
  }
  return static_cast<uint32_t>(ended.size());
}

}  // namespace belay::spool
