// The rules reference, docs/rules.md: every key of every settings table, the expression language and the presets, as Markdown made of
// the tables that the program itself reads. Pure but for reading the presets.
#pragma once

#include <string>

#include "base/result.h"

namespace belay::cli {

Result<std::string> reference_markdown();

}  // namespace belay::cli
