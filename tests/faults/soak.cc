// Mixed faults for as long as tools/soak says, chosen by a seed: backends that fail, kills of every process, disks that fail or
// stall, reloads of right and wrong rules. From time to time all is well for a moment: then everything that was acknowledged
// must have arrived, the books balance, and memory, descriptors and the file's size are noted. At the end they are flat.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "faults/fault.h"

using namespace belay::test;

namespace {

using Clock = std::chrono::steady_clock;

constexpr Milliseconds kBetweenRests(25'000);
constexpr Milliseconds kRecovery(60'000);  // for all that waits to be delivered when all is well
constexpr size_t kMoreMemory = 48 << 20, kMoreDescriptors = 24, kMoreFile = 32 << 20;  // what is not yet growth

struct Used {
  size_t memory = 0, descriptors = 0, file = 0;
};

int number_from(const char* name, int fallback) {
  const char* value = getenv(name);
  return value == nullptr ? fallback : std::atoi(value);
}

class Soak {
 public:
  Soak(Milliseconds length, unsigned seed)
      : until_(Clock::now() + length), began_(Clock::now()), length_(length), random_(seed), traces_(can_trace()),
        gateway_(folder_, {.rules = rules(), .proxy = "  workers: 2\n", .spool = "{ size: 1GB, retention: 1m, history: 1m }", .expect_alerts = true}) {}

  void run() {
    while (Clock::now() < until_) stretch();
    check_flat();
  }

 private:
  std::string rules() const { return two_ways(backend_); }
  int any(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  void stretch();
  void one_fault(const Senders& senders);
  void disk_fault();
  void rest(Senders& senders);
  Used used() const;
  void check_flat() const;

  const Clock::time_point until_, began_;
  const Milliseconds length_;
  std::mt19937 random_;
  const bool traces_;
  const TempFolder folder_;
  Backend backend_{folder_};
  Gateway gateway_;
  std::vector<Used> notes_;
  int faults_ = 0, stretches_ = 0;
  size_t acknowledged_ = 0, twice_ = 0;
  Arrived arrived_{backend_};
  bool stopped_ = false;
};

void Soak::stretch() {
  Senders senders(gateway_.address(), 4, {.pace = Milliseconds(15), .padding = 200, .tag = std::to_string(++stretches_)});
  const auto end = std::min(until_, Clock::now() + kBetweenRests);
  while (Clock::now() < end) one_fault(senders);
  rest(senders);
}

// A fault, some webhooks while it lasts, and its end.
void Soak::one_fault(const Senders& senders) {
  static const char* kModes[] = {"status 500", "status 503", "hang", "reset", "close", "drip 100", "slow 200"};
  ++faults_;
  const int kind = any(10);
  if (kind < 3) {
    backend_.mode(kModes[any(std::size(kModes))]);
  } else if (kind == 3) {
    backend_.stop();
    stopped_ = true;
  } else if (kind == 4) {
    kill(gateway_.spool(), SIGKILL);
  } else if (kind == 5) {
    const auto workers = gateway_.workers();
    if (!workers.empty()) kill(workers[random_() % workers.size()], SIGKILL);
  } else if (kind == 6) {
    if (const pid_t master = gateway_.master(); master > 0) kill(master, SIGKILL);
  } else if (kind == 7) {
    gateway_.write_rules(any(2) == 0 ? "sources:\n  broken: { match: { pth: /x } }\n" : rules() + "\n# " + std::to_string(faults_) + "\n");
    gateway_.reload();
  } else if (traces_) {
    disk_fault();
  }
  const size_t before = senders.acknowledged_count();
  wait_for([&] { return senders.acknowledged_count() > before + 50; }, Milliseconds(500 + any(2'500)));
  if (any(2) == 0) return;  // this one goes on beside the next
  if (std::exchange(stopped_, false)) backend_.start();
  backend_.mode("ok");
}

// For as long as its tracer lives.
void Soak::disk_fault() {
  const pid_t spool = gateway_.spool();
  if (spool <= 0) return;
  const std::string injection = any(2) == 0 ? "error=EIO:when=" + std::to_string(1 + any(20)) : "delay_enter=" + std::to_string(50'000 + any(400'000));
  const Process tracer({"strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:" + injection, "-p", std::to_string(spool)},
                       folder_ / "strace");
  wait_for([&] { return gone(spool); }, Milliseconds(1'500));
}

Used Soak::used() const {
  Used now;
  auto pids = gateway_.workers();
  pids.insert(pids.end(), {gateway_.master(), gateway_.spool()});
  for (const pid_t pid : pids) {
    unsigned long all = 0, resident = 0, shared = 0;
    std::sscanf(read_text("/proc/" + std::to_string(pid) + "/statm").c_str(), "%lu %lu %lu", &all, &resident, &shared);
    now.memory += (resident - std::min(resident, shared)) * 4096;  // beyond the map and the program
    now.descriptors += open_descriptors(pid);
  }
  now.file = std::filesystem::file_size(gateway_.state() + "/var/spool/data.mdb");
  return now;
}

void Soak::rest(Senders& senders) {
  if (std::exchange(stopped_, false)) backend_.start();
  backend_.mode("ok");
  gateway_.write_rules(rules());
  gateway_.reload();
  senders.finish();
  check_answers(senders);
  const auto acknowledged = senders.acknowledged();
  CHECK_GT(acknowledged.size(), 0);
  size_t missing = 0;
  const bool all = wait_for([&] { return (missing = arrived_.missing(acknowledged)) == 0; }, kRecovery);
  CHECK_MESSAGE(all, missing, " acknowledged webhooks never arrived");
  std::optional<Totals> sums;
  CHECK(wait_for([&] { return (sums = totals(gateway_)) && sums->waiting == 0 && gateway_.workers().size() == 2; }, kRecovery));
  REQUIRE(sums.has_value());
  CHECK(sums->accepting);
  CHECK_EQ(sums->dead, 0);
  CHECK_EQ(sums->quarantined, 0);
  CHECK_EQ(sums->spooled, sums->delivered);
  acknowledged_ += acknowledged.size();
  twice_ = arrived_.repeated();
  notes_.push_back(used());
  const Used& now = notes_.back();
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began_);
  std::printf("%4lld of %lld s  faults %d  acknowledged %zu  delivered twice %zu  memory %zu MB  descriptors %zu  file %zu MB\n",
              static_cast<long long>(passed.count()), static_cast<long long>(length_.count() / 1000), faults_, acknowledged_, twice_, now.memory >> 20,
              now.descriptors, now.file >> 20);
  std::fflush(stdout);
}

// What it had when it was warm, against the end.
void Soak::check_flat() const {
  REQUIRE_FALSE(notes_.empty());
  const Used& warm = notes_[notes_.size() / 3];
  const Used& last = notes_.back();
  CHECK_LE(last.memory, warm.memory + warm.memory / 2 + kMoreMemory);
  CHECK_LE(last.descriptors, warm.descriptors + kMoreDescriptors);
  CHECK_LE(last.file, warm.file + warm.file / 2 + kMoreFile);
}

}  // namespace

TEST_CASE("mixed faults") {
  Soak soak(std::chrono::minutes(number_from("BELAY_SOAK_MINUTES", 20)), static_cast<unsigned>(number_from("BELAY_SOAK_SEED", 1)));
  soak.run();
}
