// A batch as it is sent: the request of its first member with the bodies of all, as one JSON array or as one JSON text a line
// (https://github.com/ndjson/ndjson-spec). The same members make the same bytes at every attempt (P4). What the first one's
// fields say about its own body goes. Bodies are JSON texts: who stores a batch has checked them. Pure.
#pragma once

#include <string>
#include <vector>

#include "spool/record.h"

namespace belay::spool {

// `shape`: of `first`, what its delivery sends. The result has the batch in that place and nothing in the others.
Message merge(const Message& first, uint16_t shape, wire::GroupKind kind, const std::vector<std::string>& bodies);

}  // namespace belay::spool
