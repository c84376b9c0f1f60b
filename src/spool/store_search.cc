// StoreReader::rows: looks given ids up. StoreReader::events: finds the newest lines that answer a query. Of the ways there are
// the shortest is taken:
//   dead, cancelled       through the index of what ended
//   sending               through the leases
//   queued, scheduled     through the indexes of what waits, when few of all messages do
//   any state             backwards through the records of the deliveries, of which only the state is looked at, unless
//                         there are many and most are of no interest
//   everything else       backwards through the blocks of the books; a block is read when it may hold what is wanted
#include <algorithm>
#include <queue>

#include "spool/store_reader.h"

namespace belay::spool {

namespace {

constexpr uint64_t kFewWaiting = 10;       // one of so many messages: each costs more through the index than as a record among all
constexpr uint64_t kFewInState = 2'000;    // looked at one by one, when the line decides, too; of more the books find those lines sooner
constexpr int kStepsPerSnapshot = 4'096;   // then a fresh one, so that a long search does not hold freed pages back

}  // namespace

struct StoreReader::Search {
  Search(lmdb::Environment& environment, const EventQuery& query, std::optional<MessageId> before_id, uint32_t max,
         WallTime at)
      : filter(query), before(before_id), wanted(size_t{max} + 1), now(at), transaction(environment) {}

  struct Newer {
    bool operator()(const EventRow& a, const EventRow& b) const { return a.event.id > b.event.id; }
  };

  EventFilter filter;
  std::optional<MessageId> before;
  size_t wanted;  // one more than a page, to know whether another follows
  WallTime now;
  lmdb::ReadTransaction transaction;
  const std::vector<MessageId>* only = nullptr;  // ascending; null: any
  std::priority_queue<EventRow, std::vector<EventRow>, Newer> found;  // the oldest of the newest on top

  // Every id that is wanted is below; none: all may be.
  std::optional<MessageId> end() const {
    const auto& until = filter.query().until;
    if (!until) return before;
    const MessageId later = MessageId::first_at(*until + Duration(1));
    return before ? std::min(*before, later) : later;
  }
  bool enough(const MessageId& id) const { return found.size() == wanted && id < found.top().event.id; }
};

void StoreReader::consider(Search& search, const wire::EventView& event) const {
  if (search.only != nullptr && !std::binary_search(search.only->begin(), search.only->end(), event.id)) return;
  if (search.enough(event.id) || !search.filter.line(event, search.before)) return;
  EventRow row;
  if (search.filter.needs_deliveries(event)) {
    auto deliveries = this->deliveries(search.transaction, event.id, search.now);
    if (!deliveries || !search.filter.deliveries(*deliveries)) return;
    row.deliveries = std::move(*deliveries);
  }
  row.event = event.copy();
  search.found.push(std::move(row));
  if (search.found.size() > search.wanted) search.found.pop();
}

void StoreReader::consider(Search& search, const MessageId& id) const {
  const auto stored = search.transaction.get(tables_.messages, id.view());
  if (!stored) return;
  auto payload = unseal(*stored);
  if (!payload) return;
  std::string_view rest = *payload;
  auto event = wire::next_event(rest);
  if (event) consider(search, *event);
}

void StoreReader::search_block(Search& search, const Block& block, std::string_view key) const {
  if (!search.filter.block(block) || !search.filter.bytes(block.guarded_lines)) return;
  auto lines = block.lines();
  if (!lines) {
    report_({Damage::Kind::block, {}, {}, std::string(key), lines.error().message});
    return;
  }
  for (std::string_view rest = *lines; !rest.empty();) {
    auto event = wire::next_event(rest);
    if (!event) {
      report_({Damage::Kind::block, {}, {}, std::string(key), event.error().message});
      return;
    }
    consider(search, *event);
  }
}

// Blocks are keyed by their greatest id, so going backwards nothing newer than the key can come any more. A page that starts
// at `before` must also see blocks whose greatest id is later but which reach below it: at most the widest block away.
void StoreReader::search_journal(Search& search, int64_t widest_ms) const {
  const auto end = search.end();
  std::string at(24, '\xff');
  if (end) at.replace(0, 16, MessageId::first_at(end->time() + Duration(widest_ms + 1)).view());
  for (bool more = true; more;) {
    lmdb::Cursor cursor(search.transaction, tables_.journal);
    more = cursor.seek_before(at);
    for (int steps = 0; more && steps < kStepsPerSnapshot; ++steps, more = cursor.previous()) {
      at = cursor.key();
      auto block = read_block(cursor.value());
      if (!block) {
        report_({Damage::Kind::block, {}, {}, at, block.error().message});
        continue;
      }
      if (search.enough(block->max)) return;
      if (search.filter.query().since && block->max.time() < *search.filter.query().since) return;
      if (end && block->min >= *end) continue;
      search_block(search, *block, at);
    }
    if (more) search.transaction.renew();
  }
}

void StoreReader::search_ended(Search& search, DeliveryState state) const {
  std::string at(1, static_cast<char>(static_cast<int>(state) + 1));
  if (search.before) at = ended_key(state, *search.before, 0);
  MessageId last;
  for (bool more = true; more;) {
    lmdb::Cursor cursor(search.transaction, tables_.ended);
    more = cursor.seek_before(at);
    for (int steps = 0; more && steps < kStepsPerSnapshot; ++steps, more = cursor.previous()) {
      at = cursor.key();
      if (at.front() != static_cast<char>(state)) return;
      const MessageId id = MessageId::from_bytes(std::string_view(at).substr(1, 16)).value_or(MessageId{});
      if (search.enough(id)) return;
      if (id != last) consider(search, id);
      last = id;
    }
    if (more) search.transaction.renew();
  }
}

// Each delivery has its record, in the order of the messages. A state without an index is found there at some 50 ns for each
// delivery that is not in it. False: more than `most` are, too many to look at the lines of all.
bool StoreReader::search_deliveries(Search& search, DeliveryState state, uint64_t most) const {
  const EventQuery& query = search.filter.query();
  const auto end = search.end();
  std::string at = end ? std::string(end->view()) : std::string(24, '\xff'), first, to;
  if (query.since) first = MessageId::first_at(*query.since).view();
  if (!query.destination.empty()) put_be64(to, destination_id(query.destination));
  MessageId last;
  for (bool more = true; more;) {
    lmdb::Cursor cursor(search.transaction, tables_.deliveries);
    more = cursor.seek_before(at);
    for (int steps = 0; more && steps < kStepsPerSnapshot; ++steps, more = cursor.previous()) {
      if (cursor.key() < first) return true;
      if (read_delivery_state(cursor.value()) != state || !cursor.key().ends_with(to)) continue;
      const MessageId id = MessageId::from_bytes(cursor.key().substr(0, 16)).value_or(MessageId{});
      if (search.enough(id)) return true;
      if (id == last) continue;
      if (most-- == 0) return false;
      consider(search, id);
      last = id;
    }
    if (!more) break;
    at.assign(cursor.key()).push_back('\0');  // this one is the next
    search.transaction.renew();
  }
  return true;
}

void StoreReader::search_these(Search& search, std::vector<MessageId> ids) const {
  std::sort(ids.begin(), ids.end(), std::greater<>());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  int steps = 0;
  for (const MessageId& id : ids) {
    if (search.enough(id)) return;
    consider(search, id);
    if (++steps % kStepsPerSnapshot == 0) search.transaction.renew();
  }
}

// A lease of a batch is one of all its members.
void StoreReader::search_sending(Search& search) const {
  std::vector<MessageId> ids;
  for (const auto& [message, to] : leases_.all(search.now)) {
    ids.push_back(message);
    for (const GroupMember& member : read_members(search.transaction, tables_, to, Groups::batch_key(message), Groups::kMaxBatch)) {
      ids.push_back(member.message);
    }
  }
  search_these(search, std::move(ids));
}

void StoreReader::search_waiting(Search& search, DeliveryState state) const {
  std::string prefix;
  if (!search.filter.query().destination.empty()) put_be64(prefix, destination_id(search.filter.query().destination));
  std::vector<MessageId> ids;
  const auto add = [&](const MessageId& id, DestinationId to) {
    if (search.before && id >= *search.before) return;
    const auto stored = search.transaction.get(tables_.deliveries, delivery_key(id, to));
    if (stored && read_delivery_state(*stored) == state) ids.push_back(id);
  };
  for (const lmdb::Table table : {tables_.due, tables_.members}) {
    std::string at = prefix;
    for (bool more = true; more;) {
      lmdb::Cursor cursor(search.transaction, table);
      more = cursor.seek(at);
      for (int steps = 0; more && steps < kStepsPerSnapshot; ++steps, more = cursor.next()) {
        if (!cursor.key().starts_with(prefix)) break;
        const DestinationId to = get_be(cursor.key().data(), 8);
        add(table == tables_.due ? DueEntry::read(cursor.key()).message : read_member(cursor.key()).message, to);
      }
      more = more && cursor.key().starts_with(prefix);
      if (!more) break;
      at = cursor.key();  // the next one
      search.transaction.renew();
    }
  }
  search_these(search, std::move(ids));
}

Result<EventPage> StoreReader::events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, WallTime now,
                                      const EventTotals& totals) const {
  EventPage page;
  Search search(environment_, query, before, max, now);
  if (search.filter.impossible() || max == 0) return page;
  const auto state = search.filter.delivery_state();
  if (state == DeliveryState::dead || state == DeliveryState::cancelled) {
    search_ended(search, *state);
  } else if (state == DeliveryState::sending) {
    search_sending(search);
  } else if (state && is_waiting(*state) && totals.waiting <= totals.messages / kFewWaiting) {
    search_waiting(search, *state);
  } else if (!state || !search_deliveries(search, *state, search.filter.reads_lines() ? kFewInState : UINT64_MAX)) {
    search.found = {};
    search_journal(search, totals.widest_ms);
  }
  if (search.transaction.failed()) return search.transaction.error();
  for (; !search.found.empty(); search.found.pop()) page.rows.push_back(search.found.top());
  std::reverse(page.rows.begin(), page.rows.end());
  if (page.rows.size() > max) {
    page.rows.pop_back();
    page.next = page.rows.back().event.id;
  }
  if (auto added = add_deliveries(search, page.rows); !added) return added.error();
  return page;
}

// To rows of stored messages that were found by their line alone.
Result<void> StoreReader::add_deliveries(Search& search, std::vector<EventRow>& rows) const {
  for (EventRow& row : rows) {
    if (row.event.outcome != wire::Outcome::spooled || !row.deliveries.empty()) continue;
    auto deliveries = this->deliveries(search.transaction, row.event.id, search.now);
    if (!deliveries) return deliveries.error();
    row.deliveries = std::move(*deliveries);
  }
  return {};
}

// Lines of these ids (ascending) in the blocks that may hold them: a block reaches at most `widest_ms` below its key.
void StoreReader::search_lines(Search& search, const std::vector<MessageId>& ids, int64_t widest_ms) const {
  if (ids.empty()) return;
  std::string at(ids.front().view());
  const WallTime end = ids.back().time() + Duration(widest_ms + 1);
  for (bool more = true; more;) {
    lmdb::Cursor cursor(search.transaction, tables_.journal);
    more = cursor.seek(at);
    for (int steps = 0; more && steps < kStepsPerSnapshot; ++steps, more = cursor.next()) {
      at = cursor.key();
      auto block = read_block(cursor.value());
      if (!block) {
        report_({Damage::Kind::block, {}, {}, at, block.error().message});
        continue;
      }
      if (block->max.time() > end) return;
      const auto first = std::lower_bound(ids.begin(), ids.end(), block->min);
      if (first == ids.end() || *first > block->max) continue;
      search.only = &ids;
      search_block(search, *block, at);
    }
    if (!more) return;
    search.transaction.renew();
    at.push_back('\0');  // the one behind it
  }
}

Result<std::vector<EventRow>> StoreReader::rows(const EventQuery& query, std::vector<MessageId> ids, WallTime now, int64_t widest_ms) const {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  Search search(environment_, query, std::nullopt, static_cast<uint32_t>(ids.size()), now);
  std::vector<EventRow> rows;
  if (search.filter.impossible()) return rows;
  std::vector<MessageId> lines;  // of requests that were not stored
  for (const MessageId& id : ids) {
    if (search.transaction.get(tables_.messages, id.view())) consider(search, id);
    else lines.push_back(id);
  }
  search_lines(search, lines, widest_ms);
  if (search.transaction.failed()) return search.transaction.error();
  for (; !search.found.empty(); search.found.pop()) rows.push_back(search.found.top());
  if (auto added = add_deliveries(search, rows); !added) return added.error();
  return rows;
}

}  // namespace belay::spool
