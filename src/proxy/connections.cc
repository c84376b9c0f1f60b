#include "proxy/connections.h"

#include <unistd.h>

#include <algorithm>

#include "http/writer.h"

namespace belay::proxy {

namespace {

constexpr size_t kScratch = size_t{64} << 10;

}  // namespace

Connections::Connections(event::Loop& loop, const pipeline::Ruleset& ruleset, pipeline::Services& services,
                         const TrustedProxies& trusted, size_t worker)
    : loop_(loop),
      ruleset_(ruleset),
      services_(services),
      trusted_(trusted),
      worker_(worker),
      slot_(services.shared.workers[worker]),
      limits_(ruleset.configuration->proxy.limits),
      memory_(services.shared.buffered_bytes, slot_.buffered_bytes, limits_.memory),
      head_limits_{.head_bytes = static_cast<size_t>(limits_.header), .fields = static_cast<size_t>(limits_.headers)},
      ids_(services.clock, services.random),
      deadlines_(loop),
      scratch_(kScratch),
      measures_(ruleset),
      turn_end_(loop, [this] { end_of_turn(); }) {}

Connections::~Connections() {
  abandon();
  end_of_turn();
  for (const auto& workspace : workspaces_) add_memory(-static_cast<int64_t>(workspace->counted));
}

void Connections::accept(int fd, const event::SocketAddress& peer, const Entrance& entrance) {
  std::unique_ptr<Connection> connection;
  if (spare_.empty()) {
    connection = std::make_unique<Connection>(*this);
  } else {
    connection = std::move(spare_.back());
    spare_.pop_back();
  }
  Connection& opened = *connection;
  opened.place = open_.size();
  open_.push_back(std::move(connection));
  // Its own share first, and last in take_apart(): killed in between, a worker leaves no connection that nobody takes back.
  slot_.connections.fetch_add(1, std::memory_order_relaxed);
  const int64_t all = services_.shared.connections.fetch_add(1, std::memory_order_release) + 1;
  opened.open(fd, peer, entrance);
  if (all > limits_.connections) return opened.turn_away();
  if (!peer.unix_path.empty() || trusted_.contains(peer.ip)) return;
  if (!count_client(opened, peer.ip)) opened.turn_away();
}

bool Connections::count_client(Connection& connection, const IpAddress& address) {
  const auto place = services_.shared.clients.add(worker_, address, limits_.connections_per_client);
  if (place) connection.client_place = *place;
  return place.has_value();
}

void Connections::take_apart(Connection& connection) {
  services_.shared.clients.remove(worker_, connection.client_place);
  if (connection.turned_away) --lingering_turned_away_;
  connection.recycle();
  const size_t place = connection.place;
  std::unique_ptr<Connection> owned = std::move(open_[place]);
  if (place + 1 != open_.size()) {
    open_[place] = std::move(open_.back());
    open_[place]->place = place;
  }
  open_.pop_back();
  services_.shared.connections.fetch_sub(1, std::memory_order_relaxed);
  slot_.connections.fetch_sub(1, std::memory_order_release);
  if (spare_.size() < kSpareConnections) spare_.push_back(std::move(owned));
}

void Connections::end_of_turn() {
  for (int round = 0; round < kRoundsPerTurn && !answers_.empty(); ++round) {
    // A line of the books must be in the socket before the sender sees its answer.
    if (services_.spool != nullptr) services_.spool->flush();
    writing_.swap(answers_);
    for (Connection* connection : writing_) connection->write_answer();
    writing_.clear();
  }
  // What the last answers' successors on their connections gave to the spool.
  if (services_.spool != nullptr) services_.spool->flush();
  if (!answers_.empty()) loop_.post([] {});  // the rest at the end of the next turn, which must not wait for events
  while (!retired_.empty()) {
    taking_apart_.swap(retired_);
    for (Connection* connection : taking_apart_) take_apart(*connection);
    taking_apart_.clear();
  }
  for (const pipeline::Source::Step& step : ruleset_.after) step.handler->turn_end();
  if (draining_ && open_.empty() && drained_) {
    const auto drained = std::move(drained_);
    drained_ = nullptr;
    drained();
  }
}

void Connections::drain(std::function<void()> drained) {
  draining_ = true;
  drained_ = std::move(drained);
  for (const auto& connection : open_) connection->drain();
  loop_.post([] {});  // so that an end of turn comes even when nothing is open
}

void Connections::abandon() {
  for (const auto& connection : open_) connection->abandon();
  loop_.post([] {});
}

std::string_view Connections::date() {
  const int64_t second = to_ms(loop_.wall()) / 1000;
  if (second != date_second_) {
    date_second_ = second;
    date_ = http::http_date(second);
  }
  return date_;
}

std::string_view Connections::busy_answer() {
  constexpr std::string_view kBody = "{\"status\": \"failed\", \"reason\": \"too many connections, or limits.memory is reached\"}\n";
  busy_.clear();
  http::append_status_line(busy_, 503);
  http::append_field(busy_, "Content-Type", "application/json");
  http::append_field(busy_, "Retry-After", std::to_string(kRetryAfterSeconds));
  http::append_field(busy_, "Date", date());
  http::append_content_length(busy_, kBody.size());
  http::append_field(busy_, "Connection", "close");
  http::end_head(busy_);
  busy_ += kBody;
  return busy_;
}

void Connections::link_deadline(event::DeadlineList::Entry& entry, std::function<void()> expired) {
  deadlines_.link(entry, std::move(expired));
}

std::unique_ptr<Workspace> Connections::lend() {
  std::unique_ptr<Workspace> workspace;
  if (!workspaces_.empty()) {
    workspace = std::move(workspaces_.back());
    workspaces_.pop_back();
  } else if (memory_left(Workspace::kReceive)) {
    workspace = std::make_unique<Workspace>(head_limits_, services_);
    count_memory(*workspace);
  }
  return workspace;
}

void Connections::give_back(std::unique_ptr<Workspace> workspace) {
  count_memory(*workspace);
  // Warm memory is for fat years: what a burst took must not count against the bodies that come after it.
  if (workspaces_.size() < kSpareWorkspaces && !memory_.half_used()) {
    workspaces_.push_back(std::move(workspace));
  } else {
    add_memory(-static_cast<int64_t>(workspace->counted));
  }
}

bool Connections::memory_left(size_t more) const {
  return memory_.left(more);
}

void Connections::count_memory(Workspace& workspace) {
  const size_t held = workspace.held();
  if (held == workspace.counted) return;
  add_memory(static_cast<int64_t>(held) - static_cast<int64_t>(workspace.counted));
  workspace.counted = held;
}

void Connections::add_memory(int64_t bytes) {
  memory_.add(bytes);
}

}  // namespace belay::proxy
