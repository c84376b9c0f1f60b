// A thread that runs tasks in order: the store's readers. Owned by the store; tasks still queued when it is stopped are run
// first, because somebody waits for each of them. With an executor there is no thread: each task has its turn there.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "spool/executor.h"

namespace belay::spool {

class TaskThread {
 public:
  explicit TaskThread(Executor* executor = nullptr) : executor_(executor) {
    if (executor_ == nullptr) thread_ = std::thread([this] { run(); });
  }
  ~TaskThread() { stop(); }
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // False after stop(): the task will not run.
  [[nodiscard]] bool post(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      tasks_.push_back(std::move(task));
    }
    if (executor_ != nullptr) executor_->run([this] { static_cast<void>(run_one()); });
    else wake_.notify_one();
    return true;
  }
  // Returns when the last task has run. From the owner's thread, also twice.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    while (executor_ != nullptr && !executor_->killed() && run_one()) {}
  }

 private:
  bool run_one() {
    if (tasks_.empty()) return false;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  Executor* const executor_;
  std::thread thread_;  // last: starts when the rest stands
};

}  // namespace belay::spool
