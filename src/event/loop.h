// The event loop: one per thread, around libevent's event_base. The only folder that sees libevent, c-ares and OpenSSL's
// SSL. Everything registered with a Loop must be destroyed before it, on its thread. Callbacks never throw and never block.
// A Loop belongs to the process that made it: a forked child makes its own and calls after_fork() on one it inherited
// before it destroys anything registered there. Making a Loop ignores SIGPIPE for the process.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"

struct event_base;

namespace belay::event {

class Loop {
 public:
  Loop();
  // On a clock that somebody else moves (the simulator): timers expire by it, and turns are made by step(). Lives on one thread.
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs turns until stop(): wait for events, run their callbacks, run posted tasks, run the turn-end hooks.
  void run();
  void stop();  // from a callback or a posted task; before run(): run() returns at once
  // For programs that ask one thing, and tests: turns until `done` says so or `limit` passes; false when the limit passed first.
  bool run_until(const std::function<bool()>& done, Duration limit);
  // Of a loop with a clock: one turn that waits for nothing: what is due and ready now. False: there was nothing.
  bool step();
  std::optional<MonotonicTime> next_timer() const;  // when the clock makes one due

  // Time of this turn: read once a turn, cheap.
  MonotonicTime now() const { return now_; }
  WallTime wall() const { return wall_; }

  // Runs `task` on this loop's thread on a later turn. The only member that other threads may call.
  void post(std::function<void()> task);

  // Called at the end of every turn that ran a callback, in order of registration: to flush what the turn gathered in one
  // write. Registered until it is destroyed, which a hook may do to itself or to another one; one that a hook makes is called in
  // the same turn.
  class TurnEnd {
   public:
    TurnEnd(Loop& loop, std::function<void()> hook);
    ~TurnEnd();
    TurnEnd(const TurnEnd&) = delete;
    TurnEnd& operator=(const TurnEnd&) = delete;

   private:
    friend class Loop;
    Loop& loop_;
    std::function<void()> hook_;
    TurnEnd* next_ = nullptr;
    TurnEnd* previous_ = nullptr;
  };

  // Runs `handler` on this thread when the signal arrives; replaces an earlier handler, also another loop's. Signals that
  // arrive close together may run it once. A forked child that has not set its own handler gets the default action.
  void on_signal(int signal_number, std::function<void()> handler);

  // In a forked child, on an inherited loop: gives it an epoll instance of its own, so that destroying what is registered
  // there does not take the parent's registrations away.
  void after_fork();

  // For src/event only. Every callback from libevent begins with entered(): it makes now() this turn's time.
  event_base* base() const { return base_; }
  struct Alarms;
  Alarms* alarms() const { return alarms_.get(); }  // null: libevent keeps the timers
  void entered() {
    if (!fresh_) refresh();
  }

 private:
  friend class TurnEnd;
  struct State;
  bool turn(bool wait);
  void refresh();
  void run_tasks();
  void run_hooks();
  event_base* base_ = nullptr;
  MonotonicTime now_{};
  WallTime wall_{};
  bool fresh_ = false;  // a callback ran in this turn and the time has been read
  std::unique_ptr<Alarms> alarms_;
  std::unique_ptr<State> state_;
};

// A one-shot timer on the monotonic clock, never early; destroying it (also inside `expired`) cancels it. For rare waits (retry scans, reloads); thousands of
// connection deadlines use DeadlineList.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> expired);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void start(Duration after);  // restarts when running
  void cancel();
  bool running() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Deadlines of many connections, cheap to move: setting one is a store, expiry is found by a sweep every kSweep. An entry is
// a member of its connection and links itself in; it fires at most kSweep late and never early.
class DeadlineList {
 public:
  static constexpr Duration kSweep{100};

  class Entry {
   public:
    Entry() = default;
    ~Entry() { unlink(); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    void set(MonotonicTime when) { when_ = when; }
    void clear() { when_ = MonotonicTime::max(); }
    MonotonicTime when() const { return when_; }
    void unlink();

   private:
    friend class DeadlineList;
    MonotonicTime when_ = MonotonicTime::max();
    std::function<void()> expired_;
    Entry* next_ = nullptr;
    Entry* previous_ = nullptr;
    DeadlineList* list_ = nullptr;
  };

  explicit DeadlineList(Loop& loop);
  ~DeadlineList();
  // `expired` runs once after the time passed (the deadline is cleared first); it may unlink or destroy any entry, but not
  // the list itself.
  void link(Entry& entry, std::function<void()> expired);

 private:
  void sweep();
  Loop& loop_;
  Timer timer_;
  Entry* first_ = nullptr;
  Entry* cursor_ = nullptr;   // next entry of a running sweep, moved on when that entry unlinks
  Entry* current_ = nullptr;  // the entry whose `expired` runs; null once that unlinked
};

}  // namespace belay::event
