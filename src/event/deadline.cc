#include <utility>

#include "base/check.h"
#include "event/loop.h"

namespace belay::event {

DeadlineList::DeadlineList(Loop& loop) : loop_(loop), timer_(loop, [this] { sweep(); }) {}

DeadlineList::~DeadlineList() {
  while (first_ != nullptr) first_->unlink();
}

void DeadlineList::link(Entry& entry, std::function<void()> expired) {
  entry.unlink();
  entry.expired_ = std::move(expired);
  entry.list_ = this;
  entry.previous_ = nullptr;
  entry.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &entry;
  first_ = &entry;
  if (!timer_.running()) timer_.start(kSweep);
}

void DeadlineList::Entry::unlink() {
  if (list_ == nullptr) return;
  if (list_->cursor_ == this) list_->cursor_ = next_;
  if (list_->current_ == this) list_->current_ = nullptr;
  (previous_ != nullptr ? previous_->next_ : list_->first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  next_ = previous_ = nullptr;
  list_ = nullptr;
}

void DeadlineList::sweep() {
  const MonotonicTime now = loop_.now();
  for (Entry* entry = first_; entry != nullptr; entry = cursor_) {
    cursor_ = entry->next_;
    if (entry->when_ > now) continue;
    entry->clear();
    current_ = entry;
    // Moved out while it runs: `expired` may destroy the entry or link it anew.
    std::function<void()> run = std::move(entry->expired_);
    run();
    if (current_ == entry) entry->expired_ = std::move(run);
    current_ = nullptr;
  }
  cursor_ = nullptr;
  // link() during the sweep may have started it already.
  if (first_ != nullptr && !timer_.running()) timer_.start(kSweep);
}

}  // namespace belay::event
