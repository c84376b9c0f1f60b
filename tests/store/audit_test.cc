// The books by a recount, the audit log and the quarantine, of every engine; and what only files can show: counters that were
// falsified, a store of an older schema, a walk of a damaged one.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "spool/books.h"
#include "spool/environment.h"
#include "spool/offline.h"
#include "tests/store/engines.h"
#include "tests/store/lmdb_files.h"

namespace belay::spool::test {

namespace {

Result<BooksReport> recount(Store& store) {
  return wait_for<BooksReport>([&](Done<BooksReport> done) { store.recount(std::move(done)); });
}

Result<ActPage> acts(Store& store, std::optional<MessageId> before = {}, uint32_t max = 50) {
  return wait_for<ActPage>([&](Done<ActPage> done) { store.acts(before, max, std::move(done)); });
}

KeptPage kept(Store& store, const KeptQuery& query = {}, const std::string& before = {}, uint32_t max = 50) {
  auto page = wait_for<KeptPage>([&](Done<KeptPage> done) { store.kept(query, before, max, std::move(done)); });
  REQUIRE(page.ok());
  return *page;
}

const BooksFigure& figure(const std::vector<BooksAccount>& accounts, const std::string& name, std::string_view counter) {
  for (const BooksAccount& account : accounts) {
    if (account.name != name) continue;
    for (const BooksFigure& one : account.figures) {
      if (one.counter == counter) return one;
    }
  }
  FAIL("no such figure");
  return accounts.front().figures.front();
}

NewMessage refused(Maker& maker, const std::string& source = "acme") {
  Message message;
  message.event = maker.event(wire::Outcome::rejected, source);
  message.event.reason = "verify: signature does not match";
  message.request.method = "POST";
  message.request.target = "/webhooks/acme";
  message.request.body = "{}";
  message.request.has_body = true;
  NewMessage put;
  put.message = std::make_shared<const Message>(std::move(message));
  return put;
}

NewMessage unmade(Maker& maker, const std::string& destination) {
  NewMessage put = maker.message({destination});
  put.deliveries[0].state = DeliveryState::dead;
  put.deliveries[0].unmade = true;
  put.deliveries[0].reason = "transform: route 1: no such key: total";
  return put;
}

// Some of everything: lines of two sources, deliveries in every state, a part of it forgotten.
template <typename F>
void fill(F& f) {
  REQUIRE(commit(*f.store, lines({f.maker.event(wire::Outcome::forwarded), f.maker.event(wire::Outcome::filtered, "globex")})).ok());
  REQUIRE(commit(*f.store, put(f.maker.message({"erp"}))).ok());
  const Leased delivered = f.leased();
  REQUIRE(commit(*f.store, settle(with_state(delivered.delivery, DeliveryState::delivered))).ok());
  f.clock.advance(std::chrono::hours(24));
  for (int i = 0; i < 3; ++i) REQUIRE(commit(*f.store, put(f.maker.message({"crm", "erp"}))).ok());
  const Leased dead = *lease(*f.store, "crm", f.now(), 1)->leased.begin();
  REQUIRE(commit(*f.store, settle(with_state(dead.delivery, DeliveryState::dead))).ok());
  REQUIRE(commit(*f.store, put(refused(f.maker))).ok());
}

TEST_CASE_TEMPLATE("a_recount_finds_what_the_books_say_also_after_retention", Engine, ENGINES) {
  Fixture<Engine> f;
  fill(f);
  auto report = recount(*f.store);
  REQUIRE(report.ok());
  CHECK(report->balanced());
  CHECK(figure(report->destinations, "crm", "spooled").counted == 4);
  CHECK(figure(report->destinations, "crm", "dead").found == 1);
  CHECK(figure(report->sources, "acme", "received").found == 7);
  CHECK(figure(report->sources, "globex", "filtered").found == 1);
  const Pruned gone = prune(*f.store, f.now() - std::chrono::hours(1), f.now() - std::chrono::hours(1));
  CHECK(gone.messages == 1);
  CHECK(gone.lines > 0);
  report = recount(*f.store);
  REQUIRE(report.ok());
  CHECK(report->balanced());
  CHECK(figure(report->destinations, "crm", "delivered").counted == 1);  // forgotten, and still counted
  CHECK(figure(report->sources, "acme", "received").counted == 7);
}

TEST_CASE("a_recount_is_right_while_the_store_goes_on") {
  Fixture<Lmdb> f;
  for (int i = 0; i < 200; ++i) {
    Batch batch;
    for (int n = 0; n < 150; ++n) batch.puts.push_back(f.maker.message({n % 2 == 0 ? "crm" : "erp"}, "{}"));
    REQUIRE(commit(*f.store, std::move(batch)).ok());
  }
  std::atomic<bool> counted = false;
  std::optional<Result<BooksReport>> report;
  f.store->recount([&](Result<BooksReport> result) {
    report = std::move(result);
    counted = true;
    counted.notify_one();
  });
  CHECK_FALSE(recount(*f.store).ok());  // one at a time
  // Puts ahead of the place reached, settlements behind it.
  for (int i = 0; i < 20; ++i) {
    Batch batch = put(f.maker.message({"crm"}));
    auto leases = lease(*f.store, "erp", f.now(), 20);
    for (const Leased& leased : leases->leased) batch.settlements.push_back({with_state(leased.delivery, DeliveryState::delivered)});
    REQUIRE(commit(*f.store, std::move(batch)).ok());
  }
  counted.wait(false);
  REQUIRE(report->ok());
  CHECK((*report)->balanced());
  CHECK(recount(*f.store)->balanced());
}

TEST_CASE("a_falsified_counter_is_named") {
  Folder folder;
  ManualClock clock;
  Maker maker(clock);
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
    REQUIRE(commit(*store, lines({maker.event(wire::Outcome::forwarded)})).ok());
  }
  // As nothing does that goes through the store: a delivery vanishes.
  behind(folder, "deliveries", [](MDB_txn* txn, MDB_dbi dbi) { REQUIRE(mdb_drop(txn, dbi, 0) == 0); });
  const auto offline = audit_folder(folder.path(), [](uint64_t, uint64_t) {});
  REQUIRE(offline.ok());
  CHECK_FALSE(offline->balanced());
  CHECK(figure(offline->destinations, "crm", "waiting").counted == 1);
  CHECK(figure(offline->destinations, "crm", "waiting").found == 0);
  CHECK(figure(offline->sources, "acme", "forwarded").balanced());
  auto store = open(folder, clock);
  const auto running = recount(*store);
  REQUIRE(running.ok());
  CHECK_FALSE(running->balanced());
}

TEST_CASE("a_store_of_the_older_schema_is_filled_in_when_it_is_opened") {
  Folder folder;
  ManualClock clock;
  Maker maker(clock);
  {
    auto store = open(folder, clock);
    for (int i = 0; i < 3; ++i) REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
    REQUIRE(commit(*store, put(refused(maker))).ok());
    REQUIRE(commit(*store, put(unmade(maker, "crm"))).ok());
    REQUIRE(commit(*store, lines({maker.event(wire::Outcome::forwarded, "globex")})).ok());
  }
  // Back to how schema 2 wrote it: no books of sources, no index of the quarantine, short counters of destinations.
  for (const char* table : {"sources", "kept", "acts", "stops", "groups", "members", "expiries"}) {
    behind(folder, table, [](MDB_txn* txn, MDB_dbi dbi) { REQUIRE(mdb_drop(txn, dbi, 1) == 0); });
  }
  const auto seal = [](std::string payload) {
    std::string sealed;
    append_sealed(sealed, std::string_view(payload));
    return sealed;
  };
  behind(folder, "counts", [&](MDB_txn* txn, MDB_dbi dbi) {
    std::string key, payload("\0\3crm", 5);
    put_be64(key, destination_id("crm"));
    for (const uint64_t count : {uint64_t{9}, uint64_t{3}, uint64_t{5}, uint64_t{1}, uint64_t{0}}) put_be64(payload, count);  // five were pruned
    std::string value = seal(payload);
    MDB_val at{key.size(), key.data()}, what{value.size(), value.data()};
    REQUIRE(mdb_put(txn, dbi, &at, &what, 0) == 0);
  });
  behind(folder, "meta", [&](MDB_txn* txn, MDB_dbi dbi) {
    std::string key = "schema", version;
    put_be32(version, 2);
    std::string value = seal(version);
    MDB_val at{key.size(), key.data()}, what{value.size(), value.data()};
    REQUIRE(mdb_put(txn, dbi, &at, &what, 0) == 0);
  });
  CHECK_FALSE(audit_folder(folder.path(), [](uint64_t, uint64_t) {}).ok());  // nothing is changed by looking
  auto store = open(folder, clock);
  const auto report = recount(*store);
  REQUIRE(report.ok());
  CHECK(report->balanced());
  CHECK(figure(report->destinations, "crm", "spooled").counted == 9);
  CHECK(figure(report->destinations, "crm", "delivered").found == 5);
  CHECK(figure(report->sources, "globex", "forwarded").counted == 1);
  CHECK(kept(*store).rows.size() == 2);
  CHECK(lease(*store, "crm", clock.wall())->leased.size() == 3);
}

TEST_CASE_TEMPLATE("acts_are_written_with_what_they_did_and_written_anew", Engine, ENGINES) {
  Fixture<Engine> f;
  const Leased leased = f.leased();
  Batch batch = settle(with_state(leased.delivery, DeliveryState::dead));
  Act act{f.maker.id(), "alice", "replay", "status=dead", std::string(Act::kRunning), 1, 1, 0};
  batch.acts.push_back(act);
  REQUIRE(commit(*f.store, batch).ok());
  act.outcome = Act::kDone;
  act.deliveries = 2;
  Batch again;
  again.acts.push_back(act);
  again.acts.push_back({f.maker.id(), "bob", "pause", "crm", "done", 0, 0, 0});
  REQUIRE(commit(*f.store, again).ok());
  auto page = acts(*f.store, {}, 1);
  REQUIRE(page.ok());
  REQUIRE(page->rows.size() == 1);
  CHECK(page->rows[0].who == "bob");
  REQUIRE(page->next.has_value());
  page = acts(*f.store, page->next);
  REQUIRE(page->rows.size() == 1);
  CHECK(page->rows[0] == act);
  CHECK_FALSE(page->next.has_value());
  f.clock.advance(std::chrono::hours(24));
  prune(*f.store, f.now() - std::chrono::hours(1), f.now() - std::chrono::hours(1));
  CHECK(acts(*f.store)->rows.empty());
}

TEST_CASE_TEMPLATE("what_is_set_aside_is_listed_filtered_dropped_and_taken_out", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage first = refused(f.maker), second = refused(f.maker, "globex"), third = unmade(f.maker, "crm");
  for (const NewMessage& one : {first, second, third}) REQUIRE(commit(*f.store, put(one)).ok());
  REQUIRE(commit(*f.store, put(f.maker.message({"crm"}))).ok());
  KeptPage all = kept(*f.store);
  REQUIRE(all.rows.size() == 3);
  CHECK(all.rows[0].kind == KeptKind::unmade);
  CHECK(all.rows[0].delivery->destination_name == "crm");
  CHECK(all.rows[2].event.id == first.message->event.id);
  CHECK(kept(*f.store, {.filter = {.source = "globex"}, .kind = {}}).rows.size() == 1);
  CHECK(kept(*f.store, {.filter = {.destination = "crm"}, .kind = {}}).rows.size() == 1);
  CHECK(kept(*f.store, {.filter = {}, .kind = KeptKind::refused}).rows.size() == 2);
  const KeptPage page = kept(*f.store, {}, {}, 1);
  REQUIRE(page.rows.size() == 1);
  CHECK(kept(*f.store, {}, page.next).rows.size() == 2);

  // In place of one that goes out after all.
  NewMessage released = f.maker.message({"crm"});
  released.in_place_of = first.message->event.id;
  REQUIRE(commit(*f.store, put(released)).ok());
  CHECK_FALSE(load(*f.store, first.message->event.id).ok());
  Batch drops;
  drops.drops = {second.message->event.id.to_string(), third.message->event.id.to_string(), "m-00"};
  const auto dropped = commit(*f.store, drops);
  REQUIRE(dropped.ok());
  CHECK(dropped->dropped == std::vector<bool>{true, false, false});  // one with a delivery is not forgotten
  Batch given_up = settle(with_state(deliveries(*f.store, third.message->event.id)->front(), DeliveryState::cancelled));
  REQUIRE(commit(*f.store, given_up).ok());
  CHECK(kept(*f.store).rows.empty());
  CHECK(recount(*f.store)->balanced());
}

TEST_CASE("a_check_walks_everything_and_names_what_does_not_fit") {
  Folder folder;
  ManualClock clock;
  Maker maker(clock);
  const auto check = [&] {
    auto report = check_folder(folder.path(), [](uint64_t, uint64_t) {});
    REQUIRE(report.ok());
    return *report;
  };
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(maker.message({"crm", "erp"}, std::string(200'000, 'x')))).ok());
    NewMessage ordered = maker.message({"crm"});
    ordered.deliveries[0].grouping = {.kind = wire::GroupKind::order_wait, .key = {7}};
    NewMessage behind_it = maker.message({"crm"});
    behind_it.deliveries[0].grouping = ordered.deliveries[0].grouping;
    behind_it.deliveries[0].expires = clock.wall() + Duration(1000);
    REQUIRE(commit(*store, put(ordered)).ok());
    REQUIRE(commit(*store, put(behind_it)).ok());
    REQUIRE(commit(*store, put(unmade(maker, "crm"))).ok());
    REQUIRE(commit(*store, put(refused(maker))).ok());
    REQUIRE(commit(*store, lines({maker.event(wire::Outcome::forwarded)})).ok());
  }
  const CheckReport whole = check();
  CHECK(whole.problems == std::vector<std::string>{});
  CHECK(whole.messages == 5);
  CHECK(whole.deliveries == 5);
  Folder copy;
  REQUIRE(compact_folder(folder.path(), copy.path() + "/compact").ok());
  CHECK(check_folder(copy.path() + "/compact", [](uint64_t, uint64_t) {})->deliveries == 5);
  CHECK_FALSE(compact_folder(folder.path(), copy.path() + "/compact").ok());  // not empty
  REQUIRE(std::filesystem::create_directory(copy.path() + "/killed"));
  std::ofstream(copy.path() + "/killed/data.mdb.part") << "a piece";  // of one that was killed
  CHECK(compact_folder(folder.path(), copy.path() + "/killed").ok());
  CHECK_FALSE(std::filesystem::exists(copy.path() + "/killed/data.mdb.part"));
  REQUIRE(std::filesystem::create_directory(copy.path() + "/busy"));
  const std::string piece = copy.path() + "/busy/data.mdb.part";
  const int other = ::open(piece.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(flock(other, LOCK_EX) == 0);
  REQUIRE(::write(other, "half", 4) == 4);
  const auto refused = compact_folder(folder.path(), copy.path() + "/busy");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == piece + ": another copy is being written there");
  CHECK(std::filesystem::file_size(piece) == 4);
  ::close(other);

  const char* tables[] = {"messages", "chunks", "deliveries", "journal"};
  for (const char* table : tables) {
    damage_record(folder, table);
    CAPTURE(table);
    CHECK(check().wrong >= 1);
    damage_record(folder, table);
    CHECK(check().wrong == 0);
  }
  for (const char* table : {"due", "ended", "expiries", "members", "groups", "kept", "chunks", "deliveries"}) {
    Folder broken;
    REQUIRE(compact_folder(folder.path(), broken.path() + "/x").ok());
    std::filesystem::rename(broken.path() + "/x/data.mdb", broken.path() + "/data.mdb");
    behind(broken, table, [](MDB_txn* txn, MDB_dbi dbi) { REQUIRE(mdb_drop(txn, dbi, 0) == 0); });
    CAPTURE(table);
    const auto report = check_folder(broken.path(), [](uint64_t, uint64_t) {});
    REQUIRE(report.ok());
    if (std::string(table) != "groups") CHECK(report->wrong >= 1);
  }
  CHECK_FALSE(check_folder(folder.path() + "/nothing", [](uint64_t, uint64_t) {}).ok());
}

TEST_CASE("a_compact_copy_that_finds_no_room_leaves_nothing_behind") {
  ManualClock clock;
  Folder folder, copies;
  Maker maker(clock);
  {
    auto store = open(folder, clock);
    for (int i = 0; i < 50; ++i) REQUIRE(commit(*store, put(maker.message({"crm"}, maker.bytes(20'000)))).ok());
  }
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto ignored = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{64 << 10, before.rlim_max};
  std::filesystem::create_directory(copies.path() + "/there");
  for (const char* name : {"/fresh", "/there"}) {
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const auto copied = compact_folder(folder.path(), copies.path() + name);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK_FALSE(copied.ok());
  }
  signal(SIGXFSZ, ignored);
  CHECK_FALSE(std::filesystem::exists(copies.path() + "/fresh"));
  CHECK(std::filesystem::is_empty(copies.path() + "/there"));
  CHECK(compact_folder(folder.path(), copies.path() + "/there").ok());
  CHECK(check_folder(copies.path() + "/there", [](uint64_t, uint64_t) {})->wrong == 0);
}

}  // namespace

}  // namespace belay::spool::test
