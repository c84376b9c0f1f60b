#include "spool/destination_control.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "conf/section.h"

namespace belay::spool {

void DestinationControl::use(std::shared_ptr<const upstream::Destinations> destinations) {
  const std::lock_guard lock(mutex_);
  destinations_ = std::move(destinations);
}

void DestinationControl::report(std::shared_ptr<const DestinationReports> reports) {
  const std::lock_guard lock(mutex_);
  reports_ = std::move(reports);
}

DestinationReports DestinationControl::reports() const {
  std::shared_ptr<const DestinationReports> last;
  {
    const std::lock_guard lock(mutex_);
    last = reports_;
  }
  DestinationReports reports = *last;
  std::sort(reports.begin(), reports.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return reports;
}

// Of the rules, or one that messages wait for although the rules do not name it any more.
Result<std::string> DestinationControl::known(const std::string& name) const {
  std::vector<std::string> names;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [each, destination] : *destinations_) names.push_back(each);
    for (const DestinationReport& report : *reports_) names.push_back(report.name);
  }
  for (const DestinationBacklog& backlog : store_.stats().destinations) names.push_back(backlog.name);
  if (std::find(names.begin(), names.end(), name) != names.end()) return name;
  const std::string meant = conf::nearest(name, std::vector<std::string_view>(names.begin(), names.end()));
  return invalid("no destination '" + printable(name, 80) + "'" + (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

void DestinationControl::stop(const StopRequest& request, Done<StopResult> done) {
  if (const auto name = known(request.destination); !name) return done(name.error());
  const StopOrder order{destination_id(request.destination), request.destination, request.kind, request.on, request.by, request.why, clock_.wall()};
  Batch batch;
  batch.stops.push_back(order);
  const std::string_view verb = order.kind == StopKind::paused ? (order.on ? "pause" : "resume") : (order.on ? "disable" : "enable");
  Act act{next_act_(), order.by, std::string(verb), order.name, std::string(Act::kDone), 0, 0, 0};
  if (!order.why.empty()) act.target += ": " + order.why;
  batch.acts.push_back(std::move(act));
  store_.commit(std::move(batch), [this, order, done = std::move(done)](Result<Committed> committed) {
    if (!committed) return done(committed.error());
    StopResult result;
    result.changed = committed->stops.front().changed;
    result.stop = committed->stops.front().stop;
    if (result.changed) {
      log::info("spool: {}: {}{} by {}{}", order.name, order.on ? "" : "no longer ", to_string(order.kind), order.by,
                order.why.empty() ? "" : ": " + order.why);
      if (told_) told_(order);
    }
    done(std::move(result));
  });
}

}  // namespace belay::spool
