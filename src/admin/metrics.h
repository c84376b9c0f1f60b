// GET /metrics: the Prometheus text format, version 0.0.4. Written here and not by prometheus-cpp: workers send their counters
// as absolute values with labels ready for this format, and the rest is a snapshot of the store; the library's registries of
// live counters would have to be filled from both on every scrape, and its serializer would want the labels taken apart again.
// Pure. Series are bounded by the rules: some per source and per destination, histograms for at most
// Measures::kSources, Measures::kDestinations and AttemptTimes::kDestinations of them.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "spool/operations.h"
#include "wire/messages.h"

namespace belay::admin {

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

std::string render_metrics(const spool::StoreStats& stats, const spool::DestinationReports& reports, const std::vector<wire::Counters>& counters,
                           const std::vector<spool::AttemptTimes::Row>& attempts, WallTime now, Duration uptime);

}  // namespace belay::admin
