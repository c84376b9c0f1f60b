#include "rules/lexer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/bytes.h"
#include "json/number.h"

namespace belay::rules {

namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
constexpr bool is_word(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_'; }

void put_utf8(std::string& out, uint32_t code) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

}  // namespace

bool Lexer::fail(size_t offset, std::string what, std::string hint) {
  complaint_ = {offset, std::move(what), std::move(hint)};
  return false;
}

void Lexer::skip_space() {
  for (;;) {
    const char c = peek();
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
      ++at_;
    } else if (c == '/' && peek(1) == '/') {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else {
      return;
    }
  }
}

bool Lexer::next(Token& token) {
  skip_space();
  token = Token{};
  token.begin = token.end = at_;
  if (at_ >= text_.size()) return true;
  const char c = peek();
  bool good = false;
  if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
    good = number(token);
  } else if (is_word(c) || c == '$') {
    good = word(token);
  } else if (c == '"' || c == '\'') {
    good = quoted(token, false, false);
  } else if (c == '`') {
    good = backquoted(token);
  } else {
    good = symbol(token);
  }
  token.end = at_;
  token.text = text_.substr(token.begin, at_ - token.begin);
  return good;
}

bool Lexer::number(Token& token) {
  const size_t start = at_;
  const bool hex = peek() == '0' && (peek(1) | 0x20) == 'x';
  bool decimal = false;
  if (hex) {
    at_ += 2;
    while (is_hex(peek())) ++at_;
  } else {
    while (is_digit(peek())) ++at_;
    if (peek() == '.' && is_digit(peek(1))) {
      decimal = true;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    if ((peek() | 0x20) == 'e') {
      const size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if (is_digit(peek(1 + sign))) {
        decimal = true;
        at_ += 1 + sign;
        while (is_digit(peek())) ++at_;
      }
    }
  }
  const char* first = text_.data() + start + (hex ? 2 : 0);
  const char* last = text_.data() + at_;
  if (decimal) {
    token.kind = TokenKind::real;
    const std::string_view digits(first, static_cast<size_t>(last - first));
    token.real = json::to_double(digits);  // too small reads as 0
    if (std::isinf(token.real)) return fail(start, "number out of the range of a double");
  } else {
    token.kind = TokenKind::integer;
    const auto [end, error] = std::from_chars(first, last, token.number, hex ? 16 : 10);
    if (error == std::errc::result_out_of_range) return fail(start, "integer does not fit 64 bits");
    if (error != std::errc{} || end != last) return fail(start, "malformed number");
    if ((peek() | 0x20) == 'u') {
      token.kind = TokenKind::uinteger;
      ++at_;
    }
  }
  if (is_word(peek())) return fail(start, "malformed number", "names do not begin with a digit; write $body[\"…\"] for such a field");
  return true;
}

bool Lexer::word(Token& token) {
  const size_t start = at_;
  const bool variable = peek() == '$';
  if (variable) ++at_;
  while (is_word(peek())) ++at_;
  const std::string_view word = text_.substr(start, at_ - start);
  if (variable) {
    if (word.size() == 1) return fail(start, "a name is missing behind '$'", "$body, $headers, $event, …");
    token.kind = TokenKind::variable;
    return true;
  }
  if ((peek() == '"' || peek() == '\'') && word.size() <= 2) {
    const std::string prefix = ascii_lower(word);
    const bool raw = prefix.find('r') != std::string::npos;
    const bool bytes = prefix.find('b') != std::string::npos;
    if (prefix == "r" || prefix == "b" || prefix == "br" || prefix == "rb") return quoted(token, raw, bytes);
  }
  token.kind = TokenKind::name;
  return true;
}

bool Lexer::quoted(Token& token, bool raw, bool bytes) {
  const size_t start = token.begin;
  const char quote = peek();
  const bool triple = peek(1) == quote && peek(2) == quote;
  at_ += triple ? 3 : 1;
  token.kind = bytes ? TokenKind::bytes : TokenKind::string;
  for (;;) {
    if (at_ >= text_.size()) return fail(start, "string without its closing quote");
    const char c = peek();
    if (c == quote && (!triple || (peek(1) == quote && peek(2) == quote))) {
      at_ += triple ? 3 : 1;
      return true;
    }
    if (!triple && (c == '\n' || c == '\r')) {
      return fail(start, "string without its closing quote on the same line", "strings over several lines are written \"\"\"…\"\"\"");
    }
    if (c == '\\' && !raw) {
      if (!escape(token, bytes)) return false;
    } else {
      if (c == '\r' && triple && peek(1) == '\n') ++at_;  // line ends read as \n
      token.content.push_back(c == '\r' && triple ? '\n' : peek());
      ++at_;
    }
  }
}

bool Lexer::escape(Token& token, bool bytes) {
  static constexpr std::string_view kLetters = "abfnrtv\\?\"'`";
  static constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\?\"'`";
  const size_t start = at_;
  ++at_;
  const char c = peek();
  if (const size_t simple = kLetters.find(c); at_ < text_.size() && simple != std::string_view::npos) {
    token.content.push_back(kBytes[simple]);
    ++at_;
    return true;
  }
  if (c == 'x' || c == 'X') return ++at_, code_point(token, bytes, 2, 16, start);
  if (c >= '0' && c <= '3') return code_point(token, bytes, 3, 8, start);
  if (c == 'u' && !bytes) return ++at_, code_point(token, bytes, 4, 16, start);
  if (c == 'U' && !bytes) return ++at_, code_point(token, bytes, 8, 16, start);
  return fail(start, "unknown escape", "a backslash itself is written \\\\, or use r\"…\"");
}

bool Lexer::code_point(Token& token, bool bytes, int digits, int base, size_t start) {
  uint32_t code = 0;
  const std::string_view written = text_.substr(at_, static_cast<size_t>(digits));
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), code, base);
  if (error != std::errc{} || end != written.data() + digits) return fail(start, "escape with too few digits");
  at_ += static_cast<size_t>(digits);
  if (bytes) {
    if (code > 0xFF) return fail(start, "escape beyond one byte");
    token.content.push_back(static_cast<char>(code));
    return true;
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return fail(start, "escape is not a Unicode character");
  put_utf8(token.content, code);
  return true;
}

bool Lexer::backquoted(Token& token) {
  const size_t close = text_.find('`', at_ + 1);
  if (close == std::string_view::npos) return fail(at_, "name without its closing backquote");
  token.kind = TokenKind::quoted_name;
  token.content = text_.substr(at_ + 1, close - at_ - 1);
  for (const char c : token.content) {
    if (!is_word(c) && c != '-' && c != '.' && c != '/' && c != ' ') return fail(at_, "character that a `name` cannot have", "use [\"…\"]");
  }
  if (token.content.empty()) return fail(at_, "empty name");
  at_ = close + 1;
  return true;
}

bool Lexer::symbol(Token& token) {
  static constexpr std::array<std::string_view, 6> kDouble = {"==", "!=", "<=", ">=", "&&", "||"};
  static constexpr std::string_view kSingle = "<>+-*/%!?:.,()[]{}";
  token.kind = TokenKind::symbol;
  const std::string_view two = text_.substr(at_, 2);
  for (const std::string_view symbol : kDouble) {
    if (two != symbol) continue;
    if ((two == "==" || two == "!=") && peek(2) == '=') {
      return fail(at_, std::string(two) + "= is not an operator", "write '" + std::string(two) + "'");
    }
    at_ += 2;
    return true;
  }
  const char c = peek();
  if (two == "?\?") return fail(at_, "'?\?' is not an operator", "for what may be absent write data.?field.orValue(\"none\")");
  if (two == "=>" || two == "=<") {
    return fail(at_, "'" + std::string(two) + "' is not an operator",
                two == "=<" ? "write '<='" : "write '>='; in a macro a comma stands there: items.filter(item, item.price > 0)");
  }
  if (kSingle.find(c) != std::string_view::npos) {
    ++at_;
    return true;
  }
  switch (c) {
    case '=': return fail(at_, "'=' is not an operator", "comparison is written '=='");
    case '&': return fail(at_, "'&' is not an operator", "write '&&'");
    case '|': return fail(at_, "'|' is not an operator", "write '||'; filters are functions: upper(name)");
    default: return fail(at_, "unexpected character '" + printable(text_.substr(at_, 1)) + "'");
  }
}

std::string caret(std::string_view text, size_t offset) {
  constexpr size_t kWidth = 100;
  offset = std::min(offset, text.size());
  const size_t line_begin = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;  // npos + 1 is 0
  const size_t line_end = std::min(text.find('\n', offset), text.size());
  std::string_view line = text.substr(line_begin, line_end - line_begin);
  size_t column = offset - line_begin;
  bool cut = false;
  if (column > kWidth * 3 / 4) {
    const size_t drop = column - kWidth / 2;
    line.remove_prefix(drop);
    column -= drop;
    cut = true;
  }
  // One blank per character in front, not per byte; tabs stay so that the caret lines up.
  std::string out = cut ? "…" : "";
  std::string under = cut ? " " : "";
  line = line.substr(0, kWidth);
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    out.push_back(static_cast<uint8_t>(c) < 0x20 && c != '\t' ? ' ' : c);
    if (i < column && (static_cast<uint8_t>(c) & 0xC0) != 0x80) under.push_back(c == '\t' ? '\t' : ' ');
  }
  return out + '\n' + under + '^';
}

}  // namespace belay::rules
