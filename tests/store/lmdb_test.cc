// What only the production engine has: files, crashes, damage. Room: space_test.cc.
#include <lmdb.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>

#include "spool/books.h"
#include "tests/store/lmdb_files.h"

namespace belay::spool::test {

namespace {

void add_due(const Folder& folder, const MessageId& id, const std::string& to, WallTime due) {
  behind(folder, "due", [&](MDB_txn* txn, MDB_dbi dbi) {
    std::string key = due_key(destination_id(to), due, id);
    MDB_val at{key.size(), key.data()}, nothing{};
    REQUIRE(mdb_put(txn, dbi, &at, &nothing, 0) == 0);
  });
}

TEST_CASE("everything_is_there_after_close_and_open") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  const NewMessage waiting = maker.message({"crm"}, maker.bytes(300'000));
  MessageId delivered;
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
    const Leased leased = lease(*store, "crm", clock.wall())->leased.at(0);
    delivered = leased.delivery.message;
    REQUIRE(commit(*store, settle(with_state(leased.delivery, DeliveryState::delivered))).ok());
    REQUIRE(commit(*store, put(waiting)).ok());
    REQUIRE(lease(*store, "crm", clock.wall())->leased.size() == 1);  // a lease does not survive
    Batch batch = lines({maker.event(wire::Outcome::forwarded)});
    batch.events[0].client.fill(1);
    batch.events[0].number = 5;
    REQUIRE(commit(*store, batch).ok());
  }
  auto store = open(folder, clock);
  CHECK(store->stats().messages == 2);
  CHECK(store->stats().events == 3);
  CHECK(backlog(*store, "crm").delivered == 1);
  CHECK(backlog(*store, "crm").waiting == 1);
  CHECK(deliveries(*store, delivered)->at(0).state == DeliveryState::delivered);
  auto leases = lease(*store, "crm", clock.wall());
  REQUIRE(leases->leased.size() == 1);
  CHECK(leases->leased[0].message->request.body == waiting.message->request.body);
  Batch repeated = lines({maker.event(wire::Outcome::forwarded)});
  repeated.events[0].client.fill(1);
  repeated.events[0].number = 5;
  REQUIRE(commit(*store, repeated).ok());
  CHECK(store->stats().events == 3);
  store.reset();
  clock.set_wall(clock.wall() + std::chrono::years(10));  // makes no worker old
  store = open(folder, clock);
  REQUIRE(commit(*store, repeated).ok());
  CHECK(store->stats().events == 3);
}

TEST_CASE("a_second_spool_on_the_same_path_is_refused") {
  ManualClock clock;
  Folder folder;
  auto first = open(folder, clock);
  auto second = open_lmdb_store(options_of(folder), clock);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().kind == ErrorKind::refused);
  first.reset();
  CHECK(open_lmdb_store(options_of(folder), clock).ok());
}

TEST_CASE("another_schema_a_foreign_and_a_truncated_file_are_refused_with_the_reason") {
  ManualClock clock;
  for (const uint32_t schema : {Tables::kOldestSchema - 1, Tables::kSchema + 1}) {
    Folder folder;
    open(folder, clock).reset();
    damage(folder, "meta", [schema](std::string& value) {
      std::string version;
      put_be32(version, schema);
      value.clear();
      append_sealed(value, version);
    });
    auto other = open_lmdb_store(options_of(folder), clock);
    REQUIRE_FALSE(other.ok());
    CHECK(other.error().message.find("schema " + std::to_string(schema) + " is " + (schema > Tables::kSchema ? "newer" : "older")) != std::string::npos);
  }
  {
    Folder folder;
    std::ofstream(folder.path() + "/data.mdb") << std::string(20'000, 'x');
    auto foreign = open_lmdb_store(options_of(folder), clock);
    REQUIRE_FALSE(foreign.ok());
    CHECK(foreign.error().message.find("not an LMDB file") != std::string::npos);
  }
  {
    Folder folder;
    Maker maker(clock);
    auto store = open(folder, clock);
    for (int i = 0; i < 50; ++i) REQUIRE(commit(*store, put(maker.message({"crm"}, maker.bytes(5000)))).ok());
    store.reset();
    const std::string file = folder.path() + "/data.mdb";
    std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
    auto truncated = open_lmdb_store(options_of(folder), clock);
    REQUIRE_FALSE(truncated.ok());
    CHECK(truncated.error().message.find("truncated") != std::string::npos);
  }
}

// Bytes of the file up to the free pages at its end.
uint64_t needed_bytes(const Folder& folder) {
  MDB_env* env = nullptr;
  REQUIRE(mdb_env_create(&env) == 0);
  REQUIRE(mdb_env_open(env, folder.path().c_str(), MDB_RDONLY, 0600) == 0);
  MDB_envinfo info{};
  MDB_stat stat{};
  REQUIRE(mdb_env_info(env, &info) == 0);
  REQUIRE(mdb_env_stat(env, &stat) == 0);
  MDB_txn* txn = nullptr;
  REQUIRE(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn) == 0);
  MDB_cursor* cursor = nullptr;
  REQUIRE(mdb_cursor_open(txn, 0, &cursor) == 0);
  std::set<size_t> free_pages;
  MDB_val key{}, value{};
  while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
    std::vector<size_t> pages(value.mv_size / sizeof(size_t));
    std::memcpy(pages.data(), value.mv_data, value.mv_size);
    free_pages.insert(pages.begin() + 1, pages.begin() + 1 + static_cast<ptrdiff_t>(pages.at(0)));
  }
  mdb_cursor_close(cursor);
  mdb_txn_abort(txn);
  mdb_env_close(env);
  size_t last = info.me_last_pgno;
  while (free_pages.count(last) > 0) --last;
  return (last + 1) * stat.ms_psize;
}

TEST_CASE("a_file_without_the_free_pages_at_its_end_is_taken_one_page_less_is_refused_and_left_as_it_is") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  const NewMessage kept = maker.message({"crm"});
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(kept)).ok());
    const NewMessage large = maker.message({"erp"}, maker.bytes(2'000'000));
    REQUIRE(commit(*store, put(large)).ok());
    const Delivery second = lease(*store, "erp", clock.wall())->leased.at(0).delivery;
    REQUIRE(commit(*store, settle(with_state(second, DeliveryState::delivered))).ok());
    REQUIRE(prune(*store, clock.wall() + Duration(1000), WallTime{}).messages == 1);
    for (int i = 0; i < 4; ++i) {  // what still stands at the end moves into pages that became free
      REQUIRE(commit(*store, lines({maker.event(wire::Outcome::forwarded)})).ok());
    }
  }
  const std::string file = folder.path() + "/data.mdb";
  const uint64_t needed = needed_bytes(folder);
  REQUIRE(needed < std::filesystem::file_size(file));
  std::filesystem::resize_file(file, needed);
  {
    auto store = open(folder, clock);
    CHECK(load(*store, kept.message->event.id)->request.body == kept.message->request.body);
    REQUIRE(commit(*store, put(maker.message({"erp"}, maker.bytes(3'000'000)))).ok());
    CHECK(lease(*store, "erp", clock.wall())->leased.size() == 1);
  }
  const uint64_t less = needed_bytes(folder) - 4096;
  std::filesystem::resize_file(file, less);
  auto refused = open_lmdb_store(options_of(folder), clock);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("truncated") != std::string::npos);
  CHECK(std::filesystem::file_size(file) == less);
}

TEST_CASE("a_damaged_message_is_set_aside_its_delivery_is_dead_and_the_rest_goes_on") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  const NewMessage bad = maker.message({"crm"});
  const NewMessage good = maker.message({"crm"});
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(bad)).ok());
    REQUIRE(commit(*store, put(good)).ok());
  }
  damage_record(folder, "messages");
  auto store = open(folder, clock);
  auto leases = lease(*store, "crm", clock.wall());
  REQUIRE(leases.ok());
  REQUIRE(leases->leased.size() == 1);
  CHECK(leases->leased[0].delivery.message == good.message->event.id);
  REQUIRE(eventually([&] { return store->stats().quarantined == 1; }));
  CHECK(deliveries(*store, bad.message->event.id)->at(0).state == DeliveryState::dead);
  CHECK(backlog(*store, "crm").dead == 1);
  CHECK(backlog(*store, "crm").waiting == 1);
}

TEST_CASE("a_damaged_delivery_is_set_aside_and_sent_all_the_same") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  const NewMessage message = maker.message({"crm"});
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(message)).ok());
  }
  damage_record(folder, "deliveries");
  auto store = open(folder, clock);
  CHECK(lease(*store, "crm", clock.wall())->leased.empty());
  REQUIRE(eventually([&] { return store->stats().quarantined == 1; }));
  auto again = lease(*store, "crm", clock.wall());
  REQUIRE(again->leased.size() == 1);
  CHECK(again->leased[0].delivery.destination_name == "crm");
}

TEST_CASE("a_request_has_one_outcome_also_when_put_and_line_come_before_and_after_a_restart") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  const NewMessage stored = maker.message({"crm"});
  const NewMessage failed = maker.message({"crm"});
  const NewMessage long_ago = maker.message({"crm"});
  const auto failed_line = [&](const NewMessage& message) {
    wire::Event event = message.message->event;
    event.outcome = wire::Outcome::failed;
    return lines({event});
  };
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(stored)).ok());
    REQUIRE(commit(*store, failed_line(failed)).ok());
    REQUIRE(commit(*store, failed_line(long_ago)).ok());
  }
  auto store = open(folder, clock);
  REQUIRE(commit(*store, failed_line(stored)).ok());
  CHECK(commit(*store, put(failed))->failed == std::vector<bool>{true});
  CHECK(store->stats().events == 3);
  CHECK(store->stats().messages == 1);
  CHECK(backlog(*store, "crm").spooled == 1);
  clock.advance(StoreOptions::kFailedKept + Duration(1000));
  prune(*store, WallTime{}, WallTime{});
  store.reset();
  CHECK(entries(folder, "failed") == 0);
}

TEST_CASE("a_due_entry_of_what_ended_or_is_due_at_another_time_goes_and_the_counters_follow_the_deliveries") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  MessageId ended, later;
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
    const Leased leased = lease(*store, "crm", clock.wall())->leased.at(0);
    ended = leased.delivery.message;
    REQUIRE(commit(*store, settle(with_state(leased.delivery, DeliveryState::delivered))).ok());
    NewMessage waiting = maker.message({"crm"});
    waiting.deliveries[0].due = clock.wall() + Duration(60'000);
    later = waiting.message->event.id;
    REQUIRE(commit(*store, put(waiting)).ok());
  }
  add_due(folder, ended, "crm", clock.wall());
  add_due(folder, later, "crm", clock.wall());
  add_due(folder, maker.id(), "crm", clock.wall());  // of a message that is not stored
  {
    auto store = open(folder, clock);
    CHECK(lease(*store, "crm", clock.wall())->leased.empty());
    CHECK(backlog(*store, "crm").waiting == 1);
    CHECK(backlog(*store, "crm").delivered == 1);
  }
  CHECK(entries(folder, "due") == 1);
  auto store = open(folder, clock);
  clock.advance(Duration(60'000));
  const auto leases = lease(*store, "crm", clock.wall());
  REQUIRE(leases->leased.size() == 1);
  REQUIRE(commit(*store, settle(with_state(leases->leased[0].delivery, DeliveryState::delivered))).ok());
  CHECK(backlog(*store, "crm").waiting == 0);
  CHECK(backlog(*store, "crm").delivered == 2);
}

TEST_CASE("a_lost_delivery_of_a_stored_message_that_was_due_is_sent_all_the_same") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  const NewMessage message = maker.message({"crm"});
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(message)).ok());
  }
  behind(folder, "deliveries", [](MDB_txn* txn, MDB_dbi dbi) { REQUIRE(mdb_drop(txn, dbi, 0) == 0); });
  auto store = open(folder, clock);
  std::optional<Leased> leased;
  REQUIRE(eventually([&] {
    auto leases = lease(*store, "crm", clock.wall());
    if (!leases->leased.empty()) leased = leases->leased[0];
    return leased.has_value();
  }));
  CHECK(leased->message->request.body == message.message->request.body);
  CHECK(leased->delivery.destination_name == "crm");
  REQUIRE(commit(*store, settle(with_state(leased->delivery, DeliveryState::delivered))).ok());
  CHECK(backlog(*store, "crm").waiting == 0);
  CHECK(backlog(*store, "crm").delivered == 1);
}

TEST_CASE("a_damaged_block_of_the_books_is_set_aside_and_others_are_found") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, lines({maker.event(wire::Outcome::forwarded)})).ok());
    REQUIRE(commit(*store, lines({maker.event(wire::Outcome::forwarded)})).ok());
  }
  damage_record(folder, "journal");
  auto store = open(folder, clock);
  CHECK(events(*store, {})->rows.size() == 1);
  REQUIRE(eventually([&] { return store->stats().quarantined == 1; }));
}

TEST_CASE("a_damaged_piece_of_a_large_body_is_noticed") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  const NewMessage message = maker.message({"crm"}, maker.bytes(200'000));
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(message)).ok());
  }
  damage_record(folder, "chunks");
  auto store = open(folder, clock);
  auto got = load(*store, message.message->event.id);
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().kind == ErrorKind::corrupt);
}

TEST_CASE("of_workers_that_come_and_go_only_the_latest_are_remembered") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  auto store = open(folder, clock);
  const auto of_clients = [](uint64_t from, uint64_t count) {
    Batch batch;
    for (uint64_t i = from; i < from + count; ++i) {
      EventBatch& events = batch.events.emplace_back();
      std::memcpy(events.client.data(), &i, sizeof i);
      events.number = 1;
    }
    return batch;
  };
  REQUIRE(commit(*store, of_clients(1, Books::kClientsKept)).ok());
  clock.advance(Duration(1'000));
  REQUIRE(commit(*store, of_clients(1 + Books::kClientsKept, Books::kClientsKept)).ok());
  prune(*store, WallTime{}, WallTime{});
  Batch repeated = of_clients(2 * Books::kClientsKept, 1);
  repeated.events[0].lines.add(maker.event(wire::Outcome::forwarded));
  REQUIRE(commit(*store, repeated).ok());
  CHECK(store->stats().events == 0);
  Batch forgotten = of_clients(1, 1);
  forgotten.events[0].lines.add(maker.event(wire::Outcome::forwarded));
  REQUIRE(commit(*store, forgotten).ok());
  CHECK(store->stats().events == 1);
  store.reset();
  CHECK(entries(folder, "clients") == Books::kClientsKept + 1);
}

TEST_CASE("a_storage_error_stops_everything_and_is_told_once") {
  // Without room for its own meta page LMDB cannot fail on demand; a file limit makes the write itself fail, with EFBIG.
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  StoreOptions options = options_of(folder);
  std::atomic<int> told{0};
  options.on_fatal = [&](const belay::Error&) { ++told; };
  auto store = std::move(open_lmdb_store(options, clock)).value();
  REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto ignored = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{std::filesystem::file_size(folder.path() + "/data.mdb"), before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  auto failed = commit(*store, put(maker.message({"crm"}, maker.bytes(400'000))));
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  signal(SIGXFSZ, ignored);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().kind == ErrorKind::io);
  CHECK(told == 1);
  CHECK_FALSE(store->accepting());
  CHECK_FALSE(commit(*store, put(maker.message({"crm"}))).ok());
  CHECK(told == 1);
}

TEST_CASE("batches_of_many_threads_share_commits_and_each_gets_its_own_answer") {
  SystemClock clock;
  Folder folder;
  auto store = open(folder, clock);
  std::atomic<int> stored{0};
  std::vector<std::thread> threads;
  for (uint64_t n = 0; n < 8; ++n) {
    threads.emplace_back([&, n] {
      Maker maker(clock, n + 1);
      for (int i = 0; i < 50; ++i) {
        store->commit(put(maker.message({"crm"})), [&](Result<Committed> done) {
          if (done && !done->duplicate.at(0)) ++stored;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(eventually([&] { return stored == 400; }));
  CHECK(store->stats().commits < 300);
  CHECK(lease(*store, "crm", clock.wall(), 1000)->leased.size() == 400);
}

}  // namespace

}  // namespace belay::spool::test
