#include "spool/process.h"

#include <csignal>
#include <cstdlib>

#include "base/check.h"
#include "base/core_dumps.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/service_manager.h"
#include "spool/dispatcher.h"
#include "spool/environment.h"
#include "spool/intake.h"
#include "spool/resident.h"
#include "spool/retention.h"
#include "spool/steady_clock.h"
#include "spool/store_operations.h"
#include "spool/unreadable_page.h"

namespace belay::spool {

namespace {

static_assert(kStoreDamaged == lmdb::kDamagedExit);

int exit_code(const Error& error) {
  if (error.kind == ErrorKind::io) return kStorageFailed;
  return error.kind == ErrorKind::corrupt ? kStoreDamaged : 1;
}

class Process {
 public:
  Process(const conf::LoadOptions& load, const MakeRerun& make_rerun)
      : load_(load), make_rerun_(make_rerun), clock_(system_) {}
  int run(std::shared_ptr<const conf::Configuration> configuration, const MakeCompanion& make_companion);

 private:
  Result<void> start(const MakeCompanion& make_companion);
  Result<void> start_intake();
  void watch_signals();
  void reload();
  void use(std::shared_ptr<const conf::Configuration> configuration, upstream::Destinations destinations);
  wire::DestinationStates states_of(const DestinationReports& reports);
  void stop();
  void end();
  void die(const Error& error);

  const conf::LoadOptions load_;
  const MakeRerun make_rerun_;
  SystemClock system_;
  SteadyClock clock_;
  event::Loop loop_;
  std::shared_ptr<const conf::Configuration> configuration_;
  std::shared_ptr<const upstream::Destinations> destinations_;
  Feed feed_;
  AttemptTimes attempt_times_;
  std::unique_ptr<Store> store_;
  wire::DestinationStates first_states_;  // of what stands still at the start: workers hear it with the first hello
  size_t states_left_out_ = 0;
  std::unique_ptr<StoreOperations> operations_;
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<Resident<Dispatcher>> dispatcher_;
  std::unique_ptr<Resident<Intake>> intake_;
  std::unique_ptr<Companion> companion_;
  bool stopping_ = false;
  int start_failed_ = 1;  // the exit code then
};

int Process::run(std::shared_ptr<const conf::Configuration> configuration, const MakeCompanion& make_companion) {
  configuration_ = std::move(configuration);
  if (auto started = start(make_companion); !started) {
    log::error("{}", started.error().message);
    end();
    return start_failed_;
  }
  watch_signals();
  retention_ = std::make_unique<Retention>(loop_, *store_, clock_, system_);
  retention_->keep(configuration_->spool.retention, configuration_->spool.history);
  log::info("spool ready on {}", configuration_->spool.socket);
  tell_service_manager("READY=1\nSTATUS=ready on " + configuration_->spool.socket);
  loop_.run();
  end();
  log::info("spool stopped");
  return 0;
}

// SIGHUP may have been held back until now, so that it does not end a process that is still reading its store.
void Process::watch_signals() {
  loop_.on_signal(SIGHUP, [this] { reload(); });
  loop_.on_signal(SIGTERM, [this] { stop(); });
  loop_.on_signal(SIGINT, [this] { stop(); });
  sigset_t reloads;
  sigemptyset(&reloads);
  sigaddset(&reloads, SIGHUP);
  BELAY_CHECK(::pthread_sigmask(SIG_UNBLOCK, &reloads, nullptr) == 0);
}

// Who asks goes first. Then the store falls silent while the loops it answers to still stand: those of intake and dispatcher
// end with their threads.
void Process::end() {
  companion_.reset();
  if (store_) store_->close();
  intake_.reset();
  dispatcher_.reset();
  retention_.reset();
  operations_.reset();
  store_.reset();
}

Result<void> Process::start(const MakeCompanion& make_companion) {
  conf::Problems problems;
  auto destinations = upstream::build_destinations(*configuration_, problems);
  if (!problems.empty()) return invalid(problems.to_string());
  destinations_ = std::make_shared<const upstream::Destinations>(std::move(destinations));
  end_at_unreadable_pages(kStorageFailed, kStoreDamaged);
  raise_descriptors();  // every delivery under way has one, and every kept connection and health check
  StoreOptions options;
  options.folder = configuration_->spool.path;
  options.map_bytes = configuration_->spool.size;
  options.on_changed = [this](const std::vector<MessageId>& changed) { feed_.add(changed); };
  options.on_fatal = [this](const Error& error) { die(error); };
  auto store = open_lmdb_store(options, clock_);
  if (!store) {
    start_failed_ = exit_code(store.error());
    return store.error();
  }
  store_ = std::move(*store);
  const auto newest = store_->newest();
  if (newest && !clock_.start_at_least(*newest)) {
    log::warn("spool: the newest stored id is {} hours ahead of the system's clock, which is believed all the same; if it is the "
              "clock that is wrong, set it and start again",
              std::chrono::floor<std::chrono::hours>(*newest - clock_.wall()).count());
  }
  look_at_clock(*store_, clock_);
  const auto stops = store_->stops();
  if (!stops) return stops.error();
  dispatcher_ = std::make_unique<Resident<Dispatcher>>([this, &stops](event::Loop& loop) {
    auto dispatcher = std::make_unique<Dispatcher>(loop, *store_, clock_);
    dispatcher->measure(attempt_times_);
    dispatcher->set_stops(*stops);
    dispatcher->set_destinations(destinations_);
    return dispatcher;
  });
  operations_ = std::make_unique<StoreOperations>(*store_, clock_, [this](std::vector<DestinationId> ids) {
    dispatcher_->post([ids = std::move(ids)](Dispatcher& dispatcher) { dispatcher.wake(ids); });
  }, [this](StopOrder order) {
    dispatcher_->post([order = std::move(order)](Dispatcher& dispatcher) { dispatcher.stop_destination(order); });
  });
  operations_->watch(feed_, attempt_times_);
  operations_->control().use(destinations_);
  if (make_rerun_) operations_->set_rerun(make_rerun_(configuration_));
  auto first = std::make_shared<DestinationReports>();
  for (const Stop& stop : *stops) first->push_back(DestinationReport{.destination = stop.destination, .name = stop.name, .stop = stop});
  first_states_ = states_of(*first);
  operations_->control().report(std::move(first));
  if (make_companion) {
    auto companion = make_companion(loop_, *operations_, clock_, *configuration_);
    if (!companion) return companion.error();
    companion_ = std::move(*companion);
  }
  return start_intake();
}

// Last: from here on workers are answered.
Result<void> Process::start_intake() {
  IntakeHooks hooks;
  hooks.wants = [this](DestinationId id) { return dispatcher_->get()->wants(id); };
  hooks.stored = [this](std::vector<Leased> leased) {
    auto shared = std::make_shared<std::vector<Leased>>(std::move(leased));
    dispatcher_->post([shared](Dispatcher& dispatcher) { dispatcher.take(std::move(*shared)); });
  };
  hooks.wake = [this](std::vector<DestinationId> ids) {
    dispatcher_->post([ids = std::move(ids)](Dispatcher& dispatcher) { dispatcher.wake(ids); });
  };
  hooks.counters = [this](wire::Counters counters) { operations_->set_counters(std::move(counters)); };
  Result<void> listening;
  intake_ = std::make_unique<Resident<Intake>>([&](event::Loop& loop) {
    auto intake = std::make_unique<Intake>(loop, *store_, clock_, std::move(hooks));
    intake->set_destinations(destinations_);
    intake->set_states(std::move(first_states_));
    listening = intake->listen(configuration_->spool.socket);
    return intake;
  });
  // By way of the main loop, whose thread makes and destroys the intake.
  dispatcher_->post([this](Dispatcher& dispatcher) {
    dispatcher.on_reports([this](std::shared_ptr<const DestinationReports> reports) {
      operations_->control().report(reports);
      loop_.post([this, reports = std::move(reports)] {
        if (intake_) intake_->post([states = states_of(*reports)](Intake& intake) { intake.set_states(states); });
      });
    });
  });
  return listening;
}

wire::DestinationStates Process::states_of(const DestinationReports& reports) {
  const bool warned = states_left_out_ > 0;
  auto states = told(reports, wire::kMaxDestinationStates, &states_left_out_);
  if (states_left_out_ > 0 && !warned) {
    log::warn("spool: of more than {} destinations there is something to say; mode forward does not hear of {} of them, stops are told first",
              wire::kMaxDestinationStates, states_left_out_);
  }
  return states;
}

void Process::reload() {
  conf::Problems problems;
  auto configuration = conf::load(load_, problems);
  upstream::Destinations destinations;
  if (configuration != nullptr) {
    conf::check_reload(*configuration_, *configuration, problems);
    destinations = upstream::build_destinations(*configuration, problems);
  }
  if (configuration == nullptr || !problems.empty()) {
    log::error("spool: the new configuration is refused, the old one stays:\n{}", problems.to_string());
    return;
  }
  use(std::move(configuration), std::move(destinations));
  log::info("spool: configuration reloaded");
}

void Process::use(std::shared_ptr<const conf::Configuration> configuration, upstream::Destinations destinations) {
  if (configuration->spool.path != configuration_->spool.path || configuration->spool.size != configuration_->spool.size) {
    log::warn("spool: path and size change with a restart, not with a reload");
  }
  configuration_ = std::move(configuration);
  destinations_ = std::make_shared<const upstream::Destinations>(std::move(destinations));
  dispatcher_->post([now = destinations_](Dispatcher& dispatcher) { dispatcher.set_destinations(now); });
  intake_->post([now = destinations_](Intake& intake) { intake.set_destinations(now); });
  operations_->control().use(destinations_);
  if (make_rerun_) operations_->set_rerun(make_rerun_(configuration_));
  retention_->keep(configuration_->spool.retention, configuration_->spool.history);
  log::set_level(log::level_of(configuration_->log.level));
  set_core_dumps(configuration_->log.core_dumps);
  if (companion_) companion_->reloaded(*configuration_);
}

void Process::stop() {
  if (std::exchange(stopping_, true)) return;
  log::info("spool: stopping");
  tell_service_manager("STOPPING=1");
  retention_->stop();
  intake_->post([](Intake& intake) { intake.stop(); });
  dispatcher_->post([this](Dispatcher& dispatcher) {
    dispatcher.stop(kStopLimit, kSettleLimit, [this](size_t unsettled) {
      if (unsettled > 0) {
        die(io_error("the store does not take what became of " + std::to_string(unsettled) +
                     " deliveries; they are sent again after the start"));
      }
      loop_.post([this] { loop_.stop(); });
    });
  });
}

// On the store's or the dispatcher's thread. Nothing is saved by an orderly end: what is not committed was not acknowledged, and other threads may
// wait for a disk that does not answer.
void Process::die(const Error& error) {
  log::alert("spool ends: {}", error.message);
  std::_Exit(exit_code(error));
}

}  // namespace

int run_spool(std::shared_ptr<const conf::Configuration> configuration, const conf::LoadOptions& load,
              const MakeCompanion& make_companion, const MakeRerun& make_rerun) {
  Process process(load, make_rerun);
  return process.run(std::move(configuration), make_companion);
}

}  // namespace belay::spool
