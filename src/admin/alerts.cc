#include "admin/alerts.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace belay::admin {

namespace {

std::string per(const conf::AlertSettings::Growth& growth) {
  return growth.window == Duration(60'000) ? "a minute" : growth.window == Duration(3'600'000) ? "an hour" : "a day";
}

// Why a destination gets nothing, when it is not an operator who wants it so.
std::string held_back_by(const spool::DestinationReport& report) {
  if (report.stop.disabled.on && report.stop.disabled.by == "on_dead") return "it is disabled: " + report.stop.disabled.why;
  if (report.stop.any()) return {};
  if (report.down()) return "its health check fails";
  if (report.breaker == upstream::Breaker::State::open) return "its breaker is open";
  return {};
}

}  // namespace

void GrowthWindow::see(uint64_t count, Duration window, WallTime now) {
  const int64_t part = to_ms(now) / std::max<int64_t>(window.count() / static_cast<int64_t>(kParts), 1);
  const int64_t passed = std::clamp<int64_t>(part - part_, 0, kParts);
  for (int64_t i = 1; i <= passed; ++i) parts_[static_cast<size_t>((part_ + i) % static_cast<int64_t>(kParts))] = 0;
  if (passed == static_cast<int64_t>(kParts)) parts_ = {};
  part_ = std::max(part_, part);
  if (!last_) began_ = now;
  if (last_ && count > *last_) parts_[static_cast<size_t>(part_ % static_cast<int64_t>(kParts))] += count - *last_;
  last_ = count;
}

uint64_t GrowthWindow::sum() const { return std::accumulate(parts_.begin(), parts_.end(), uint64_t{0}); }

void Alerts::remember(const std::string& kind, const std::string& subject, bool raised, WallTime at) {
  const auto [state, fresh] = states_.try_emplace({kind, subject});
  if (fresh) {
    state->second.raised = raised;
    state->second.since = at;
  }
  if (raised && !state->second.last_raised) state->second.last_raised = at;
  // Not over before something is delivered, or nothing waits any more.
  if (fresh && raised && kind == kDestinationDown) reached_[subject].failing_since = at;
}

void Alerts::judge(std::string_view kind, const std::string& subject, bool bad, WallTime now, std::string message,
                   std::vector<Alert>& out) {
  const auto found = states_.find({std::string(kind), subject});
  if (found == states_.end() && !bad) return;
  State& state = found != states_.end() ? found->second : states_[{std::string(kind), subject}];
  if (state.raised == bad) return;
  if (bad && state.last_raised && now - *state.last_raised < settings_.suppress && now >= *state.last_raised) return;
  state.raised = bad;
  if (bad) state.since = now;
  if (bad) state.last_raised = now;
  out.push_back({std::string(kind), subject, bad, std::move(message), state.since});
}

void Alerts::take_back(const Alert& alert) {
  State& state = states_[{alert.kind, alert.subject}];
  state.raised = !alert.raised;
  state.since = alert.since;
  if (alert.raised) state.last_raised.reset();
}

std::vector<Alert> Alerts::look(const Look& look) {
  std::vector<Alert> out;
  if (settings_.to.empty()) return out;
  look_at_destinations(look, out);
  look_at_growth(look, out);
  look_at_disk(look, out);
  forget_old(look.now);
  return out;
}

void Alerts::look_at_destinations(const Look& look, std::vector<Alert>& out) {
  if (settings_.destination_down == Duration(0)) return;
  std::map<std::string, std::string> held_back;
  for (const spool::DestinationReport& report : look.reports) {
    if (std::string why = held_back_by(report); !why.empty()) held_back[report.name] = std::move(why);
  }
  std::erase_if(standing_since_, [&](const auto& entry) { return !held_back.contains(entry.first); });
  for (const auto& [name, why] : held_back) standing_since_.try_emplace(name, look.now);
  for (const auto& row : look.attempts) {
    Reached& reached = reached_[row.destination];
    if (row.succeeded > reached.succeeded) reached.failing_since.reset();
    else if (row.failed > reached.failed && !reached.failing_since) reached.failing_since = look.now;
    reached.succeeded = row.succeeded;
    reached.failed = row.failed;
  }
  for (const spool::DestinationBacklog& backlog : look.stats.destinations) {
    if (backlog.waiting == 0) reached_[backlog.name].failing_since.reset();  // nothing wants to go there
  }
  std::map<std::string, WallTime> since = standing_since_;
  for (const auto& [name, reached] : reached_) {
    if (!reached.failing_since) continue;
    const auto [at, fresh] = since.try_emplace(name, *reached.failing_since);
    if (!fresh) at->second = std::min(at->second, *reached.failing_since);
  }
  for (const auto& [name, from] : since) {
    if (name == settings_.to || look.now - from < settings_.destination_down) continue;
    const auto why = held_back.find(name);
    judge(kDestinationDown, name, true, look.now,
          fmt::format("nothing was delivered to {} for {} s: {}", name, (look.now - from).count() / 1000,
                      why == held_back.end() ? "its attempts fail" : why->second), out);
  }
  for (const auto& [key, state] : std::map(states_)) {
    if (key.first != kDestinationDown || since.contains(key.second)) continue;
    judge(kDestinationDown, key.second, false, look.now, fmt::format("{} is delivered to again, or nothing waits for it any more", key.second), out);
  }
}

void Alerts::look_at_growth(const Look& look, std::vector<Alert>& out) {
  const auto see = [&](std::string_view kind, const std::string& subject, uint64_t count, const conf::AlertSettings::Growth& limit, std::string_view what) {
    GrowthWindow& window = growth_[{std::string(kind), subject}];
    window.see(count, limit.window, look.now);
    const bool bad = window.sum() > limit.count;
    if (!bad && !window.whole(limit.window, look.now)) return;  // what was raised before a restart is not over because of it
    judge(kind, subject, bad, look.now,
          bad ? fmt::format("{} {} of {} within {}", window.sum(), what, subject, per(limit))
              : fmt::format("{} of {} are rare again: {} within {}", what, subject, window.sum(), per(limit)), out);
  };
  if (settings_.dead_letters.window != Duration(0)) {
    for (const spool::DestinationBacklog& backlog : look.stats.destinations) {
      if (backlog.name != settings_.to) see(kDeadLetters, backlog.name, backlog.dead, settings_.dead_letters, "dead letters");
    }
  }
  if (settings_.signature_failures.window != Duration(0)) {
    for (const auto& [source, count] : look.refused_signatures) see(kSignatureFailures, source, count, settings_.signature_failures, "refused signatures");
  }
}

void Alerts::look_at_disk(const Look& look, std::vector<Alert>& out) {
  if (settings_.disk == 0) return;
  const auto known = states_.find({std::string(kDisk), "spool"});
  const bool raised = known != states_.end() && known->second.raised;
  const bool bad = look.stats.disk_used >= settings_.disk - (raised ? kDiskBack : 0);
  judge(kDisk, "spool", bad, look.now,
        fmt::format("{:.0f}% of the disk, or of spool.size, are in use{}", look.stats.disk_used * 100, bad ? "; at 85% webhooks are refused" : ""), out);
}

void Alerts::forget_old(WallTime now) {
  std::erase_if(states_, [&](const auto& entry) {
    const State& state = entry.second;
    return !state.raised && (!state.last_raised || now - *state.last_raised >= settings_.suppress);
  });
}

}  // namespace belay::admin
