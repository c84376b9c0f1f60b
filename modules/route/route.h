// route: which destinations a webhook goes to. Every route whose condition holds is taken, in order; a destination
// named by several is taken once. A condition that cannot be evaluated (an absent field, types that cannot be compared)
// does not hold, and the reason of an unrouted webhook says so; one that needs a payload that cannot be read refuses it
// (400). No route: 200, counted as filtered. Many conditions are looked up by the values they compare (index.h).
// Limits: kMaxRoutes.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

inline constexpr size_t kMaxRoutes = 100'000;  // of one source

extern const pipeline::Module kRoute;

}  // namespace belay::modules
