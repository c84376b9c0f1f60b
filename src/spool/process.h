// The spool process: opens the store, starts intake and dispatcher on their threads, offers Operations to a companion (the
// admin server, which this room does not know) on the main loop, keeps retention going. SIGHUP: the configuration is read
// again; a wrong one is logged and the old one stays. SIGTERM, SIGINT: intake closes, what is in flight ends or is given
// back within kStopLimit, the store closes; answers that cannot be committed within kSettleLimit after that are a storage
// error. A storage error ends the process at once with exit code kStorageFailed (P10), so that a supervisor can tell a disk
// that failed from a configuration that cannot work (1). A store that is damaged beyond setting records aside, or is no store of
// ours, ends it with kStoreDamaged: to start it again would find the same.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "conf/configuration.h"
#include "event/loop.h"
#include "spool/bulk.h"
#include "spool/operations.h"

namespace belay::spool {

inline constexpr int kStorageFailed = 3;
inline constexpr int kStoreDamaged = 4;
inline constexpr Duration kStopLimit{20'000};
inline constexpr Duration kSettleLimit{10'000};

// What stands beside the spool on its main loop.
class Companion {
 public:
  virtual ~Companion() = default;
  virtual void reloaded(const conf::Configuration& configuration) = 0;
};
using MakeCompanion = std::function<Result<std::unique_ptr<Companion>>(
    event::Loop& loop, Operations& operations, const Clock& clock, const conf::Configuration& configuration)>;

// How the present rules are asked over what is stored; made again with every reload. Empty: they cannot be asked.
using MakeRerun = std::function<Rerun(std::shared_ptr<const conf::Configuration>)>;

// Runs until it is told to stop; the process's exit code. `load` says how to read the configuration again.
int run_spool(std::shared_ptr<const conf::Configuration> configuration, const conf::LoadOptions& load,
              const MakeCompanion& make_companion, const MakeRerun& make_rerun = {});

}  // namespace belay::spool
