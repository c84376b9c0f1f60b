#include "proxy/worker.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "event/address.h"
#include "event/resolver.h"
#include "upstream/fetched_keys.h"

namespace belay::proxy {

namespace {

constexpr Duration kCountersEvery{1'000};
constexpr Duration kLastWords{3'000};      // for the spool to take the last lines of the books
constexpr Duration kLookForAcknowledged{20};
constexpr Duration kLookForSpool{5};
constexpr Duration kSpoolWait{1'000};  // before the first accept: a reload must not refuse what only the spool can take

class Worker {
 public:
  Worker(const Generation& generation, const WorkerPlace& place);
  int run();

 private:
  void open_doors();
  void listen();
  void tell_ready() const;
  void stop();
  void accept_waiting(const Generation::Door& door);
  void say_last_words();
  void send_counters();
  void add_breakers(wire::Counters& frame) const;
  const conf::Limits& limits() const { return generation_.configuration->proxy.limits; }

  const Generation& generation_;
  const WorkerPlace& place_;
  event::Loop loop_;
  SystemClock clock_;
  SystemRandom random_;
  event::Resolver resolver_;
  MemoryBudget memory_;
  upstream::Client upstream_;
  upstream::Fetcher documents_;
  upstream::FetchedKeys keys_;
  std::unique_ptr<wire::SpoolClient> spool_;
  pipeline::OutcomeCounters counters_;
  pipeline::Services services_;
  Connections connections_;
  std::vector<std::unique_ptr<event::Listener>> listeners_;
  std::vector<std::string> labels_;  // of a source, escaped, ready to be written; the last one for unmatched requests
  std::vector<std::string> facts_;   // labels of what the rules of a source prove
  event::Timer counters_timer_, stop_timer_, last_words_timer_, doors_timer_;
  MonotonicTime last_words_until_{}, doors_open_at_{};
  bool spool_spoke_ = false;  // of destinations
  bool stopping_ = false;
};

Worker::Worker(const Generation& generation, const WorkerPlace& place)
    : generation_(generation),
      place_(place),
      resolver_(loop_),
      memory_(place.shared.buffered_bytes, place.shared.workers[place.slot].buffered_bytes, generation.configuration->proxy.limits.memory),
      upstream_(loop_, resolver_, {.memory = &memory_}),
      documents_(loop_, upstream_),
      keys_(documents_),
      spool_(generation.configuration->spool.socket.empty()
                 ? nullptr
                 : wire::connect_spool(loop_, {.socket_path = generation.configuration->spool.socket,
                                             .destinations =
                                                 [this](const wire::DestinationStates& told) {
                                                   place_.shared.states.tell(told);
                                                   spool_spoke_ = true;
                                                 },
                                             .away = [&states = place.shared.states] { states.spool_away(); }})),
      counters_(generation.ruleset->sources.size()),
      services_{.clock = clock_,
                .random = random_,
                .shared = place.shared,
                .slot = place.slot,
                .spool = spool_.get(),
                .upstream = &upstream_,
                .keys = &keys_,
                .memory = &memory_,
                .counters = &counters_},
      connections_(loop_, *generation.ruleset, services_, generation.trusted, place.slot),
      counters_timer_(loop_, [this] { send_counters(); }),
      stop_timer_(loop_, [this] { connections_.abandon(); }),
      last_words_timer_(loop_, [this] { say_last_words(); }),
      doors_timer_(loop_, [this] { open_doors(); }) {
  for (const auto& source : generation.ruleset->sources) {
    const std::string label = "source=\"" + escape_label(source->name) + "\",";
    labels_.push_back(label + "outcome=\"");
    facts_.push_back(label + "trust=\"" + std::string(pipeline::to_string(source->trust)) + "\"");
  }
  labels_.push_back("source=\"none\",outcome=\"");
}

int Worker::run() {
  loop_.on_signal(SIGTERM, [this] { stop(); });
  loop_.on_signal(SIGQUIT, [this] { loop_.stop(); });
  sigset_t all;  // the master forks with its signals blocked: what was sent since then arrives now
  sigfillset(&all);
  BELAY_CHECK(::sigprocmask(SIG_UNBLOCK, &all, nullptr) == 0);
  if (spool_) counters_timer_.start(kCountersEvery);
  doors_open_at_ = loop_.now() + kSpoolWait;
  open_doors();
  loop_.run();
  return 0;
}

// Accepts once the spool is there and has said which destinations stand still, or without it when it does not come.
void Worker::open_doors() {
  if (stopping_) return;
  if (spool_ && !(spool_->available() && spool_spoke_) && loop_.now() < doors_open_at_) return doors_timer_.start(kLookForSpool);
  listen();
  tell_ready();
}

void Worker::listen() {
  for (const Generation::Door& door : generation_.doors) {
    listeners_.push_back(std::make_unique<event::Listener>(
        loop_, door.fd, [this, &door](int fd, const event::SocketAddress& peer) { connections_.accept(fd, peer, door.entrance); }));
  }
}

void Worker::tell_ready() const {
  const pid_t pid = ::getpid();
  [[maybe_unused]] const ssize_t written = ::write(place_.ready_fd, &pid, sizeof pid);  // the master's end of stream says the rest
  ::close(place_.ready_fd);
}

void Worker::stop() {
  if (stopping_) return;
  stopping_ = true;
  listeners_.clear();
  for (const Generation::Door& door : generation_.doors) {
    accept_waiting(door);
    ::close(door.fd);
  }
  stop_timer_.start(limits().stop_timeout);
  connections_.drain([this] {
    stop_timer_.cancel();
    last_words_until_ = loop_.now() + kLastWords;
    send_counters();
    say_last_words();
  });
}

// Other workers accept on the same sockets, but not when the address has left the configuration or everything stops: then
// closing our copy would reset what waits in the kernel's queue.
void Worker::accept_waiting(const Generation::Door& door) {
  for (int taken = 0; taken < event::kBacklog; ++taken) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int fd = ::accept4(door.fd, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    connections_.accept(fd, event::from_sockaddr(address, length), door.entrance);
  }
}

void Worker::say_last_words() {
  if (spool_) spool_->flush();
  if (!spool_ || spool_->waiting() == 0 || loop_.now() >= last_words_until_) return loop_.stop();
  last_words_timer_.start(kLookForAcknowledged);
}

// Those that are not closed. Every worker says the same.
void Worker::add_breakers(wire::Counters& frame) const {
  for (const auto& [name, destination] : generation_.ruleset->destinations) {
    if (!destination->breaker.on()) continue;
    const auto* entry = place_.shared.states.find(destination->key);
    const auto state = entry != nullptr ? entry->breaker.state(loop_.now()) : upstream::Breaker::State::closed;
    if (state == upstream::Breaker::State::closed) continue;
    frame.counters.push_back({"belay_forward_breaker_info",
                              "destination=\"" + escape_label(name) + "\",state=\"" + std::string(upstream::to_string(state)) + "\"", 1});
  }
}

void Worker::send_counters() {
  if (!spool_) return;
  wire::Counters frame;
  frame.worker = static_cast<uint64_t>(::getpid());
  const auto add = [&frame](const char* name, uint64_t value) {
    frame.counters.push_back({name, {}, value});
  };
  // Not with the last words: the next generation's rules may say otherwise.
  for (size_t i = 0; i < facts_.size() && !stopping_; ++i) frame.counters.push_back({"belay_source_info", facts_[i], 1});
  if (!stopping_) add_breakers(frame);
  for (size_t i = 0; i < labels_.size(); ++i) {
    const pipeline::Source* source = i < generation_.ruleset->sources.size() ? generation_.ruleset->sources[i].get() : nullptr;
    for (size_t o = 1; o <= pipeline::OutcomeCounters::kOutcomes; ++o) {
      const auto outcome = static_cast<wire::Outcome>(o);
      const uint64_t value = counters_.at(source, outcome);
      if (value == 0) continue;
      frame.counters.push_back({"belay_requests_total", labels_[i] + std::string(wire::to_string(outcome)) + "\"", value});
    }
  }
  connections_.measures().report(frame.counters);
  // Gauges: this worker's share. None with the last words.
  const auto share = [this](int64_t value) { return stopping_ ? 0 : static_cast<uint64_t>(std::max<int64_t>(value, 0)); };
  const pipeline::SharedMemory::Worker& own = place_.shared.workers[place_.slot];
  frame.counters.push_back({"belay_connections", {}, share(own.connections.load(std::memory_order_relaxed))});
  frame.counters.push_back({"belay_buffered_bytes", {}, share(own.buffered_bytes.load(std::memory_order_relaxed))});
  add("belay_connections_refused_total", connections_.turned_away());
  add("belay_events_dropped_total", spool_->events_dropped());
  spool_->send_counters(frame);
  if (!stopping_) counters_timer_.start(kCountersEvery);
}

}  // namespace

int run_worker(const Generation& generation, const WorkerPlace& place) {
  log::info("worker starts, generation {}", generation.number);
  Worker worker(generation, place);
  return worker.run();
}

}  // namespace belay::proxy
