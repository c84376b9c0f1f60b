// What has changed in the store since the process started, as ids in the order of their commits: lines of the books that were
// added, deliveries that were added or took another state. The newest kKept are kept, whoever reads or not; who falls further
// behind is told that there is a gap. Fed by the store's writer, one call a commit; any thread may read. Only ids: what became
// of them is read from the store when somebody wants it, so that nothing is held open in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "base/id.h"

namespace belay::spool {

struct Changes {
  std::vector<MessageId> ids;  // one may stand there several times
  uint64_t last = 0;           // number of the last of them, to go on from
  bool gap = false;            // some before them are not known any more
};

class Feed {
 public:
  static constexpr size_t kKept = size_t{1} << 16;

  void add(const std::vector<MessageId>& changed);
  // Those behind number `after`, at most `max`. The first change of a process has number 1.
  Changes after(uint64_t after, size_t max) const;
  uint64_t last() const;

 private:
  mutable std::mutex mutex_;
  std::deque<MessageId> kept_;
  uint64_t last_ = 0;
};

}  // namespace belay::spool
