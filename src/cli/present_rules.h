// The present rules, asked over what is stored: how `belay replay --reapply` and `belay quarantine release` decide anew. A
// spool::MakeRerun for the spool's process, which has the same rules files as the proxy. The ruleset is built when it is first asked
// for, on a thread of its own, where it also runs: a spool that nobody asks pays nothing. Failure: what the rules refuse, or what
// keeps them from being built here (a secret that only the proxy has), is the answer's error.
#pragma once

#include <memory>

#include "conf/configuration.h"
#include "spool/bulk.h"

namespace belay::cli {

spool::Rerun present_rules(std::shared_ptr<const conf::Configuration> configuration);

}  // namespace belay::cli
