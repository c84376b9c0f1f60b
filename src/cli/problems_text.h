// Problems of main and rules files as a person at a terminal reads them: each with its line and a caret under the spot. Literal
// secrets on such a line are shown as stars. Reads the files again; one that cannot be read costs its lines only.
#pragma once

#include <string>

#include "conf/node.h"

namespace belay::cli {

std::string problems_text(const conf::Problems& problems);

// A line of a rules file, with '*' for each character of what stands behind keys that name secrets; references stay.
std::string without_secrets(std::string_view line);

}  // namespace belay::cli
