#include "pipeline/destination_states.h"

#include <algorithm>

namespace belay::pipeline {

namespace {

uint64_t stored(uint64_t destination) { return destination == 0 ? 1 : destination; }  // 0 marks a free place

}  // namespace

DestinationStates::Entry* DestinationStates::place(uint64_t destination) {
  destination = stored(destination);
  for (size_t i = 0; i < kDestinations; ++i) {
    Entry& entry = entries_[(destination + i) & (kDestinations - 1)];
    uint64_t held = entry.destination.load(std::memory_order_relaxed);
    if (held == 0 && entry.destination.compare_exchange_strong(held, destination, std::memory_order_relaxed)) return &entry;
    if (held == destination) return &entry;
  }
  return nullptr;
}

const DestinationStates::Entry* DestinationStates::find(uint64_t destination) const {
  destination = stored(destination);
  for (size_t i = 0; i < kDestinations; ++i) {
    const Entry& entry = entries_[(destination + i) & (kDestinations - 1)];
    const uint64_t held = entry.destination.load(std::memory_order_relaxed);
    if (held == destination) return &entry;
    if (held == 0) return nullptr;
  }
  return nullptr;
}

void DestinationStates::tell(const std::vector<wire::DestinationState>& states) {
  if (states.empty() && !any_told()) return;
  for (Entry& entry : entries_) {
    const uint64_t destination = entry.destination.load(std::memory_order_relaxed);
    if (destination == 0) continue;
    const bool named = std::any_of(states.begin(), states.end(), [&](const auto& state) { return stored(state.destination) == destination; });
    if (named) continue;
    entry.told.store(0, std::memory_order_relaxed);
    entry.urls_down.store(0, std::memory_order_relaxed);
  }
  for (const wire::DestinationState& state : states) {
    Entry* const entry = place(state.destination);
    if (entry == nullptr) continue;
    entry->told.store(state.flags, std::memory_order_relaxed);
    entry->urls_down.store(state.urls_down, std::memory_order_relaxed);
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

}  // namespace belay::pipeline
