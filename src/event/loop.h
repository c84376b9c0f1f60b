// The event loop: one per thread, around libevent's event_base. The only folder that sees libevent, c-ares and OpenSSL's
// SSL. Everything registered with a Loop must be destroyed before it, on its thread. Callbacks never throw and never block.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/clock.h"

struct event_base;

namespace belay::event {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs turns until stop(): wait for events, run their callbacks, run posted tasks, run the turn-end hooks.
  void run();
  void stop();  // from a callback or a posted task
  // For tests: turns until `done` says so or `limit` passes; false when the limit passed first.
  bool run_until(const std::function<bool()>& done, Duration limit);

  // Time of this turn: read once a turn, cheap.
  MonotonicTime now() const { return now_; }
  WallTime wall() const { return wall_; }

  // Runs `task` on this loop's thread on a later turn. The only member that other threads may call.
  void post(std::function<void()> task);

  // Called at the end of every turn that ran a callback, in order of registration: to flush what the turn gathered in one
  // write. Registered for the life of the loop's user; remove with the returned handle's destruction.
  class TurnEnd {
   public:
    TurnEnd(Loop& loop, std::function<void()> hook);
    ~TurnEnd();
    TurnEnd(const TurnEnd&) = delete;
    TurnEnd& operator=(const TurnEnd&) = delete;

   private:
    struct Hook;
    Loop& loop_;
    std::unique_ptr<Hook> hook_;
  };

  // Runs `handler` on this thread when the signal arrives; replaces an earlier handler.
  void on_signal(int signal_number, std::function<void()> handler);

  event_base* base() const { return base_; }  // for src/event only

 private:
  friend class TurnEnd;
  struct State;
  void turn();
  event_base* base_ = nullptr;
  MonotonicTime now_{};
  WallTime wall_{};
  std::unique_ptr<State> state_;
};

// A one-shot timer on the monotonic clock; destroying it cancels it. For rare waits (retry scans, reloads); thousands of
// connection deadlines use DeadlineList.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> expired);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void start(Duration after);  // restarts when running
  void cancel();
  bool running() const { return running_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  bool running_ = false;
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
  // `expired` runs once after the time passed (the deadline is cleared first); it may destroy any entry.
  void link(Entry& entry, std::function<void()> expired);

 private:
  void sweep();
  Loop& loop_;
  Timer timer_;
  Entry* first_ = nullptr;
  Entry* cursor_ = nullptr;  // next entry of a running sweep, moved on when that entry unlinks
  size_t count_ = 0;
};

}  // namespace belay::event
