// match: finds the source of a request by host, path and method. Built once over all sources; runs before everything
// else. Fills exchange.source, captures and path_rest, or answers 404 / 405 / 400 (README.md). Limits:
// PathPattern::kMaxSegments.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kMatch;

}  // namespace belay::modules
