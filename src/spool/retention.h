// Forgets what is old, step by step: each takes at most kStep messages and as many blocks of the books, in one commit that it
// shares with whatever waits for the store then. While more is old the next step follows on a later turn of the loop, so that
// retention keeps up with any intake and delays none for longer than a step. What is forgotten does not come back, so that it
// must be old by both clocks, the spool's and the system's. Owner: the spool process; lives on its main loop. Failure: a step that the store refuses is repeated with the next look.
#pragma once

#include <memory>

#include "base/clock.h"
#include "event/loop.h"
#include "spool/store.h"

namespace belay::spool {

class Retention {
 public:
  static constexpr Duration kEvery{10'000};  // how often it looks
  static constexpr Duration kSoon{200};      // a step found nothing to take yet, or intake waits for room
  static constexpr uint32_t kStep = 500;

  static constexpr Duration kHeldBack{3'600'000};

  Retention(event::Loop& loop, Store& store, const Clock& clock, const Clock& system);
  // The clock started far past everything that is stored: perhaps nothing came for long, perhaps it is wrong. For kHeldBack nothing
  // goes for its age, so that somebody can set it; only a store that is full makes room. Before keep().
  void hold_back(Duration how_long = kHeldBack) { held_until_ = clock_.monotonic() + how_long; }
  // How long messages and lines of the books are kept; the first step is taken at once, a change counts from the next one.
  void keep(Duration messages, Duration history);
  void stop();  // a step under way is not waited for

 private:
  void step();
  void stepped(const Result<Pruned>& gone);

  event::Loop& loop_;
  Store& store_;
  const Clock& clock_;
  const Clock& system_;
  MonotonicTime held_until_{};
  Duration messages_{}, history_{};
  bool started_ = false, stopped_ = false;
  event::Timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // outlives it in callbacks of the store
};

}  // namespace belay::spool
