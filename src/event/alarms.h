// Timers of a loop on a clock of its own, by due time; those of the same moment in the order they were started. For src/event
// only.
#pragma once

#include <iterator>
#include <map>

#include "event/loop.h"

namespace belay::event {

struct Loop::Alarms {
  struct Alarm {
    void (*fire)(int, short, void*);
    void* timer;
  };
  using List = std::multimap<MonotonicTime, Alarm>;

  explicit Alarms(const Clock& the_clock) : clock(the_clock) {}
  // What an alarm starts anew is due in a later turn.
  void fire_due() {
    auto left = std::distance(list.begin(), list.upper_bound(clock.monotonic()));
    for (; left > 0 && !list.empty() && list.begin()->first <= clock.monotonic(); --left) {
      const Alarm alarm = list.begin()->second;
      alarm.fire(0, 0, alarm.timer);
    }
  }

  const Clock& clock;
  List list;
};

}  // namespace belay::event
