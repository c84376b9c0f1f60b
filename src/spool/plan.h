// From what a worker sends to what is stored: one delivery per destination with its due time, the proxy's own failed attempt
// counted as the first. Pure.
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "spool/store.h"
#include "upstream/destination.h"

namespace belay::spool {

// A destination that is not (any more) in the rules is stored too, due at once, and waits as orphaned.
NewMessage plan(wire::Put put, const upstream::Destinations& destinations, WallTime now, Random& random);

}  // namespace belay::spool
