// kill -9 at many points of a writer of order, debounce and batch: whatever was stored is delivered or superseded, a key's
// webhooks in their order, a batch always with the same members, none in two of them.
#include <map>
#include <set>
#include <sstream>

#include "tests/crash/groups.h"
#include "tests/crash/run_and_kill.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

namespace {

using wire::GroupKind;

bool is_kind(const std::string& key, GroupKind kind) { return key.starts_with(std::to_string(static_cast<int>(kind)) + "/"); }

struct Said {
  std::map<std::string, std::vector<std::string>> stored, sent;  // by key, in order, repeats of sent ones left out
  std::map<std::string, std::string> batches;                    // body by first member
  std::map<std::string, std::string> batch_of;                   // first member by member
  std::set<std::string> ended;

  void hear(const std::string& line) {
    std::istringstream in(line);
    std::string word, key, id, body;
    in >> word >> key >> id >> body;
    if (word == "stored") stored[key].push_back(id);
    else if (word == "sending") sending(key, id, body);
    else ended.insert(key);
  }
  void sending(const std::string& key, const std::string& id, const std::string& body) {
    INFO(key << " " << id << " " << body);
    CHECK_FALSE(ended.contains(id));
    if (is_kind(key, GroupKind::batch_array)) {
      const auto [at, fresh] = batches.emplace(id, body);
      CHECK(at->second == body);
      if (!fresh) return;
      for (size_t start = 2; start < body.size(); start += 39) {  // ["ID","ID"]
        const auto [member, first_time] = batch_of.emplace(body.substr(start, 36), id);
        CHECK(first_time);
      }
      return;
    }
    std::vector<std::string>& of_key = sent[key];
    if (!of_key.empty() && of_key.back() == id) return;
    if (!of_key.empty()) CHECK(of_key.back() < id);  // ids of these writers follow each other in time
    of_key.push_back(id);
  }
};

void check_everything_ends(const Folder& folder, Said& said) {
  SystemClock clock;
  auto store = open_lmdb_store(crash::options_of(folder.path()), clock);
  REQUIRE(store.ok());
  for (int round = 0; round < 5'000 && backlog(**store, "crm").waiting > 0; ++round) {
    auto leases = crash::lease(**store, clock.wall());
    REQUIRE(leases.ok());
    for (const Leased& one : leases->leased) {
      said.sending(crash::name_of(one.delivery.grouping), one.delivery.message.to_string(), one.message->request.body);
      Delivery sent = one.delivery;
      add_attempt(sent, {clock.wall(), 1, 200, "", ""});
      CHECK(commit(**store, settle(with_state(sent, DeliveryState::delivered)))->refused == std::vector<bool>{false});
      said.ended.insert(one.delivery.message.to_string());
    }
  }
  const DestinationBacklog counts = backlog(**store, "crm");
  CHECK(counts.waiting == 0);
  CHECK(counts.dead == 0);
  CHECK(counts.spooled == counts.delivered + counts.superseded);
  CHECK((*store)->stats().quarantined == 0);
  for (const auto& stored : said.stored) {
    const auto& key = stored.first;
    const auto& ids = stored.second;
    for (const std::string& id : ids) {
      const auto found = deliveries(**store, *MessageId::parse(id));
      REQUIRE(found->size() == 1);
      const DeliveryState state = found->front().state;
      INFO(key << " " << id << " " << to_string(state));
      CHECK((state == DeliveryState::delivered || (state == DeliveryState::superseded && is_kind(key, GroupKind::debounce))));
      if (is_kind(key, GroupKind::batch_array)) CHECK(said.batch_of.contains(id));
    }
    // Every one of an ordered key was sent, and so was the last of a debounced one.
    const std::vector<std::string>& sent = said.sent[key];
    if (is_kind(key, GroupKind::order_wait) || is_kind(key, GroupKind::order_skip)) {
      CHECK(std::includes(sent.begin(), sent.end(), ids.begin(), ids.end()));
    } else if (is_kind(key, GroupKind::debounce)) {
      REQUIRE_FALSE(sent.empty());
      CHECK(sent.back() >= ids.back());
    }
  }
}

std::string writer() {
  const char* path = getenv("BELAY_CRASH_GROUP_WRITER");
  REQUIRE(path != nullptr);
  return path;
}

}  // namespace

TEST_CASE("keys_and_batches_survive_kill_at_any_moment") {
  Folder folder;
  Said said;
  SeededRandom random(31);
  for (int round = 0; round < 12; ++round) {
    crash::run_and_kill({writer(), folder.path()}, 1 + random.next() % 200, [&said](const std::string& line) { said.hear(line); });
    if (round % 4 == 3) check_everything_ends(folder, said);
  }
  CHECK(said.batches.size() > 5);
  CHECK(said.stored.size() == std::size(crash::kKeys));
}

TEST_CASE("keys_and_batches_survive_kill_between_any_two_writes_to_the_file") {
  Folder folder;
  Said said;
  crash::kill_between_writes(writer(), folder.path(), 300, [&said](const std::string& line) { said.hear(line); },
                             [&] { check_everything_ends(folder, said); });
  CHECK_FALSE(said.stored.empty());
}

}  // namespace belay::spool::test
