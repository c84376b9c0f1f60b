// What waits for the store's writer: batches of all callers, and the store's own repairs. The writer takes everything that
// waits as one group; work that nobody waits for lingers a little for company. Thread-safe. Bounded by
// StoreOptions::kMaxQueuedBytes: offer() says no.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "spool/store.h"

namespace belay::spool {

class Change;

struct Work {
  Batch batch;
  Done<Committed> done;
  std::function<void(Change&)> task;  // instead of a batch
  size_t bytes = 0;
};

class CommitQueue {
 public:
  // False: too much waits.
  bool offer(Work work);
  // Waits for work, and behind a group of many changes for company, and takes a group of it; empty after stop() when nothing is
  // left, or when `idle` passed.
  std::vector<Work> take(Duration idle);
  std::vector<Work> take_now();  // waits for nothing
  void stop();
  bool stopped() const;
  // How long after a group of so many puts and settlements was taken the next one is, unless that is full.
  static std::chrono::microseconds pace(size_t changes);

 private:
  using Time = std::chrono::steady_clock::time_point;
  static Duration patience(const Work& work);
  // Under the lock.
  bool full() const { return bytes_ >= StoreOptions::kMaxGroupBytes || waiting_.size() >= StoreOptions::kMaxGroup; }
  Time due() const;
  std::vector<Work> take_group();
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> waiting_;
  size_t bytes_ = 0;
  Time take_at_ = Time::max();  // when the most impatient work wants to go
  size_t last_changes_ = 0;     // puts and settlements of the last group
  Time taken_at_{};             // when it was taken
  bool stopping_ = false;
};

}  // namespace belay::spool
