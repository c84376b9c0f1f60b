// A destination beside its backlog: what holds it back, and what the dispatcher knows of its backend. As values, for the
// admin API and for the proxy's mode forward. Pure.
#pragma once

#include <bit>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spool/stop.h"
#include "upstream/breaker.h"
#include "wire/messages.h"

namespace belay::spool {

struct DestinationReport {
  DestinationId destination = 0;
  std::string name;
  Stop stop;
  std::optional<upstream::Breaker::State> breaker;  // none: it has none
  bool ramping = false;
  size_t urls = 1;
  uint64_t urls_down = 0;  // by bit: those that do not pass their health check
  bool down() const { return urls_down != 0 && static_cast<size_t>(std::popcount(urls_down)) >= urls; }
  // The worst of it in a word: disabled, paused, down, breaker_open, breaker_half_open, ramping, ok.
  std::string_view state() const;
  // What workers hear; without flags there is nothing to say.
  wire::DestinationState told() const;
};
// Only of destinations about which there is something to say: one without protection that nobody stopped is not there.
using DestinationReports = std::vector<DestinationReport>;

// Every word that state() knows, the best first.
const std::vector<std::string_view>& destination_states();

// At most `most`: stops before what the spool found out by itself, which workers may find out, too. `left_out`: how many are not told.
wire::DestinationStates told(const DestinationReports& reports, size_t most = wire::kMaxDestinationStates, size_t* left_out = nullptr);

}  // namespace belay::spool
