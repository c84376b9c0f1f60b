// The conditions that choose webhooks, as flags of `belay events` and `belay replay --all`. Checked here with the admin API's
// own rules, so that a mistyped status is a usage error before anything is asked.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "spool/store.h"

namespace belay::cli {

struct Filters {
  std::string source, destination, status, type, resource, id, since, until, text;
};

// All of them; those of the quarantine, where nothing has a status.
void add_filter_flags(CLI::App& command, Filters& filters);
void add_quarantine_filter_flags(CLI::App& command, Filters& filters);
bool any(const Filters& filters);

// The conditions that were given, by the names of the admin API; since and until as fixed moments, so that they mean the same
// on every page.
Result<std::vector<std::pair<std::string, std::string>>> read_filters(const Filters& filters, WallTime now);
// The same for a store that is asked without the admin API.
Result<spool::EventQuery> read_query(const Filters& filters, WallTime now);

}  // namespace belay::cli
