// Problems of main and rules files as a person at a terminal reads them: each with its line and a caret under the spot. Secrets
// on such a line are shown as stars. Reads the files again; one that cannot be read costs its lines only.
#pragma once

#include <string>

#include "conf/node.h"

namespace belay::cli {

std::string problems_text(const conf::Problems& problems);

}  // namespace belay::cli
