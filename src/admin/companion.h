// The admin API and the alerts as they stand beside the spool: made from the main file, its tokens and alerts renewed by a reload. For
// spool::run_spool; on the spool's main loop.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "conf/configuration.h"
#include "event/loop.h"
#include "spool/operations.h"
#include "spool/process.h"

namespace belay::admin {

// A spool::MakeCompanion. Listens when it returns; an error names the address and what is wrong with it.
Result<std::unique_ptr<spool::Companion>> make_companion(event::Loop& loop, spool::Operations& operations,
                                                         const Clock& clock, const conf::Configuration& configuration);

}  // namespace belay::admin
