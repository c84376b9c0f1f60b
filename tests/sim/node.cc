#include "sim/node.h"

namespace belay::sim {

using spool::Store;

SpoolNode::SpoolNode(Parts parts) : parts_(std::move(parts)), memory_clock_(parts_.clock) {
  if (parts_.engine == Engine::memory) memory_ = spool::open_memory_store(memory_clock_);
}

SpoolNode::~SpoolNode() {
  if (life_ != nullptr) crash();
}

Result<std::unique_ptr<Store>> SpoolNode::open(Life& life) {
  if (parts_.engine == Engine::memory) {
    memory_clock_.use(*life.clock);
    return std::unique_ptr<Store>(std::make_unique<SlowStore>(*memory_, *life.executor, disk_full));
  }
  spool::StoreOptions options;
  options.folder = store_folder();
  options.map_bytes = parts_.map_bytes;
  options.executor = life.executor.get();
  options.disk_used = [this] { return disk_full ? 0.99 : 0.1; };
  options.on_fatal = [this](const Error& error) { failure_ = error.message; };
  return spool::open_lmdb_store(options, *life.clock);
}

void SpoolNode::start() {
  auto life = std::make_unique<Life>();
  life->executor = std::make_unique<SimExecutor>(parts_.agenda, parts_.dice, disk_stalled, parts_.disk_ran);
  life->clock = std::make_unique<spool::SteadyClock>(parts_.clock);
  auto store = open(*life);
  if (!store) {
    failure_ = store.error().message;
    return;
  }
  life->store = std::move(*store);
  if (const auto newest = life->store->newest()) static_cast<void>(life->clock->start_at_least(*newest));
  const auto destinations = std::make_shared<const upstream::Destinations>(parts_.destinations);
  life->dispatcher = std::make_unique<spool::Dispatcher>(parts_.loop, *life->store, *life->clock,
                                                         spool::Dispatcher::Outside{&parts_.network, &parts_.random});
  const auto stops = life->store->stops();
  if (!stops) {
    failure_ = stops.error().message;
    return;
  }
  life->dispatcher->set_stops(*stops);
  life->dispatcher->set_destinations(destinations);
  // As between the spool's threads: what one hands over comes to the other on a later turn, or not at all.
  const auto later = [this, life = lives_ + 1](std::function<void(spool::Dispatcher&)> task) {
    parts_.loop.post([this, life, task = std::move(task)] {
      if (up() && life == lives_) task(*life_->dispatcher);
    });
  };
  life->operations = std::make_unique<spool::StoreOperations>(
      *life->store, *life->clock,
      [later](std::vector<spool::DestinationId> ids) { later([ids = std::move(ids)](spool::Dispatcher& dispatcher) { dispatcher.wake(ids); }); },
      [later](spool::StopOrder order) { later([order = std::move(order)](spool::Dispatcher& dispatcher) { dispatcher.stop_destination(order); }); });
  life->operations->control().use(destinations);
  spool::IntakeHooks hooks;
  hooks.wants = [dispatcher = life->dispatcher.get()](spool::DestinationId id) { return dispatcher->wants(id); };
  hooks.stored = [later](std::vector<spool::Leased> leased) {
    later([leased = std::make_shared<std::vector<spool::Leased>>(std::move(leased))](spool::Dispatcher& dispatcher) { dispatcher.take(std::move(*leased)); });
  };
  hooks.wake = [later](std::vector<spool::DestinationId> ids) { later([ids = std::move(ids)](spool::Dispatcher& dispatcher) { dispatcher.wake(ids); }); };
  hooks.counters = [](const wire::Counters&) {};
  life->intake = std::make_unique<spool::Intake>(parts_.loop, *life->store, *life->clock, std::move(hooks), &parts_.random);
  life->intake->set_destinations(destinations);
  life->dispatcher->on_reports([this](std::shared_ptr<const spool::DestinationReports> reports) {
    life_->operations->control().report(reports);
    life_->intake->set_states(spool::told(*reports));
  });
  if (auto listening = life->intake->listen(socket()); !listening) {
    failure_ = listening.error().message;
    return;
  }
  life->retention = std::make_unique<spool::Retention>(parts_.loop, *life->store, *life->clock, parts_.clock);
  const Duration ages = std::chrono::years(200);  // clocks jump from 1970 to the present
  life->retention->keep(ages, ages);
  life_ = std::move(life);
  ++lives_;
}

void SpoolNode::end(Life& life) {
  life.intake.reset();
  life.dispatcher.reset();
  life.retention.reset();
  life.store.reset();  // what it was asked and has not answered goes with it
  life.operations.reset();
}

void SpoolNode::crash() {
  life_->executor->kill();
  end(*life_);
  life_.reset();
}

void SpoolNode::stop(std::function<void()> stopped) {
  life_->retention->stop();
  life_->intake->stop();
  life_->dispatcher->stop(Duration(5'000), Duration(5'000), [this, life = lives_, stopped = std::move(stopped)](size_t) {
    if (!up() || life != lives_) return;
    life_->store->close();
    life_->executor->kill();  // what has not been taken is refused by now
    end(*life_);
    life_.reset();
    stopped();
  });
}

// The store answers a question with the turn of its thread; older ones of that thread have theirs before.
template <typename T>
Result<T> SpoolNode::ask(const std::function<void(spool::Done<T>)>& question) {
  auto got = std::make_shared<std::optional<Result<T>>>();
  life_->executor->at_once(true);
  while (!*got) {
    question([got](Result<T> result) {
      if (!*got) *got = std::move(result);
    });
  }
  life_->executor->at_once(false);
  return std::move(**got);
}

std::vector<spool::Delivery> SpoolNode::deliveries(const MessageId& id) {
  auto found = ask<std::vector<spool::Delivery>>([&](auto done) { store().deliveries(id, std::move(done)); });
  return found ? std::move(*found) : std::vector<spool::Delivery>();
}

std::optional<spool::Message> SpoolNode::message(const MessageId& id) {
  auto found = ask<spool::Message>([&](auto done) { store().load(id, std::move(done)); });
  return found ? std::optional(std::move(*found)) : std::nullopt;
}

spool::EventPage SpoolNode::events(std::optional<MessageId> before) {
  auto found = ask<spool::EventPage>([&](auto done) { store().events({}, before, 1'000, std::move(done)); });
  return found ? std::move(*found) : spool::EventPage();
}

}  // namespace belay::sim
