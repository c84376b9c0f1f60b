#include "rules/key_test.h"

#include <algorithm>
#include <optional>

#include "rules/syntax.h"

namespace belay::rules {

namespace {

using Kind = Syntax::Kind;

bool is_word(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// One line of printable text that means itself between quotes.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

// The key as text: equal keys of two conditions read the same. Empty for what is no plain path.
std::string key_of(const Syntax& syntax) {
  switch (syntax.kind) {
    case Kind::variable: return syntax.text;
    case Kind::name: return syntax.rooted || !is_word(syntax.text) ? std::string() : syntax.text;
    case Kind::select: {
      if (syntax.optional || !is_word(syntax.text)) return {};
      const std::string base = key_of(*syntax.children[0]);
      return base.empty() ? base : base + "." + syntax.text;
    }
    case Kind::index: {
      const Syntax& member = *syntax.children[1];
      if (syntax.optional || member.kind != Kind::string || !is_plain(member.text)) return {};
      const std::string base = key_of(*syntax.children[0]);
      return base.empty() ? base : base + "[\"" + member.text + "\"]";
    }
    default: return {};
  }
}

std::optional<KeyTest> equality(const Syntax& syntax) {
  const Syntax& left = *syntax.children[0];
  const Syntax& right = *syntax.children[1];
  const Syntax& literal = left.kind == Kind::string ? left : right;
  if (literal.kind != Kind::string) return std::nullopt;
  std::string key = key_of(&literal == &left ? right : left);
  if (key.empty()) return std::nullopt;
  return KeyTest{std::move(key), {literal.text}};
}

std::optional<KeyTest> membership(const Syntax& syntax) {
  const Syntax& list = *syntax.children[1];
  std::string key = key_of(*syntax.children[0]);
  if (key.empty() || list.kind != Kind::list || list.children.empty()) return std::nullopt;
  if (std::find(list.optional_items.begin(), list.optional_items.end(), true) != list.optional_items.end()) return std::nullopt;
  KeyTest test{std::move(key), {}};
  for (const auto& item : list.children) {
    if (item->kind != Kind::string) return std::nullopt;
    test.literals.push_back(item->text);
  }
  return test;
}

// What all branches of an || say about the same key: one of their literals.
std::vector<KeyTest> common(const Syntax& syntax) {
  std::vector<KeyTest> tests = key_tests(*syntax.children[0]);
  for (size_t i = 1; i < syntax.children.size() && !tests.empty(); ++i) {
    const std::vector<KeyTest> others = key_tests(*syntax.children[i]);
    std::erase_if(tests, [&](KeyTest& test) {
      const auto other = std::find_if(others.begin(), others.end(), [&](const KeyTest& one) { return one.key == test.key; });
      if (other == others.end()) return true;
      test.literals.insert(test.literals.end(), other->literals.begin(), other->literals.end());
      return false;
    });
  }
  return tests;
}

}  // namespace

// By induction over &&, where one false decides, and ||, where all false decide: what the header says of each test is true.
std::vector<KeyTest> key_tests(const Syntax& condition) {
  if (condition.kind != Kind::operation) return {};
  std::vector<KeyTest> tests;
  switch (condition.op) {
    case Operator::equal:
      if (auto test = equality(condition)) tests.push_back(std::move(*test));
      break;
    case Operator::in:
      if (auto test = membership(condition)) tests.push_back(std::move(*test));
      break;
    case Operator::logical_or: return common(condition);
    case Operator::logical_and:
      for (const auto& child : condition.children) {
        for (KeyTest& test : key_tests(*child)) tests.push_back(std::move(test));
      }
      break;
    default: break;
  }
  return tests;
}

}  // namespace belay::rules
