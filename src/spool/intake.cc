#include "spool/intake.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "event/stream.h"
#include "spool/plan.h"
#include "wire/frame_stream.h"

namespace belay::spool {

namespace {

using wire::FrameType;

// Where the answer to a put goes.
struct Asked {
  uint64_t connection;
  uint32_t sequence;
  MessageId id;
};

}  // namespace

struct Intake::Impl {
  struct Connection final : wire::FrameHandler {
    Connection(Impl& intake, uint64_t connection_number, int fd)
        : owner(intake), number(connection_number), stream(intake.loop, fd, *this) {}
    void on_open() override {}
    bool on_frame(const wire::Frame& frame) override { return owner.on_frame(*this, frame); }
    void on_ended(const Error& reason) override { owner.on_ended(*this, reason); }

    Impl& owner;
    uint64_t number;
    bool greeted = false;
    wire::Hello peer;
    std::deque<wire::Events> lines;  // not committed; the first is under way when `committing`
    bool committing = false, failed = false;
    wire::FrameStream stream;
  };

  Impl(event::Loop& event_loop, Store& the_store, const Clock& the_clock, IntakeHooks the_hooks)
      : loop(event_loop),
        store(the_store),
        clock(the_clock),
        hooks(std::move(the_hooks)),
        state_timer(loop, [this] { tell_state(); }),
        turn_end(loop, [this] { end_turn(); }) {
    state_timer.start(kStateEvery);
  }
  ~Impl() {
    if (listen_fd >= 0) close(listen_fd);
  }

  void accept(int fd);
  bool on_frame(Connection& connection, const wire::Frame& frame);
  bool on_put(Connection& connection, const wire::Frame& frame);
  void on_ended(Connection& connection, const Error& reason);
  void end_turn();
  void commit_puts();
  void committed(const std::vector<Asked>& who, std::vector<NewMessage>& puts, Result<Committed> result);
  void hand_over(std::vector<NewMessage>& puts, const Committed& result);
  void commit_lines(Connection& connection);
  void lines_committed(uint64_t number, bool ok);
  void answer(const Asked& asked, wire::PutState state, const std::string& reason);
  void tell_state();
  void send_state(Connection& connection);
  Connection* find(uint64_t number);

  event::Loop& loop;
  Store& store;
  const Clock& clock;
  IntakeHooks hooks;
  SystemRandom random;
  int listen_fd = -1;
  std::unique_ptr<event::Listener> listener;
  std::shared_ptr<const upstream::Destinations> destinations = std::make_shared<upstream::Destinations>();
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections;
  uint64_t next_connection = 1;
  std::vector<NewMessage> puts;  // of this turn
  std::vector<Asked> asked;
  wire::State told;
  event::Timer state_timer;
  event::Loop::TurnEnd turn_end;
  // Outlives the intake in callbacks of the store.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

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
  connections.erase(connection.number);
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
    return true;
  }
  if (!connection.greeted) return false;
  switch (frame.type) {
    case FrameType::put: return on_put(connection, frame);
    case FrameType::events: {
      auto events = wire::decode_events(frame.payload);
      if (!events) return false;
      connection.lines.push_back(std::move(*events));
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
  if (!put || put->destinations.empty()) return false;
  const MessageId id = put->event.id;
  NewMessage planned = plan(std::move(*put), *destinations, clock.wall(), random);
  const WallTime now = clock.wall();
  for (Delivery& delivery : planned.deliveries) {
    if (delivery.due <= now && hooks.wants(delivery.destination)) delivery.state = DeliveryState::sending;
  }
  puts.push_back(std::move(planned));
  asked.push_back({connection.number, frame.sequence, id});
  return true;
}

void Intake::Impl::end_turn() {
  commit_puts();
  for (auto& [number, connection] : connections) {
    if (!connection->committing && !connection->lines.empty()) commit_lines(*connection);
  }
  std::vector<uint64_t> stuck;
  for (auto& [number, connection] : connections) {
    connection->stream.flush();
    if (connection->stream.unsent() > kMaxUnsent) stuck.push_back(number);
  }
  for (const uint64_t number : stuck) {
    log::warn("spool: a worker does not read its answers; its connection is closed");
    connections.erase(number);
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
    for (const Asked& one : who) answer(one, wire::PutState::refused, result.error().message);
    return;
  }
  for (size_t i = 0; i < who.size(); ++i) {
    if (result->failed[i]) answer(who[i], wire::PutState::refused, "the request has ended before");
    else answer(who[i], result->duplicate[i] ? wire::PutState::duplicate : wire::PutState::stored, {});
  }
  hand_over(stored, *result);
}

void Intake::Impl::hand_over(std::vector<NewMessage>& stored, const Committed& result) {
  std::vector<Leased> leased;
  std::vector<DestinationId> wake;
  for (size_t i = 0; i < stored.size(); ++i) {
    if (result.duplicate[i] || result.failed[i]) continue;
    for (Delivery& delivery : stored[i].deliveries) {
      if (delivery.state == DeliveryState::sending) leased.push_back({std::move(delivery), stored[i].message});
      else wake.push_back(delivery.destination);
    }
  }
  if (!leased.empty()) hooks.stored(std::move(leased));
  if (!wake.empty()) hooks.wake(std::move(wake));
}

void Intake::Impl::answer(const Asked& one, wire::PutState state, const std::string& reason) {
  Connection* connection = find(one.connection);
  if (connection == nullptr) return;  // the worker has gone; nobody was told anything
  std::string& out = connection->stream.out();
  const size_t start = wire::begin_frame(out);
  wire::append(out, wire::PutResult{one.id, state, reason});
  wire::end_frame(out, start, FrameType::put_result, one.sequence);
}

// All that waits of one connection in one batch; the numbers stay with their lines.
void Intake::Impl::commit_lines(Connection& connection) {
  connection.committing = true;
  Batch batch;
  for (const wire::Events& events : connection.lines) {
    batch.events.push_back({connection.peer.client, events.number, events.lines});
  }
  const size_t count = connection.lines.size();
  store.commit(std::move(batch), [this, guard = std::weak_ptr(alive), &to = loop, number = connection.number,
                                  count](Result<Committed> result) {
    to.post([this, guard, number, count, ok = result.ok()] {
      if (!guard.lock()) return;
      Connection* done = find(number);
      if (done == nullptr) return;
      if (ok) {
        const auto last = static_cast<uint32_t>(done->lines[count - 1].number);
        wire::append_frame(done->stream.out(), FrameType::events_ack, last, {});
        done->lines.erase(done->lines.begin(), done->lines.begin() + static_cast<ptrdiff_t>(count));
        done->committing = false;
      }  // else kept, and tried again with the next state tick
      lines_committed(number, ok);
    });
  });
}

void Intake::Impl::lines_committed(uint64_t number, bool ok) {
  if (ok) return;
  log::warn("spool: lines of the books could not be committed; they are kept and tried again");
  if (Connection* connection = find(number)) connection->failed = true;
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
  for (auto& [number, connection] : connections) {
    if (std::exchange(connection->failed, false)) connection->committing = false;  // its lines go again at the turn's end
  }
  state_timer.start(kStateEvery);
}

void Intake::Impl::send_state(Connection& connection) {
  wire::append_frame(connection.stream.out(), FrameType::state, 0, wire::encode(told));
}

Intake::Intake(event::Loop& loop, Store& store, const Clock& clock, IntakeHooks hooks)
    : impl_(std::make_unique<Impl>(loop, store, clock, std::move(hooks))) {}

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

void Intake::stop() {
  impl_->listener.reset();
  impl_->connections.clear();
}

}  // namespace belay::spool
