// Who is sending what: deliveries that belong to a caller until settled, released or the lease runs out. In memory only: after
// a crash every delivery that was being sent is queued again, which may repeat it (P4). Thread-safe. Bounded by what the
// dispatcher holds.
#pragma once

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "spool/record.h"

namespace belay::spool {

class LeaseTable {
 public:
  // False when somebody holds it at `now`.
  bool take(MessageId message, DestinationId destination, WallTime now, WallTime until) {
    const std::lock_guard lock(mutex_);
    const auto [at, fresh] = held_.try_emplace({message, destination}, until);
    if (!fresh && at->second > now) return false;
    if (fresh) ++sending_[destination];
    at->second = until;
    return true;
  }
  // False when nobody has it. One that ran out and that nobody took since is given anew.
  bool extend(MessageId message, DestinationId destination, WallTime until) {
    const std::lock_guard lock(mutex_);
    const auto at = held_.find({message, destination});
    if (at == held_.end()) return false;
    at->second = std::max(at->second, until);
    return true;
  }
  void drop(MessageId message, DestinationId destination) {
    const std::lock_guard lock(mutex_);
    if (held_.erase({message, destination}) == 0) return;
    if (const auto at = sending_.find(destination); --at->second == 0) sending_.erase(at);
  }
  bool held(MessageId message, DestinationId destination, WallTime now) const {
    const std::lock_guard lock(mutex_);
    const auto at = held_.find({message, destination});
    return at != held_.end() && at->second > now;
  }
  std::vector<std::pair<MessageId, DestinationId>> all(WallTime now) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<MessageId, DestinationId>> all;
    for (const auto& [key, until] : held_) {
      if (until > now) all.emplace_back(key.message, key.destination);
    }
    return all;
  }
  uint64_t sending(DestinationId destination) const {
    const std::lock_guard lock(mutex_);
    const auto at = sending_.find(destination);
    return at == sending_.end() ? 0 : at->second;
  }

 private:
  struct Key {
    MessageId message;
    DestinationId destination;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const { return std::hash<MessageId>()(key.message) ^ key.destination; }
  };
  mutable std::mutex mutex_;
  std::unordered_map<Key, WallTime, Hash> held_;
  std::unordered_map<DestinationId, uint64_t> sending_;
};

}  // namespace belay::spool
