#include "event/resolver.h"

#include <ares.h>
#include <event2/event.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace belay::event {

namespace {

using Addresses = std::vector<IpAddress>;

// c-ares tries each server this often; the first try waits kTryMs, the second twice that, together under kTimeout.
constexpr int kTryMs = 1'500;
constexpr int kTries = 2;

IpAddress loopback(bool v4) { return *IpAddress::parse(v4 ? "127.0.0.1" : "::1"); }

// RFC 6761 §6.3: names under localhost never leave the machine.
bool is_localhost(std::string_view host) {
  return ascii_iequals(host, "localhost") ||
         (host.size() > 10 && ascii_iequals(host.substr(host.size() - 10), ".localhost"));
}

Error resolve_error(const std::string& host, int status) {
  const ErrorKind kind = status == ARES_ETIMEOUT ? ErrorKind::timeout : ErrorKind::unavailable;
  return {kind, "DNS: " + printable(host) + ": " + ares_strerror(status)};
}

void init_library() {
  static std::once_flag once;
  std::call_once(once, [] { BELAY_CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS); });
}

}  // namespace

struct Resolver::Impl {
  struct Known {
    Addresses addresses;
    MonotonicTime until;
  };
  // One question under way, shared by everybody who asks the same. Freed by its c-ares callback, which always comes.
  struct Query {
    Query(Impl& owner_in, const std::string& host_in)
        : owner(owner_in), host(host_in), too_late(owner_in.loop, [this] { timed_out(); }) {}
    void timed_out() { owner.finish(*this, resolve_error(host, ARES_ETIMEOUT)); }
    Impl& owner;
    std::string host;
    std::vector<Done> waiting;
    Timer too_late;
  };
  struct Socket {
    ::event* ready = nullptr;
    ~Socket() {
      if (ready != nullptr) event_free(ready);
    }
  };

  Impl(Loop& loop_in, const std::string& servers) : loop(loop_in), tick(loop_in, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }) {
    init_library();
    ares_options options{};
    options.timeout = kTryMs;
    options.tries = kTries;
    options.sock_state_cb = &Impl::watch;
    options.sock_state_cb_data = this;
    const int made = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    BELAY_CHECK_NOTE(made == ARES_SUCCESS, ares_strerror(made));
    if (!servers.empty()) BELAY_CHECK(ares_set_servers_ports_csv(channel, servers.c_str()) == ARES_SUCCESS);
  }
  ~Impl() {
    closing = true;
    ares_destroy(channel);  // calls back every query with ARES_EDESTRUCTION
  }

  void resolve(const std::string& host, Done done) {
    if (const auto literal = IpAddress::parse(host)) return done(Addresses{*literal});
    if (is_localhost(host)) return done(Addresses{loopback(true), loopback(false)});
    if (const auto known = cache.find(host); known != cache.end()) {
      if (loop.now() < known->second.until) {
        const Addresses addresses = known->second.addresses;  // `done` may change the cache
        return done(addresses);
      }
      cache.erase(known);
    }
    Query*& query = asking[host];
    if (query != nullptr) return query->waiting.push_back(std::move(done));
    query = new Query(*this, host);
    Query* const mine = query;
    mine->waiting.push_back(std::move(done));
    mine->too_late.start(kTimeout);
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel, host.c_str(), nullptr, &hints, &Impl::answered, mine);
    schedule();
  }

  static void answered(void* query_pointer, int status, int, ares_addrinfo* found) {
    const std::unique_ptr<Query> query(static_cast<Query*>(query_pointer));
    Impl& self = query->owner;
    if (self.closing) return ares_freeaddrinfo(found);
    Addresses addresses;
    int ttl = 0;
    for (const ares_addrinfo_node* node = found != nullptr ? found->nodes : nullptr; node != nullptr; node = node->ai_next) {
      const auto ip = IpAddress::from_sockaddr(node->ai_addr);
      if (!ip) continue;
      ttl = addresses.empty() ? node->ai_ttl : std::min(ttl, node->ai_ttl);
      addresses.push_back(*ip);
    }
    ares_freeaddrinfo(found);
    if (status != ARES_SUCCESS) return self.finish(*query, resolve_error(query->host, status));
    if (addresses.empty()) return self.finish(*query, resolve_error(query->host, ARES_ENODATA));
    self.remember(query->host, addresses, ttl);
    self.finish(*query, std::move(addresses));
  }

  void remember(const std::string& host, const Addresses& addresses, int ttl) {
    if (cache.size() >= kMaxCached) cache.clear();  // names come from rules; a full cache means something odd, and it refills
    const Duration wanted = std::chrono::seconds(std::max(ttl, 0));  // from /etc/hosts: 0
    cache[host] = {addresses, loop.now() + std::clamp(wanted, kMinTtl, kMaxTtl)};
  }

  // Tells everybody who waits. After a time-out the query itself lives on until c-ares lets go of it.
  void finish(Query& query, const Result<Addresses>& result) {
    query.too_late.cancel();
    if (const auto entry = asking.find(query.host); entry != asking.end() && entry->second == &query) asking.erase(entry);
    const std::vector<Done> waiting = std::move(query.waiting);
    query.waiting.clear();
    for (const Done& done : waiting) done(result);
  }

  static void watch(void* self_pointer, ares_socket_t fd, int readable, int writable) {
    auto& self = *static_cast<Impl*>(self_pointer);
    self.sockets.erase(fd);
    if (self.closing || (readable == 0 && writable == 0)) return;
    const int what = (readable != 0 ? EV_READ : 0) | (writable != 0 ? EV_WRITE : 0);
    ::event* ready = event_new(self.loop.base(), fd, static_cast<short>(what | EV_PERSIST), &Impl::socket_ready, &self);
    BELAY_CHECK(ready != nullptr && event_add(ready, nullptr) == 0);
    self.sockets[fd].ready = ready;
  }

  static void socket_ready(int fd, short what, void* self_pointer) {
    auto& self = *static_cast<Impl*>(self_pointer);
    self.loop.entered();
    self.process((what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD, (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
  }

  void process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel, readable, writable);
    schedule();
  }

  // c-ares counts its own time-outs but must be called for them.
  void schedule() {
    timeval wait{};
    if (ares_timeout(channel, nullptr, &wait) == nullptr) return tick.cancel();
    tick.start(std::chrono::seconds(wait.tv_sec) + std::chrono::milliseconds(wait.tv_usec / 1'000 + 1));
  }

  Loop& loop;
  Timer tick;
  ares_channel channel = nullptr;
  bool closing = false;
  std::unordered_map<std::string, Known> cache;
  std::unordered_map<std::string, Query*> asking;
  std::unordered_map<ares_socket_t, Socket> sockets;
};

Resolver::Resolver(Loop& loop, const std::string& servers) : impl_(std::make_unique<Impl>(loop, servers)) {}
Resolver::~Resolver() = default;

void Resolver::resolve(const std::string& host, Done done) { impl_->resolve(host, std::move(done)); }

}  // namespace belay::event
