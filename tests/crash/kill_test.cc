// kill -9 at many points: every acknowledged message is there afterwards, whole, and every acknowledged settlement holds.
#include <set>
#include <vector>

#include "tests/crash/body.h"
#include "tests/crash/run_and_kill.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

namespace {

struct Said {
  std::set<MessageId> stored, delivered;
  size_t lines = 0;
};

void note(Said& said, const std::string& line) {
  const size_t space = line.find(' ');
  const auto id = MessageId::parse(line.substr(space + 1));
  REQUIRE(id.has_value());
  ++said.lines;
  (line.substr(0, space) == "stored" ? said.stored : said.delivered).insert(*id);
}

void run_and_kill(const std::vector<std::string>& command, size_t lines, Said& said) {
  crash::run_and_kill(command, lines, [&said](const std::string& line) { note(said, line); });
}

void check_everything_is_there(const Folder& folder, const Said& said) {
  SystemClock clock;
  StoreOptions options;
  options.folder = folder.path();
  options.map_bytes = uint64_t{256} << 20;
  auto store = open_lmdb_store(options, clock);
  REQUIRE(store.ok());
  for (const MessageId& id : said.stored) {
    auto message = load(**store, id);
    REQUIRE(message.ok());
    CHECK(message->request.body == crash::body_of(id));
    auto states = deliveries(**store, id);
    REQUIRE(states->size() == 1);
    if (said.delivered.contains(id)) CHECK(states->at(0).state == DeliveryState::delivered);
    else CHECK((states->at(0).state == DeliveryState::queued || states->at(0).state == DeliveryState::delivered));
  }
  const StoreStats stats = (*store)->stats();
  CHECK(stats.quarantined == 0);
  CHECK(stats.events == stats.messages);
  const DestinationBacklog counts = backlog(**store, "crm");
  CHECK(counts.spooled == stats.messages);
  CHECK(counts.spooled == counts.waiting + counts.delivered);
  CHECK(counts.delivered >= said.delivered.size());
  CHECK(lease(**store, "crm", clock.wall(), 1'000'000)->leased.size() <= counts.waiting);
}

std::string writer() {
  const char* path = getenv("BELAY_CRASH_WRITER");
  REQUIRE(path != nullptr);
  return path;
}

TEST_CASE("every_acknowledged_message_survives_kill_at_any_moment") {
  Folder folder;
  Said said;
  SeededRandom random(11);
  for (int round = 0; round < 12; ++round) {
    run_and_kill({writer(), folder.path()}, 1 + random.next() % 150, said);
    check_everything_is_there(folder, said);
  }
  CHECK(said.stored.size() > 100);
  CHECK_FALSE(said.delivered.empty());
}

TEST_CASE("every_acknowledged_message_survives_kill_between_any_two_writes_to_the_file") {
  Folder folder;
  Said said;
  crash::kill_between_writes(writer(), folder.path(), 200, [&said](const std::string& line) { note(said, line); },
                             [&] { check_everything_is_there(folder, said); });
  CHECK_FALSE(said.stored.empty());
}

}  // namespace

}  // namespace belay::spool::test
