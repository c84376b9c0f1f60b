#include "proxy/measures.h"

#include <algorithm>

namespace belay::proxy {

namespace {

constexpr size_t kUnnamed = 2;  // rows behind those with a name: other, none

// Only buckets that hold something: an absent one is zero. `le` stands last, where the reader looks for it.
void report_times(std::vector<wire::Counter>& into, const std::string& name, const std::string& label, const LatencyBuckets& times) {
  for (size_t i = 0; i < LatencyBuckets::kCount; ++i) {
    if (times.counts[i] == 0) continue;
    into.push_back({name + "_bucket", label + ",le=\"" + std::string(LatencyBuckets::kLabels[i]) + "\"", times.counts[i]});
  }
  if (times.sum_us != 0) into.push_back({name + "_sum_us", label, times.sum_us});
}

}  // namespace

std::string escape_label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

Measures::Measures(const pipeline::Ruleset& ruleset) {
  for (size_t i = 0; i < std::min(ruleset.sources.size(), kSources); ++i) {
    sources_.push_back({"source=\"" + escape_label(ruleset.sources[i]->name) + "\"", {}, {}});
  }
  for (const char* name : {"other", "none"}) sources_.push_back({std::string("source=\"") + name + "\"", {}, {}});
  std::vector<std::string_view> names;  // in their order: all workers name the same ones
  for (const auto& [name, destination] : ruleset.destinations) names.push_back(name);
  std::sort(names.begin(), names.end());
  names.resize(std::min(names.size(), kDestinations));
  for (const std::string_view name : names) {
    places_.emplace(name, destinations_.size());
    destinations_.push_back({"destination=\"" + escape_label(name) + "\"", {}});
  }
  destinations_.push_back({"destination=\"other\"", {}});
}

Measures::OfSource& Measures::of(const pipeline::Source* source) {
  const size_t named = sources_.size() - kUnnamed;
  if (source == nullptr) return sources_.back();
  return sources_[std::min<size_t>(source->index, named)];
}

void Measures::add(const pipeline::Exchange& exchange, MonotonicTime now) {
  OfSource& row = of(exchange.source);
  row.times.add(static_cast<uint64_t>(std::max<int64_t>((now - exchange.started).count(), 0)));
  if (exchange.backend_us > 0 && !exchange.destination.empty()) {
    const auto place = places_.find(exchange.destination);
    destinations_[place == places_.end() ? destinations_.size() - 1 : place->second].times.add(exchange.backend_us);
  }
  if (exchange.outcome != wire::Outcome::rejected) return;
  const std::string_view word = std::string_view(exchange.reason).substr(0, exchange.reason.find(':'));
  const auto refuser = std::find(kRefusers.begin(), kRefusers.end() - 1, word);
  ++row.refused[static_cast<size_t>(refuser - kRefusers.begin())];
}

void Measures::report(std::vector<wire::Counter>& into) const {
  for (const OfSource& row : sources_) {
    report_times(into, "belay_request_duration_seconds", row.label, row.times);
    for (size_t i = 0; i < kRefusers.size(); ++i) {
      if (row.refused[i] != 0) into.push_back({"belay_rejected_total", row.label + ",by=\"" + std::string(kRefusers[i]) + "\"", row.refused[i]});
    }
  }
  for (const OfDestination& row : destinations_) report_times(into, "belay_forward_duration_seconds", row.label, row.times);
}

}  // namespace belay::proxy
