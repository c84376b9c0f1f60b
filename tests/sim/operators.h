// Operators: they replay what has ended, cancel what waits, through the same calls as the admin API.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/node.h"
#include "sim/oracle.h"
#include "sim/chance.h"

namespace belay::sim {

class Operators {
 public:
  Operators(Dice& dice, Agenda& agenda, SpoolNode& node, Oracle& oracle) : dice_(dice), agenda_(agenda), node_(node), oracle_(oracle) {}
  void start(Duration every);
  void stop() { stopped_ = true; }
  // Everything that is dead, as after an outage.
  void replay_dead();
  // Whatever stands still goes on.
  void start_all();
  bool busy() const;  // an act on webhooks has not ended

 private:
  void next();
  void act(spool::BulkRequest request, std::function<void()> done = {});
  void replay(const MessageFacts& message);
  void cancel(const MessageFacts& message);
  void stop_or_start(const std::string& destination, spool::StopKind kind, bool on);

  Dice& dice_;
  Agenda& agenda_;
  SpoolNode& node_;
  Oracle& oracle_;
  Duration every_{1'000};
  bool stopped_ = false;
  uint32_t life_ = 0;    // of the spool that was asked
  int under_way_ = 0;
  const std::vector<std::string> names_ = {"quick", "slow", "limited", "fifo", "latest", "many"};
};

}  // namespace belay::sim
