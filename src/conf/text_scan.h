// Looks at the bytes of a rules file before and beside the YAML parser, which accepts more than a text file should hold
// and takes memory by the line. Pure; private to src/conf.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::conf {

// yaml-cpp looks ahead to the end of a line that may be a key, at about 220 bytes of memory a character.
inline constexpr size_t kMaxLine = size_t{64} << 10;

struct Unreadable {
  int line = 0, column = 0;
  std::string what, hint;
};

// The first reason not to hand the text to the parser: bytes that are not UTF-8 text, a tab that begins a line, a line
// over kMaxLine.
std::optional<Unreadable> find_unreadable(std::string_view text);

// Finds bytes by line and column as the parser counts them (columns in bytes, a byte order mark not counted).
class TextLines {
 public:
  explicit TextLines(std::string_view text);
  // False when the quoted scalar that begins there runs to the end of the file. True for anything else.
  bool quote_closed(int line, int column) const;

 private:
  std::string_view text_;
  std::vector<size_t> starts_;
};

}  // namespace belay::conf
