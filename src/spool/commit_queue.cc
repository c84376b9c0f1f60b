#include "spool/commit_queue.h"

#include <algorithm>

namespace belay::spool {

namespace {

constexpr size_t kPerMessage = 512;  // head, fields and bookkeeping, about

size_t size_of(const Batch& batch) {
  size_t bytes = 0;
  for (const NewMessage& put : batch.puts) bytes += put.message->body_bytes() + kPerMessage;
  for (const EventBatch& events : batch.events) bytes += events.lines.bytes().size();
  for (const Settlement& one : batch.settlements) {
    bytes += kPerMessage;
    for (const Attempt& attempt : one.delivery.history) bytes += sizeof attempt + attempt.error.size() + attempt.answer.size();
  }
  return bytes;
}

}  // namespace

Duration CommitQueue::patience(const Work& work) {
  if (!work.batch.puts.empty() || work.task) return Duration(0);
  return work.batch.settlements.empty() ? StoreOptions::kEventsWait : StoreOptions::kSettlementsWait;
}

std::chrono::microseconds CommitQueue::pace(size_t changes) {
  return std::min<std::chrono::microseconds>(StoreOptions::kPaceMax, changes * StoreOptions::kPacePerChange);
}

bool CommitQueue::offer(Work work) {
  work.bytes = size_of(work.batch);
  const Time wanted = std::chrono::steady_clock::now() + patience(work);
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || bytes_ + work.bytes > StoreOptions::kMaxQueuedBytes) return false;
    const bool was_full = full();
    bytes_ += work.bytes;
    waiting_.push_back(std::move(work));
    wake = wanted < take_at_ || (full() && !was_full);
    take_at_ = std::min(take_at_, wanted);
  }
  if (wake) wake_.notify_one();
  return true;
}

std::vector<Work> CommitQueue::take(Duration idle) {
  std::unique_lock lock(mutex_);
  Time now = std::chrono::steady_clock::now();
  const Time give_up = now + idle;
  while (!stopping_ && due() > now && give_up > now) {
    wake_.wait_until(lock, std::min(due(), give_up));
    now = std::chrono::steady_clock::now();
  }
  if (!stopping_ && due() > now) return {};
  return take_group();
}

// A commit that took longer than the pace has gathered enough company by itself.
CommitQueue::Time CommitQueue::due() const { return full() ? Time::min() : std::max(take_at_, taken_at_ + pace(last_changes_)); }

std::vector<Work> CommitQueue::take_now() {
  const std::lock_guard lock(mutex_);
  return take_group();
}

std::vector<Work> CommitQueue::take_group() {
  std::vector<Work> group;
  size_t bytes = 0;
  last_changes_ = 0;
  while (!waiting_.empty() && group.size() < StoreOptions::kMaxGroup && bytes < StoreOptions::kMaxGroupBytes) {
    bytes += waiting_.front().bytes;
    last_changes_ += waiting_.front().batch.puts.size() + waiting_.front().batch.settlements.size();
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  bytes_ -= bytes;
  taken_at_ = std::chrono::steady_clock::now();
  take_at_ = waiting_.empty() ? Time::max() : taken_at_;
  return group;
}

void CommitQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
}

bool CommitQueue::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

}  // namespace belay::spool
