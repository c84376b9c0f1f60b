#include <event2/event.h>

#include <utility>

#include "base/check.h"
#include "event/alarms.h"
#include "event/loop.h"

namespace belay::event {

struct Timer::Impl {
  Loop& loop;
  std::function<void()> expired;
  ::event* alarm = nullptr;
  MonotonicTime due{};
  bool running = false;
  bool* destroyed = nullptr;  // set while `expired` runs
  std::optional<Loop::Alarms::List::iterator> place;  // of a loop on a clock of its own

  void arm(std::chrono::microseconds after) {
    if (loop.alarms() != nullptr) {
      disarm();
      place = loop.alarms()->list.insert({due, {&fired, this}});
      return;
    }
    const timeval wait{.tv_sec = static_cast<time_t>(after.count() / 1'000'000),
                       .tv_usec = static_cast<suseconds_t>(after.count() % 1'000'000)};
    BELAY_CHECK(evtimer_add(alarm, &wait) == 0);
  }

  void disarm() {
    if (alarm != nullptr) {
      evtimer_del(alarm);
    } else if (place) {
      loop.alarms()->list.erase(*place);
      place.reset();
    }
  }

  static void fired(int, short, void* self_pointer) {
    auto* self = static_cast<Impl*>(self_pointer);
    if (self->place) self->disarm();
    self->loop.entered();
    // libevent's clock is the coarse one and may be some milliseconds ahead of ours: a timer is never early.
    if (self->loop.now() < self->due) return self->arm(self->due - self->loop.now() + std::chrono::milliseconds(1));
    self->running = false;
    bool destroyed = false;
    self->destroyed = &destroyed;
    std::function<void()> run = std::move(self->expired);
    run();
    if (destroyed) return;
    self->destroyed = nullptr;
    self->expired = std::move(run);
  }
};

Timer::Timer(Loop& loop, std::function<void()> expired) : impl_(new Impl{.loop = loop, .expired = std::move(expired)}) {
  if (loop.alarms() != nullptr) return;
  impl_->alarm = evtimer_new(loop.base(), &Impl::fired, impl_.get());
  BELAY_CHECK(impl_->alarm != nullptr);
}

Timer::~Timer() {
  if (impl_->destroyed != nullptr) *impl_->destroyed = true;
  impl_->disarm();
  if (impl_->alarm != nullptr) event_free(impl_->alarm);
}

void Timer::start(Duration after) {
  if (after < Duration::zero()) after = Duration::zero();
  const auto now = impl_->loop.alarms() != nullptr ? impl_->loop.alarms()->clock.monotonic()
                                                   : std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::steady_clock::now());
  impl_->due = now + after;
  impl_->running = true;
  impl_->arm(after);
}

void Timer::cancel() {
  impl_->running = false;
  impl_->disarm();
}

bool Timer::running() const { return impl_->running; }

}  // namespace belay::event
