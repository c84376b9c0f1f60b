// What a worker measures of the requests it answers, besides their outcomes: how long each took by source, how long backends took by
// destination, and which check refused what. Its own memory, one thread; nothing is allocated per request. Reported to the spool as
// absolute values with its other counters. Limits: kSources and kDestinations by name, all others together as "other".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/latency.h"
#include "pipeline/module.h"
#include "wire/messages.h"

namespace belay::proxy {

class Measures {
 public:
  static constexpr size_t kSources = 1'000;
  static constexpr size_t kDestinations = 1'000;
  // The first word of a refusal's reason: "verify: signature does not match". The last one is for all others.
  static constexpr std::array<std::string_view, 12> kRefusers = {"match", "tls",     "allow", "auth",      "limit", "body",
                                                                 "verify", "handshake", "decode", "schema", "transform", "other"};

  explicit Measures(const pipeline::Ruleset& ruleset);
  Measures(const Measures&) = delete;
  Measures& operator=(const Measures&) = delete;

  // Once, when its answer is made.
  void add(const pipeline::Exchange& exchange, MonotonicTime now);
  void report(std::vector<wire::Counter>& into) const;

 private:
  struct OfSource {
    std::string label;  // source="acme"
    LatencyBuckets times;
    std::array<uint64_t, kRefusers.size()> refused{};
  };
  struct OfDestination {
    std::string label;
    LatencyBuckets times;
  };
  OfSource& of(const pipeline::Source* source);

  std::vector<OfSource> sources_;            // by index; then "other", then "none": those that matched no source
  std::vector<OfDestination> destinations_;  // the last one is "other"
  std::unordered_map<std::string_view, size_t> places_;  // of destinations by name, in the ruleset
};

// What a label value may not hold as it is (Prometheus text format).
std::string escape_label(std::string_view text);

}  // namespace belay::proxy
