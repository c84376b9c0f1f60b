#include "pipeline/destination_states.h"

#include <bitset>
#include <memory>

namespace belay::pipeline {

namespace {

uint64_t stored(uint64_t destination) { return destination == 0 ? 1 : destination; }  // 0 marks a free place

}  // namespace

bool DestinationStates::Entry::is_of(uint64_t key) const { return destination.load(std::memory_order_relaxed) == stored(key); }

bool DestinationStates::Entry::knows_nothing() const {
  return told.load(std::memory_order_relaxed) == 0 && urls_down.load(std::memory_order_relaxed) == 0 && breaker.knows_nothing();
}

// A place is never emptied, only taken over, so what is looked for does not stand behind a free one.
DestinationStates::Entry* DestinationStates::place(uint64_t destination) {
  static_assert((kDestinations & (kDestinations - 1)) == 0);
  destination = stored(destination);
  for (;;) {
    Entry* taken = nullptr;
    uint64_t held_there = 0;
    for (size_t i = 0; i < kProbe; ++i) {
      Entry& entry = entries_[(destination + i) & (kDestinations - 1)];
      const uint64_t held = entry.destination.load(std::memory_order_relaxed);
      if (held == destination) return &entry;
      if (held == 0 || (taken == nullptr && entry.knows_nothing())) {
        taken = &entry;
        held_there = held;
      }
      if (held == 0) break;  // rather than one that somebody has
    }
    if (taken == nullptr) return nullptr;
    // Else another worker was first, perhaps with the same destination.
    if (taken->destination.compare_exchange_strong(held_there, destination, std::memory_order_relaxed)) return taken;
  }
}

const DestinationStates::Entry* DestinationStates::find(uint64_t destination) const {
  destination = stored(destination);
  for (size_t i = 0; i < kProbe; ++i) {
    const Entry& entry = entries_[(destination + i) & (kDestinations - 1)];
    const uint64_t held = entry.destination.load(std::memory_order_relaxed);
    if (held == destination) return &entry;
    if (held == 0) return nullptr;
  }
  return nullptr;
}

void DestinationStates::tell(const std::vector<wire::DestinationState>& states) {
  if (states.empty() && !any_told()) return;
  const auto named = std::make_unique<std::bitset<kDestinations>>();
  for (const wire::DestinationState& state : states) {
    Entry* const entry = place(state.destination);
    if (entry == nullptr) continue;
    named->set(static_cast<size_t>(entry - entries_));
    entry->told.store(state.flags, std::memory_order_relaxed);
    entry->urls_down.store(state.urls_down, std::memory_order_relaxed);
  }
  for (size_t i = 0; i < kDestinations; ++i) {
    Entry& entry = entries_[i];
    if (named->test(i) || entry.destination.load(std::memory_order_relaxed) == 0) continue;
    if (entry.told.load(std::memory_order_relaxed) != 0) entry.told.store(0, std::memory_order_relaxed);
    if (entry.urls_down.load(std::memory_order_relaxed) != 0) entry.urls_down.store(0, std::memory_order_relaxed);
  }
  any_told_.store(1, std::memory_order_relaxed);
}

void DestinationStates::spool_away() {
  if (!any_told()) return;
  for (Entry& entry : entries_) {
    if (entry.destination.load(std::memory_order_relaxed) == 0) continue;
    entry.told.fetch_and(wire::DestinationState::kPaused | wire::DestinationState::kDisabled, std::memory_order_relaxed);
    entry.urls_down.store(0, std::memory_order_relaxed);
  }
}

void DestinationStates::forget_others(const std::function<bool(uint64_t destination)>& known) {
  for (Entry& entry : entries_) {
    const uint64_t destination = entry.destination.load(std::memory_order_relaxed);
    if (destination != 0 && !known(destination)) entry.breaker.reset();
  }
}

}  // namespace belay::pipeline
