// A destination: a backend with everything about reaching it, compiled from the rules. Immutable, shared by proxy workers and
// the spool; a reload builds new ones. Settings table and reader are in destination.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "conf/configuration.h"
#include "event/tls.h"
#include "http/url.h"
#include "upstream/breaker.h"

namespace belay::signature {
class Scheme;
}

namespace belay::upstream {

struct OAuth2;

// Statuses as a set: "2xx", "404", "500..599", ">=500", "!503".
class StatusSet {
 public:
  static Result<StatusSet> parse(const std::vector<std::string>& terms, bool* network = nullptr);
  bool contains(int status) const { return status >= 100 && status < 600 && bits_[static_cast<size_t>(status - 100)]; }

 private:
  std::vector<bool> bits_ = std::vector<bool>(500, false);
};

// When a failed delivery is tried again. Either a schedule (delays before attempt 1, 2, …) or exponential.
struct RetryPolicy {
  std::vector<Duration> schedule;  // not empty: this; schedule[0] is the wait before the first attempt
  Duration first{1'000};
  double factor = 2;
  Duration max{3'600'000};
  int attempts = 12;               // all attempts, the first one included; schedule: its length
  double jitter = 0.2;             // fraction of the wait, both ways
};

// The value of a field that Belay adds. Of a secret that rotates it has several, each with its window: at the time of an
// attempt the newest valid one is sent, that is the one whose window began last.
class FieldValue {
 public:
  FieldValue() = default;
  FieldValue(std::string text) { values_.push_back({std::move(text), {}, {}}); }  // NOLINT: implicit on purpose
  FieldValue(const char* text) : FieldValue(std::string(text)) {}                 // NOLINT: implicit on purpose
  explicit FieldValue(conf::Secret secret);

  bool empty() const { return values_.empty(); }
  const std::string* at(WallTime now) const;  // null: none is valid then
  const conf::Secret& values() const { return values_; }

 private:
  conf::Secret values_;  // newest first
};

// Which of several urls gets the next request.
enum class Balance : uint8_t { round_robin, least_pending, first_alive };

// The spool asks every url for `path`.
struct HealthRule {
  std::string path;
  Duration every{0};  // 0: it does not
  Duration timeout{0};
  bool on() const { return every.count() > 0; }
};

struct Destination {
  static constexpr size_t kMaxUrls = 64;  // they are told by bit
  static constexpr Duration kMaxRetryAfter{3'600'000};  // a longer Retry-After is cut to this

  std::string name;
  uint64_t key = 0;  // xxh3 of the name: stored with deliveries, so it must not change over versions
  std::vector<http::Url> urls;
  Balance balance = Balance::round_robin;
  bool append_path = false;
  Duration timeout{}, connect_timeout{};
  StatusSet success;
  StatusSet retry_on;
  bool retry_on_network = true;
  int concurrency = 0;
  double rate_per_second = 0;  // 0: no limit
  RetryPolicy retry;
  BreakerRule breaker;
  bool disable_on_dead = false;  // on_dead: disable
  Duration ramp{0};              // how slowly a drain rises after an outage; 0: at once
  HealthRule health;
  std::vector<std::pair<std::string, FieldValue>> set_headers;  // in the order written
  std::vector<std::string> remove_headers;
  std::shared_ptr<const OAuth2> oauth2;              // null: none
  std::shared_ptr<const signature::Scheme> sign;     // null: none. Used by one thread at a time
  size_t answer_limit = 0;     // bytes of an answer's body; 0: the client's
  FieldValue authorization;    // ready value of the Authorization field; a secret
  std::vector<std::pair<std::string, FieldValue>> auth_headers;  // API keys; secrets
  std::shared_ptr<event::ClientTls> tls;  // set when any url is https
  std::string server_name;                // SNI and verification name; empty: the url's host
  std::vector<Cidr> network_allow;

  // The first field whose every value is too old or too new at `now`; empty when all can be sent.
  std::string_view field_without_value(WallTime now) const;
};

using Destinations = std::unordered_map<std::string, std::shared_ptr<const Destination>>;

// Compiles every destination; problems carry positions. Stable: same rules, same result.
Destinations build_destinations(const conf::Configuration& configuration, conf::Problems& problems);

}  // namespace belay::upstream
