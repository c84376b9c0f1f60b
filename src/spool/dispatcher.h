// Delivers what is due: leases per destination, sends through upstream::Client, settles by the answer. One thread with its own
// loop. Wake-ups are hints (a commit, a settlement); a scan every kFullScan finds what they missed. Destinations take turns,
// one send each, so that a large backlog of one does not hold up another. Limits: kMaxInFlight over all, with what was answered
// and is not committed yet; concurrency and rate per destination; kMaxHeldBytes of bodies in memory until answered; a lane that holds nothing may take one message
// above that, so that a hanging destination with large bodies starves no other. A settlement is committed before its lease is
// dropped; one that could not be committed is kept and tried again (settlements.h). A dead letter of a destination with
// on_dead: disable stops it in the commit that says so. Failure of a delivery is data (Attempt), not an error.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "event/loop.h"
#include "event/resolver.h"
#include "spool/destination_report.h"
#include "spool/attempt_times.h"
#include "spool/store.h"
#include "upstream/client.h"
#include "upstream/destination.h"

namespace belay::spool {

class Dispatcher {
 public:
  static constexpr size_t kMaxInFlight = 4'096;
  // Over half of kMaxInFlight a destination gets no more than its share of the other half, and of the bodies in memory one
  // holds at most kMaxLaneBytes: one that hangs, or answers slowly, does not slow the others.
  static constexpr size_t kMaxLaneBytes = size_t{32} << 20;
  static constexpr size_t kMaxHeldBytes = size_t{128} << 20;
  static constexpr uint32_t kMaxScan = 1'024;
  static constexpr Duration kTick{25};          // due times, rates
  static constexpr Duration kFullScan{5'000};
  static constexpr Duration kReportEvery{250};  // at most, however many destinations change
  static constexpr Duration kLease{600'000};
  static constexpr Duration kLeaseMargin{60'000};  // past the timeout of what is being sent: its settlement waits, too
  static constexpr Duration kPause{100};        // after "no connection is free"

  // What it reaches the world through; null: its own client on the network, the system's randomness.
  struct Outside {
    upstream::Sender* sender;
    Random* random;
  };
  Dispatcher(event::Loop& loop, Store& store, const Clock& clock, Outside outside = {nullptr, nullptr});
  ~Dispatcher();

  // Any thread.
  bool wants(DestinationId destination) const;
  size_t in_flight() const;

  // The loop's thread.
  void measure(AttemptTimes& times);  // every attempt from now on; outlives this
  void set_destinations(std::shared_ptr<const upstream::Destinations> destinations);
  // What stands still from the start, and every change of that which somebody else made durable.
  void set_stops(const std::vector<Stop>& stops);
  void stop_destination(const StopOrder& order);
  // `changed` runs with the whole list, in no order, when something in it has changed: a tick later, or kReportEvery after the
  // last time.
  void on_reports(std::function<void(std::shared_ptr<const DestinationReports>)> changed);
  void take(std::vector<Leased> leased);
  void wake(const std::vector<DestinationId>& destinations);
  // Sends nothing more, gives back what was not sent, waits for what is in flight until `limit`, then gives that back too.
  // `stopped` runs when every settlement is committed, or `settle_limit` after that with how many are not: the store is dead.
  void stop(Duration limit, Duration settle_limit, std::function<void(size_t unsettled)> stopped);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What an answer makes of a delivery: pure.
struct Verdict {
  DeliveryState state = DeliveryState::dead;
  Duration wait{0};    // scheduled
  std::string reason;  // dead
};
Verdict judge(const upstream::Destination& destination, const upstream::Attempt& attempt, uint32_t attempts_made,
              Random& random);

}  // namespace belay::spool
