#include "spool/claims.h"

#include <algorithm>

#include "wire/codec.h"

namespace belay::spool {

namespace {

std::optional<StoredClaim> read(lmdb::Transaction& transaction, const Tables& tables, std::string_view key) {
  const auto stored = transaction.get(tables.claims, key);
  return stored ? read_claim(key, *stored) : std::nullopt;
}

void write(lmdb::WriteTransaction& transaction, const Tables& tables, const StoredClaim& claim) {
  std::string payload(claim.first.view());
  put_be64(payload, static_cast<uint64_t>(to_ms(claim.until)));
  put_be16(payload, claim.status);
  std::string value;
  append_sealed(value, payload);
  transaction.put(tables.claims, claim_key(claim.key), value);
  transaction.put(tables.claim_ends, claim_end_key(claim.until, claim_key(claim.key)), {});
}

}  // namespace

std::optional<StoredClaim> read_claim(std::string_view key, std::string_view stored) {
  auto payload = unseal(stored);
  StoredClaim claim;
  if (!payload || key.size() != claim.key.size()) return std::nullopt;
  std::copy(key.begin(), key.end(), claim.key.begin());
  wire::Reader in(*payload);
  claim.first = in.id();
  claim.until = wall_from_ms(in.i64());
  claim.status = in.u16();
  return in.finished() ? std::optional(claim) : std::nullopt;
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
    write(transaction, tables, {claim.key, id, now + Duration(claim.window_ms), status});
  }
}

bool restore_claim(lmdb::WriteTransaction& transaction, const Tables& tables, const StoredClaim& claim, WallTime now) {
  if (claim.until <= now) return false;
  const std::string_view key = claim_key(claim.key);
  if (const auto before = read(transaction, tables, key)) {
    if (before->until > now) return false;
    transaction.remove(tables.claim_ends, claim_end_key(before->until, key));
  }
  write(transaction, tables, claim);
  return true;
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
