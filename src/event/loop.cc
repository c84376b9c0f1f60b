#include "event/loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "event/alarms.h"

namespace belay::event {

namespace {

// What a signal handler may touch: lock-free atomics only. One slot per signal of the process, the last on_signal() wins.
struct SignalSlot {
  std::atomic<int> wake{-1};
  std::atomic<pid_t> owner{0};
};
std::array<SignalSlot, 65> signal_slots;

void wake(int fd) {
  const uint64_t one = 1;
  // An eventfd counter cannot overflow here; any other failure would be a closed descriptor, ours to prevent.
  [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

void signal_arrived(int number) {
  const int saved = errno;
  const SignalSlot& slot = signal_slots[static_cast<size_t>(number)];
  if (slot.owner.load() == ::getpid()) {
    wake(slot.wake.load());
  } else {
    // A forked child inherited the handler but not the loop behind it: it gets what the signal does by default.
    ::signal(number, SIG_DFL);
    ::raise(number);
  }
  errno = saved;
}

struct SignalWatch {
  int fd = -1;
  ::event* ready = nullptr;
  Loop* loop = nullptr;
  std::function<void()> handler;

  static void arrived(int, short, void* self_pointer) {
    auto* self = static_cast<SignalWatch*>(self_pointer);
    self->loop->entered();
    const auto handler = self->handler;  // it may be replaced while it runs
    handler();
  }
  ~SignalWatch() {
    if (ready != nullptr) event_free(ready);
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

struct Loop::State {
  std::atomic<std::thread::id> thread{};  // who runs turns at the moment
  bool stopping = false;
  std::vector<std::function<void()>> tasks;    // posted by this thread: no lock, no wake-up
  std::vector<std::function<void()>> running;  // capacity kept from turn to turn
  int wake_fd = -1;
  ::event* wake_event = nullptr;
  std::mutex mutex;
  std::vector<std::function<void()>> foreign_tasks;  // by other threads, under `mutex`
  bool woken = false;
  TurnEnd* first_hook = nullptr;
  TurnEnd* last_hook = nullptr;
  TurnEnd* hook_cursor = nullptr;   // next hook of the running round
  TurnEnd* hook_current = nullptr;  // null once the running hook destroyed itself
  bool in_hooks = false;            // a round runs
  std::map<int, std::unique_ptr<SignalWatch>> signals;
};

Loop::Loop() : state_(std::make_unique<State>()) {
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL and evhttp write without MSG_NOSIGNAL
  event_config* config = event_config_new();
  BELAY_CHECK(config != nullptr);
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);  // post() is the only door for other threads and has its own lock
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  BELAY_CHECK_NOTE(base_ != nullptr, "event_base_new: out of descriptors or memory");
  state_->wake_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  BELAY_CHECK_NOTE(state_->wake_fd >= 0, "eventfd: out of descriptors");
  // Edge-triggered: every write to the eventfd wakes us and nobody needs to read it.
  state_->wake_event = event_new(
      base_, state_->wake_fd, EV_READ | EV_PERSIST | EV_ET,
      [](int, short, void* self_pointer) {
        auto* self = static_cast<Loop*>(self_pointer);
        self->entered();
        self->state_->woken = true;
      },
      this);
  BELAY_CHECK(state_->wake_event != nullptr && event_add(state_->wake_event, nullptr) == 0);
  refresh();
  fresh_ = false;
}

Loop::Loop(const Clock& clock) : Loop() {
  alarms_ = std::make_unique<Alarms>(clock);
  state_->thread = std::this_thread::get_id();
  refresh();
  fresh_ = false;
}

Loop::~Loop() {
  for (const auto& [number, watch] : state_->signals) {
    SignalSlot& slot = signal_slots[static_cast<size_t>(number)];
    if (slot.owner.load() != ::getpid() || slot.wake.load() != watch->fd) continue;
    ::signal(number, SIG_DFL);
    slot.owner = 0;
    slot.wake = -1;
  }
  state_->signals.clear();
  BELAY_CHECK_NOTE(state_->first_hook == nullptr, "a TurnEnd outlives its Loop");
  event_free(state_->wake_event);
  ::close(state_->wake_fd);
  event_base_free(base_);
}

void Loop::refresh() {
  fresh_ = true;
  if (alarms_ != nullptr) {
    now_ = alarms_->clock.monotonic();
    wall_ = alarms_->clock.wall();
    return;
  }
  now_ = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::steady_clock::now());
  wall_ = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// True when a callback ran.
bool Loop::turn(bool wait) {
  const bool work_waits = !wait || !state_->tasks.empty();
  const int result = event_base_loop(base_, work_waits ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
  BELAY_CHECK_NOTE(result >= 0, "event_base_loop failed");
  if (!state_->tasks.empty() || state_->woken) run_tasks();
  const bool ran = fresh_;
  if (ran) run_hooks();
  fresh_ = false;
  return ran;
}

bool Loop::step() {
  BELAY_CHECK_NOTE(alarms_ != nullptr, "a loop without a clock of its own runs");
  alarms_->fire_due();
  return turn(false);
}

std::optional<MonotonicTime> Loop::next_timer() const {
  return alarms_->list.empty() ? std::nullopt : std::optional(alarms_->list.begin()->first);
}

void Loop::run_tasks() {
  entered();
  State& state = *state_;
  // What a task posts runs on the next turn.
  std::vector<std::function<void()>> batch = std::move(state.running);
  std::swap(batch, state.tasks);
  if (state.woken) {
    state.woken = false;
    std::vector<std::function<void()>> foreign;
    {
      const std::lock_guard lock(state.mutex);
      std::swap(foreign, state.foreign_tasks);
    }
    for (auto& task : foreign) batch.push_back(std::move(task));
  }
  for (auto& task : batch) task();
  batch.clear();
  state.running = std::move(batch);
}

void Loop::run_hooks() {
  State& state = *state_;
  state.in_hooks = true;
  for (TurnEnd* hook = state.first_hook; hook != nullptr; hook = state.hook_cursor) {
    state.hook_cursor = hook->next_;
    state.hook_current = hook;
    // Moved out while it runs: a hook may destroy its own TurnEnd.
    std::function<void()> run = std::move(hook->hook_);
    run();
    if (state.hook_current != nullptr) hook->hook_ = std::move(run);
  }
  state.hook_current = nullptr;
  state.hook_cursor = nullptr;
  state.in_hooks = false;
}

void Loop::run() {
  state_->thread = std::this_thread::get_id();
  while (!state_->stopping) turn(true);
  state_->stopping = false;
  state_->thread = std::thread::id{};
}

void Loop::stop() { state_->stopping = true; }

bool Loop::run_until(const std::function<bool()>& done, Duration limit) {
  constexpr Duration kLook{5};  // `done` may depend on another thread
  const auto end = std::chrono::steady_clock::now() + limit;
  Timer look(*this, [] {});
  state_->thread = std::this_thread::get_id();
  refresh();
  fresh_ = false;
  bool finished = done();
  while (!finished && std::chrono::steady_clock::now() < end) {
    if (!look.running()) look.start(kLook);
    turn(true);
    finished = done();
  }
  state_->thread = std::thread::id{};
  return finished;
}

void Loop::post(std::function<void()> task) {
  State& state = *state_;
  if (std::this_thread::get_id() == state.thread.load(std::memory_order_relaxed)) {
    state.tasks.push_back(std::move(task));
    return;
  }
  bool first = false;
  {
    const std::lock_guard lock(state.mutex);
    first = state.foreign_tasks.empty();
    state.foreign_tasks.push_back(std::move(task));
  }
  if (first) wake(state.wake_fd);
}

Loop::TurnEnd::TurnEnd(Loop& loop, std::function<void()> hook) : loop_(loop), hook_(std::move(hook)) {
  State& state = *loop_.state_;
  previous_ = state.last_hook;
  (previous_ != nullptr ? previous_->next_ : state.first_hook) = this;
  state.last_hook = this;
  if (state.in_hooks && state.hook_cursor == nullptr) state.hook_cursor = this;
}

Loop::TurnEnd::~TurnEnd() {
  State& state = *loop_.state_;
  if (state.hook_cursor == this) state.hook_cursor = next_;
  if (state.hook_current == this) state.hook_current = nullptr;
  (previous_ != nullptr ? previous_->next_ : state.first_hook) = next_;
  (next_ != nullptr ? next_->previous_ : state.last_hook) = previous_;
}

void Loop::on_signal(int signal_number, std::function<void()> handler) {
  BELAY_CHECK(signal_number > 0 && signal_number < static_cast<int>(signal_slots.size()));
  std::unique_ptr<SignalWatch>& watch = state_->signals[signal_number];
  if (watch != nullptr) {
    watch->handler = std::move(handler);
  } else {
    watch = std::make_unique<SignalWatch>();
    watch->loop = this;
    watch->handler = std::move(handler);
    watch->fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    BELAY_CHECK_NOTE(watch->fd >= 0, "eventfd: out of descriptors");
    watch->ready = event_new(base_, watch->fd, EV_READ | EV_PERSIST | EV_ET, &SignalWatch::arrived, watch.get());
    BELAY_CHECK(watch->ready != nullptr && event_add(watch->ready, nullptr) == 0);
  }
  SignalSlot& slot = signal_slots[static_cast<size_t>(signal_number)];
  slot.wake = watch->fd;
  slot.owner = ::getpid();
  struct sigaction action = {};
  action.sa_handler = &signal_arrived;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  BELAY_CHECK(::sigaction(signal_number, &action, nullptr) == 0);
}

void Loop::after_fork() { BELAY_CHECK_NOTE(event_reinit(base_) == 0, "event_reinit failed"); }

}  // namespace belay::event
