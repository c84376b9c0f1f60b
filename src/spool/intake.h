// Listens on the unix socket for proxy workers: puts and lines of the books in, answers after the commit. Everything that one
// turn of the loop reads from all connections is one batch. A connection's lines are committed one batch at a time, so
// that their numbers stay in order. Owner: the process; lives on its own loop and thread. Limits: kMaxConnections,
// kMaxUnsent per connection. Failure: a refused or failed put is answered `refused`, never acknowledged; a connection
// that sends nonsense is closed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "event/loop.h"
#include "spool/store.h"
#include "upstream/destination.h"

namespace belay::spool {

// What the intake asks of the rest of the spool. Called on the intake's thread.
struct IntakeHooks {
  // True: deliveries to it may be leased at once, and go to `stored` instead of waiting for a scan.
  std::function<bool(DestinationId)> wants;
  // Just committed and leased to the dispatcher.
  std::function<void(std::vector<Leased>)> stored;
  // Committed and not leased.
  std::function<void(std::vector<DestinationId>)> wake;
  std::function<void(wire::Counters)> counters;
};

class Intake {
 public:
  static constexpr size_t kMaxConnections = 1'024;
  static constexpr size_t kMaxUnsent = size_t{16} << 20;  // answers a worker does not read: it is stuck, or no worker
  static constexpr size_t kMaxLineBytes = size_t{64} << 20;  // of lines that wait, per connection
  static constexpr size_t kLinesAtOnce = size_t{4} << 20;    // of them in one batch
  // A worker that sends nothing but lines is not woken for by each of its turns: all of these are read at least this long after the
  // first of them began to rest.
  static constexpr Duration kLinesRest{4};
  static constexpr size_t kRestBelow = 32 << 10;  // bytes of lines in a turn; one that sends more is read on
  static constexpr Duration kAskedLately{100}; // one that asked since then waits for answers: its next question is read at once
  static constexpr Duration kLease{600'000};
  static constexpr Duration kStatesEvery{5'000};
  static constexpr Duration kStateEvery{100};  // how soon workers hear that intake is refused, and lines are tried again
  static constexpr Duration kSoon{500};        // what is due later than this can wait that long to be looked for

  // `random`: for the jitter of first attempts; null: the system's.
  Intake(event::Loop& loop, Store& store, const Clock& clock, IntakeHooks hooks, Random* random = nullptr);
  ~Intake();
  // Makes the folder when it is missing.
  Result<void> listen(const std::string& socket_path);
  void set_destinations(std::shared_ptr<const upstream::Destinations> destinations);
  // What workers hear of destinations: at once, when they are others than before, and again every kStatesEvery (a worker may
  // have died over it).
  void set_states(wire::DestinationStates states);
  // No connection is accepted and none kept; puts under way and lines that rest in their sockets are still committed, the answers
  // go nowhere.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::spool
