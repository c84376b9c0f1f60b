// `filter` of a source: conditions that all must hold, else the sender gets 200 (or `reply`) and nothing is delivered. A condition
// that cannot be evaluated does not hold; the reason names it.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kFilter;

}  // namespace belay::modules
