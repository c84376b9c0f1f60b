#include "proxy/master.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/log.h"
#include "proxy/generation.h"
#include "proxy/worker.h"

namespace belay::proxy {

namespace {

constexpr std::array kSignals{SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGCHLD};

struct WorkerProcess {
  pid_t pid = 0;
  size_t slot = 0;
  uint64_t generation = 0;
  bool ready = false;
  bool told_to_stop = false;
  MonotonicTime started{};
};

log::Level level_of(const conf::Configuration& configuration) {
  constexpr std::array<std::pair<std::string_view, log::Level>, 5> kLevels{{{"debug", log::Level::debug},
                                                                           {"info", log::Level::info},
                                                                           {"warn", log::Level::warn},
                                                                           {"error", log::Level::error},
                                                                           {"alert", log::Level::alert}}};
  for (const auto& [name, level] : kLevels) {
    if (name == configuration.log.level) return level;
  }
  return log::Level::info;
}

class Master {
 public:
  Master(const conf::LoadOptions& load, std::span<const pipeline::Module> modules) : load_(load), modules_(modules) {}
  int run();

 private:
  bool start();
  void raise_descriptor_limit() const;
  void prepare_signals();
  void wait_for_events();
  void on_signal(int number);
  void reload();
  void adopt_ready_generation();
  void stop(int signal_number);
  void start_workers();
  bool start_worker();
  [[noreturn]] void become_worker(size_t slot, int ready_write, pid_t master);
  void reap();
  void worker_ended(const WorkerProcess& worker, int status);
  std::optional<size_t> free_slot();
  void signal_workers(int number, bool old_ones_only);
  size_t workers_of_this_generation() const;
  int wait_ms() const;
  MonotonicTime now() const { return clock_.monotonic(); }

  const conf::LoadOptions load_;
  const std::span<const pipeline::Module> modules_;
  SystemClock clock_;
  Sockets sockets_;
  pipeline::SharedMemory* shared_ = nullptr;
  std::unique_ptr<Generation> generation_;
  std::vector<WorkerProcess> workers_;
  int signal_fd_ = -1, ready_read_ = -1, ready_write_ = -1;
  MonotonicTime start_again_at_{};  // no worker is started before
  Duration back_off_{0};
  bool reloading_ = false, reload_again_ = false, stopping_ = false;
  MonotonicTime kill_at_ = MonotonicTime::max();
};

bool Master::start() {
  conf::Problems problems;
  generation_ = build_generation(load_, modules_, sockets_, nullptr, problems);
  if (!generation_) {
    std::fputs(problems.to_string().c_str(), stderr);
    return false;
  }
  log::init("master", level_of(*generation_->configuration));
  auto shared = pipeline::SharedMemory::create();
  int ends[2];
  if (!shared || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    log::error("start: {}", shared ? errno_error("pipe").message : shared.error().message);
    return false;
  }
  shared_ = *shared;
  ready_read_ = ends[0];
  ready_write_ = ends[1];
  raise_descriptor_limit();
  prepare_signals();
  const auto& listens = generation_->configuration->proxy.listen;
  for (size_t i = 0; i < listens.size(); ++i) {
    log::info("listening on {}, {} sources", door_name(listens[i], generation_->doors[i].fd), generation_->ruleset->sources.size());
  }
  reloading_ = true;  // until all workers of the first generation accept
  return true;
}

// A connection is a descriptor, and a forwarded request one more.
void Master::raise_descriptor_limit() const {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const int64_t wanted = generation_->configuration->proxy.limits.connections;
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < static_cast<rlim_t>(wanted)) {
    log::warn("limits.connections is {}, but a process may open only {} descriptors: raise LimitNOFILE or ulimit -n", wanted, limit.rlim_max);
  }
}

void Master::prepare_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kSignals) sigaddset(&set, number);
  BELAY_CHECK(::sigprocmask(SIG_BLOCK, &set, nullptr) == 0);
  signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  BELAY_CHECK_NOTE(signal_fd_ >= 0, "signalfd: out of descriptors");
}

int Master::run() {
  if (!start()) return 1;
  while (!stopping_ || !workers_.empty()) {
    start_workers();
    wait_for_events();
    adopt_ready_generation();
    if (now() >= kill_at_) {
      log::warn("{} workers did not stop in time and are killed", workers_.size());
      signal_workers(SIGKILL, false);
      kill_at_ = MonotonicTime::max();
    }
  }
  log::info("stopped");
  return 0;
}

int Master::wait_ms() const {
  MonotonicTime until = kill_at_;
  if (!stopping_ && workers_of_this_generation() < static_cast<size_t>(generation_->configuration->proxy.workers)) {
    until = std::min(until, start_again_at_);
  }
  if (until == MonotonicTime::max()) return -1;
  const auto left = std::chrono::ceil<Duration>(until - now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

void Master::wait_for_events() {
  std::array<pollfd, 2> waits{{{signal_fd_, POLLIN, 0}, {ready_read_, POLLIN, 0}}};
  if (::poll(waits.data(), waits.size(), wait_ms()) <= 0) return;
  pid_t pid = 0;
  while (::read(ready_read_, &pid, sizeof pid) == sizeof pid) {
    for (WorkerProcess& worker : workers_) {
      if (worker.pid == pid) worker.ready = true;
    }
  }
  signalfd_siginfo info{};
  while (::read(signal_fd_, &info, sizeof info) == sizeof info) on_signal(static_cast<int>(info.ssi_signo));
}

void Master::on_signal(int number) {
  switch (number) {
    case SIGCHLD: return reap();
    case SIGHUP: return reload();
    case SIGQUIT: return stop(SIGQUIT);
    default: return stop(SIGTERM);
  }
}

void Master::reload() {
  if (stopping_) return;
  if (reloading_) {
    reload_again_ = true;  // one generation at a time: the workers of the last one are not ready yet
    return;
  }
  conf::Problems problems;
  auto next = build_generation(load_, modules_, sockets_, generation_.get(), problems);
  if (!next) {
    for (const conf::Problem& problem : problems.all()) {
      log::error("reload: {}: {}{}{}", problem.position.to_string(), problem.what, problem.hint.empty() ? "" : "; ", problem.hint);
    }
    log::error("reload refused: {} problem{}; the old rules stay", problems.all().size(), problems.all().size() == 1 ? "" : "s");
    return;
  }
  generation_ = std::move(next);
  log::init("master", level_of(*generation_->configuration));
  reloading_ = true;
  back_off_ = Duration{0};
  start_again_at_ = {};
}

// Once every new worker accepts, the old ones may stop.
void Master::adopt_ready_generation() {
  if (!reloading_ || stopping_) return;
  int ready = 0;
  for (const WorkerProcess& worker : workers_) ready += worker.generation == generation_->number && worker.ready ? 1 : 0;
  if (ready < generation_->configuration->proxy.workers) return;
  reloading_ = false;
  sockets_.close_others(generation_->configuration->proxy.listen);
  signal_workers(SIGTERM, true);
  log::info("ready: {} workers, {} sources, generation {}", ready, generation_->ruleset->sources.size(), generation_->number);
  if (!reload_again_) return;
  reload_again_ = false;
  reload();
}

void Master::stop(int signal_number) {
  if (stopping_ && signal_number != SIGQUIT) return;
  stopping_ = true;
  log::info("stopping{}", signal_number == SIGQUIT ? " at once" : "");
  const Duration grace = signal_number == SIGQUIT ? Duration{0} : generation_->configuration->proxy.limits.stop_timeout;
  kill_at_ = now() + grace + kStopMargin;
  signal_workers(signal_number, false);
}

void Master::signal_workers(int number, bool old_ones_only) {
  for (WorkerProcess& worker : workers_) {
    if (old_ones_only && (worker.generation == generation_->number || worker.told_to_stop)) continue;
    worker.told_to_stop = true;
    ::kill(worker.pid, number);
  }
}

size_t Master::workers_of_this_generation() const {
  return static_cast<size_t>(std::count_if(workers_.begin(), workers_.end(), [this](const WorkerProcess& worker) {
    return worker.generation == generation_->number;
  }));
}

void Master::start_workers() {
  if (stopping_ || now() < start_again_at_) return;
  const auto wanted = static_cast<size_t>(generation_->configuration->proxy.workers);
  for (size_t have = workers_of_this_generation(); have < wanted; ++have) {
    if (start_worker()) continue;
    start_again_at_ = now() + kBackOffMax;
    return;
  }
}

std::optional<size_t> Master::free_slot() {
  for (size_t slot = 0; slot < pipeline::SharedMemory::kWorkers; ++slot) {
    if (shared_->workers[slot].pid.load() == 0) return slot;
  }
  return std::nullopt;
}

bool Master::start_worker() {
  const auto slot = free_slot();
  if (!slot) {
    log::error("{} workers are still draining: no place for a new one yet", workers_.size());
    return false;
  }
  const pid_t master = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    log::error("{}", errno_error("fork a worker").message);
    return false;
  }
  if (pid == 0) become_worker(*slot, ready_write_, master);
  shared_->workers[*slot].pid = pid;
  workers_.push_back({.pid = pid, .slot = *slot, .generation = generation_->number, .started = now()});
  return true;
}

void Master::become_worker(size_t slot, int ready_write, pid_t master) {
  // Without its master a worker is no use and would hold the ports: it drains and ends.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != master) std::_Exit(1);
  ::close(signal_fd_);
  ::close(ready_read_);
  log::init("worker", level_of(*generation_->configuration));
  // Ctrl-C reaches the whole terminal group, but the master decides.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
  const int code = run_worker(*generation_, {.shared = *shared_, .slot = slot, .ready_fd = ready_write});
  std::exit(code);
}

void Master::reap() {
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
    const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const WorkerProcess& worker) { return worker.pid == pid; });
    if (found == workers_.end()) continue;
    const WorkerProcess worker = *found;
    workers_.erase(found);
    worker_ended(worker, status);
  }
}

void Master::worker_ended(const WorkerProcess& worker, int status) {
  pipeline::SharedMemory::Worker& held = shared_->workers[worker.slot];
  const int64_t connections = held.connections.exchange(0);
  if (connections != 0) shared_->clients.forget(worker.slot);
  shared_->connections -= connections;
  shared_->buffered_bytes -= held.buffered_bytes.exchange(0);
  shared_->forwards.forget(worker.slot);
  held.requests = 0;
  held.pid = 0;
  if (worker.told_to_stop && WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (WIFSIGNALED(status)) {
    log::error("worker {} was ended by signal {} ({})", worker.pid, WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  } else {
    log::error("worker {} ended with exit code {}", worker.pid, WEXITSTATUS(status));
  }
  if (stopping_ || worker.told_to_stop) return;
  back_off_ = now() - worker.started >= kStable ? Duration{0} : std::clamp(back_off_ * 2, kBackOff, kBackOffMax);
  start_again_at_ = now() + back_off_;
}

}  // namespace

int run_master(const conf::LoadOptions& load, std::span<const pipeline::Module> modules) { return Master(load, modules).run(); }

}  // namespace belay::proxy
