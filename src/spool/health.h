// Active health checks of destinations with `health`: a GET of its path on every url, each `every`. kFall failures in a row
// and a url is down, one 2xx answer and it is up. A check is a request of its own on a connection of its own: no credentials,
// no signature, no webhook-id. Destinations that begin together are spread over `every`. Lives on the dispatcher's loop.
// Limits: one check per url and kUnderWay of all at a time, the others wait for their turn. Failure is data: the urls that are
// down; what this machine lacks (a descriptor, a port) says nothing about a url.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "event/loop.h"
#include "spool/destination_report.h"
#include "upstream/client.h"

namespace belay::spool {

class HealthChecks {
 public:
  static constexpr int kFall = 2;
  static constexpr size_t kUnderWay = 512;
  static constexpr size_t kAnswerLimit = 64 << 10;
  // A url of this destination went down or came up; `down`: all that are down, by bit.
  using Changed = std::function<void(DestinationId, uint64_t down)>;

  static constexpr upstream::ClientLimits kConnections{.response_body = kAnswerLimit, .idle_per_destination = 0};  // of its own
  HealthChecks(event::Loop& loop, upstream::Sender& sender, Changed changed)
      : loop_(loop), sender_(sender), changed_(std::move(changed)) {
    fields_.add("Accept", "*/*");
    fields_.add("User-Agent", "belay-health");
  }
  // A url that is checked as before keeps what is known of it; another one begins as if it were up.
  void use(const std::unordered_map<DestinationId, std::shared_ptr<const upstream::Destination>>& destinations);
  size_t under_way() const { return under_way_; }

 private:
  struct Url {
    std::shared_ptr<const upstream::Destination> check;
    std::string text;  // for the log
    int failures = 0;
    bool down = false;
    bool waits = false;  // for its turn
    std::unique_ptr<upstream::Sender::Call> call;
  };
  struct Target {
    std::shared_ptr<const upstream::Destination> destination;
    std::vector<Url> urls;
    std::unique_ptr<event::Timer> timer;
  };

  // `after`: the first check.
  void begin(DestinationId id, const std::shared_ptr<const upstream::Destination>& destination, const Target* before, Duration after);
  void tell(const Target& target);
  void check(Target& target);
  void check(Target& target, Url& url);
  void next_in_turn();
  void answered(Target& target, Url& url, const upstream::Attempt& attempt);

  event::Loop& loop_;
  upstream::Sender& sender_;
  Changed changed_;
  http::Fields fields_;
  size_t under_way_ = 0;
  std::deque<std::pair<DestinationId, size_t>> turns_;  // of urls that wait
  std::unordered_map<DestinationId, std::unique_ptr<Target>> targets_;
};

}  // namespace belay::spool
