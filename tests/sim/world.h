// One run: everything put together from a seed, moved on step by step, checked after each. A step is: time goes to the next
// thing that is due, or somewhat past the next timer as in a process that was not scheduled; what is due happens; the loop turns
// until it is idle. A crash may come between any two turns, also right after a task of the store. When all steps are made, faults
// and senders stop and everything must end.
#pragma once

#include <memory>
#include <string>

#include "event/loop.h"
#include "sim/gate.h"
#include "sim/network.h"
#include "sim/node.h"
#include "sim/operators.h"
#include "sim/oracle.h"
#include "sim/senders.h"

namespace belay::sim {

struct Options {
  uint64_t seed = 1;
  uint32_t steps = 1'500;
  Engine engine = Engine::memory;
  std::string folder;   // empty, for this run alone
  bool recording = false, verbose = false;
};

// What may go wrong in this run, by its seed.
struct Plan {
  bool crashes = true, worker_crashes = false, clock_jumps = false, full_disk = false, operators = true, damage = false, calm = false;
  uint64_t map_bytes = uint64_t{64} << 20;
};

class World {
 public:
  explicit World(const Options& options);
  ~World();
  void run();
  const Oracle& oracle() const { return oracle_; }
  uint32_t lives() const { return node_.lives(); }
  Duration simulated() const { return clock_.since_start(); }

 private:
  static Plan plan_of(Dice dice, Engine engine);
  void step(Duration at_most);
  bool turn();
  void faults();
  void fault();
  void crash_spool(bool orderly);
  void start_spool();
  void jump_clock();
  void fill_disk();
  void drain();
  std::string waiting();

  const Options options_;
  const Rules& rules_;
  SimClock clock_;
  Dice dice_, disk_dice_, network_dice_, production_dice_, sender_dice_;
  const Plan plan_;
  Agenda agenda_{clock_};
  event::Loop loop_{clock_};
  Oracle oracle_;
  Backends backends_;
  Network spool_network_, proxy_network_;
  SpoolNode node_;
  Gate gate_;
  Senders senders_;
  Operators operators_;
  bool faulty_ = true;
  bool crash_after_disk_ = false;  // armed: the next task of the store is the last
  int crash_in_turns_ = -1;
  uint32_t steps_made_ = 0;
};

}  // namespace belay::sim
