#include "spool/intake.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "spool/intake_impl.h"
#include "spool/plan.h"

namespace belay::spool {

void Intake::Impl::accept(int fd) {
  if (connections.size() >= kMaxConnections) {
    log::warn("spool: more than {} connections; one is refused", kMaxConnections);
    close(fd);
    return;
  }
  const uint64_t number = next_connection++;
  connections.emplace(number, std::make_unique<Connection>(*this, number, fd));
}

Intake::Impl::Connection* Intake::Impl::find(uint64_t number) {
  const auto at = connections.find(number);
  return at == connections.end() ? nullptr : at->second.get();
}

void Intake::Impl::on_ended(Connection& connection, const Error& reason) {
  if (reason.kind == ErrorKind::corrupt) log::error("spool: a worker's connection is closed: {}", reason.message);
  drop(connection.number);
}

// What it sent is still committed; what it holds is given up when that stands.
void Intake::Impl::drop(uint64_t number) {
  connections.erase(number);
  const auto at = lines.find(number);
  if (at != lines.end() && !at->second.waiting.empty()) {
    at->second.gone = true;
    return;
  }
  if (at != lines.end()) lines.erase(at);
  holds.release_all(number);
}

bool Intake::Impl::on_frame(Connection& connection, const wire::Frame& frame) {
  if (frame.type == FrameType::hello) {
    auto hello = wire::decode_hello(frame.payload);
    if (!hello || connection.greeted) return false;
    connection.peer = *hello;
    connection.greeted = true;
    std::string& out = connection.stream.out();
    wire::append_frame(out, FrameType::hello, 0, wire::encode(wire::Hello{static_cast<uint64_t>(getpid()), {}}));
    if (!told.accepting) send_state(connection);
    send_states(connection);
    return true;
  }
  if (!connection.greeted) return false;
  if (frame.type != FrameType::events && frame.type != FrameType::counters) connection.asked_at = loop.now();
  switch (frame.type) {
    case FrameType::put: return on_put(connection, frame);
    case FrameType::claim: return on_claim(connection, frame);
    case FrameType::release: {
      const auto id = MessageId::from_bytes(frame.payload);
      if (id) holds.give_up(*id);
      return id.has_value();
    }
    case FrameType::events: {
      auto events = wire::decode_events(frame.payload);
      if (!events) return false;
      take_lines(connection, std::move(*events));
      return true;
    }
    case FrameType::counters: {
      auto counters = wire::decode_counters(frame.payload);
      if (!counters) return false;
      hooks.counters(std::move(*counters));
      return true;
    }
    default: return false;  // never from a worker
  }
}

bool Intake::Impl::on_put(Connection& connection, const wire::Frame& frame) {
  auto put = wire::decode_put(frame.payload);
  if (!put || (put->deliveries.empty() && put->event.outcome != wire::Outcome::rejected)) return false;
  const Asked who{connection.number, frame.sequence, put->event.id};
  const bool claims = !put->claims.empty();
  NewMessage planned = plan(std::move(*put), *destinations, clock.wall(), random);
  if (claims) {
    take_put(who, std::make_shared<NewMessage>(std::move(planned)), loop.now() + ClaimHolds::kPatience);
    return true;
  }
  add_put(who, std::move(planned));
  return true;
}

void Intake::Impl::add_put(const Asked& who, NewMessage planned) {
  const WallTime now = clock.wall();
  for (Delivery& delivery : planned.deliveries) {
    if (delivery.state == DeliveryState::queued && !delivery.grouped() && delivery.due <= now && hooks.wants(delivery.destination)) {
      delivery.state = DeliveryState::sending;
    }
  }
  puts.push_back(std::move(planned));
  asked.push_back(who);
}

// Its keys are held until the commit has decided: a twin of the same moment waits for that.
void Intake::Impl::take_put(const Asked& who, const std::shared_ptr<NewMessage>& planned, MonotonicTime deadline) {
  const bool taken = holds.take(planned->claims, who.id, who.connection, deadline, [this, who, planned, deadline](bool again) {
    if (again) return take_put(who, planned, deadline);
    answer(who, wire::PutResult{who.id, wire::PutState::refused, "the same webhook is being handled", {}});
  });
  if (!taken) return;
  holds.decide(who.id);
  add_put(who, std::move(*planned));
}

void Intake::Impl::end_turn() {
  commit_puts();
  look_up();
  for (auto& [number, one] : lines) {
    if (one.committing == 0 && !one.failed && !one.waiting.empty()) commit_lines(number, one);
  }
  std::vector<uint64_t> stuck;
  for (auto& [number, connection] : connections) {
    connection->stream.flush();
    if (std::exchange(connection->lines_came, false)) let_rest(*connection);
    if (connection->stream.unsent() > kMaxUnsent) stuck.push_back(number);
  }
  for (const uint64_t number : stuck) {
    log::warn("spool: a worker does not read its answers; its connection is closed");
    drop(number);
  }
}

void Intake::Impl::commit_puts() {
  if (puts.empty()) return;
  Batch batch;
  batch.puts = puts;  // the bodies are shared, not copied
  batch.lease = kLease;
  auto done = [this, guard = std::weak_ptr(alive), &to = loop, who = std::exchange(asked, {}),
               kept = std::exchange(puts, {})](Result<Committed> result) mutable {
    to.post([this, guard, who = std::move(who), kept = std::move(kept), result = std::move(result)]() mutable {
      if (guard.lock()) committed(who, kept, std::move(result));
    });
  };
  store.commit(std::move(batch), std::move(done));
}

void Intake::Impl::committed(const std::vector<Asked>& who, std::vector<NewMessage>& stored, Result<Committed> result) {
  if (!result) {
    for (const Asked& one : who) answer(one, wire::PutResult{one.id, wire::PutState::refused, result.error().message, {}});
  } else {
    for (size_t i = 0; i < who.size(); ++i) {
      wire::PutResult answered{who[i].id, result->duplicate[i] ? wire::PutState::repeated : wire::PutState::stored, {}, {}};
      if (const auto& by = result->claimed[i]) {
        answered.state = wire::PutState::claimed;
        answered.by = *by;
      } else if (result->failed[i]) {
        answered.state = wire::PutState::refused;
        answered.reason = "the request has ended before";
      }
      answer(who[i], answered);
    }
    hand_over(stored, *result);
  }
  for (size_t i = 0; i < who.size(); ++i) {
    if (!stored[i].claims.empty()) holds.release(who[i].id);
  }
}

namespace {

void unique(std::vector<DestinationId>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace

// A scan for each commit would cost as much as the commit: what is due later is looked for with the next tick.
void Intake::Impl::hand_over(std::vector<NewMessage>& stored, const Committed& result) {
  std::vector<Leased> leased;
  std::vector<DestinationId> wake;
  const WallTime soon = clock.wall() + kSoon;
  for (size_t i = 0; i < stored.size(); ++i) {
    if (result.duplicate[i] || result.failed[i] || result.claimed[i]) continue;
    for (Delivery& delivery : stored[i].deliveries) {
      if (delivery.state == DeliveryState::sending) leased.push_back({std::move(delivery), stored[i].message});
      else if (is_waiting(delivery.state)) (delivery.due <= soon ? wake : wake_later).push_back(delivery.destination);
    }
  }
  unique(wake);
  unique(wake_later);
  if (!leased.empty()) hooks.stored(std::move(leased));
  if (!wake.empty()) hooks.wake(std::move(wake));
}

void Intake::Impl::answer(const Asked& one, const wire::PutResult& result) {
  Connection* connection = find(one.connection);
  if (connection == nullptr) return;  // the worker has gone; nobody was told anything
  std::string& out = connection->stream.out();
  const size_t start = wire::begin_frame(out);
  wire::append(out, result);
  wire::end_frame(out, start, FrameType::put_result, one.sequence);
}

void Intake::Impl::tell_state() {
  wire::State state;
  state.accepting = store.accepting(&state.reason);
  if (state.accepting != told.accepting) {
    told = std::move(state);
    for (auto& [number, connection] : connections) {
      if (connection->greeted) send_state(*connection);
    }
  }
  for (auto& [number, one] : lines) one.failed = false;  // go again at the turn's end
  holds.expire(loop.now());
  if (loop.now() >= states_again) tell_states();
  if (!wake_later.empty()) hooks.wake(std::exchange(wake_later, {}));
  state_timer.start(kStateEvery);
}

void Intake::Impl::send_state(Connection& connection) {
  wire::append_frame(connection.stream.out(), FrameType::state, 0, wire::encode(told));
}

void Intake::Impl::send_states(Connection& connection) {
  wire::append_frame(connection.stream.out(), FrameType::destinations, 0, wire::encode(states));
}

void Intake::Impl::tell_states() {
  states_again = loop.now() + kStatesEvery;
  const std::string bytes = wire::encode(states);
  for (auto& [number, connection] : connections) {
    if (connection->greeted) wire::append_frame(connection->stream.out(), FrameType::destinations, 0, bytes);
  }
}

Intake::Intake(event::Loop& loop, Store& store, const Clock& clock, IntakeHooks hooks, Random* random)
    : impl_(std::make_unique<Impl>(loop, store, clock, std::move(hooks), random)) {}

Intake::~Intake() = default;

Result<void> Intake::listen(const std::string& socket_path) {
  std::error_code failure;  // open_listener() names what is wrong with the folder, if anything is
  const std::filesystem::path folder = std::filesystem::path(socket_path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, failure);
  auto fd = event::open_listener("unix:" + socket_path);
  if (!fd) return fd.error();
  impl_->listen_fd = *fd;
  chmod(socket_path.c_str(), 0660);  // the proxy may run as another user of the same group
  impl_->listener = std::make_unique<event::Listener>(
      impl_->loop, *fd, [impl = impl_.get()](int accepted, const event::SocketAddress&) { impl->accept(accepted); });
  return {};
}

void Intake::set_destinations(std::shared_ptr<const upstream::Destinations> destinations) {
  impl_->destinations = std::move(destinations);
}

void Intake::set_states(wire::DestinationStates states) {
  if (states == impl_->states) return;
  impl_->states = std::move(states);
  impl_->tell_states();
}

void Intake::stop() {
  impl_->listener.reset();
  impl_->read_resting();
  impl_->connections.clear();
  for (auto& [number, lines] : impl_->lines) {
    lines.gone = true;
    if (lines.committing == 0 && !lines.waiting.empty()) impl_->commit_lines(number, lines);
  }
}

}  // namespace belay::spool
