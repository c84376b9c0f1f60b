#include "spool/retention.h"

#include <algorithm>
#include <utility>

namespace belay::spool {

Retention::Retention(event::Loop& loop, Store& store, const Clock& clock, const Clock& system)
    : loop_(loop), store_(store), clock_(clock), system_(system), timer_(loop, [this] { step(); }) {}

void Retention::keep(Duration messages, Duration history) {
  messages_ = messages;
  history_ = history;
  if (!std::exchange(started_, true)) step();
}

void Retention::stop() {
  stopped_ = true;
  timer_.cancel();
}

void Retention::step() {
  const auto left = std::chrono::ceil<Duration>(held_until_ - clock_.monotonic());
  const bool held = left.count() > 0;
  if (held && store_.accepting()) return timer_.start(std::min(left, kEvery));
  const WallTime now = held ? WallTime{} : std::min(clock_.wall(), system_.wall());
  store_.prune(now - messages_, now - history_, kStep,
               [this, guard = std::weak_ptr(alive_), &to = loop_](Result<Pruned> gone) {
                 to.post([this, guard, gone = std::move(gone)] {
                   if (guard.lock()) stepped(gone);
                 });
               });
}

void Retention::stepped(const Result<Pruned>& gone) {
  if (stopped_) return;
  if (gone && gone->more && gone->messages + gone->lines + gone->claims + gone->expired > 0) {
    timer_.start(Duration(0));
  } else if ((gone && gone->more) || !store_.accepting()) {
    timer_.start(kSoon);
  } else {
    timer_.start(kEvery);
  }
}

}  // namespace belay::spool
