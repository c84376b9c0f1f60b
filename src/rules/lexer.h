// Characters of an expression to tokens (CEL's lexis: numbers, strings in all their quotes and prefixes, names, `$names`,
// operators, // comments). One token at a time, so that a template's hole ends where its expression does. When rules load.
// Failure: a Complaint with the offset, what is wrong and what to write instead.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay::rules {

struct Complaint {
  size_t offset = 0;
  std::string what;  // "expected ')'"
  std::string hint;  // may be empty
};

enum class TokenKind : uint8_t {
  end, integer, uinteger, real, string, bytes, name, variable, quoted_name, symbol,
};

struct Token {
  TokenKind kind = TokenKind::end;
  size_t begin = 0, end = 0;
  std::string_view text;  // as written; a symbol is one of "== != <= >= && || < > + - * / % ! ? : . , ( ) [ ] { }"
  std::string content;    // decoded bytes of string, bytes and quoted_name
  uint64_t number = 0;    // magnitude of integer and uinteger
  double real = 0;

  bool is(std::string_view symbol) const { return kind == TokenKind::symbol && text == symbol; }
  bool is_name(std::string_view name) const { return kind == TokenKind::name && text == name; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text, size_t from = 0) : text_(text), at_(from) {}

  // False: complaint() says why; no further calls.
  bool next(Token& token);
  const Complaint& complaint() const { return complaint_; }

 private:
  bool fail(size_t offset, std::string what, std::string hint = {});
  void skip_space();
  bool number(Token& token);
  bool word(Token& token);
  bool quoted(Token& token, bool raw, bool bytes);
  bool escape(Token& token, bool bytes);
  bool code_point(Token& token, bool bytes, int digits, int base, size_t start);
  bool backquoted(Token& token);
  bool symbol(Token& token);
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  std::string_view text_;
  size_t at_;
  Complaint complaint_;
};

// The expression with a caret under `offset`, two lines, long ones cut around the spot.
std::string caret(std::string_view text, size_t offset);

}  // namespace belay::rules
