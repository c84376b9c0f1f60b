#include "spool/claim_holds.h"

#include <algorithm>
#include <utility>

namespace belay::spool {

bool ClaimHolds::take(const std::vector<wire::Claim>& claims, const MessageId& id, uint64_t connection, MonotonicTime deadline, Again again) {
  for (const wire::Claim& claim : claims) {
    const auto held = keys_.find(claim.key);
    if (held == keys_.end() || held->second == id) continue;
    if (waiting_ >= kMaxWaiting) {
      again(false);
      return false;
    }
    ++waiting_;
    holders_.at(held->second).waiting.push_back({deadline, std::move(again)});
    return false;
  }
  add(claims, id, connection);
  return true;
}

ClaimHolds::Holder& ClaimHolds::add(const std::vector<wire::Claim>& claims, const MessageId& id, uint64_t connection) {
  Holder& holder = holders_[id];
  holder.connection = connection;
  for (const wire::Claim& claim : claims) {
    if (keys_.emplace(claim.key, id).second) holder.keys.push_back(claim.key);
  }
  return holder;
}

void ClaimHolds::hold_free(const std::vector<wire::Claim>& claims, const MessageId& id, uint64_t connection) {
  if (add(claims, id, connection).keys.empty()) release(id);
}

void ClaimHolds::decide(const MessageId& id) {
  const auto at = holders_.find(id);
  if (at != holders_.end()) at->second.deciding = true;
}

void ClaimHolds::give_up(const MessageId& id) {
  const auto at = holders_.find(id);
  if (at != holders_.end() && !at->second.deciding) release(id);
}

void ClaimHolds::release(const MessageId& id) {
  const auto at = holders_.find(id);
  if (at == holders_.end()) return;
  const Holder ended = std::move(at->second);
  holders_.erase(at);
  for (const wire::ClaimKey& key : ended.keys) keys_.erase(key);
  waiting_ -= ended.waiting.size();
  for (const Waiting& one : ended.waiting) one.again(true);
}

void ClaimHolds::release_all(uint64_t connection) {
  std::vector<MessageId> gone;
  for (const auto& [id, holder] : holders_) {
    if (holder.connection == connection && !holder.deciding) gone.push_back(id);
  }
  for (const MessageId& id : gone) release(id);
}

void ClaimHolds::expire(MonotonicTime now) {
  if (waiting_ == 0) return;
  std::vector<Waiting> late;
  for (auto& [id, holder] : holders_) {
    const auto first = std::stable_partition(holder.waiting.begin(), holder.waiting.end(), [now](const Waiting& one) { return one.deadline > now; });
    std::move(first, holder.waiting.end(), std::back_inserter(late));
    holder.waiting.erase(first, holder.waiting.end());
  }
  waiting_ -= late.size();
  for (const Waiting& one : late) one.again(false);
}

}  // namespace belay::spool
