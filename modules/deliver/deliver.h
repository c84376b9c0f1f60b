// deliver: the end of the walk. Mode forward: the first destination gets the webhook at once and its answer goes back
// to the sender; when it cannot (no connection, time-out, broken answer, a 5xx that is worth a retry, no free
// connection) and for all further destinations, the spool takes it. Mode spool: the spool takes it. A 2xx for what the
// spool holds is given only after it said `stored` (P1); any doubt is 503 + Retry-After (P2). The exchange is parked
// while a backend or the spool is waited for; one put a webhook, so that an id is stored once.
#pragma once

#include "pipeline/module.h"

namespace belay::modules {

extern const pipeline::Module kDeliver;

}  // namespace belay::modules
