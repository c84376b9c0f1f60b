#include "conf/text_scan.h"

#include <cstdint>

namespace belay::conf {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Length of the UTF-8 sequence at the front (RFC 3629 §4), 0 when it is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool beyond = first == 0xF4 && byte(1) > 0x8F;
    return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

bool control(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7F;
}

}  // namespace

std::optional<Unreadable> find_unreadable(std::string_view text) {
  int line = 1;
  size_t start = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  for (size_t i = start; i < text.size();) {
    const char c = text[i];
    const int column = static_cast<int>(i - start) + 1;
    if (c == '\n') {
      ++line;
      start = ++i;
      continue;
    }
    if (i == start && c == '\t') return Unreadable{line, column, "tab in the indentation", "indent with spaces"};
    if (control(c))
      return Unreadable{line, column, "a control character that no text file holds", "is this the right file?"};
    if (i - start >= kMaxLine) {
      return Unreadable{line, column, "line longer than " + std::to_string(kMaxLine >> 10) + "KB", "break it up"};
    }
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) return Unreadable{line, column, "bytes that are not UTF-8", "save the file as UTF-8"};
    i += length;
  }
  return std::nullopt;
}

TextLines::TextLines(std::string_view text) : text_(text) {
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  starts_.push_back(0);
  for (size_t i = text_.find('\n'); i != std::string_view::npos; i = text_.find('\n', i + 1)) starts_.push_back(i + 1);
}

bool TextLines::quote_closed(int line, int column) const {
  if (line < 1 || static_cast<size_t>(line) > starts_.size()) return true;
  size_t i = starts_[static_cast<size_t>(line) - 1] + static_cast<size_t>(column) - 1;
  if (i >= text_.size()) return true;
  const char quote = text_[i];
  if (quote != '"' && quote != '\'') return true;  // a block scalar
  for (++i; i < text_.size(); ++i) {
    if (quote == '"' && text_[i] == '\\') {
      ++i;
    } else if (text_[i] == quote) {
      if (quote == '"' || i + 1 >= text_.size() || text_[i + 1] != '\'') return true;
      ++i;  // '' inside single quotes is one quote
    }
  }
  return false;
}

}  // namespace belay::conf
