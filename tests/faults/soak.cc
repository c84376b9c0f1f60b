// Mixed faults for as long as tools/soak says, chosen by a seed: backends that fail, kills of every process, power cuts, disks
// that fail, stall or are full, clocks that jump, descriptors that run out, reloads of right and wrong rules. From time to time
// all is well for a moment: then everything that was acknowledged must have arrived, the books balance, and memory,
// descriptors and the file's size are noted. At the end they are flat. The Nth fault of a seed is the same in every run.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <random>

#include "faults/disk.h"
#include "faults/fake_time.h"
#include "faults/fault.h"

using namespace belay::test;

namespace {

using Clock = std::chrono::steady_clock;

constexpr Milliseconds kBetweenRests(25'000);
constexpr Milliseconds kRecovery(60'000);  // for all that waits to be delivered when all is well
constexpr Milliseconds kSettling(2'000);   // for connections to close
constexpr size_t kMoreMemory = 48 << 20, kMoreDescriptors = 24, kMoreFile = 32 << 20;  // what is not yet growth
constexpr size_t kLinesShown = 60;  // of the gateway's log, when something is wrong

struct Used {
  size_t memory = 0, descriptors = 0, file = 0;
};

int number_from(const char* name, int fallback) {
  const char* value = getenv(name);
  return value == nullptr ? fallback : std::atoi(value);
}

std::string last_lines(const std::string& text, size_t count) {
  size_t at = text.size();
  for (; count > 0 && at != std::string::npos && at > 0; --count) at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

// The store on a disk of its own, so that it can fail as disks do. Without the right to mount or the tools: on none, said.
class Disk {
 public:
  explicit Disk(const TempFolder& folder) {
    if (!own_mounts() || !LoopDisk::make(folder / "image")) return;
    // What a spool finds in the moment between two mounts: nothing that it could begin anew on.
    below_.emplace(folder / "state/var", "64k", false);
    ext4_.emplace(folder / "image", folder / "state/var");
    if (!ext4_->mount()) {
      ext4_.reset();
      below_.reset();
      return;
    }
    rest_ = folder / "state/var/rest";
  }
  bool there() const { return ext4_.has_value(); }
  void lose_power(pid_t spool) {
    REQUIRE(ext4_->cut());
    if (spool > 0) kill(spool, SIGKILL);
    ext4_->unmount();
    REQUIRE(ext4_->mount());
  }
  void fill() const {
    const int fd = open(rest_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    off_t size = 0;
    for (off_t step = off_t{16} << 20; step >= 4096; step /= 2) {
      while (posix_fallocate(fd, size, step) == 0) size += step;
    }
    close(fd);
  }
  void empty() const {
    if (there()) unlink(rest_.c_str());
  }

 private:
  std::optional<MemoryDisk> below_;
  std::optional<LoopDisk> ext4_;
  std::string rest_;
};

class Soak {
 public:
  Soak(Milliseconds length, unsigned seed)
      : until_(Clock::now() + length), began_(Clock::now()), length_(length), seed_(seed), traces_(can_trace()), fakes_time_(FakeTime::possible()),
        gateway_(folder_, {.rules = rules(), .proxy = "  workers: 2\n", .spool = "{ size: 1GB, retention: 1m, history: 1m }",
                           .environment = fakes_time_ ? time_.environment() : std::vector<std::pair<std::string, std::string>>{}, .expect_alerts = true}) {}

  void run() {
    while (Clock::now() < until_) stretch();
    check_flat();
  }

 private:
  std::string rules() const { return two_ways(backend_); }
  int any(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  void stretch();
  void one_fault(const Senders& senders);
  std::string begin_fault();
  std::string backend_fault();
  std::string kill_one();
  std::string disk_fault();
  std::string few_descriptors();
  std::string jump();
  std::string reload();
  void heal();
  void rest(Senders& senders);
  std::string story() const;
  Used used() const;
  void note();
  void check_flat() const;

  const Clock::time_point until_, began_;
  const Milliseconds length_;
  const unsigned seed_;
  std::mt19937 random_;  // of the fault under way
  const bool traces_, fakes_time_;
  const TempFolder folder_;
  Disk disk_{folder_};
  FakeTime time_{folder_};
  Backend backend_{folder_};
  Gateway gateway_;
  std::vector<Used> notes_;
  std::vector<std::string> since_rest_;
  unsigned faults_ = 0;
  int stretches_ = 0;
  size_t acknowledged_ = 0;
  Arrived arrived_{backend_};
  bool stopped_ = false;
  pid_t limited_ = 0;
};

void Soak::stretch() {
  INFO("faults since the last rest:\n", story(), "last of the log:\n", last_lines(gateway_.log(), kLinesShown));
  Senders senders(gateway_.address(), 4, {.pace = Milliseconds(15), .padding = 200, .tag = std::to_string(++stretches_)});
  const auto end = std::min(until_, Clock::now() + kBetweenRests);
  while (Clock::now() < end) one_fault(senders);
  rest(senders);
}

std::string Soak::story() const {
  std::string told;
  for (const std::string& fault : since_rest_) told += "  " + fault + "\n";
  return told;
}

// A fault, some webhooks while it lasts, and its end.
void Soak::one_fault(const Senders& senders) {
  std::seed_seq sequence{seed_, ++faults_};
  random_.seed(sequence);
  const auto lasts = Milliseconds(500 + any(2'500));
  const bool alone = any(2) == 0;  // or it goes on beside the next
  since_rest_.push_back(std::to_string(faults_));  // known also when it fails to begin
  since_rest_.back() += " " + begin_fault();
  const size_t before = senders.acknowledged_count();
  wait_for([&] { return senders.acknowledged_count() > before + 50; }, lasts);
  if (alone) heal();
}

std::string Soak::begin_fault() {
  const int kind = any(12);
  if (kind < 4) return backend_fault();
  if (kind < 7) return kill_one();
  if (kind < 9) return disk_fault();
  if (kind == 9) return jump();
  if (kind == 10) return few_descriptors();
  return reload();
}

std::string Soak::backend_fault() {
  const std::string lie = folder_.write("lie", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}");
  const std::array<std::string, 9> modes = {"status 500", "status 503", "hang", "reset", "close", "drip 100", "slow 200", "raw " + lie, ""};
  const std::string& mode = modes[static_cast<size_t>(any(modes.size()))];
  if (mode.empty()) {
    backend_.stop();
    stopped_ = true;
    return "backend: refuses";
  }
  backend_.mode(mode);
  return "backend: " + mode;
}

std::string Soak::kill_one() {
  const int victim = any(3);
  const auto number = static_cast<size_t>(any(2));
  const auto workers = gateway_.workers();
  const pid_t pid = victim == 0 ? gateway_.spool() : victim == 1 ? gateway_.master() : number < workers.size() ? workers[number] : -1;
  if (pid > 0) kill(pid, SIGKILL);
  return std::string(victim == 0 ? "spool" : victim == 1 ? "master" : "worker") + (pid > 0 ? " killed" : " killed: none");
}

std::string Soak::disk_fault() {
  const int kind = any(4);
  const std::string injection = kind == 0 ? "error=EIO:when=" + std::to_string(1 + any(20)) : "delay_enter=" + std::to_string(50'000 + any(400'000));
  const pid_t spool = gateway_.spool();
  if (kind == 2 && disk_.there()) {
    disk_.lose_power(spool);
    return "disk: power cut";
  }
  if (kind == 3 && disk_.there()) {
    disk_.fill();
    return "disk: full";
  }
  if (!traces_ || spool <= 0) return "disk: none";
  // For as long as its tracer lives.
  const Process tracer({"strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:" + injection, "-p", std::to_string(spool)}, folder_ / "strace");
  wait_for([&] { return gone(spool); }, Milliseconds(1'500));
  return "disk: fdatasync " + injection;
}

// Not so far that retention would wait for it: large jumps are the clock test's.
std::string Soak::jump() {
  const std::string by = (any(2) == 0 ? "+" : "-") + std::to_string(1 + any(30));
  if (fakes_time_) time_.set(by);
  return "clock: " + (fakes_time_ ? by + " s" : "none");
}

std::string Soak::few_descriptors() {
  const bool spool = any(2) == 0;
  const rlim_t more = 2 + static_cast<rlim_t>(any(6));
  const auto workers = gateway_.workers();
  const pid_t pid = spool ? gateway_.spool() : workers.empty() ? -1 : workers.front();
  rlimit limit{};
  bool set = false;  // one at a time
  if (limited_ == 0 && pid > 0 && prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0) {
    limit.rlim_cur = open_descriptors(pid) + more;
    set = prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0;
  }
  if (set) limited_ = pid;
  return std::string(spool ? "spool" : "worker") + ": few descriptors" + (set ? "" : ": none");
}

std::string Soak::reload() {
  const bool right = any(2) == 0;
  gateway_.write_rules(right ? rules() + "\n# " + std::to_string(faults_) + "\n" : "sources:\n  broken: { match: { pth: /x } }\n");
  gateway_.reload();
  return right ? "reload" : "reload of wrong rules";
}

void Soak::heal() {
  if (std::exchange(stopped_, false)) backend_.start();
  backend_.mode("ok");
  disk_.empty();
  time_.set("+0");
  rlimit limit{};
  if (const pid_t pid = std::exchange(limited_, 0); pid > 0 && prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    prlimit(pid, RLIMIT_NOFILE, &limit, nullptr);
  }
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
  heal();
  gateway_.write_rules(rules());
  gateway_.reload();
  senders.finish();
  check_answers(senders);
  const auto acknowledged = senders.acknowledged();
  CHECK_GT(acknowledged.size(), 0);
  size_t missing = 0;
  const bool all = wait_for([&] { return (missing = arrived_.missing(acknowledged)) == 0; }, kRecovery);
  REQUIRE_MESSAGE(all, missing, " acknowledged webhooks never arrived");
  std::optional<Totals> sums;
  REQUIRE(wait_for([&] { return (sums = totals(gateway_)) && sums->waiting == 0 && sums->accepting && gateway_.workers().size() == 2; }, kRecovery));
  CHECK_EQ(sums->dead, 0);
  CHECK_EQ(sums->quarantined, 0);
  CHECK_EQ(sums->spooled, sums->delivered);
  Finished books;
  CHECK_MESSAGE(wait_for([&] { return (books = gateway_.belay({"audit"})).code == 0; }, Milliseconds(5'000)), books.out, books.err);
  since_rest_.clear();
  acknowledged_ += acknowledged.size();
  note();
  const Used& now = notes_.back();
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began_);
  std::printf("%4lld of %lld s  faults %u  acknowledged %zu  delivered twice %zu  memory %zu MB  descriptors %zu  file %zu MB\n",
              static_cast<long long>(passed.count()), static_cast<long long>(length_.count() / 1000), faults_, acknowledged_, arrived_.repeated(), now.memory >> 20,
              now.descriptors, now.file >> 20);
  std::fflush(stdout);
}

// Without idle connections: how many there are depends on the fault before. A backend that restarts closes them all.
void Soak::note() {
  backend_.stop();
  backend_.start();
  Used least = used();
  const auto fewest = [&] {
    const Used now = used();
    if (now.descriptors < least.descriptors) least = now;
    return false;
  };
  wait_for(fewest, kSettling);
  notes_.push_back(least);
}

// The most that the last third had against the most before it.
void Soak::check_flat() const {
  REQUIRE_FALSE(notes_.empty());
  Used before = notes_.front(), late;
  const size_t third = std::max<size_t>(1, notes_.size() / 3);
  for (size_t i = 0; i < notes_.size(); ++i) {
    Used& most = i < notes_.size() - third ? before : late;
    most.memory = std::max(most.memory, notes_[i].memory);
    most.descriptors = std::max(most.descriptors, notes_[i].descriptors);
    most.file = std::max(most.file, notes_[i].file);
  }
  CHECK_LE(late.memory, before.memory + before.memory / 2 + kMoreMemory);
  CHECK_LE(late.descriptors, before.descriptors + kMoreDescriptors);
  CHECK_LE(late.file, before.file + before.file / 2 + kMoreFile);
}

}  // namespace

TEST_CASE("mixed faults") {
  Soak soak(std::chrono::minutes(number_from("BELAY_SOAK_MINUTES", 20)), static_cast<unsigned>(number_from("BELAY_SOAK_SEED", 1)));
  soak.run();
}
