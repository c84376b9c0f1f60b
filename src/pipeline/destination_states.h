// What all proxy workers of one master know of destinations: the breaker they share and what the spool says of each. A part
// of SharedMemory: zeroed, lock-free, and a worker killed at any point leaves nothing locked. A destination gets a place when
// it first needs one, that is when it has a breaker or the spool has something to say of it; while there is none of either,
// a forward costs one load. A place of which nothing is known any more (its breaker is closed and remembers nothing, the
// spool says nothing) goes to whoever needs one. Limits: kDestinations places, looked for in kProbe of them; a destination
// that finds none is forwarded to as if it had no breaker, and what the spool says of it is not known.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "upstream/breaker.h"
#include "wire/messages.h"

namespace belay::pipeline {

class DestinationStates {
 public:
  static constexpr size_t kDestinations = 2 * wire::kMaxDestinationStates;  // half of them empty: short ways
  static constexpr size_t kProbe = 64;

  struct Entry {
    std::atomic<uint64_t> destination;  // upstream::Destination::key; 0: free
    std::atomic<uint64_t> told;         // wire::DestinationState::flags
    std::atomic<uint64_t> urls_down;    // wire::DestinationState::urls_down
    upstream::Breaker breaker;
    // It may have gone to another one since it was found.
    bool is_of(uint64_t key) const;
    bool knows_nothing() const;
  };

  // Found or taken; null when there is no room.
  Entry* place(uint64_t destination);
  // Null when it has none.
  const Entry* find(uint64_t destination) const;
  // The spool has said something of some destination since the master started.
  bool any_told() const { return any_told_.load(std::memory_order_relaxed) != 0; }
  // The whole truth: of those not in the list there is nothing to say. Every worker hears it and writes the same.
  void tell(const std::vector<wire::DestinationState>& states);
  // What the spool found out is its own experience and ends with it; what an operator said stays.
  void spool_away();
  // By the master, when new rules serve: breakers of destinations that are not `known` there are forgotten.
  void forget_others(const std::function<bool(uint64_t destination)>& known);

 private:
  Entry entries_[kDestinations];
  std::atomic<uint32_t> any_told_;
};

}  // namespace belay::pipeline
