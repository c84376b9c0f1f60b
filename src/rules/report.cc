#include "rules/report.h"

#include <algorithm>

namespace belay::rules {

conf::Position position_in(const conf::Position& start, std::string_view text, size_t offset) {
  conf::Position at = start;
  if (at.line == 0) at.line = at.column = 1;
  for (const char c : text.substr(0, std::min(offset, text.size()))) {
    if (c == '\n') {
      ++at.line;
      at.column = 1;
    } else if ((static_cast<uint8_t>(c) & 0xC0) != 0x80) {
      ++at.column;
    }
  }
  return at;
}

conf::Position text_position(const conf::Node& scalar) {
  conf::Position position = scalar.position();
  if (scalar.quoted()) ++position.column;
  return position;
}

void report(conf::Problems& problems, const conf::Position& start, std::string_view text, const Complaint& complaint) {
  std::string marked = caret(text, complaint.offset);
  // Indented under the line that "what; hint" makes.
  std::string shown = "\n    ";
  for (const char c : marked) {
    shown.push_back(c);
    if (c == '\n') shown += "    ";
  }
  const conf::Position position = position_in(start, text, complaint.offset);
  problems.add(position, complaint.what, complaint.hint + shown);
}

}  // namespace belay::rules
