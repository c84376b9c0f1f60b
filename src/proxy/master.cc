#include "proxy/master.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
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
#include <unordered_set>
#include <vector>

#include "base/core_dumps.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/service_manager.h"
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
  Duration stop_timeout{0};
  MonotonicTime kill_at = MonotonicTime::max();
};

// A generation and what is known about starting its workers.
struct Crew {
  std::unique_ptr<Generation> generation;
  MonotonicTime start_again_at{};  // no worker is started before
  Duration back_off{0};
  bool failed = false;  // one of its workers has died
};

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
  std::unique_ptr<Generation> next_generation(conf::Problems& problems);
  void close_unused_sockets();
  void watch_reload();
  void watch_coming();
  void adopt();
  void dismiss(Crew& crew);
  void stop(int signal_number);
  void tell_to_stop(WorkerProcess& worker, int signal_number, Duration grace) const;
  void kill_late_workers();
  void start_workers();
  void fill(Crew& crew);
  bool start_worker(const Generation& generation);
  [[noreturn]] void become_worker(const Generation& generation, size_t slot, pid_t master);
  void reap();
  void worker_ended(const WorkerProcess& worker, int status);
  std::optional<size_t> free_slot();
  size_t workers_of(const Generation& generation, bool ready_ones_only) const;
  const Generation& newest() const { return coming_.generation ? *coming_.generation : *serving_.generation; }
  int wait_ms() const;
  MonotonicTime now() const { return clock_.monotonic(); }

  const conf::LoadOptions load_;
  const std::span<const pipeline::Module> modules_;
  SystemClock clock_;
  Sockets sockets_;
  pipeline::SharedMemory* shared_ = nullptr;
  uint64_t generations_ = 0;
  Crew serving_;  // takes the traffic; empty until the first generation is ready
  Crew coming_;   // its workers do not all accept yet; empty between reloads
  MonotonicTime patient_until_{}, give_up_at_{};  // with coming_, the latter when there is a serving_ to stay with
  std::vector<WorkerProcess> workers_;
  int signal_fd_ = -1, ready_read_ = -1, ready_write_ = -1;
  bool reload_wanted_ = false, stopping_ = false;
};

bool Master::start() {
  patient_until_ = now() + kReloadPatience;
  conf::Problems problems;
  coming_.generation = next_generation(problems);
  if (!coming_.generation) {
    std::fputs(problems.to_string().c_str(), stderr);
    return false;
  }
  const Generation& first = *coming_.generation;
  log::init("master", log::level_of(first.configuration->log.level));
  set_core_dumps(first.configuration->log.core_dumps);
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
  const auto& listens = first.configuration->proxy.listen;
  for (size_t i = 0; i < listens.size(); ++i) {
    log::info("listening on {}, {} sources", door_name(listens[i], first.doors[i].fd), first.ruleset->sources.size());
  }
  return true;
}

// A connection is a descriptor, and a forwarded request one more.
void Master::raise_descriptor_limit() const {
  const auto most = raise_descriptors();
  const int64_t wanted = newest().configuration->proxy.limits.connections;
  if (most < wanted) {
    log::warn("limits.connections is {}, but a process may open only {} descriptors: raise LimitNOFILE or ulimit -n", wanted, most);
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
    watch_reload();
    kill_late_workers();
  }
  log::info("stopped");
  return 0;
}

int Master::wait_ms() const {
  MonotonicTime until = MonotonicTime::max();
  for (const WorkerProcess& worker : workers_) until = std::min(until, worker.kill_at);
  if (!stopping_ && coming_.generation && serving_.generation) until = std::min(until, give_up_at_);
  if (!stopping_ && reload_wanted_) until = std::min(until, patient_until_);
  for (const Crew* crew : {&serving_, &coming_}) {
    if (stopping_ || !crew->generation) continue;
    const auto wanted = static_cast<size_t>(crew->generation->configuration->proxy.workers);
    if (workers_of(*crew->generation, false) < wanted) until = std::min(until, crew->start_again_at);
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
    case SIGHUP: reload_wanted_ = true; return;  // watch_reload() sees to it
    case SIGQUIT: return stop(SIGQUIT);
    default: return stop(SIGTERM);
  }
}

// Null with problems. Sockets that were opened for nothing are the caller's to close.
std::unique_ptr<Generation> Master::next_generation(conf::Problems& problems) {
  auto next = build_generation(load_, modules_, problems);
  if (next && serving_.generation) conf::check_reload(*serving_.generation->configuration, *next->configuration, problems);
  if (!next || !problems.empty() || !open_doors(*next, sockets_, problems)) return nullptr;
  next->number = ++generations_;
  return next;
}

void Master::reload() {
  reload_wanted_ = false;
  conf::Problems problems;
  auto next = next_generation(problems);
  if (next) {
    if (coming_.generation) {
      log::info("reload: generation {} takes the place of {}, which was not ready yet", next->number, coming_.generation->number);
      dismiss(coming_);
    }
    coming_.generation = std::move(next);
    patient_until_ = now() + kReloadPatience;
    give_up_at_ = now() + kReloadLimit;
  } else {
    for (const conf::Problem& problem : problems.all()) {
      log::error("reload: {}: {}{}{}", problem.position.to_string(), problem.what, problem.hint.empty() || problem.hint.front() == '\n' ? "" : "; ", problem.hint);
    }
    log::error("reload refused: {} problem{}; the old rules stay", problems.all().size(), problems.all().size() == 1 ? "" : "s");
    if (serving_.generation) {
      tell_service_manager("STATUS=reload refused; the old rules stay, generation " + std::to_string(serving_.generation->number));
    }
  }
  close_unused_sockets();
}

void Master::close_unused_sockets() {
  std::vector<const Generation*> used;
  for (const Crew* crew : {&serving_, &coming_}) {
    if (crew->generation) used.push_back(crew->generation.get());
  }
  sockets_.close_others(used);
}

void Master::watch_reload() {
  if (stopping_) return;
  if (coming_.generation) watch_coming();
  if (reload_wanted_ && (!coming_.generation || coming_.failed || now() >= patient_until_)) reload();
}

void Master::watch_coming() {
  const Generation& coming = *coming_.generation;
  const size_t ready = workers_of(coming, true);
  if (ready >= static_cast<size_t>(coming.configuration->proxy.workers)) return adopt();
  if (!serving_.generation || now() < give_up_at_) return;
  log::error("reload given up: {} of {} workers of generation {} accept after {} s; the old rules stay, generation {}", ready,
             coming.configuration->proxy.workers, coming.number, kReloadLimit.count() / 1000, serving_.generation->number);
  dismiss(coming_);
  close_unused_sockets();
}

// Every new worker accepts, so the old ones may stop.
void Master::adopt() {
  dismiss(serving_);
  serving_ = std::move(coming_);
  coming_ = {};
  close_unused_sockets();
  const Generation& now_serving = *serving_.generation;
  std::unordered_set<uint64_t> known;
  for (const auto& [name, destination] : now_serving.ruleset->destinations) known.insert(destination->key);
  shared_->states.forget_others([&known](uint64_t destination) { return known.contains(destination); });
  log::set_level(log::level_of(now_serving.configuration->log.level));
  set_core_dumps(now_serving.configuration->log.core_dumps);
  log::info("ready: {} workers, {} sources, generation {}", workers_of(now_serving, true), now_serving.ruleset->sources.size(),
            now_serving.number);
  tell_service_manager("READY=1\nSTATUS=" + std::to_string(now_serving.ruleset->sources.size()) + " sources, generation " +
                       std::to_string(now_serving.number));
}

void Master::dismiss(Crew& crew) {
  for (WorkerProcess& worker : workers_) {
    if (crew.generation && worker.generation == crew.generation->number) tell_to_stop(worker, SIGTERM, worker.stop_timeout);
  }
  crew = {};
}

void Master::stop(int signal_number) {
  if (stopping_ && signal_number != SIGQUIT) return;
  stopping_ = true;
  tell_service_manager("STOPPING=1");
  log::info("stopping{}", signal_number == SIGQUIT ? " at once" : "");
  for (WorkerProcess& worker : workers_) {
    if (signal_number == SIGQUIT) worker.kill_at = MonotonicTime::max();
    tell_to_stop(worker, signal_number, signal_number == SIGQUIT ? Duration{0} : worker.stop_timeout);
  }
  // The workers take what waits in the queues and close theirs: nobody would answer who connects to ours from now on.
  sockets_.close_others({});
}

void Master::tell_to_stop(WorkerProcess& worker, int signal_number, Duration grace) const {
  worker.told_to_stop = true;
  worker.kill_at = std::min(worker.kill_at, now() + grace + kStopMargin);
  ::kill(worker.pid, signal_number);
}

void Master::kill_late_workers() {
  for (WorkerProcess& worker : workers_) {
    if (now() < worker.kill_at) continue;
    log::warn("worker {} did not stop in time and is killed", worker.pid);
    worker.kill_at = MonotonicTime::max();
    ::kill(worker.pid, SIGKILL);
  }
}

size_t Master::workers_of(const Generation& generation, bool ready_ones_only) const {
  return static_cast<size_t>(std::count_if(workers_.begin(), workers_.end(), [&](const WorkerProcess& worker) {
    return worker.generation == generation.number && (worker.ready || !ready_ones_only);
  }));
}

void Master::start_workers() {
  for (Crew* crew : {&serving_, &coming_}) {
    if (!stopping_ && crew->generation && now() >= crew->start_again_at) fill(*crew);
  }
}

void Master::fill(Crew& crew) {
  const auto wanted = static_cast<size_t>(crew.generation->configuration->proxy.workers);
  for (size_t have = workers_of(*crew.generation, false); have < wanted; ++have) {
    if (start_worker(*crew.generation)) continue;
    crew.start_again_at = now() + kBackOffMax;
    return;
  }
}

std::optional<size_t> Master::free_slot() {
  for (size_t slot = 0; slot < pipeline::SharedMemory::kWorkers; ++slot) {
    if (shared_->workers[slot].pid.load() == 0) return slot;
  }
  return std::nullopt;
}

bool Master::start_worker(const Generation& generation) {
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
  if (pid == 0) become_worker(generation, *slot, master);
  shared_->workers[*slot].pid = pid;
  workers_.push_back({.pid = pid,
                      .slot = *slot,
                      .generation = generation.number,
                      .started = now(),
                      .stop_timeout = generation.configuration->proxy.limits.stop_timeout});
  return true;
}

void Master::become_worker(const Generation& generation, size_t slot, pid_t master) {
  // Without its master a worker is no use and would hold the ports: it drains and ends.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != master) std::_Exit(1);
  ::close(signal_fd_);
  ::close(ready_read_);
  sockets_.leave_others(generation);  // an address that leaves the configuration must not stay open in here
  log::init("worker", log::level_of(generation.configuration->log.level));
  set_core_dumps(generation.configuration->log.core_dumps);
  // Ctrl-C reaches the whole terminal group, but the master decides.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
  const int code = run_worker(generation, {.shared = *shared_, .slot = slot, .ready_fd = ready_write_});
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
  for (Crew* crew : {&serving_, &coming_}) {
    if (!crew->generation || crew->generation->number != worker.generation) continue;
    crew->back_off = now() - worker.started >= kStable ? Duration{0} : std::clamp(crew->back_off * 2, kBackOff, kBackOffMax);
    crew->start_again_at = now() + crew->back_off;
    crew->failed = true;
  }
}

}  // namespace

int run_master(const conf::LoadOptions& load, std::span<const pipeline::Module> modules) { return Master(load, modules).run(); }

}  // namespace belay::proxy
