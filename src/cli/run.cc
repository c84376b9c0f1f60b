// belay run: both halves on one machine under one supervisor. It checks the configuration, starts `belay spool` and `belay
// proxy` as children, starts a half again when it dies, and passes signals on. It reads nothing from anybody and holds no
// socket, so that it has no reason to die itself; should it be killed, the halves end too.
//
//   SIGHUP            pending while a half is being started; checked here once, certificates and new addresses to listen on included: wrong rules are logged and
//                     nothing is told to anybody, so that the halves never run different ones; right ones go to both
//   SIGTERM, SIGINT   the proxy drains first, then the spool stops: what the proxy still acknowledges has a place to go
//   the same again, SIGQUIT   everything ends at once: requests under way are cut, what was acknowledged is on the disk
//   first start       the proxy waits until the spool takes connections, kSpoolFirst at most: no webhook finds half a gateway
//   a half dies       at once again after a life of kStable, else after a wait that doubles up to kBackOffMax. When it refuses
//                     its first start (exit code 1: a port in use, a foreign store), everything stops with exit code 1. A
//                     disk that fails (spool::kStorageFailed) does not count as that: the proxy forwards without a spool.
//   a store that is damaged (spool::kStoreDamaged, or kCrashes deaths by a bad page right after the start)
//                     refuses its first start the same way; later the spool stays stopped and the proxy forwards
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/core_dumps.h"
#include "base/log.h"
#include "base/service_manager.h"
#include "cli/commands.h"
#include "cli/hold_reloads.h"
#include "conf/configuration.h"
#include "modules/modules.h"
#include "proxy/generation.h"
#include "spool/process.h"

namespace belay::cli {

namespace {

constexpr Duration kStable{5'000};
constexpr int kCrashes = 5;
constexpr Duration kBackOff{100};
constexpr Duration kBackOffMax{5'000};
constexpr Duration kSpoolFirst{10'000};
constexpr Duration kLookForSpool{10};
constexpr Duration kSpoolStop{30'000};  // for the spool to end, then it is killed; its store does not mind
constexpr Duration kProxyMargin{10'000};  // beyond limits.stop_timeout
constexpr Duration kAtOnce{2'000};        // for each half that is told to stop at once, then it is killed

struct Half {
  std::string command;  // "spool" | "proxy"
  pid_t pid = 0;
  bool started_before = false;
  bool was_stable = false;
  int crashes = 0;  // in a row, none of them after a life of kStable
  MonotonicTime started{};
  MonotonicTime start_again_at{};
  Duration back_off{0};
};

class Supervisor {
 public:
  explicit Supervisor(const conf::LoadOptions& load) : load_(load) {}
  int run();

 private:
  enum class Stopping : uint8_t { no, proxy, spool };

  bool check(const char* when);
  void watch_signals();
  void wait_for_events();
  void on_signal(int number);
  void start(Half& half);
  void start_what_is_due();
  bool spool_answers() const;
  [[noreturn]] void become(const Half& half, pid_t supervisor);
  void reap();
  void half_ended(Half& half, int status);
  bool finds_damage(Half& half, int status, bool stable) const;
  void leave_stopped(Half& half);
  void stop(int code);
  void stop_at_once();
  void go_on_stopping();
  int wait_ms() const;
  MonotonicTime now() const { return clock_.monotonic(); }

  const conf::LoadOptions load_;
  SystemClock clock_;
  Half spool_{.command = "spool"}, proxy_{.command = "proxy"};
  Duration stop_timeout_{0};
  std::shared_ptr<const conf::Configuration> running_;  // the last one that was found right
  std::vector<std::string> addresses_;  // to listen on, of the last configuration that was found right
  std::set<std::string> told_;          // all that the running proxy was ever told to listen on: it may hold any of them
  int signal_fd_ = -1;
  sigset_t signals_before_{};
  Stopping stopping_ = Stopping::no;
  bool at_once_ = false;
  MonotonicTime kill_at_ = MonotonicTime::max();
  int exit_code_ = 0;
};

// Opens the addresses that are new with a reload, and closes them again: what the proxy cannot have, the spool must not hear of.
void try_doors(const proxy::Generation& generation, const std::set<std::string>& told, conf::Problems& problems) {
  proxy::Sockets tried;
  for (const conf::Listen& listen : generation.configuration->proxy.listen) {
    if (!told.contains(listen.address)) proxy::open_door(tried, listen, problems);
  }
}

// Loads and builds everything as the halves will; problems go to stderr, all of them.
bool Supervisor::check(const char* when) {
  conf::Problems problems;
  const auto generation = proxy::build_generation(load_, modules::all(), problems);
  if (generation && running_) conf::check_reload(*running_, *generation->configuration, problems);
  if (generation && !told_.empty()) try_doors(*generation, told_, problems);
  if (generation && problems.empty()) {
    const conf::Configuration& configuration = *generation->configuration;
    stop_timeout_ = configuration.proxy.limits.stop_timeout;
    running_ = generation->configuration;
    log::set_level(log::level_of(configuration.log.level));
    set_core_dumps(configuration.log.core_dumps);
    addresses_.clear();
    for (const conf::Listen& listen : configuration.proxy.listen) addresses_.push_back(listen.address);
    return true;
  }
  std::fprintf(stderr, "%sbelay run: %s refused, %zu problem%s\n", problems.to_string().c_str(), when, problems.all().size(),
               problems.all().size() == 1 ? "" : "s");
  return false;
}

void Supervisor::watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGCHLD}) sigaddset(&set, number);
  BELAY_CHECK(::sigprocmask(SIG_BLOCK, &set, &signals_before_) == 0);
  signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  BELAY_CHECK_NOTE(signal_fd_ >= 0, "signalfd: out of descriptors");
}

int Supervisor::run() {
  hold_reloads();  // the halves inherit it: what is sent to one before it listens is not lost, and does not kill it
  log::init("run", log::Level::info);
  if (!check("start")) return 1;
  watch_signals();
  while (stopping_ == Stopping::no || spool_.pid != 0 || proxy_.pid != 0) {
    start_what_is_due();
    wait_for_events();
    go_on_stopping();
  }
  return exit_code_;
}

void Supervisor::start_what_is_due() {
  if (stopping_ != Stopping::no) return;
  for (Half* half : {&spool_, &proxy_}) {
    if (half->pid != 0 || now() < half->start_again_at) continue;
    const bool waits = half == &proxy_ && proxy_.started == MonotonicTime{} && spool_.pid != 0 && now() - spool_.started < kSpoolFirst;
    if (waits && !spool_answers()) {
      half->start_again_at = now() + kLookForSpool;
    } else {
      start(*half);
    }
  }
}

bool Supervisor::spool_answers() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (running_->spool.socket.size() >= sizeof address.sun_path) return true;  // the spool says what is wrong with it
  std::memcpy(address.sun_path, running_->spool.socket.data(), running_->spool.socket.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool answers = fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0) ::close(fd);
  return answers;
}

void Supervisor::start(Half& half) {
  const pid_t supervisor = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(half, supervisor);
  if (pid < 0) {
    log::error("{}", errno_error("fork").message);
    half.start_again_at = now() + kBackOffMax;
    return;
  }
  half.pid = pid;
  half.started = now();
  if (&half == &proxy_) told_ = {addresses_.begin(), addresses_.end()};
}

void Supervisor::become(const Half& half, pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != supervisor) std::_Exit(1);
  ::sigprocmask(SIG_SETMASK, &signals_before_, nullptr);
  if (half.command == "spool") ::unsetenv("NOTIFY_SOCKET");  // the gateway is ready when its proxy is, which starts after the spool
  ::setpgid(0, 0);  // Ctrl-C reaches the supervisor alone, which stops the halves in their order
  std::vector<std::string> words{"belay", half.command, "-c", load_.main_file};
  if (!load_.state_folder.empty()) words.insert(words.end(), {"--state", load_.state_folder});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv("/proc/self/exe", arguments.data());
  std::fprintf(stderr, "belay run: %s\n", errno_error("exec /proc/self/exe").message.c_str());
  std::_Exit(1);
}

int Supervisor::wait_ms() const {
  MonotonicTime until = kill_at_;
  for (const Half* half : {&spool_, &proxy_}) {
    if (stopping_ == Stopping::no && half->pid == 0) until = std::min(until, half->start_again_at);
  }
  if (until == MonotonicTime::max()) return -1;
  return static_cast<int>(std::clamp<int64_t>(std::chrono::ceil<Duration>(until - now()).count(), 0, 60'000));
}

void Supervisor::wait_for_events() {
  pollfd wait{signal_fd_, POLLIN, 0};
  if (::poll(&wait, 1, wait_ms()) <= 0) return;
  signalfd_siginfo info{};
  while (::read(signal_fd_, &info, sizeof info) == sizeof info) on_signal(static_cast<int>(info.ssi_signo));
}

void Supervisor::on_signal(int number) {
  if (number == SIGCHLD) return reap();
  if (number == SIGQUIT || (number != SIGHUP && stopping_ != Stopping::no)) return stop_at_once();
  if (number != SIGHUP) return stop(0);
  if (stopping_ != Stopping::no) return;
  if (!check("reload")) return tell_service_manager("STATUS=reload refused; the old rules stay");
  if (proxy_.pid != 0) told_.insert(addresses_.begin(), addresses_.end());
  for (const Half* half : {&spool_, &proxy_}) {
    if (half->pid != 0) ::kill(half->pid, SIGHUP);
  }
}

void Supervisor::reap() {
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
    for (Half* half : {&spool_, &proxy_}) {
      if (half->pid == pid) half_ended(*half, status);
    }
  }
}

void Supervisor::half_ended(Half& half, int status) {
  const pid_t pid = std::exchange(half.pid, 0);
  if (stopping_ != Stopping::no) return;
  const bool stable = now() - half.started >= kStable;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && !half.started_before && !stable) return stop(1);  // it has said why
  half.started_before = true;
  half.was_stable = half.was_stable || stable;
  if (finds_damage(half, status, stable)) return half.was_stable ? leave_stopped(half) : stop(1);
  half.back_off = stable ? Duration{0} : std::clamp(half.back_off * 2, kBackOff, kBackOffMax);
  half.start_again_at = now() + half.back_off;
  if (WIFSIGNALED(status)) {
    log::error("belay {} ({}) was ended by signal {} ({}) and is started again", half.command, pid, WTERMSIG(status),
               ::strsignal(WTERMSIG(status)));
  } else {
    log::error("belay {} ({}) ended with exit code {} and is started again", half.command, pid, WEXITSTATUS(status));
  }
}

// What a spool finds in its file it finds again: that must not go round for ever. Pages that are damaged so that LMDB does not
// see it show as an access to memory that is not there.
bool Supervisor::finds_damage(Half& half, int status, bool stable) const {
  if (&half != &spool_) return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == spool::kStoreDamaged) return true;
  const bool bad_page = WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
  half.crashes = bad_page && !stable ? half.crashes + 1 : 0;
  if (half.crashes < kCrashes) return false;
  log::alert("belay spool was ended by signal {} ({}) {} times right after its start: its store is damaged", WTERMSIG(status),
             ::strsignal(WTERMSIG(status)), kCrashes);
  return true;
}

void Supervisor::leave_stopped(Half& half) {
  half.start_again_at = MonotonicTime::max();
  log::alert("belay {} finds its store damaged and stays stopped; webhooks are forwarded, what must be stored gets 503. Restore "
             "the folder of spool.path from a copy or move it away, then start belay again", half.command);
}

void Supervisor::stop(int code) {
  if (stopping_ != Stopping::no) return;
  exit_code_ = code;
  stopping_ = Stopping::proxy;
  tell_service_manager("STOPPING=1");
  kill_at_ = now() + stop_timeout_ + kProxyMargin;
  if (proxy_.pid != 0) ::kill(proxy_.pid, SIGTERM);
}

void Supervisor::stop_at_once() {
  stop(0);
  if (std::exchange(at_once_, true)) return;
  log::warn("told to stop at once: requests under way are cut");
  kill_at_ = now() + kAtOnce;
  if (proxy_.pid != 0) ::kill(proxy_.pid, SIGQUIT);
}

void Supervisor::go_on_stopping() {
  if (stopping_ == Stopping::no) return;
  if (stopping_ == Stopping::proxy && proxy_.pid == 0) {
    stopping_ = Stopping::spool;
    kill_at_ = now() + (at_once_ ? kAtOnce : kSpoolStop);
    if (spool_.pid != 0) ::kill(spool_.pid, SIGTERM);
  }
  if (now() < kill_at_) return;
  kill_at_ = MonotonicTime::max();
  const Half& late = stopping_ == Stopping::proxy ? proxy_ : spool_;
  if (late.pid == 0) return;
  log::warn("belay {} ({}) did not stop in time and is killed", late.command, late.pid);
  exit_code_ = 1;
  ::kill(-late.pid, SIGKILL);  // with its workers: a half leads a process group
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<conf::LoadOptions>();
  CLI::App* command = app.add_subcommand("run", "Run proxy and spool under one supervisor");
  command->add_option("-c,--config", options->main_file, "Main file")->required()->type_name("FILE");
  command->add_option("--state", options->state_folder, "Folder that holds run/ and var/")->type_name("DIR");
  options->despite_problems = true;  // what modules say comes in the same run
  command->callback([options, &exit_code] { exit_code = Supervisor(*options).run(); });
}

}  // namespace belay::cli
