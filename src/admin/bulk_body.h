// The body of a call that acts on many: {"ids": ["…"]} or {"filter": {"status": "dead", …}}, each with an optional "dry_run"; of a
// replay also "as": "sent" | "reapplied". Pure. Refuses what is not exactly that: a filter without any condition would replay
// everything that was ever delivered.
#pragma once

#include <optional>
#include <string_view>

#include "admin/parameters.h"
#include "base/clock.h"
#include "spool/operations.h"

namespace belay::admin {

// `into.deed` says of what; its `what` becomes the words of the audit log.
std::optional<ApiError> read_bulk(std::string_view body, WallTime now, spool::BulkRequest& into);

}  // namespace belay::admin
