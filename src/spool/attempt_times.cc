#include "spool/attempt_times.h"

namespace belay::spool {

void AttemptTimes::add(const std::string& destination, uint64_t us, bool success) {
  const std::lock_guard lock(mutex_);
  auto found = rows_.find(destination);
  if (found == rows_.end()) {
    const std::string name = rows_.size() < kDestinations ? destination : "other";
    found = rows_.try_emplace(name, Row{name, {}, 0, 0}).first;
  }
  Row& row = found->second;
  row.times.add(us);
  ++(success ? row.succeeded : row.failed);
}

std::vector<AttemptTimes::Row> AttemptTimes::rows() const {
  const std::lock_guard lock(mutex_);
  std::vector<Row> all;
  all.reserve(rows_.size());
  for (const auto& [name, row] : rows_) all.push_back(row);
  return all;
}

}  // namespace belay::spool
