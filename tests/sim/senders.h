// Senders: each has a webhook and sends it until it hears 2xx, loses patience or is refused; sometimes once more although it
// was told. Some are forged. Several of one ordered key are sent one after another or at once.
#pragma once

#include <vector>

#include "event/loop.h"
#include "sim/gate.h"
#include "sim/oracle.h"
#include "sim/chance.h"

namespace belay::sim {

class Senders {
 public:
  Senders(const Rules& rules, Dice& dice, Agenda& agenda, Gate& gate, Oracle& oracle)
      : rules_(rules), dice_(dice), agenda_(agenda), gate_(gate), oracle_(oracle) {}

  // From now on new webhooks come, until stop(); what was sent is still sent again.
  void start(Duration every);
  void stop() { stopped_ = true; }
  size_t unfinished() const { return unfinished_; }

 private:
  void next();
  void create(const SourceFacts& source);
  void send(Webhook& webhook, int tries_left);
  void heard(Webhook& webhook, int tries_left, const Answer& answer);

  const Rules& rules_;
  Dice& dice_;
  Agenda& agenda_;
  Gate& gate_;
  Oracle& oracle_;
  Duration every_{100};
  bool stopped_ = false;
  size_t unfinished_ = 0;
  uint64_t last_dedupe_ = 0;
};

// What the sender of a signed source puts in its header.
std::string signature_of(const std::string& body);

}  // namespace belay::sim
