// Power cuts with writes that were reordered, torn or lost: what a spool under load wrote is replayed up to any point, with any
// part of what was not flushed. The file opens at the old or the new commit, and holds all that was acknowledged until then.
#include <doctest/doctest.h>

#include <filesystem>
#include <future>
#include <map>
#include <mutex>

#include "faults/fault.h"
#include "faults/write_log.h"
#include "spool/store.h"

using namespace belay::test;

namespace {

namespace spool = belay::spool;

// Bodies and how long the log was when the sender heard that they are safe.
struct Promised {
  std::mutex mutex;
  std::map<std::string, uint64_t> log_bytes;  // by sha256 of the body
};

// A spool that has written from its first page on, and what its senders were told.
struct Story {
  const TempFolder folder;
  Promised promised;
  std::unique_ptr<WriteLog> log;

  // Settlements, too: the backend answers every second webhook.
  explicit Story(size_t webhooks) {
    const char* library = getenv("BELAY_FAULTY_DISK");
    REQUIRE(library != nullptr);
    const std::string log_file = folder / "log";
    Backend backend(folder);
    backend.mode("slow 5");
    Gateway gateway(folder, {.rules = two_ways(backend), .command = "proxy"});
    SpoolHalf spool(folder, gateway, {}, {{"LD_PRELOAD", library}, {"FAULTY_DISK_LOG", log_file}});
    REQUIRE(spool.wait_until_ready());
    Senders senders(gateway.address(), 4, {.paths = {"/later"}, .padding = 900, .on_acknowledged = [&](const std::string& body) {
                                             const uint64_t length = std::filesystem::file_size(log_file);
                                             const std::lock_guard lock(promised.mutex);
                                             promised.log_bytes.emplace(sha256_hex(body), length);
                                           }});
    REQUIRE(wait_for([&] { return senders.acknowledged_count() > webhooks; }, Milliseconds(20'000)));
    spool.end();
    senders.finish();
    log = std::make_unique<WriteLog>(log_file);
  }
};

std::set<std::string> bodies_in(spool::Store& store) {
  std::set<std::string> found;
  std::optional<belay::MessageId> before;
  do {
    std::promise<belay::Result<spool::EventPage>> answered;
    store.events({}, before, 1'000, [&](belay::Result<spool::EventPage> page) { answered.set_value(std::move(page)); });
    const auto page = answered.get_future().get();
    REQUIRE(page.ok());
    for (const spool::EventRow& row : page->rows) {
      std::promise<belay::Result<spool::Message>> loaded;
      store.load(row.event.id, [&](belay::Result<spool::Message> message) { loaded.set_value(std::move(message)); });
      const auto message = loaded.get_future().get();
      if (message.ok()) found.insert(sha256_hex(message->request.body));
    }
    before = page->next;
  } while (before);
  return found;
}

// Before anything was flushed the file may be anything: then nothing was promised either.
void check_cut(const Story& story, const std::string& file, uint64_t log_bytes) {
  std::set<std::string> wanted;
  for (const auto& [body, length] : story.promised.log_bytes) {
    if (length <= log_bytes) wanted.insert(body);
  }
  const TempFolder copy;
  copy.write("data.mdb", file);
  const belay::SystemClock clock;
  spool::StoreOptions options;
  options.folder = copy.path();
  options.map_bytes = uint64_t{1} << 30;
  auto store = spool::open_lmdb_store(options, clock);
  if (!store) MESSAGE("refused: ", store.error().message);
  if (wanted.empty() && !store) return;
  REQUIRE(store.ok());
  const std::set<std::string> found = bodies_in(**store);
  size_t missing = 0;
  for (const std::string& body : wanted) missing += found.contains(body) ? 0 : 1;
  CHECK_EQ(missing, 0);
  const spool::StoreStats stats = (*store)->stats();
  CHECK_EQ(stats.quarantined, 0);
  CHECK_EQ(stats.messages, found.size());
  for (const spool::DestinationBacklog& one : stats.destinations) CHECK_EQ(one.spooled, one.waiting + one.delivered + one.dead);
}

}  // namespace

TEST_CASE("after_any_power_cut_the_store_opens_with_all_that_was_acknowledged_until_then") {
  const Story story(200);
  MESSAGE(story.log->size(), " writes and flushes, ", story.promised.log_bytes.size(), " acknowledged");
  REQUIRE_GT(story.log->size(), 100);
  std::mt19937 random(7);
  for (int round = 0; round < 160; ++round) {
    // The first hundred steps are those of a new file, one by one.
    const size_t at = round < 100 ? static_cast<size_t>(round) : random() % story.log->size();
    const auto left = static_cast<WriteLog::Left>(random() % 4);
    CAPTURE(at);
    CAPTURE(static_cast<int>(left));
    check_cut(story, story.log->cut_after(at, left, random), story.log->end_of(at));
  }
}

TEST_CASE("a_spool_started_on_what_a_power_cut_left_delivers_what_was_acknowledged") {
  const Story story(150);
  std::mt19937 random(9);
  for (int round = 0; round < 5; ++round) {
    const TempFolder folder;
    const size_t at = story.log->size() / 3 + random() % (story.log->size() * 2 / 3);
    folder.write("state/var/spool/data.mdb", story.log->cut_after(at, WriteLog::Left::sectors, random));
    // The same destinations: at a backend of the same address, on which the old one has its port no more.
    Backend backend(folder);
    Gateway gateway(folder, {.rules = two_ways(backend)});
    Arrived arrived(backend);
    const auto undelivered = [&] {
      const auto sums = totals(gateway);
      return !sums || sums->waiting > 0;
    };
    CHECK(wait_for([&] { return !undelivered(); }));
    const auto sums = totals(gateway);
    REQUIRE(sums.has_value());
    CHECK_EQ(sums->dead, 0);
    CHECK_EQ(sums->spooled, sums->delivered);
    size_t promised = 0;
    for (const auto& [body, length] : story.promised.log_bytes) promised += length <= story.log->end_of(at) ? 1 : 0;
    CHECK_GE(sums->delivered, promised);
  }
}
