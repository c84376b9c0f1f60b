// The body of POST /v1/replay: {"ids": ["…"]} or {"filter": {"status": "dead", …}}, each with an optional "dry_run". Pure.
// Refuses what is not exactly that: a filter without any condition would replay everything that was ever delivered.
#pragma once

#include <optional>
#include <string_view>

#include "admin/parameters.h"
#include "base/clock.h"
#include "spool/operations.h"

namespace belay::admin {

std::optional<ApiError> read_replay(std::string_view body, WallTime now, spool::ReplayRequest& into);

}  // namespace belay::admin
