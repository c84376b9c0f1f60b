// `filter` of a source: conditions that all must hold, else the sender gets 200 (or `reply`) and nothing is delivered. A condition
// that cannot be evaluated does not hold; the reason names it. One that needs a payload that cannot be read refuses the webhook (400).
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kFilter;

}  // namespace belay::modules
