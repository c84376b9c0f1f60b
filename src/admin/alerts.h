// What needs a person, decided from what the gateway counts: a destination that nothing reaches, dead letters or refused signatures
// that grow faster than they should, a disk that fills. Pure: a look is values in, alerts out; time is a value. Every alert has a
// kind and a subject; it is raised once, resolved once it is over, and not raised again within `suppress` of the last time. Never
// about the destination that alerts go to: that would be a loop. One thread. Limits: subjects are those of the rules.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "conf/configuration.h"
#include "spool/operations.h"

namespace belay::admin {

inline constexpr std::string_view kDestinationDown = "destination_down";
inline constexpr std::string_view kDeadLetters = "dead_letters";
inline constexpr std::string_view kSignatureFailures = "signature_failures";
inline constexpr std::string_view kDisk = "disk";

struct Alert {
  std::string kind, subject;
  bool raised = true;   // false: it is over
  std::string message;  // one line
  WallTime since{};     // raised: now; resolved: when it was raised
};

// Sums what was added within a window, in twelfths of it.
class GrowthWindow {
 public:
  // The count as it now is; the first one is where it starts, one that fell is where it starts again.
  void see(uint64_t count, Duration window, WallTime now);
  uint64_t sum() const;
  bool whole(Duration window, WallTime now) const { return last_ && now - began_ >= window; }  // it has seen all of it

 private:
  static constexpr size_t kParts = 12;
  std::optional<uint64_t> last_;
  WallTime began_{};
  std::array<uint64_t, kParts> parts_{};
  int64_t part_ = 0;
};

class Alerts {
 public:
  struct Look {
    WallTime now{};
    const spool::StoreStats& stats;
    const spool::DestinationReports& reports;
    const std::vector<spool::AttemptTimes::Row>& attempts;
    const std::map<std::string, uint64_t>& refused_signatures;  // by source, since the start
  };

  void use(const conf::AlertSettings& settings) { settings_ = settings; }
  // Of a run before this one, the newest first: what it said last of a subject counts.
  void remember(const std::string& kind, const std::string& subject, bool raised, WallTime at);
  std::vector<Alert> look(const Look& look);
  // It could not be stored: the next look says it again.
  void take_back(const Alert& alert);

 private:
  static constexpr double kDiskBack = 0.03;  // resolved that much below the mark

  struct State {
    bool raised = false;
    WallTime since{};                      // raised
    std::optional<WallTime> last_raised;
  };
  struct Reached {
    uint64_t succeeded = 0, failed = 0;
    std::optional<WallTime> failing_since;
  };
  using Key = std::pair<std::string, std::string>;

  void judge(std::string_view kind, const std::string& subject, bool bad, WallTime now, std::string message, std::vector<Alert>& out);
  void look_at_destinations(const Look& look, std::vector<Alert>& out);
  void look_at_growth(const Look& look, std::vector<Alert>& out);
  void look_at_disk(const Look& look, std::vector<Alert>& out);
  void forget_old(WallTime now);

  conf::AlertSettings settings_;
  std::map<Key, State> states_;
  std::map<std::string, Reached> reached_;
  std::map<std::string, WallTime> standing_since_;  // destinations that a breaker, a check or on_dead holds back
  std::map<Key, GrowthWindow> growth_;
};

}  // namespace belay::admin
