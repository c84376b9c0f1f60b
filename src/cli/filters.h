// The conditions that choose webhooks, as flags of `belay events` and `belay replay --all`. Checked here with the admin API's
// own rules, so that a mistyped status is a usage error before anything is asked.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace belay::cli {

struct Filters {
  std::string source, destination, status, type, resource, since, until, text;
};

void add_filter_flags(CLI::App& command, Filters& filters);

// The conditions that were given, by the names of the admin API; since and until as fixed moments, so that they mean the same
// on every page.
Result<std::vector<std::pair<std::string, std::string>>> read_filters(const Filters& filters, WallTime now);

}  // namespace belay::cli
