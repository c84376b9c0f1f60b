#include "upstream/client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "http/writer.h"
#include "upstream/client_impl.h"

namespace belay::upstream {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::answered: return "answered";
    case Outcome::refused: return "refused";
    case Outcome::unresolved: return "unresolved";
    case Outcome::tls_failed: return "tls_failed";
    case Outcome::timeout: return "timeout";
    case Outcome::reset: return "reset";
    case Outcome::bad_response: return "bad_response";
    case Outcome::over_limit: return "over_limit";
    case Outcome::no_memory: return "no_memory";
    case Outcome::no_credential: return "no_credential";
    case Outcome::no_token: return "no_token";
  }
  return "unknown";
}

Client::Client(event::Loop& loop, event::Resolver& resolver, ClientLimits limits)
    : impl_(std::make_unique<Impl>(loop, resolver, limits)) {}
Client::~Client() = default;

std::unique_ptr<Client::Call> Client::send(std::shared_ptr<const Destination> to, const Outbound& request, Done done) {
  return impl_->send(std::move(to), request, std::move(done));
}

size_t Client::in_flight() const { return impl_->in_flight(); }

CallState::~CallState() {
  if (client != nullptr) client->forget(*this);
}

Client::Impl::Impl(event::Loop& loop_in, event::Resolver& resolver_in, const ClientLimits& limits_in)
    : loop(loop_in),
      resolver(resolver_in),
      limits(limits_in),
      deadlines(loop_in),
      buffer(new char[kReadBuffer]),
      self(std::make_shared<Impl*>(this)) {}

Client::Impl::~Impl() {
  for (CallState* call = first_call; call != nullptr; call = call->next) {
    call->client = nullptr;
    call->lookup_deadline.unlink();
    if (call->lookup != nullptr) call->lookup->call = nullptr;
  }
}

Pool& Client::Impl::pool_of(std::shared_ptr<const Destination> to) {
  if (const auto known = pools.find(to.get()); known != pools.end()) return *known->second;
  const Destination* const key = to.get();
  if (pools.size() >= sweep_at) sweep();
  return *pools.emplace(key, std::make_unique<Pool>(std::move(to))).first->second;
}

std::unique_ptr<Client::Call> Client::Impl::send(std::shared_ptr<const Destination> to, const Outbound& request, Done done) {
  Pool& pool = pool_of(std::move(to));
  auto call = std::make_unique<CallState>(*this, pool, request, std::move(done), loop.now());
  call->request.now = loop.wall();
  link(*call);
  ++pool.in_flight;
  if (pool.to->concurrency > 0 && pool.in_flight > pool.to->concurrency) {
    fail_later(*call, Outcome::over_limit, "over the limit of " + std::to_string(pool.to->concurrency) + " at a time (concurrency)");
  } else if (const auto field = pool.to->field_without_value(call->request.now); !field.empty()) {
    fail_later(*call, Outcome::no_credential, "no value of " + std::string(field) + " is valid now: see valid_from and valid_until in the rules");
  } else if (pool.to->append_path && http::has_dot_segments(request.path_rest)) {
    call->unfit = true;
    fail_later(*call, Outcome::refused, "the path climbs out of the url with '..' (append_path)");
  } else {
    authorize(*call);
  }
  return call;
}

// Takes the url whose turn it is: a kept connection if there is one, otherwise a fresh one.
void Client::Impl::dispatch(CallState& call) {
  Pool& pool = *call.pool;
  if (call.urls_left > 0) pool.balancer.ended(call.url);  // the same call once more, with a fresh token
  call.url = pool.balancer.choose(pool.to->balance, call.request.urls_down, loop.now());
  pool.balancer.sent(call.url);
  call.urls_left = pool.to->urls.size();
  if (Connection* kept = pool.take_idle(call.url)) {
    send_on(call, *kept);
  } else {
    open(call);
  }
}

void Client::Impl::send_on(CallState& call, Connection& connection) {
  call.connection = &connection;
  connection.call = &call;
  const Result<void> sent = connection.send(call.request, deadline_of(call));
  if (sent) return;
  call.connection = nullptr;
  connection.call = nullptr;
  remove(connection);
  call.unfit = sent.error().kind == ErrorKind::refused;
  fail_later(call, sent.error().kind == ErrorKind::refused ? Outcome::refused : Outcome::no_credential, sent.error().message);
}

void Client::Impl::gathered(Connection& connection) {
  if (to_write.empty()) turn_end.emplace(loop, [this] { write_gathered(); });
  to_write.push_back(&connection);
  if (to_write.size() >= kWriteAtOnce) write_gathered();
}

// Calls nobody back: it may run inside send().
void Client::Impl::write_gathered() {
  for (Connection* connection : to_write) connection->write_now();
  to_write.clear();
}

void Client::Impl::answered(Connection& connection) {
  CallState& call = *std::exchange(connection.call, nullptr);
  call.connection = nullptr;  // the call may be destroyed inside `done`: it must not take the connection with it
  const http::ResponseHead& head = connection.reader().head();
  Attempt attempt{.head = &head, .body = connection.reader().body(), .gathered_body = connection.reader().gathered_body(), .peer = connection.peer(), .connect = call.connect_took};
  if (!connection.reader().complete()) {
    attempt.outcome = Outcome::no_memory;
    attempt.error = connection.reader().reason();
  }
  if (head.status >= 300) {
    if (const std::string_view* value = head.fields.find("retry-after")) {
      const int64_t seconds = http::parse_retry_after(*value, to_ms(loop.wall()) / 1'000);
      if (seconds >= 0) attempt.retry_after = std::min<Duration>(std::chrono::seconds(seconds), Destination::kMaxRetryAfter);
    }
  }
  if (head.status == 401 && renew_token(call)) {
    keep(connection);
    return authorize(call);
  }
  finish(call, attempt);
  keep(connection);  // only now, because the answer stood in its buffers
}

void Client::Impl::keep(Connection& connection) {
  Pool& pool = connection.pool;
  if (!connection.reusable() || pool.idle_count >= limits.idle_per_destination) return remove(connection);
  connection.wait_in_pool(limits.idle_timeout);
  pool.put_idle(connection);
}

void Client::Impl::ended(Connection& connection, Outcome why, std::string error) {
  CallState* const call = std::exchange(connection.call, nullptr);
  if (call == nullptr) return remove(connection);
  call->connection = nullptr;
  const bool sent = connection.exchanges() > 0;
  const bool lost_the_race = why == Outcome::reset && connection.exchanges() > 1 && !connection.reader().started();
  const std::string peer = connection.peer();
  call->local = connection.failed_here();
  remove(connection);
  if (lost_the_race && !call->repeated) {
    call->repeated = true;
    return open(*call);
  }
  if (!sent && (why == Outcome::refused || why == Outcome::timeout)) {
    call->outcome = why;
    call->error = std::move(error);
    call->peer = peer;
    return connect_next(*call);
  }
  fail(*call, why, std::move(error), peer);
}

// Out of the books first: `done` may destroy the call, and send again.
void Client::Impl::finish(CallState& call, Attempt& attempt) {
  attempt.total = std::chrono::duration_cast<Duration>(loop.now() - call.started);
  if (call.pool->to->urls.size() > 1 && call.urls_left > 0) learn(call, attempt);
  const Done done = std::move(call.done);
  forget(call);
  done(attempt);
}

void Client::Impl::learn(CallState& call, Attempt& attempt) {
  const Destination& to = *call.pool->to;
  attempt.another_is_well = call.pool->balancer.another_is_well(call.url, call.request.urls_down);
  const auto failed = attempt.backend_failed(to);
  if (failed && call.pool->balancer.learn(call.url, *failed, loop.now())) {
    log::warn("{}: {} fails and is left out for {} s", to.name, to.urls[call.url].authority(), std::chrono::duration<double>(Balancer::kEjectFor).count());
  }
}

void Client::Impl::fail(CallState& call, Outcome outcome, std::string error, std::string peer) {
  Attempt attempt{.outcome = outcome, .error = std::move(error), .peer = std::move(peer), .connect = call.connect_took, .unfit = call.unfit, .local = call.local};
  finish(call, attempt);
}

void Client::Impl::fail_later(CallState& call, Outcome outcome, std::string error) {
  call.outcome = outcome;
  call.error = std::move(error);
  call.failed = true;
  if (std::exchange(telling, true)) return;
  loop.post([weak = std::weak_ptr(self)] {
    if (const auto alive = weak.lock()) (*alive)->tell_failed();
  });
}

void Client::Impl::tell_failed() {
  telling = false;
  // `done` may destroy any call, so the walk begins anew after each. Failures inside send() are rare.
  for (CallState* call = first_call; call != nullptr;) {
    if (!call->failed) {
      call = call->next;
      continue;
    }
    fail(*call, call->outcome, std::move(call->error), std::move(call->peer));
    call = first_call;
  }
}

void Client::Impl::link(CallState& call) {
  call.next = first_call;
  if (first_call != nullptr) first_call->previous = &call;
  first_call = &call;
  ++calls;
}

void Client::Impl::forget(CallState& call) {
  (call.previous != nullptr ? call.previous->next : first_call) = call.next;
  if (call.next != nullptr) call.next->previous = call.previous;
  --calls;
  call.client = nullptr;
  call.lookup_deadline.unlink();
  if (call.lookup != nullptr) call.lookup->call = nullptr;
  Pool& pool = *call.pool;
  --pool.in_flight;
  if (call.urls_left > 0) pool.balancer.ended(call.url);
  if (Connection* connection = std::exchange(call.connection, nullptr)) {
    connection->call = nullptr;
    return remove(*connection);  // in the middle of an exchange: nobody will read the rest
  }
  drop_if_unused(pool);
}

void Client::Impl::remove(Connection& connection) {
  Pool& pool = connection.pool;
  if (connection.to_write()) std::erase(to_write, &connection);
  pool.remove(connection);
  drop_if_unused(pool);
}

// What is kept for its memory only goes when its destination has left the rules.
void Client::Impl::sweep() {
  std::erase_if(pools, [](const auto& one) { return one.second->unused() && one.second->to.use_count() == 1; });
  sweep_at = std::max(kSweepAt, 2 * pools.size());
}

void Client::Impl::drop_if_unused(Pool& pool) {
  if (!pool.unused() || pool.balancer.remembers()) return;
  const auto found = pools.find(pool.to.get());
  // Out of the map before it dies: its Destination, the key, dies with it.
  const std::unique_ptr<Pool> last = std::move(found->second);
  pools.erase(found);
}

}  // namespace belay::upstream
