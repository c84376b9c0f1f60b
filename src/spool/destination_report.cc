#include "spool/destination_report.h"

#include <algorithm>

namespace belay::spool {

const std::vector<std::string_view>& destination_states() {
  static const std::vector<std::string_view> kWords = {"ok", "ramping", "breaker_half_open", "breaker_open", "down", "paused", "disabled"};
  return kWords;
}

std::string_view DestinationReport::state() const {
  using Breaker = upstream::Breaker::State;
  if (stop.disabled.on) return "disabled";
  if (stop.paused.on) return "paused";
  if (down()) return "down";
  if (breaker == Breaker::open) return "breaker_open";
  if (breaker == Breaker::half_open) return "breaker_half_open";
  if (ramping) return "ramping";
  return "ok";
}

wire::DestinationState DestinationReport::told() const {
  using State = wire::DestinationState;
  State state;
  state.destination = destination;
  if (stop.paused.on) state.flags |= State::kPaused;
  if (stop.disabled.on) state.flags |= State::kDisabled;
  if (down()) state.flags |= State::kDown;
  state.urls_down = urls_down;
  // Half open is not told: the spool may have nothing to probe with, so that forwards must.
  if (breaker == upstream::Breaker::State::open) state.flags |= State::kBroken;
  return state;
}

wire::DestinationStates told(const DestinationReports& reports, size_t most, size_t* left_out) {
  wire::DestinationStates states;
  for (const DestinationReport& report : reports) {
    const wire::DestinationState state = report.told();
    if (state.flags != 0 || state.urls_down != 0) states.push_back(state);
  }
  if (left_out != nullptr) *left_out = states.size() - std::min(states.size(), most);
  if (states.size() > most) {
    const auto stopped = [](const auto& state) { return (state.flags & (wire::DestinationState::kPaused | wire::DestinationState::kDisabled)) != 0; };
    std::stable_partition(states.begin(), states.end(), stopped);
    states.resize(most);
  }
  return states;
}

}  // namespace belay::spool
