// What `belay explain` shows of a request that went through the modules, for people and as JSON. Credentials and signatures are
// masked in both. Pure.
#pragma once

#include <string>

#include "cli/dry_run.h"

namespace belay::cli {

std::string explain_text(const DryRun& run, bool colours);

// One object in one line: source, trust, modules, event, routes with their changes and requests, answer, accepted.
std::string explain_json(const DryRun& run);

}  // namespace belay::cli
