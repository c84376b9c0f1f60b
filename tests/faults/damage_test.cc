// What a disk, a copy or an operator did to the store's file while the spool was stopped: it starts and sets aside what is
// damaged, or refuses with the reason. It never dies of it, never loops, never deletes the file.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "faults/fault.h"
#include "spool/tables.h"
#include "tests/store/lmdb_files.h"

using namespace belay::test;

namespace {

constexpr size_t kPage = 4096;
constexpr const char* kRetry = "timeout: 5s, retry: { first: 1s, factor: 1, attempts: 1000 }";

// A store's file with webhooks that wait, of bodies below and above what is kept inline.
struct Original {
  std::string bytes;
  size_t waiting = 0;

  Original() {
    const TempFolder folder;
    Backend backend(folder);
    backend.mode("status 503");
    Gateway gateway(folder, {.rules = two_ways(backend, kRetry)});
    for (int i = 0; i < 240; ++i) {
      const std::string body = "{\"n\":" + std::to_string(i) + ",\"p\":\"" + std::string(i % 8 == 0 ? 9'000 : 300, 'p') + "\"}";
      const auto answer = send_once(gateway.address(), request("POST", "/later", {}, body));
      REQUIRE(answer.has_value());
      REQUIRE_EQ(answer->status, 202);
    }
    waiting = totals(gateway)->waiting;
    gateway.stop();
    bytes = read_text(gateway.state() + "/var/spool/data.mdb");
    REQUIRE_GT(bytes.size(), 100 * kPage);
  }
};

const Original& original() {
  static const Original made;
  return made;
}

struct Outcome {
  enum How { refused, served, stuck, loops } how = stuck;
  std::string log;
  Totals sums;
};

// A gateway on a spool of that content, with a backend that answers.
Outcome start_on(const std::string& content) {
  const TempFolder folder;
  const std::string file = folder.write("state/var/spool/data.mdb", content);
  Backend backend(folder);
  Outcome outcome;
  try {
    Gateway gateway(folder, {.rules = two_ways(backend, kRetry), .expect_alerts = true});
    // What waits is sent within two seconds; a spool that crashes five times takes four.
    const bool decided = wait_for([&] {
      const auto sums = totals(gateway);
      if (sums) outcome.sums = *sums;
      return !gateway.process().running() || (sums && sums->waiting == 0);
    }, Milliseconds(8'000));
    outcome.how = !gateway.process().running() ? Outcome::refused : decided ? Outcome::served : Outcome::stuck;
    outcome.log = gateway.log();
    if (count_of(outcome.log, "is started again") > 4) outcome.how = Outcome::loops;
  } catch (const std::runtime_error& refusal) {
    outcome.log = refusal.what();
    outcome.how = Outcome::refused;
  }
  CHECK(std::filesystem::exists(file));
  return outcome;
}

void check_refused(const std::string& content, const std::string& reason) {
  CAPTURE(reason);
  const Outcome outcome = start_on(content);
  INFO(outcome.log);
  CHECK_EQ(outcome.how, Outcome::refused);
  CHECK_EQ(count_of(outcome.log, reason), 1);
  CHECK_EQ(count_of(outcome.log, "is started again"), 0);
}

// The original as a release with that schema writes it.
std::string with_schema(uint32_t schema) {
  const belay::spool::test::Folder folder;
  std::ofstream(folder.path() + "/data.mdb", std::ios::binary) << original().bytes;
  belay::spool::test::damage(folder, "meta", [schema](std::string& value) {
    std::string version;
    belay::put_be32(version, schema);
    value.clear();
    belay::spool::append_sealed(value, version);
  });
  return read_text(folder.path() + "/data.mdb");
}

// A page of a tree, of which the file has branches (flag 1), leaves (2) and pages of large values (4).
std::vector<size_t> pages_with(const std::string& file, char flag) {
  std::vector<size_t> pages;
  for (size_t page = 2; page < file.size() / kPage; ++page) {
    uint64_t number = 0;
    std::memcpy(&number, file.data() + page * kPage, sizeof number);
    if (number == page && file[page * kPage + 10] == flag) pages.push_back(page);
  }
  return pages;
}

}  // namespace

TEST_CASE("rotten_pages_are_set_aside_or_refused_with_the_reason_and_nothing_goes_round") {
  std::mt19937 random(3);
  const std::string& whole = original().bytes;
  int counts[4] = {};
  for (int round = 0; round < 15; ++round) {
    const auto pages = pages_with(whole, round % 5 == 0 ? 1 : round % 5 < 3 ? 2 : 4);
    REQUIRE_FALSE(pages.empty());
    const size_t page = pages[random() % pages.size()];
    std::string rotten = whole;
    char* const at = rotten.data() + page * kPage;
    const int kind = round % 3;
    if (kind == 0) at[random() % kPage] ^= static_cast<char>(1 << random() % 8);
    else if (kind == 1) std::memset(at, 0, kPage);
    else std::generate(at + 16, at + kPage, [&] { return static_cast<char>(random()); });  // its head still looks right
    const Outcome outcome = start_on(rotten);
    ++counts[outcome.how];
    INFO("page ", page, ", damage ", kind, ", waiting ", outcome.sums.waiting, "\n", outcome.log);
    const bool good = outcome.how == Outcome::refused || outcome.how == Outcome::served;
    CHECK(good);
    if (outcome.how == Outcome::refused) CHECK_NE(outcome.log.find("damaged"), std::string::npos);
    if (outcome.how == Outcome::served) CHECK_EQ(outcome.sums.spooled, outcome.sums.delivered + outcome.sums.dead);
  }
  MESSAGE("refused ", counts[0], ", served ", counts[1], ", stuck ", counts[2], ", went round ", counts[3]);
  CHECK_GT(counts[Outcome::served], 0);
}

TEST_CASE("a_truncated_a_foreign_and_a_newer_file_are_refused_with_the_reason") {
  const std::string& whole = original().bytes;
  check_refused(whole.substr(0, whole.size() / 2), "data.mdb is truncated");
  check_refused(std::string(64 * kPage, 'x'), "not an LMDB file");
  std::string newer = whole;  // LMDB's own version stands in both meta pages, behind page head and magic
  for (const size_t meta : {size_t{0}, kPage}) newer[meta + 20] = 9;
  check_refused(newer, "another LMDB format version");
  check_refused(with_schema(belay::spool::Tables::kSchema + 1), "is newer than this release reads");
}

TEST_CASE("a_second_spool_and_a_second_gateway_on_the_same_path_are_refused_and_the_first_goes_on") {
  const TempFolder folder, second_folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = two_ways(backend)});
  const Finished second = run({belay_binary(), "spool", "-c", gateway.main_file(), "--state", gateway.state()});
  CHECK_EQ(second.code, 1);
  CHECK_EQ(count_of(second.err, "belongs to another running spool"), 1);
  CHECK_EQ(count_of(second.err, "\n"), 1);
  std::string refusal;
  try {
    const Gateway other(second_folder, {.rules = two_ways(backend), .spool = "{ size: 1GB, path: \"" + gateway.state() + "/var/spool\" }"});
  } catch (const std::runtime_error& why) {
    refusal = why.what();
  }
  CHECK_EQ(count_of(refusal, "belongs to another running spool"), 1);
  CHECK_EQ(count_of(refusal, "is started again"), 0);
  const auto answer = send_once(gateway.address(), request("POST", "/later", {}, "{}"));
  REQUIRE(answer.has_value());
  CHECK_EQ(answer->status, 202);
  CHECK(wait_for([&] { return backend.seen_count() == 1; }));
}
