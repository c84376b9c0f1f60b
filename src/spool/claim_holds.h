// Keys that are being decided: held for a message from the moment a worker asks for them (or puts the message) until it is
// stored, confirmed or released. A twin waits for that end and then tries again, so that of two that come at once exactly one goes
// on (P5). In memory only: what survives a restart are the claims in the store. One per intake, on its thread.
// Limits: kMaxWaiting twins, kPatience each; beyond either a twin is told to come back later.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "wire/messages.h"

namespace belay::spool {

class ClaimHolds {
 public:
  static constexpr size_t kMaxWaiting = 65'536;
  static constexpr Duration kPatience{8'000};  // below the workers' patience with the spool

  // Called once: true, try take() again; false, the twin took too long.
  using Again = std::function<void(bool)>;

  // True: `id` holds all of them now (or did before). False: a twin holds one; `again` is kept until that ends, or until
  // `deadline`, which stays the same however often it tries again.
  bool take(const std::vector<wire::Claim>& claims, const MessageId& id, uint64_t connection, MonotonicTime deadline, Again again);
  // Holds what is free of them: of a webhook that was accepted already.
  void hold_free(const std::vector<wire::Claim>& claims, const MessageId& id, uint64_t connection);
  // From now on a commit decides: give_up() no longer ends it.
  void decide(const MessageId& id);
  void give_up(const MessageId& id);  // what its worker asks for
  void release(const MessageId& id);
  // What is held for a worker that went away.
  void release_all(uint64_t connection);
  // Tells those that have waited for kPatience.
  void expire(MonotonicTime now);
  size_t held() const { return holders_.size(); }

 private:
  struct KeyHash {
    size_t operator()(const wire::ClaimKey& key) const {
      size_t value = 0;
      __builtin_memcpy(&value, key.data(), sizeof value);
      return value;
    }
  };
  struct Waiting {
    MonotonicTime deadline;
    Again again;
  };
  struct Holder {
    uint64_t connection = 0;
    std::vector<wire::ClaimKey> keys;
    std::vector<Waiting> waiting;
    bool deciding = false;
  };
  Holder& add(const std::vector<wire::Claim>& claims, const MessageId& id, uint64_t connection);

  std::unordered_map<wire::ClaimKey, MessageId, KeyHash> keys_;
  std::unordered_map<MessageId, Holder> holders_;
  size_t waiting_ = 0;
};

}  // namespace belay::spool
