// Where an engine's work runs when it is not to have threads of its own: the simulator gives every task its turn, and its crash
// forgets those that had none. Given in StoreOptions; must outlive the store. One thread.
#pragma once

#include <functional>

#include "base/clock.h"

namespace belay::spool {

class Executor {
 public:
  virtual ~Executor() = default;
  virtual void run(std::function<void()> task) = 0;  // on a later turn
  virtual void run_after(Duration wait, std::function<void()> task) = 0;
  // The process is gone: nothing more is written, also not by close().
  virtual bool killed() const = 0;
};

}  // namespace belay::spool
