#include "spool/ages.h"

#include <string>
#include <unordered_set>

namespace belay::spool {

void Ages::add(DestinationId destination, int64_t minute, int64_t by) {
  auto& minutes = minutes_[destination];
  uint64_t& count = minutes[minute];
  count = by < 0 && count < static_cast<uint64_t>(-by) ? 0 : count + static_cast<uint64_t>(by);
  if (count == 0) minutes.erase(minute);
}

Older Ages::older(DestinationId destination, WallTime now) const {
  Older older{};
  const auto found = minutes_.find(destination);
  if (found == minutes_.end()) return older;
  const int64_t second = to_ms(now) / 1'000;
  for (const auto& [minute, count] : found->second) {
    const int64_t age = second - (minute + 1) * 60;  // of the youngest of it
    if (age < kOlder_s.front()) break;
    for (size_t i = 0; i < older.size(); ++i) {
      if (age >= kOlder_s[i]) older[i] += count;
    }
  }
  return older;
}

std::optional<int64_t> Ages::oldest_minute(DestinationId destination) const {
  const auto found = minutes_.find(destination);
  if (found == minutes_.end() || found->second.empty()) return std::nullopt;
  return found->second.begin()->first;
}

// The first one of a batch stands in both tables.
void Ages::load(lmdb::Transaction& transaction, const Tables& tables) {
  std::unordered_set<std::string> of_a_group;
  lmdb::Cursor due(transaction, tables.due);
  for (bool more = due.first(); more; more = due.next()) {
    const DueEntry entry = DueEntry::read(due.key());
    add(entry.destination, minute_of(entry.message), 1);
    if (!due.value().empty()) of_a_group.insert(delivery_key(entry.message, entry.destination));
  }
  lmdb::Cursor members(transaction, tables.members);
  for (bool more = members.first(); more; more = members.next()) {
    const DestinationId destination = get_be(members.key().data(), 8);
    const MessageId id = read_member(members.key()).message;
    if (!of_a_group.contains(delivery_key(id, destination))) add(destination, minute_of(id), 1);
  }
}

}  // namespace belay::spool
