// Where a problem inside an expression stands in its file, and how it is shown. Private to src/rules.
#pragma once

#include <string_view>

#include "conf/node.h"
#include "rules/lexer.h"

namespace belay::rules {

// The place of byte `offset` of a text that begins at `start`.
conf::Position position_in(const conf::Position& start, std::string_view text, size_t offset);
// Where the first byte of a scalar's text stands: behind its opening quote.
conf::Position text_position(const conf::Node& scalar);
// Adds the complaint with hint, line and caret.
void report(conf::Problems& problems, const conf::Position& start, std::string_view text, const Complaint& complaint);

}  // namespace belay::rules
