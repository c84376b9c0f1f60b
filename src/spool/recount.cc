#include "spool/recount.h"

#include "spool/journal.h"

namespace belay::spool {

namespace {

size_t at(DeliveryState state) { return static_cast<size_t>(state); }
size_t at(wire::Outcome outcome) { return static_cast<size_t>(outcome); }

}  // namespace

bool Recount::step(lmdb::Transaction& transaction, const Tables& tables, uint32_t max) {
  uint32_t left = max;
  while (phase_ != Phase::done && left > 0) {
    if (!walk(transaction, phase_ == Phase::deliveries ? tables.deliveries : tables.journal, left)) break;
    phase_ = phase_ == Phase::deliveries ? Phase::journal : Phase::done;
    at_.clear();
  }
  return phase_ == Phase::done;
}

// True at the table's end.
bool Recount::walk(lmdb::Transaction& transaction, lmdb::Table table, uint32_t& left) {
  lmdb::Cursor cursor(transaction, table);
  bool more = cursor.seek(at_);
  if (more && !at_.empty() && cursor.key() == at_) more = cursor.next();
  for (; more && left > 0; more = cursor.next()) {
    uint32_t cost = 1;
    if (phase_ == Phase::deliveries) count_delivery(cursor.key(), cursor.value());
    else cost = count_block(cursor.value());
    left -= std::min(left, cost);
    at_ = cursor.key();
  }
  return !more;
}

void Recount::count_delivery(std::string_view key, std::string_view value) {
  const auto state = read_delivery_state(value);
  if (key.size() != 24) {
    ++damaged_others_;
    return;
  }
  if (!state) {
    ++damaged_deliveries_[get_be(key.data() + 16, 8)];
    return;
  }
  ++deliveries_[get_be(key.data() + 16, 8)][at(*state)];
}

uint32_t Recount::count_block(std::string_view value) {
  const auto block = read_block(value);
  const auto lines = block ? block->lines() : Result<std::string_view>(block.error());
  if (!lines) {
    ++damaged_blocks_;
    return 1;
  }
  std::string last;
  std::array<uint64_t, 8>* counts = nullptr;  // many lines in a row are of one source
  for (std::string_view rest = *lines; !rest.empty();) {
    const auto event = wire::next_event(rest);
    if (!event) {
      ++damaged_blocks_;
      break;
    }
    if (counts == nullptr || event->source != last) {
      last = event->source;
      counts = &lines_[last];
    }
    ++(*counts)[at(event->outcome)];
  }
  return block->count;
}

uint64_t Recount::damaged() const {
  uint64_t sum = damaged_blocks_ + damaged_others_;
  for (const auto& [destination, count] : damaged_deliveries_) sum += count;
  return sum;
}

uint64_t Recount::damaged_deliveries(DestinationId destination) const {
  const auto found = damaged_deliveries_.find(destination);
  return found == damaged_deliveries_.end() ? 0 : found->second;
}

void Recount::delivery(std::string_view key, const DeliveryState* from, const DeliveryState* to) {
  if (!behind(Phase::deliveries, key)) return;
  auto& counts = deliveries_[get_be(key.data() + 16, 8)];
  if (from != nullptr) --counts[at(*from)];
  if (to != nullptr) ++counts[at(*to)];
}

void Recount::line(std::string_view block_key, std::string_view source, wire::Outcome outcome, bool added) {
  if (!behind(Phase::journal, block_key)) return;
  uint64_t& count = lines_[std::string(source)][at(outcome)];
  added ? ++count : --count;
}

}  // namespace belay::spool
