// Sums what the proxy's workers count. A worker reports absolute values since its start; the spool keeps the last report of
// every worker, ended ones included, so the sum over all of them never falls when a worker is restarted. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wire/messages.h"

namespace belay::admin {

// A fact: mode forward's breaker of a destination is not closed.
inline constexpr std::string_view kForwardBreaker = "belay_forward_breaker_info";
inline constexpr std::string_view kRequestsCounter = "belay_requests_total";
inline constexpr std::string_view kRejectedCounter = "belay_rejected_total";

// One line of the text format: name and ready labels (source="acme",outcome="forwarded").
struct Series {
  std::string name;
  std::string labels;
  auto operator<=>(const Series&) const = default;
};

std::map<Series, uint64_t> add_up(const std::vector<wire::Counters>& workers);

// The value of one label of ready labels, its escapes undone; empty when absent.
std::string label_value(std::string_view labels, std::string_view name);

// name="value" with backslash, quote and line feed escaped, as the Prometheus text format asks.
std::string label(std::string_view name, std::string_view value);

}  // namespace belay::admin
