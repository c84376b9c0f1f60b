// A line of a rules file as a message may show it: what could be a secret is stars, references (${env:NAME}) stay. It looks at the
// text alone, because the line may be one that is no valid YAML, and rather hides too much: all below `secrets` and `auth` but what
// is known to be harmless there, and what stands behind keys that name secrets. Comments are shown. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace belay::cli {

// `inside`: the line stands below a key that holds secrets.
std::string without_secrets(std::string_view line, bool inside = false);

// Whether line `index` of a file stands below such a key, judged by the indentation of those above it.
bool below_secret_key(const std::vector<std::string>& lines, size_t index);

}  // namespace belay::cli
