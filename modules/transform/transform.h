// transform: what a route makes of the request before it is sent. Fills Selected::request of every selected route that has a
// `transform`; a route without one sends the request as received. Reads `routes[n].transform` of the source. Everything that
// is not named passes byte for byte; framing follows the new body. Limits: rules::kMaxResult a body, limits.memory for all of a
// request. Failure: Selected::failure, the reason with the route's number from 1. Of the route whose backend would answer the sender
// it is a 422, and nothing is sent; of every other the delivery is stored dead with the reason.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kTransform;

}  // namespace belay::modules
