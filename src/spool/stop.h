// What keeps all deliveries of a destination waiting until somebody says otherwise: `belay pause`, `belay disable`, or
// on_dead: disable. Durable: a row of the table `stops`, changed in the commit that says why, so that it survives a crash as
// the dead letter does that caused it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spool/record.h"

namespace belay::spool {

enum class StopKind : uint8_t { paused = 1, disabled = 2 };
std::string_view to_string(StopKind kind);

struct StopMark {
  bool on = false;
  std::string by;    // the token's name, or "on_dead"
  std::string why;   // one line; may be empty
  WallTime since{};
  bool operator==(const StopMark&) const = default;
};

struct Stop {
  static constexpr size_t kWhyBytes = 512;
  DestinationId destination = 0;
  std::string name;
  StopMark paused, disabled;
  bool any() const { return paused.on || disabled.on; }
  const StopMark& mark(StopKind kind) const { return kind == StopKind::paused ? paused : disabled; }
  bool operator==(const Stop&) const = default;
};

// One step: sets the mark or takes it away.
struct StopOrder {
  DestinationId destination = 0;
  std::string name;
  StopKind kind = StopKind::paused;
  bool on = true;
  std::string by, why;
  WallTime at{};
};
// False when it stands so already: then the first one's name and time stay.
bool apply(const StopOrder& order, Stop& to);

void append_sealed(std::string& out, const Stop& stop);
Result<Stop> read_stop(DestinationId destination, std::string_view stored);

}  // namespace belay::spool
