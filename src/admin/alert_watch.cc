#include "admin/alert_watch.h"

#include <fmt/format.h>

#include <map>

#include "admin/counters.h"
#include "admin/json_writer.h"
#include "base/log.h"

namespace belay::admin {

namespace {

constexpr std::string_view kRaised = "alert.raised", kResolved = "alert.resolved";

std::map<std::string, uint64_t> refused_signatures(const std::vector<wire::Counters>& counters) {
  std::map<std::string, uint64_t> by_source;
  for (const auto& [series, value] : add_up(counters)) {
    if (series.name == kRejectedCounter && label_value(series.labels, "by") == "verify") by_source[label_value(series.labels, "source")] += value;
  }
  return by_source;
}

}  // namespace

std::string render_alert(const Alert& alert, WallTime now) {
  JsonWriter json;
  json.begin_object().field("type", alert.raised ? kRaised : kResolved).field("timestamp", std::optional(now));
  json.name("data").begin_object().field("alert", alert.kind).field("subject", alert.subject).field("message", alert.message);
  json.field("since", std::optional(alert.since)).end_object().end_object();
  return json.take();
}

AlertWatch::AlertWatch(event::Loop& loop, spool::Operations& operations, const Clock& clock, const conf::AlertSettings& settings)
    : operations_(operations), clock_(clock), gate_(loop), timer_(loop, [this] { look(); }) {
  use(settings);
}

void AlertWatch::use(const conf::AlertSettings& settings) {
  to_ = settings.to;
  alerts_.use(settings);
  if (to_.empty()) return timer_.cancel();
  if (!recalled_) return recall();
  timer_.start(kEvery);
}

void AlertWatch::recall() {
  spool::EventQuery query;
  query.source = kAlertSource;
  operations_.events(query, std::nullopt, kRemembered, gate_.pass<spool::EventPage>([this](const Result<spool::EventPage>& page) {
    recalled_ = true;
    if (!to_.empty()) timer_.start(kEvery);
    if (!page) return log::warn("alerts: what was said before the start is not known: {}", page.error().message);
    for (const spool::EventRow& row : page->rows) {
      const size_t slash = row.event.resource.find('/');
      if (slash == std::string::npos) continue;
      alerts_.remember(row.event.resource.substr(0, slash), row.event.resource.substr(slash + 1), row.event.type == kRaised, row.event.received);
    }
  }));
}

void AlertWatch::look() {
  timer_.start(kEvery);
  const auto stats = operations_.stats();
  const auto reports = operations_.destinations();
  const auto attempts = operations_.attempts();
  const auto refused = refused_signatures(operations_.counters());
  for (const Alert& alert : alerts_.look({clock_.wall(), stats, reports, attempts, refused})) say(alert);
}

void AlertWatch::say(const Alert& alert) {
  log::warn("alert {}: {} {}: {}", alert.raised ? "raised" : "resolved", alert.kind, alert.subject, alert.message);
  spool::Announcement announcement;
  announcement.to = to_;
  announcement.source = kAlertSource;
  announcement.type = alert.raised ? kRaised : kResolved;
  announcement.resource = alert.kind + "/" + alert.subject;
  announcement.body = render_alert(alert, clock_.wall());
  operations_.announce(announcement, gate_.pass<MessageId>([this, alert](const Result<MessageId>& stored) {
    if (stored) return;
    log::warn("alert {} {} could not be stored and is tried again: {}", alert.kind, alert.subject, stored.error().message);
    alerts_.take_back(alert);
  }));
}

}  // namespace belay::admin
