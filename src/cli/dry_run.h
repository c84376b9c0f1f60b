// One request after another through the real modules of a ruleset, without network, spool, log and books: what explain and
// rehearse look at. The clock stands at each request's time of receipt; rates are counted from one request to the next. Owned by
// a command; one thread; one in a process (its shared memory lives until the end).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ip.h"
#include "base/random.h"
#include "cli/raw_request.h"
#include "conf/configuration.h"
#include "pipeline/module.h"
#include "pipeline/trace.h"

namespace belay::cli {

// Who sent it.
struct DrySender {
  IpAddress address;
  bool unix_socket = false;
  bool tls = false;
  bool vouched = false;  // fields that name the sender are to be believed

  // "192.0.2.7" or "unix:".
  static std::optional<DrySender> parse(const std::string& text);
};

// The rules of a main file; every problem goes to stderr and null comes back.
std::shared_ptr<const pipeline::Ruleset> load_ruleset(const conf::LoadOptions& options);

class DryRun {
 public:
  static Result<std::unique_ptr<DryRun>> create(std::shared_ptr<const pipeline::Ruleset> ruleset);
  // Of many in one process, one after another.
  static std::unique_ptr<DryRun> create(std::shared_ptr<const pipeline::Ruleset> ruleset, pipeline::SharedMemory& shared);

  // Afterwards exchange() and trace() tell, until the next run. `request` must live as long.
  void run(const RawRequest& request, MessageId id, WallTime received, const DrySender& sender, bool without_proof = false);

  // What the next run is to gather besides (Trace::wants_put), and that no rate holds it back.
  void gather_put() { wants_put_ = true; }
  void forget_rates() { clock_.advance(std::chrono::hours(24)); }

  const pipeline::Ruleset& ruleset() const { return *ruleset_; }
  const pipeline::Exchange& exchange() const { return *exchange_; }
  const pipeline::Trace& trace() const { return trace_; }
  // The sender gets a 2xx: by Belay, or by a backend that does what it should.
  bool accepted() const { return exchange_->reply.status >= 200 && exchange_->reply.status < 300; }

 private:
  DryRun() = default;
  pipeline::RunState walk(bool body_complete);

  std::shared_ptr<const pipeline::Ruleset> ruleset_;
  ManualClock clock_;
  SystemRandom random_;
  std::unique_ptr<pipeline::Services> services_;
  pipeline::Trace trace_;
  std::unique_ptr<pipeline::Exchange> exchange_;
  bool started_ = false;
  bool wants_put_ = false;
};

}  // namespace belay::cli
