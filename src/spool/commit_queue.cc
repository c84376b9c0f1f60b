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

bool CommitQueue::offer(Work work) {
  work.bytes = size_of(work.batch);
  const Time wanted = std::chrono::steady_clock::now() + patience(work);
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || bytes_ + work.bytes > StoreOptions::kMaxQueuedBytes) return false;
    bytes_ += work.bytes;
    waiting_.push_back(std::move(work));
    if (wanted < take_at_) {
      take_at_ = wanted;
      wake = true;
    }
  }
  if (wake) wake_.notify_one();
  return true;
}

std::vector<Work> CommitQueue::take(Duration idle) {
  std::unique_lock lock(mutex_);
  Time now = std::chrono::steady_clock::now();
  const Time give_up = now + idle;
  const Time not_before = now + std::min<std::chrono::microseconds>(StoreOptions::kPaceMax, last_changes_ * StoreOptions::kPacePerPut);
  last_changes_ = 0;
  while (!stopping_) {
    const Time at = std::max(take_at_, not_before);
    if (at <= now || give_up <= now) break;
    wake_.wait_until(lock, std::min(at, give_up));
    now = std::chrono::steady_clock::now();
  }
  if (!stopping_ && take_at_ > now) return {};
  return take_group();
}

std::vector<Work> CommitQueue::take_now() {
  const std::lock_guard lock(mutex_);
  return take_group();
}

std::vector<Work> CommitQueue::take_group() {
  std::vector<Work> group;
  size_t bytes = 0;
  while (!waiting_.empty() && group.size() < StoreOptions::kMaxGroup && bytes < StoreOptions::kMaxGroupBytes) {
    bytes += waiting_.front().bytes;
    last_changes_ += waiting_.front().batch.puts.size() + waiting_.front().batch.settlements.size();
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  bytes_ -= bytes;
  take_at_ = waiting_.empty() ? Time::max() : std::chrono::steady_clock::now();
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
