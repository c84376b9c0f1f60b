// Forgets what is old, step by step: each takes at most kStep messages and as many blocks of the books, in one commit that it
// shares with whatever waits for the store then. While more is old the next step follows on a later turn of the loop, so that
// retention keeps up with any intake and delays none for longer than a step. Messages and lines that are forgotten do not come
// back, so that they must be old by both clocks, the spool's and the system's; claims and `expire` end by the spool's, which
// gave them their ends. Owner: the spool process; lives on its main loop. Failure: a step that the store refuses is repeated
// with the next look.
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

  // A store whose time is in doubt is left so for `held_back`, so that somebody can set the clock.
  Retention(event::Loop& loop, Store& store, const Clock& clock, const Clock& system, Duration held_back = kHeldBack);
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
  const MonotonicTime held_until_;
  bool held_;
  Duration messages_{}, history_{};
  bool started_ = false, stopped_ = false;
  event::Timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // outlives it in callbacks of the store
};

// At a start, before anything new is stored. A clock far past everything that is stored is in doubt: perhaps nothing came for long,
// perhaps it is wrong. Once something new is stored nothing shows that any more, so the store remembers it.
void look_at_clock(Store& store, const Clock& clock);

}  // namespace belay::spool
