#include "admin/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <map>
#include <string_view>

#include "admin/counters.h"
#include "base/bytes.h"

namespace belay::admin {

namespace {

class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <typename Value>
  void sample(std::string_view name, std::string_view labels, Value value) {
    if (labels.empty()) {
      fmt::format_to(std::back_inserter(out_), "{} {}\n", name, value);
    } else {
      fmt::format_to(std::back_inserter(out_), "{}{{{}}} {}\n", name, labels, value);
    }
  }
  template <typename Value>
  void gauge(std::string_view name, std::string_view help, Value value) {
    family(name, "gauge", help);
    sample(name, {}, value);
  }
  template <typename Value>
  void counter(std::string_view name, std::string_view help, Value value) {
    family(name, "counter", help);
    sample(name, {}, value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// What the workers' counters mean. A name that is not here is passed on all the same: newer workers may count more.
constexpr std::pair<std::string_view, std::string_view> kCounterHelp[] = {
    {kRequestsCounter, "Requests received, by source and by how they ended; every request ends in exactly one outcome."},
    {"belay_source_info", "What a source's rules prove about the webhooks they let in: signed+fresh, signed, token or open."},
    {kForwardBreaker, "Destinations whose breaker in mode forward is open or half open."},
    {kRejectedCounter, "Requests rejected, by source and by which check refused them."},
    {"belay_request_duration_seconds", "From the whole head of a request to its answer, by source."},
    {"belay_forward_duration_seconds", "How long backends took to answer in mode forward, by destination."},
    {"belay_connections", "Connections of senders that are open."},
    {"belay_buffered_bytes", "Memory that requests under way hold; proxy.limits.memory bounds it."},
    {"belay_connections_refused_total", "Connections turned away by proxy.limits.connections or connections_per_client."},
    {"belay_events_dropped_total", "Lines of the books that were lost because the spool was away for too long."},
};

std::string_view counter_help(std::string_view name) {
  for (const auto& [known, help] : kCounterHelp) {
    if (known == name) return help;
  }
  return "Counted by the proxy's workers.";
}

// A name or label set that would break the text format: a worker's frame is checked for damage, not for taste.
bool writable(const Series& series) {
  const auto name_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
  };
  return !series.name.empty() && std::all_of(series.name.begin(), series.name.end(), name_character) &&
         series.labels.find('\n') == std::string::npos && is_utf8(series.labels);
}

// Buckets as they are counted become buckets as Prometheus reads them: each holds those below it, too.
void write_times(Text& text, std::string_view name, const std::string& labels, const LatencyBuckets& times) {
  const std::string buckets = std::string(name) + "_bucket";
  uint64_t total = 0;
  for (size_t i = 0; i < LatencyBuckets::kCount; ++i) {
    total += times.counts[i];
    text.sample(buckets, labels + (labels.empty() ? "" : ",") + label("le", LatencyBuckets::kLabels[i]), total);
  }
  text.sample(std::string(name) + "_sum", labels, static_cast<double>(times.sum_us) / 1e6);
  text.sample(std::string(name) + "_count", labels, total);
}

// Histograms of the workers, by family and labels. A bucket arrives as NAME_bucket with le as the last label, the sum as NAME_sum_us.
using Times = std::map<std::string, std::map<std::string, LatencyBuckets>>;

bool take_times(const Series& series, uint64_t value, Times& into) {
  constexpr std::string_view kBucket = "_bucket", kSum = "_sum_us", kLe = ",le=\"";
  if (series.name.ends_with(kSum)) {
    into[series.name.substr(0, series.name.size() - kSum.size())][series.labels].sum_us += value;
    return true;
  }
  if (!series.name.ends_with(kBucket)) return false;
  const size_t at = series.labels.rfind(kLe);
  if (at == std::string::npos) return true;  // no bucket of ours
  const std::string_view bound = std::string_view(series.labels).substr(at + kLe.size());
  LatencyBuckets& times = into[series.name.substr(0, series.name.size() - kBucket.size())][series.labels.substr(0, at)];
  for (size_t i = 0; i < LatencyBuckets::kCount; ++i) {
    if (bound.substr(0, bound.find('"')) == LatencyBuckets::kLabels[i]) times.counts[i] += value;
  }
  return true;
}

void write_worker_counters(Text& text, const std::vector<wire::Counters>& counters) {
  std::string_view family;
  Times times;
  const auto totals = add_up(counters);  // sorted, so a family's series stand together
  for (const auto& [series, value] : totals) {
    if (!writable(series) || take_times(series, value, times)) continue;
    if (series.name != family) {
      family = series.name;
      text.family(family, family.ends_with("_total") ? "counter" : "gauge", counter_help(family));
    }
    text.sample(series.name, series.labels, value);
  }
  for (const auto& [name, rows] : times) {
    text.family(name, "histogram", counter_help(name));
    for (const auto& [labels, row] : rows) write_times(text, name, labels, row);
  }
}

void write_attempts(Text& text, std::vector<spool::AttemptTimes::Row> attempts) {
  if (attempts.empty()) return;
  std::sort(attempts.begin(), attempts.end(), [](const auto& a, const auto& b) { return a.destination < b.destination; });
  text.family("belay_attempts_total", "counter", "Attempts of the spool by destination and whether they succeeded.");
  for (const auto& row : attempts) {
    const std::string destination = label("destination", row.destination);
    text.sample("belay_attempts_total", destination + "," + label("result", "success"), row.succeeded);
    text.sample("belay_attempts_total", destination + "," + label("result", "failure"), row.failed);
  }
  text.family("belay_attempt_duration_seconds", "histogram", "How long attempts of the spool took, by destination, in whole milliseconds.");
  for (const auto& row : attempts) write_times(text, "belay_attempt_duration_seconds", label("destination", row.destination), row.times);
}

void write_destinations(Text& text, const std::vector<spool::DestinationBacklog>& destinations, WallTime now) {
  text.family("belay_deliveries", "gauge", "Stored deliveries by destination and state; waiting includes scheduled retries.");
  for (const auto& backlog : destinations) {
    const std::string destination = label("destination", backlog.name);
    const std::pair<std::string_view, uint64_t> states[] = {{"waiting", backlog.waiting},
                                                            {"sending", backlog.sending},
                                                            {"delivered", backlog.delivered},
                                                            {"dead", backlog.dead},
                                                            {"cancelled", backlog.cancelled},
                                                            {"superseded", backlog.superseded}};
    for (const auto& [state, count] : states) {
      text.sample("belay_deliveries", fmt::format("{},{}", destination, label("state", state)), count);
    }
  }
  text.family("belay_oldest_waiting_seconds", "gauge", "Age of the oldest waiting delivery; 0 when none waits.");
  for (const auto& backlog : destinations) {
    const Duration age = backlog.oldest ? std::max(now - *backlog.oldest, Duration::zero()) : Duration::zero();
    text.sample("belay_oldest_waiting_seconds", label("destination", backlog.name),
                std::chrono::duration<double>(age).count());
  }
}

// Only of destinations for which something waits.
void write_ages(Text& text, const std::vector<spool::DestinationBacklog>& destinations) {
  text.family("belay_waiting_older_than", "gauge", "Deliveries waiting whose webhook came longer ago than so many seconds; none where nothing waits.");
  for (const auto& backlog : destinations) {
    if (backlog.waiting == 0) continue;
    const std::string destination = label("destination", backlog.name);
    for (size_t i = 0; i < spool::kOlder_s.size(); ++i) {
      text.sample("belay_waiting_older_than", destination + "," + label("seconds", std::to_string(spool::kOlder_s[i])), backlog.older[i]);
    }
  }
}

void write_states(Text& text, const spool::DestinationReports& reports) {
  if (reports.empty()) return;
  text.family("belay_destination_state", "gauge", "1 for the state that a destination is in: of those with a breaker or another protection, or stopped by somebody.");
  for (const spool::DestinationReport& report : reports) {
    for (const std::string_view state : spool::destination_states()) {
      text.sample("belay_destination_state", fmt::format("{},{}", label("destination", report.name), label("state", state)), report.state() == state ? 1 : 0);
    }
  }
}

void write_urls_down(Text& text, const spool::DestinationReports& reports) {
  if (reports.empty()) return;
  text.family("belay_destination_urls_down", "gauge", "Urls of a destination that do not pass their health check.");
  for (const spool::DestinationReport& report : reports) {
    text.sample("belay_destination_urls_down", label("destination", report.name), std::popcount(report.urls_down));
  }
}

void write_store(Text& text, const spool::StoreStats& stats) {
  text.gauge("belay_store_messages", "Messages kept, whatever became of them.", stats.messages);
  text.gauge("belay_store_events", "Lines kept in the books.", stats.events);
  text.gauge("belay_store_quarantined", "Records set aside because their checksum does not match.", stats.quarantined);
  text.gauge("belay_store_used_bytes", "Bytes of the store in use.", stats.used_bytes);
  text.gauge("belay_store_size_bytes", "Bytes the store may use (spool.size).", stats.map_bytes);
  text.counter("belay_store_commits_total", "Durable commits since start.", stats.commits);
  text.gauge("belay_store_last_commit_seconds", "How long the last commit took.",
             static_cast<double>(stats.last_commit_us) / 1e6);
  text.family("belay_store_commit_seconds", "histogram", "How long durable commits took.");
  write_times(text, "belay_store_commit_seconds", {}, stats.commit_times);
  text.gauge("belay_store_used_ratio", "Part of the disk, or of spool.size when that is fuller, that is in use; intake stops at 0.85.", stats.disk_used);
}

}  // namespace

std::string render_metrics(const spool::StoreStats& stats, const spool::DestinationReports& reports, const std::vector<wire::Counters>& counters,
                           const std::vector<spool::AttemptTimes::Row>& attempts, WallTime now, Duration uptime) {
  Text text;
  text.family("belay_build_info", "gauge", "The running version.");
  text.sample("belay_build_info", label("version", BELAY_VERSION), 1);
  text.gauge("belay_uptime_seconds", "Since the spool started.", std::chrono::duration<double>(uptime).count());
  text.gauge("belay_accepting", "1 while the spool takes new messages, 0 while it refuses them.", stats.accepting ? 1 : 0);
  write_worker_counters(text, counters);
  write_attempts(text, attempts);
  write_destinations(text, stats.destinations, now);
  write_ages(text, stats.destinations);
  write_states(text, reports);
  write_urls_down(text, reports);
  write_store(text, stats);
  return text.take();
}

}  // namespace belay::admin
