// Damage as a part of the books: what is lost is counted as lost, also after what is left of it has gone.
#include "spool/offline.h"
#include "tests/store/engines.h"
#include "tests/store/lmdb_files.h"

namespace belay::spool::test {

namespace {

Result<BooksReport> recount(Store& store) {
  return wait_for<BooksReport>([&](Done<BooksReport> done) { store.recount(std::move(done)); });
}

KeptPage kept(Store& store, const KeptQuery& query = {}) {
  auto page = wait_for<KeptPage>([&](Done<KeptPage> done) { store.kept(query, {}, 50, std::move(done)); });
  REQUIRE(page.ok());
  return *page;
}

BooksReport offline(const Folder& folder) {
  const auto report = audit_folder(folder.path(), [](uint64_t, uint64_t) {});
  REQUIRE(report.ok());
  return *report;
}

uint64_t damaged_in(const BooksReport& report) {
  uint64_t sum = 0;
  for (const BooksAccount& source : report.sources) sum += source.figures.at(0).damaged;
  return sum;
}

// Three blocks: two lines of acme, one of globex and one of acme, one of globex.
struct Damaged {
  ManualClock clock;
  Folder folder;
  Maker maker{clock};
  explicit Damaged(size_t flip) {
    using enum wire::Outcome;
    auto store = open(folder, clock);
    REQUIRE(commit(*store, lines({maker.event(forwarded), maker.event(filtered)})).ok());
    REQUIRE(commit(*store, lines({maker.event(forwarded, "globex"), maker.event(forwarded)})).ok());
    REQUIRE(commit(*store, lines({maker.event(forwarded, "globex")})).ok());
    store.reset();
    damage(folder, "journal", [&](std::string& value) { value.at(flip) = static_cast<char>(value[flip] ^ 1); });
  }
};

constexpr size_t kInHead = 3, kInLines = 120;

}  // namespace

TEST_CASE("lines_that_are_lost_with_their_block_are_a_part_of_the_balance") {
  for (const size_t flip : {kInHead, kInLines}) {
    CAPTURE(flip);
    Damaged d(flip);
    BooksReport report = offline(d.folder);
    CHECK(report.balanced());
    CHECK(report.damaged_lines == 2);
    CHECK(damaged_in(report) == 2);
    auto store = open(d.folder, d.clock);
    CHECK(events(*store, {})->rows.size() == 3);  // who looks at it sets it aside
    REQUIRE(eventually([&] { return store->stats().quarantined == 1; }));
    CHECK(store->stats().events == 3);
    report = *recount(*store);
    CHECK(report.balanced());
    CHECK(damaged_in(report) == 2);
    Batch drop;
    drop.drops.push_back(kept(*store).rows.at(0).key);
    REQUIRE(commit(*store, std::move(drop)).ok());
    REQUIRE(commit(*store, lines({d.maker.event(wire::Outcome::failed)})).ok());
    CHECK(recount(*store)->balanced());
    store.reset();
    CHECK(offline(d.folder).balanced());
    CHECK(offline(d.folder).damaged_lines == 2);
  }
}

TEST_CASE("retention_counts_the_lines_of_a_damaged_block_as_lost") {
  for (const size_t flip : {kInHead, kInLines}) {
    CAPTURE(flip);
    Damaged d(flip);
    auto store = open(d.folder, d.clock);
    d.clock.advance(std::chrono::hours(1));
    CHECK(prune(*store, {}, d.clock.wall()).lines == 3);
    const auto report = recount(*store);
    CHECK(report->balanced());
    CHECK(report->damaged_lines == 2);
    CHECK(store->stats().events == 0);
  }
}

TEST_CASE("damage_excuses_no_more_than_was_lost") {
  Damaged d(kInLines);
  {
    auto store = open(d.folder, d.clock);
    CHECK(events(*store, {})->rows.size() == 3);
    REQUIRE(eventually([&] { return store->stats().quarantined == 1; }));
  }
  behind(d.folder, "journal", [](MDB_txn* txn, MDB_dbi dbi) { REQUIRE(mdb_drop(txn, dbi, 0) == 0); });
  CHECK_FALSE(offline(d.folder).balanced());
}

TEST_CASE("a_delivery_that_cannot_be_read_is_missing_by_name") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  {
    auto store = open(folder, clock);
    for (int i = 0; i < 3; ++i) REQUIRE(commit(*store, put(maker.message({"crm"}))).ok());
  }
  damage(folder, "deliveries", [](std::string& value) { value[1] = 0x7f; });
  const BooksReport report = offline(folder);
  CHECK(report.balanced());
  CHECK(report.damaged == 1);
  REQUIRE(report.destinations.size() == 1);
  CHECK(report.destinations[0].figures.at(1).counter == "waiting");
  CHECK(report.destinations[0].figures.at(1).damaged == 1);
}

TEST_CASE("a_damaged_record_says_what_it_is_and_goes_with_retention_and_so_does_what_is_left_of_its_message") {
  ManualClock clock;
  Folder folder;
  Maker maker(clock);
  const NewMessage message = maker.message({"crm"}, maker.bytes(100'000));
  const MessageId id = message.message->event.id;
  {
    auto store = open(folder, clock);
    REQUIRE(commit(*store, put(message)).ok());
  }
  damage_record(folder, "messages");
  auto store = open(folder, clock);
  CHECK_FALSE(load(*store, id).ok());
  REQUIRE(eventually([&] { return store->stats().quarantined == 1; }));
  const auto rows = kept(*store, {.filter = {.id = "m-"}, .kind = KeptKind::damaged}).rows;
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].table == "messages");
  CHECK(rows[0].why.find("damaged") != std::string::npos);
  CHECK(rows[0].begins.size() > 16);
  CHECK(rows[0].event.id == id);
  CHECK(kept(*store, {.filter = {.id = "d-"}, .kind = {}}).rows.empty());
  CHECK(kept(*store, {.filter = {.id = id.to_string().substr(0, 13)}, .kind = {}}).rows.size() == 1);

  prune(*store, clock.wall() - std::chrono::hours(1), clock.wall() - std::chrono::hours(1));
  CHECK(store->stats().quarantined == 1);
  clock.advance(std::chrono::hours(2));
  prune(*store, clock.wall() - std::chrono::hours(1), {});
  CHECK(store->stats().quarantined == 0);
  CHECK(recount(*store)->balanced());
  store.reset();
  const auto check = check_folder(folder.path(), [](uint64_t, uint64_t) {});
  CHECK(check->problems == std::vector<std::string>{});
  CHECK(check->deliveries == 0);
}

}  // namespace belay::spool::test
