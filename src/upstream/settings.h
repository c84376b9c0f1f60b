// The parts of a destination's settings that fill a file of their own; for destination.cc.
#pragma once

#include "conf/configuration.h"
#include "conf/section.h"
#include "upstream/destination.h"

namespace belay::upstream {

// `retry` of a destination: { preset: NAME }, { schedule: [...] } or { first, factor, max, attempts, jitter }.
RetryPolicy read_retry(const conf::Node& node, const conf::Configuration& configuration, conf::Problems& problems);

// `auth`: one of bearer, basic, header. Fills authorization or auth_headers.
void read_auth(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, Destination& into);

// `headers`: { set, remove }. Fields that frame the message are refused.
void read_headers(const conf::Node& node, const conf::SecretSource& secrets, conf::Problems& problems, Destination& into);

}  // namespace belay::upstream
