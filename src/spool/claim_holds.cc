#include "spool/claim_holds.h"

#include <utility>

namespace belay::spool {

bool ClaimHolds::take(const std::vector<wire::Claim>& claims, const MessageId& id, uint64_t connection, MonotonicTime now, Again again) {
  for (const wire::Claim& claim : claims) {
    const auto held = keys_.find(claim.key);
    if (held == keys_.end() || held->second == id) continue;
    if (waiting_ >= kMaxWaiting) {
      again(false);
      return false;
    }
    ++waiting_;
    holders_.at(held->second).waiting.push_back({now + kPatience, std::move(again)});
    return false;
  }
  Holder& holder = holders_[id];
  holder.connection = connection;
  for (const wire::Claim& claim : claims) {
    if (keys_.emplace(claim.key, id).second) holder.keys.push_back(claim.key);
  }
  return true;
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
    if (holder.connection == connection) gone.push_back(id);
  }
  for (const MessageId& id : gone) release(id);
}

void ClaimHolds::expire(MonotonicTime now) {
  if (waiting_ == 0) return;
  std::vector<Again> late;
  for (auto& [id, holder] : holders_) {
    while (!holder.waiting.empty() && holder.waiting.front().deadline <= now) {
      late.push_back(std::move(holder.waiting.front().again));
      holder.waiting.pop_front();
    }
  }
  waiting_ -= late.size();
  for (const Again& again : late) again(false);
}

}  // namespace belay::spool
