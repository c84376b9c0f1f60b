#include "spool/retention.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "spool/steady_clock.h"

namespace belay::spool {

Retention::Retention(event::Loop& loop, Store& store, const Clock& clock, const Clock& system, Duration held_back)
    : loop_(loop),
      store_(store),
      clock_(clock),
      system_(system),
      held_until_(clock.monotonic() + held_back),
      held_(store.time_in_doubt()),
      timer_(loop, [this] { step(); }) {}

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
  if (held_ && clock_.monotonic() >= held_until_) {
    held_ = false;
    store_.doubt_time(false, [](const Result<Committed>&) {});  // what is not written lets the next start hold back once more
  }
  const WallTime now = std::min(clock_.wall(), system_.wall());
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
    const auto left = held_ ? std::chrono::ceil<Duration>(held_until_ - clock_.monotonic()) : kEvery;
    timer_.start(std::clamp(left, Duration(0), kEvery));
  }
}

void look_at_clock(Store& store, const Clock& clock) {
  const auto hours = [](auto time) { return std::chrono::floor<std::chrono::hours>(time).count(); };
  const auto minutes = std::chrono::floor<std::chrono::minutes>(Retention::kHeldBack).count();
  const auto newest = store.newest();
  if (newest && clock.wall() > *newest + SteadyClock::kBelieved) {
    log::warn("spool: the newest stored id is {} hours old; nothing is forgotten for {} minutes: if nothing came for so long, that is all, "
              "and if it is the clock that is wrong, set it meanwhile and start again",
              hours(clock.wall() - *newest), minutes);
  } else if (store.time_in_doubt()) {
    log::warn("spool: its clock was in doubt when it ended; nothing is forgotten for {} minutes", minutes);
  } else {
    return;
  }
  store.doubt_time(true, [](const Result<Committed>& written) {
    if (!written) log::error("spool: that the clock is in doubt could not be written: {}", written.error().message);
  });
}

}  // namespace belay::spool
