// The way to an access token and to a fresh connection: names to addresses, network rules, one address and one url after the other until one opens.
// Nothing of the request has been sent before, so trying the next is always safe.
#include <algorithm>
#include <utility>

#include "upstream/client_impl.h"
#include "upstream/private_address.h"

namespace belay::upstream {

void Client::Impl::authorize(CallState& call) {
  const std::shared_ptr<const OAuth2>& oauth2 = call.pool->to->oauth2;
  if (oauth2 == nullptr) return dispatch(call);
  if (tokens == nullptr) tokens = std::make_unique<Tokens>(loop, *this);
  const Tokens::Known known = tokens->known(oauth2);
  if (known.authorization != nullptr) {
    call.authorization = *known.authorization;
    call.request.authorization = call.authorization;
    return dispatch(call);
  }
  if (known.error != nullptr) return fail_later(call, Outcome::no_token, *known.error);
  constexpr int kMaxWaits = 4;  // for tokens that end as soon as they come
  if (++call.token_waits > kMaxWaits) return fail_later(call, Outcome::no_token, "access tokens end as soon as they come");
  if (call.lookup == nullptr) call.lookup = std::make_shared<CallState::Lookup>();
  call.lookup->call = &call;
  deadlines.link(call.lookup_deadline, [&call] {
    call.lookup->call = nullptr;
    call.client->fail(call, Outcome::no_token, "no access token in time");
  });
  call.lookup_deadline.set(deadline_of(call));
  tokens->wait(oauth2, [lookup = call.lookup] {
    CallState* const waiting = std::exchange(lookup->call, nullptr);
    if (waiting == nullptr) return;
    waiting->lookup_deadline.unlink();
    waiting->client->authorize(*waiting);
  });
}

// True when the request is to be sent once more with another token: a 401 can mean that this one was withdrawn.
bool Client::Impl::renew_token(CallState& call) {
  const Destination& to = *call.pool->to;
  if (to.oauth2 == nullptr || std::exchange(call.token_renewed, true)) return false;
  tokens->drop(*to.oauth2, call.authorization);
  return true;
}

void Client::Impl::open(CallState& call) {
  call.connect_started = loop.now();
  const http::Url& url = call.pool->to->urls[call.url];
  if (url.scheme == "unix") {
    call.addresses.clear();
    call.next_address = 0;
    return connect(call, {.ip = {}, .port = 0, .unix_path = url.host});
  }
  if (const auto literal = IpAddress::parse(url.host)) {
    call.addresses.clear();
    call.next_address = 0;
    return connect(call, {.ip = *literal, .port = url.port, .unix_path = {}});
  }
  if (call.lookup == nullptr) call.lookup = std::make_shared<CallState::Lookup>();
  call.lookup->call = &call;
  deadlines.link(call.lookup_deadline, [&call] {
    call.lookup->call = nullptr;
    call.client->fail(call, Outcome::timeout, "DNS: no answer in time");
  });
  call.lookup_deadline.set(connect_deadline(call));
  resolver.resolve(url.host, [lookup = call.lookup](const Result<std::vector<IpAddress>>& found) {
    if (CallState* const waiting = std::exchange(lookup->call, nullptr)) waiting->client->resolved(*waiting, found);
  });
}

MonotonicTime Client::Impl::connect_deadline(const CallState& call) const {
  return std::min(call.connect_started + call.pool->to->connect_timeout, deadline_of(call));
}

// Addresses share the time to connect in equal parts: one that swallows everything leaves time for the next.
MonotonicTime Client::Impl::address_deadline(const CallState& call) const {
  const auto left = static_cast<int64_t>(call.addresses.size() - std::min(call.next_address, call.addresses.size())) + 1;
  const MonotonicTime now = loop.now();
  return now + (connect_deadline(call) - now) / left;
}

void Client::Impl::resolved(CallState& call, const Result<std::vector<IpAddress>>& found) {
  call.lookup_deadline.unlink();
  if (!found) return next_url(call, Outcome::unresolved, found.error().message);
  const Destination& to = *call.pool->to;
  const bool named = to.urls[call.url].host == "localhost";
  call.addresses.clear();
  call.next_address = 0;
  IpAddress forbidden;
  for (const IpAddress& address : *found) {
    const auto holds = [&](const Cidr& block) { return block.contains(address); };
    if (named || !is_private(address) || std::any_of(to.network_allow.begin(), to.network_allow.end(), holds)) {
      call.addresses.push_back(address);
    } else {
      forbidden = address;
    }
  }
  if (call.addresses.empty()) {
    return next_url(call, Outcome::refused, to.urls[call.url].host + " is " + forbidden.to_string() +
                                                ", a private address; allow it with network: {allow: [" + forbidden.to_string() + "]}");
  }
  connect_next(call);
}

// The next address of this url, else the next url. What the last one said stands in the call.
void Client::Impl::connect_next(CallState& call) {
  if (call.next_address >= call.addresses.size()) return next_url(call, call.outcome, std::move(call.error));
  const IpAddress address = call.addresses[call.next_address++];
  connect(call, {.ip = address, .port = call.pool->to->urls[call.url].port, .unix_path = {}});
}

void Client::Impl::next_url(CallState& call, Outcome outcome, std::string error) {
  const size_t urls = call.pool->to->urls.size();
  // Later, because send() may stand above us.
  if (call.urls_left == 1) return fail_later(call, outcome, std::move(error));
  --call.urls_left;
  call.outcome = outcome;
  call.error = std::move(error);
  Balancer& balancer = call.pool->balancer;
  if (!std::exchange(call.local, false)) balancer.learn(call.url, true, loop.now());
  balancer.ended(call.url);
  call.url = call.url + 1 < urls ? call.url + 1 : 0;
  balancer.sent(call.url);
  open(call);
}

void Client::Impl::connect(CallState& call, const event::SocketAddress& to) {
  Pool& pool = *call.pool;
  pool.add(std::make_unique<Connection>(loop, deadlines, *this, pool, call.url, to, limits));
  Connection& connection = *pool.all.back();
  connection.call = &call;
  call.connection = &connection;
  connection.fail_at(address_deadline(call));
}

void Client::Impl::opened(Connection& connection) {
  CallState& call = *connection.call;
  call.connect_took = std::chrono::duration_cast<Duration>(loop.now() - call.connect_started);
  send_on(call, connection);
}

}  // namespace belay::upstream
