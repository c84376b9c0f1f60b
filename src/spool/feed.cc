#include "spool/feed.h"

#include <algorithm>

namespace belay::spool {

void Feed::add(const std::vector<MessageId>& changed) {
  const std::lock_guard lock(mutex_);
  last_ += changed.size();
  kept_.insert(kept_.end(), changed.begin(), changed.end());
  if (kept_.size() > kKept) kept_.erase(kept_.begin(), kept_.end() - static_cast<std::ptrdiff_t>(kKept));
}

Changes Feed::after(uint64_t after, size_t max) const {
  const std::lock_guard lock(mutex_);
  const uint64_t gone = last_ - kept_.size();  // number of the newest that is not kept
  Changes changes;
  changes.gap = after < gone;
  const uint64_t from = std::clamp(after, gone, last_);
  const size_t count = std::min<size_t>(max, last_ - from);
  const auto begin = kept_.begin() + static_cast<std::ptrdiff_t>(from - gone);
  changes.ids.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  changes.last = from + count;
  return changes;
}

uint64_t Feed::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace belay::spool
