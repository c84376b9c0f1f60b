// sim --seed N [--steps N] [--store memory|lmdb] [--verbose]     one run; exit 1 and its history when a promise is broken
// sim --seeds FIRST..LAST [--steps N] [--store …]                many; the first that breaks one is told with its command
#include <fmt/format.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "base/check.h"
#include "base/log.h"
#include "sim/world.h"

namespace {

using namespace belay;
using namespace belay::sim;

// On memory where there is some: a sweep makes thousands of stores.
class RunFolder {
 public:
  RunFolder() {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    std::string name = (memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) / "belay-sim-XXXXXX";
    BELAY_CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~RunFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Outcome {
  std::optional<Oracle::Violation> violation;
  std::string history;
  uint64_t fingerprint = 0;
  size_t messages = 0;
  uint32_t lives = 0;
  Duration simulated{0};
};

Outcome run(Options options) {
  const RunFolder folder;
  options.folder = folder.path();
  World world(options);
  world.run();
  const Oracle& oracle = world.oracle();
  return {oracle.violation(), oracle.history(), oracle.fingerprint(), oracle.messages(), world.lives(), world.simulated()};
}

std::string replay_command(const Options& options) {
  return fmt::format("tests/sim/sim --seed {} --steps {} --store {}", options.seed, options.steps, options.engine == Engine::memory ? "memory" : "lmdb");
}

void tell(const Options& options, const Outcome& outcome) {
  const Oracle::Violation& broken = *outcome.violation;
  fmt::print("seed {}: {} broken: {}\n", options.seed, broken.promise, broken.what);
  if (!broken.id.empty()) fmt::print("message {}\n", broken.id.to_string());
  fmt::print("{}replay: {}\n", outcome.history, replay_command(options));
}

// The same run once more, with everything written down.
bool tell_with_history(Options options, const Outcome& first) {
  options.recording = true;
  const Outcome again = run(options);
  if (!again.violation || again.fingerprint != first.fingerprint) {
    fmt::print("seed {}: {} broken: {}, and not when it was run again: the simulation is not deterministic\n", options.seed,
               first.violation->promise, first.violation->what);
    return false;
  }
  tell(options, again);
  return true;
}

int sweep(Options options, uint64_t first, uint64_t last) {
  uint64_t messages = 0, lives = 0;
  Duration simulated{0};
  const bool terminal = isatty(STDERR_FILENO) != 0;
  for (options.seed = first; options.seed <= last; ++options.seed) {
    const Outcome outcome = run(options);
    messages += outcome.messages;
    lives += outcome.lives;
    simulated += outcome.simulated;
    if (outcome.violation) {
      static_cast<void>(tell_with_history(options, outcome));
      return 1;
    }
    const uint64_t done = options.seed - first + 1;
    if (terminal && done % 10 == 0) fmt::print(stderr, "\r{} of {} seeds", done, last - first + 1);
    if (!terminal && done % 1'000 == 0) fmt::print(stderr, "{} of {} seeds\n", done, last - first + 1);
  }
  // What ran once runs the same way again.
  options.seed = first;
  const bool same = run(options).fingerprint == run(options).fingerprint;
  if (terminal) fmt::print(stderr, "\r");
  fmt::print("{} seeds clean: {} requests, {} lives of the spool, {} hours of simulated time{}\n", last - first + 1, messages, lives,
             std::chrono::floor<std::chrono::hours>(simulated).count(), same ? "" : "; NOT DETERMINISTIC");
  return same ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Belay's spool simulated: one seed is one run");
  Options options;
  std::string seeds, engine = "memory";
  app.add_option("--seed", options.seed, "one run");
  app.add_option("--seeds", seeds, "FIRST..LAST: many runs");
  app.add_option("--steps", options.steps, "before faults stop");
  app.add_option("--store", engine, "memory or lmdb")->check(CLI::IsMember({"memory", "lmdb"}));
  app.add_flag("--verbose", options.verbose, "tell everything that happens");
  CLI11_PARSE(app, argc, argv);
  options.engine = engine == "lmdb" ? Engine::lmdb : Engine::memory;
  log::init("sim", options.verbose ? log::Level::debug : log::Level::alert);
  if (!seeds.empty()) {
    const size_t dots = seeds.find("..");
    const uint64_t first = std::strtoull(seeds.c_str(), nullptr, 10);
    const uint64_t last = dots == std::string::npos ? first : std::strtoull(seeds.c_str() + dots + 2, nullptr, 10);
    if (first == 0 || last < first) {
      fmt::print(stderr, "--seeds {}: write FIRST..LAST, as in 1..1000\n", seeds);
      return 2;
    }
    return sweep(options, first, last);
  }
  const Outcome outcome = run(options);
  if (outcome.violation) return static_cast<void>(tell_with_history(options, outcome)), 1;
  fmt::print("seed {} clean: {} requests, {} lives of the spool, {} s of simulated time, fingerprint {:016x}\n", options.seed,
             outcome.messages, outcome.lives, outcome.simulated.count() / 1'000, outcome.fingerprint);
  return 0;
}
