// Single rows by their ids, and what the store tells of its changes.
#include <algorithm>
#include <mutex>

#include "tests/store/engines.h"

namespace belay::spool::test {

namespace {

Result<std::vector<EventRow>> rows(Store& store, std::vector<MessageId> ids, const EventQuery& query = {}) {
  return wait_for<std::vector<EventRow>>([&](Done<std::vector<EventRow>> done) { store.rows(query, std::move(ids), std::move(done)); });
}

std::vector<MessageId> ids_of(const std::vector<EventRow>& rows) {
  std::vector<MessageId> ids;
  for (const EventRow& row : rows) ids.push_back(row.event.id);
  return ids;
}

TEST_CASE_TEMPLATE("rows_are_found_by_id_whether_stored_or_only_written_down", Engine, ENGINES) {
  Fixture<Engine> f;
  std::vector<MessageId> asked;
  for (int block = 0; block < 5; ++block) {
    std::vector<wire::Event> written;
    for (int i = 0; i < 400; ++i) written.push_back(f.maker.event(wire::Outcome::forwarded));
    REQUIRE(commit(*f.store, lines(written)).ok());
    asked.push_back(written[7].id);
    const NewMessage stored = f.maker.message({"crm"});
    REQUIRE(commit(*f.store, put(stored)).ok());
    asked.push_back(stored.message->event.id);
  }
  auto shuffled = asked;
  std::reverse(shuffled.begin(), shuffled.end());
  shuffled.push_back(f.maker.id());  // nobody's
  shuffled.push_back(asked.front());
  const auto found = rows(*f.store, shuffled);
  REQUIRE(found.ok());
  CHECK(ids_of(*found) == asked);
  CHECK((*found)[0].deliveries.empty());
  REQUIRE((*found)[1].deliveries.size() == 1);
  CHECK((*found)[1].deliveries[0].state == DeliveryState::queued);
}

TEST_CASE_TEMPLATE("rows_that_do_not_answer_the_query_are_left_out", Engine, ENGINES) {
  Fixture<Engine> f;
  const Leased leased = f.leased("crm");
  const NewMessage other = f.maker.message({"erp"}, "{}", "other");
  REQUIRE(commit(*f.store, put(other)).ok());
  REQUIRE(commit(*f.store, settle(with_state(leased.delivery, DeliveryState::dead))).ok());
  const std::vector<MessageId> both = {leased.delivery.message, other.message->event.id};
  CHECK(rows(*f.store, both, {.state = "dead"})->size() == 1);
  CHECK(rows(*f.store, both, {.destination = "erp"})->front().event.source == "other");
  CHECK(rows(*f.store, both, {.source = "acme"})->front().deliveries[0].state == DeliveryState::dead);
  CHECK(rows(*f.store, both, {.state = "no such"})->empty());
  CHECK(rows(*f.store, {})->empty());
}

TEST_CASE("every_commit_tells_what_it_changed") {
  ManualClock clock;
  Folder folder;
  std::mutex mutex;
  std::vector<MessageId> told;
  StoreOptions options;
  options.folder = folder.path();
  options.map_bytes = uint64_t{64} << 20;
  options.on_changed = [&](const std::vector<MessageId>& changed) {
    const std::lock_guard lock(mutex);
    told.insert(told.end(), changed.begin(), changed.end());
  };
  auto store = open_lmdb_store(options, clock);
  REQUIRE(store.ok());
  const auto take = [&] {
    const std::lock_guard lock(mutex);
    return std::exchange(told, {});
  };
  Maker maker(clock);
  const NewMessage message = maker.message({"crm", "erp"});
  REQUIRE(commit(**store, put(message)).ok());
  CHECK(take() == std::vector<MessageId>{message.message->event.id});
  const wire::Event line = maker.event(wire::Outcome::filtered);
  REQUIRE(commit(**store, lines({line})).ok());
  CHECK(take() == std::vector<MessageId>{line.id});
  auto leases = lease(**store, "crm", clock.wall());
  REQUIRE(leases->leased.size() == 1);
  CHECK(take().empty());
  REQUIRE(commit(**store, settle(with_state(leases->leased[0].delivery, DeliveryState::scheduled, clock.wall() + Duration(5)))).ok());
  CHECK(take() == std::vector<MessageId>{message.message->event.id});
  REQUIRE(commit(**store, put(message)).ok());  // repeated: nothing changes
  CHECK(take().empty());
}

}  // namespace

}  // namespace belay::spool::test
