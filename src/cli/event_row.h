// One received webhook as one line for people: when, which, from whom, what became of it, and why when it went wrong. Reads the
// rows of GET /v1/events.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/json_view.h"
#include "cli/table.h"

namespace belay::cli {

// What became of it: the outcome, or the state of its deliveries ("dead", "2/3 delivered").
std::string state_of(const JsonView& event);
// The state that needs a person most, for the colour: dead before scheduled before delivered.
std::string worst_state(const JsonView& event);
// Why it went wrong, or what it waits for; empty when all went well.
std::string reason_of(const JsonView& event, WallTime now);

class EventTable {
 public:
  enum class Time : uint8_t { age, clock };
  explicit EventTable(Time time);
  void add(const JsonView& event, WallTime now);
  // What was added since the last print, in columns as wide as before or wider.
  std::string print(bool heading);

 private:
  Time time_;
  Table table_;
};

}  // namespace belay::cli
