// Looks every kEvery whether something needs a person, and stores what it has to say as a webhook for the destination of
// `alerts.to`: so it is durable and retried like any other. What it said before a restart is read from the books, so that nothing
// is said twice. On the loop's thread. A store that does not take an alert is asked again with the next look.
#pragma once

#include <string>
#include <vector>

#include "admin/alerts.h"
#include "admin/loop_gate.h"
#include "base/clock.h"
#include "conf/configuration.h"
#include "event/loop.h"
#include "spool/operations.h"

namespace belay::admin {

inline constexpr const char* kAlertSource = "belay.alerts";  // of their lines in the books
// {"type": "alert.raised", "timestamp": …, "data": {"alert", "subject", "message", "since"}}; alert.resolved when it is over.
std::string render_alert(const Alert& alert, WallTime now);

class AlertWatch {
 public:
  static constexpr Duration kEvery{2'000};
  static constexpr uint32_t kRemembered = 200;  // alerts of earlier runs that are read

  AlertWatch(event::Loop& loop, spool::Operations& operations, const Clock& clock, const conf::AlertSettings& settings);
  void use(const conf::AlertSettings& settings);  // after a reload

 private:
  void recall();
  void look();
  void say(const Alert& alert);

  spool::Operations& operations_;
  const Clock& clock_;
  std::string to_;
  bool recalled_ = false;
  Alerts alerts_;
  LoopGate gate_;
  event::Timer timer_;
};

}  // namespace belay::admin
