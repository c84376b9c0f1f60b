// A store as the last release of schema 2 left it (schema2.mdb: written by its binary, then compacted): it is brought up to date when
// it is opened, its books balance, and what waited goes on.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "spool/offline.h"
#include "tests/store/engines.h"
#include "tests/store/lmdb_files.h"

namespace belay::spool::test {

namespace {

constexpr WallTime kWritten = std::chrono::sys_days(std::chrono::year{2026} / 11 / 23) + std::chrono::hours(9);

void copy_fixture(const Folder& folder) {
  const char* source = std::getenv("BELAY_SOURCE");
  std::filesystem::copy_file(std::string(source == nullptr ? "." : source) + "/tests/store/schema2.mdb", folder.path() + "/data.mdb");
}

uint64_t counted(const std::vector<BooksAccount>& accounts, const std::string& name, std::string_view counter) {
  for (const BooksAccount& account : accounts) {
    for (const BooksFigure& figure : account.figures) {
      if (account.name == name && figure.counter == counter) return figure.counted;
    }
  }
  FAIL("no such figure");
  return 0;
}

std::vector<std::string> bodies(Store& store, const std::string& to, WallTime now) {
  std::vector<std::string> found;
  const auto leases = lease(store, to, now);
  for (const Leased& one : leases->leased) {
    found.push_back(one.message->body(one.delivery.shape));
    Delivery done = one.delivery;
    add_attempt(done, {now, 1, 200, "", ""});
    REQUIRE(commit(store, settle(with_state(done, DeliveryState::delivered))).ok());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

TEST_CASE("a_store_that_the_release_of_schema_2_wrote_goes_on") {
  Folder folder;
  copy_fixture(folder);
  ManualClock clock;
  clock.set_wall(kWritten);
  const auto untouched = audit_folder(folder.path(), [](uint64_t, uint64_t) {});
  REQUIRE_FALSE(untouched.ok());  // looking changes nothing
  CHECK(untouched.error().message.find("schema 2 is older") != std::string::npos);

  auto store = open(folder, clock);
  const auto report = wait_for<BooksReport>([&](Done<BooksReport> done) { store->recount(std::move(done)); });
  REQUIRE(report.ok());
  CHECK(report->balanced());
  CHECK(report->messages == 12);
  CHECK(counted(report->destinations, "crm", "delivered") == 11);
  CHECK(counted(report->destinations, "dead", "dead") == 2);
  CHECK(counted(report->destinations, "later", "waiting") == 2);
  CHECK(counted(report->sources, "acme", "spooled") == 11);
  CHECK(counted(report->sources, "acme", "duplicate") == 1);
  CHECK(counted(report->sources, "signed", "rejected") == 1);
  CHECK(counted(report->sources, "forward", "forwarded") == 2);
  const auto kept = wait_for<KeptPage>([&](Done<KeptPage> done) { store->kept({}, {}, 50, std::move(done)); });
  CHECK(kept->rows.size() == 3);  // one was refused, for two nothing could be made
  CHECK(events(*store, {.resource = "C9"})->rows.size() == 1);

  // An attempt was made of each; the next one is in a month.
  clock.advance(std::chrono::hours(24 * 36));
  const auto waiting = lease(*store, "later", clock.wall());
  REQUIRE(waiting->leased.size() == 2);
  CHECK(waiting->leased[0].delivery.attempts == 1);
  CHECK(waiting->leased[0].delivery.history.at(0).status == 503);
  CHECK(bodies(*store, "away", clock.wall()) == std::vector<std::string>{R"({"n":"C1"})", R"({"n":"C2"})"});
  const auto page = events(*store, {.destination = "dead", .state = "dead"});
  for (const EventRow& row : page->rows) {
    for (Delivery delivery : row.deliveries) {
      if (delivery.destination_name != "dead") continue;
      REQUIRE(commit(*store, settle(with_state(delivery, DeliveryState::queued, clock.wall()))).ok());
    }
  }
  CHECK(bodies(*store, "dead", clock.wall()).size() == 2);
  const auto large = load(*store, events(*store, {.resource = "C9"})->rows.at(0).event.id);
  REQUIRE(large.ok());
  CHECK(large->request.body.size() > 20'000);
  store.reset();
  CHECK(audit_folder(folder.path(), [](uint64_t, uint64_t) {})->balanced());
  CHECK(check_folder(folder.path(), [](uint64_t, uint64_t) {})->problems == std::vector<std::string>{});
}

}  // namespace belay::spool::test
