// Wrong expressions: what is said when rules load.
#include <doctest/doctest.h>

#include "unit/rules/fixture.h"

using namespace belay;
using namespace belay::rules_test;

namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

TEST_CASE("problems_carry_file_line_column_hint_and_caret") {
  CHECK_EQ(problems("type.startWith('a')"), "rules.yaml:12:12: unknown method 'startWith'; did you mean 'startsWith'?\n    type.startWith('a')\n         ^\n");
  CHECK_EQ(problems("a &&\n  b ="), "rules.yaml:13:5: '=' is not an operator; comparison is written '=='\n      b =\n        ^\n");
}

TEST_CASE("syntax_errors_say_what_was_expected") {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"", "rules.yaml:12:7: the expression is empty; write true for 'always'"},
      {"a ==", "rules.yaml:12:11: expected a value but found the end"},
      {"(a", "rules.yaml:12:9: expected ')' but found the end"},
      {"[1, 2", "rules.yaml:12:12: expected ',' or ']' but found the end"},
      {"{'a' 1}", "rules.yaml:12:12: expected ':' but found '1'"},
      {"f(1 2)", "rules.yaml:12:11: expected ',' or ')' but found '2'"},
      {"a and b", "rules.yaml:12:9: expected an operator or the end but found 'and'; 'and' is written '&&'"},
      {"a or b", "rules.yaml:12:9: expected an operator or the end but found 'or'; 'or' is written '||'"},
      {"not a", "rules.yaml:12:7: 'not' is not an operator; 'not' is written '!', 'not in' is !(x in y)"},
      {"a = 1", "rules.yaml:12:9: '=' is not an operator; comparison is written '=='"},
      {"a === 1", "rules.yaml:12:9: === is not an operator; write '=='"},
      {"a => 1", "rules.yaml:12:9: '=>' is not an operator; write '>='; in a macro a comma stands there: items.filter(item, item.price > 0)"},
      {"a =< 1", "rules.yaml:12:9: '=<' is not an operator; write '<='"},
      {"a ?\? b", "rules.yaml:12:9: '?\?' is not an operator; for what may be absent write data.?field.orValue(\"none\")"},
      {"a?.b", "rules.yaml:12:8: '?.' is not an operator; a field that may be absent is written with the '?' behind the dot: a.?b"},
      {"a & b", "rules.yaml:12:9: '&' is not an operator; write '&&'"},
      {"a | upper", "rules.yaml:12:9: '|' is not an operator; write '||'; filters are functions: upper(name)"},
      {"'abc", "rules.yaml:12:7: string without its closing quote"},
      {"'\\q'", "rules.yaml:12:8: unknown escape; a backslash itself is written \\\\, or use r\"…\""},
      {"a.'b'", "rules.yaml:12:9: expected a field name but found ''b''; other names are written [\"…\"]"},
      {"1x", "rules.yaml:12:7: malformed number; names do not begin with a digit; write $body[\"…\"] for such a field"},
      {"9223372036854775808", "rules.yaml:12:7: integer does not fit int (64 bits with sign); write 9223372036854775808u for uint"},
      {"99999999999999999999", "rules.yaml:12:7: integer does not fit 64 bits"},
      {"package == 1", "rules.yaml:12:7: 'package' is a reserved word; a payload field of that name is written $body.package"},
      {"a ? b", "rules.yaml:12:12: expected ':' but found the end"},
      {"a # b", "rules.yaml:12:9: unexpected character '#'"},
      {"$", "rules.yaml:12:7: a name is missing behind '$'; $body, $headers, $event, …"},
  };
  for (const auto& [expression, expected] : kCases) CHECK_EQ(first_line(problems(expression)), expected);
}

TEST_CASE("unknown_names_and_functions_get_a_suggestion") {
  CHECK_EQ(first_line(problems("$header['a']")), "rules.yaml:12:7: unknown name '$header'; did you mean '$headers'?");
  CHECK_EQ(first_line(problems("$event.typ == 'a'")), "rules.yaml:12:14: no 'typ' in $event; did you mean 'type'?");
  CHECK_EQ(first_line(problems("$secret.a")), "rules.yaml:12:7: $secret cannot be read here; it exists only inside verify, handshake and sign");
  CHECK_EQ(first_line(problems("$ts == '1'")), "rules.yaml:12:7: $ts cannot be read here; it exists only inside verify, handshake and sign");
  CHECK_EQ(first_line(problems("sha265('a')")), "rules.yaml:12:7: unknown function 'sha265'; did you mean 'sha256'?");
  CHECK_EQ(first_line(problems("startsWith('a', 'b')")), "rules.yaml:12:7: unknown function 'startsWith'; write it as a method: x.startsWith(…)");
  CHECK_EQ(first_line(problems("a.beginsWith('b')")), "rules.yaml:12:9: unknown method 'beginsWith'; here that is written x.startsWith(\"…\")");
  CHECK_EQ(first_line(problems("frobnicate(a)")), "rules.yaml:12:7: unknown function 'frobnicate'; docs/rules.md lists all functions");
  CHECK_EQ(first_line(problems("a.sha256()")), "rules.yaml:12:9: unknown method 'sha256'; write sha256(…)");
  Names signature = Names::signature();
  signature.secrets = {"signing"};
  CHECK_EQ(first_line(problems("$secret.sining", signature)), "rules.yaml:12:15: no 'sining' in $secret; did you mean 'signing'?");
  CHECK_EQ(problems("$secret.signing", signature), "none");
  Names none;
  none.payload = false;
  none.declared = {"total"};
  CHECK_EQ(first_line(problems("totl > 1", none)), "rules.yaml:12:7: unknown name 'totl'; did you mean 'total'?");
}

TEST_CASE("types_are_checked_as_far_as_they_are_known") {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"'a' + 1", "rules.yaml:12:11: '+' has no meaning for string and int; convert with string(…)"},
      {"1 + 1.0", "rules.yaml:12:9: '+' has no meaning for int and double; convert with int(…) or double(…)"},
      {"1 == 'a'", "rules.yaml:12:9: '==' cannot compare int and string; convert one of them with int(), double() or string()"},
      {"$method < 5", "rules.yaml:12:15: '<' cannot compare string and int; convert one of them with int(), double() or string()"},
      {"1 && true", "rules.yaml:12:7: '&&' needs bool, this is int"},
      {"!'a'", "rules.yaml:12:8: '!' needs bool, this is string"},
      {"'a' in 'abc'", "rules.yaml:12:14: 'in' needs a list or a map on its right, this is string; for a part of a text write text.contains(part)"},
      {"size(1)", "rules.yaml:12:12: size() needs string, bytes, list or map, this is int"},
      {"(1).startsWith('a')", "rules.yaml:12:8: startsWith() needs string before the dot, this is int"},
      {"'a'.startsWith()", "rules.yaml:12:11: startsWith() needs 1 argument, 0 given"},
      {"a.substring(1, 2, 3)", "rules.yaml:12:9: substring() needs at most 2 arguments, 3 given"},
      {"'a'.matches('(')", "rules.yaml:12:19: not a regular expression: missing ): (; RE2 syntax; backslashes are simplest in r\"…\""},
      {"a.all(1, true)", "rules.yaml:12:13: expected a plain name for the variable of the macro; for example items.all(item, item.price > 0)"},
      {"a.map(x)", "rules.yaml:12:9: .map() needs a name and an expression; items.map(item, …)"},
      {"has(1)", "rules.yaml:12:7: has() needs one path such as order.total; for a key in brackets write \"key\" in map"},
      {"$method.size", "rules.yaml:12:15: string has no field 'size'; a method is called with parentheses: .size(…)"},
      {"duration('5x')", "rules.yaml:12:7: duration(\"5x\") is not possible; it reads 90s, 1h30m or 250ms"},
      {"'a'.orValue(1)", "rules.yaml:12:7: .orValue() needs optional, this is string"},
  };
  for (const auto& [expression, expected] : kCases) CHECK_EQ(first_line(problems(expression)), expected);
}

TEST_CASE("a_condition_that_cannot_be_bool_is_refused") {
  CHECK_EQ(first_line(problems("'a' + 'b'", Names::request(), Want::boolean)), "rules.yaml:12:11: a condition must be bool, this is string; compare it with something");
  CHECK_EQ(problems("active", Names::request(), Want::boolean), "none");
}

TEST_CASE("every_problem_of_an_expression_is_reported") {
  const std::string found = problems("startWith('a') && $heders['x'] == 1 && size(5) == 1");
  CHECK_NE(found.find("'startWith'"), std::string::npos);
  CHECK_NE(found.find("'$heders'"), std::string::npos);
  CHECK_NE(found.find("size() needs"), std::string::npos);
}

TEST_CASE("length_and_nesting_end_at_their_limits") {
  const auto parentheses = [](int depth) { return std::string(static_cast<size_t>(depth), '(') + "1" + std::string(static_cast<size_t>(depth), ')'); };
  CHECK_EQ(problems(parentheses(kMaxNesting - 1)), "none");
  CHECK_NE(problems(parentheses(kMaxNesting)).find("nested deeper than"), std::string::npos);
  std::string sum = "1";
  for (int i = 1; i < kMaxNesting; ++i) sum += "+1";
  CHECK_EQ(problems(sum), "none");
  CHECK_NE(problems(sum + "+1").find("nested deeper than"), std::string::npos);
  std::string alternatives = "a == 0";
  for (int i = 1; i < 1000; ++i) alternatives += " || a == " + std::to_string(i);
  CHECK_EQ(problems(alternatives), "none");
  CHECK_EQ(problems(std::string(kMaxText - 1, ' ') + "1"), "none");
  CHECK_NE(problems(std::string(kMaxText, ' ') + "1").find("longer than"), std::string::npos);
  CHECK_NE(problems(std::string(20000, '-') + "a").find("nested deeper than"), std::string::npos);
  CHECK_NE(problems(std::string(20000, '[')).find("nested deeper than"), std::string::npos);
}
