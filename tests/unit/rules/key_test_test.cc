// What conditions say about plain values: the text a route index is built from.
#include <doctest/doctest.h>

#include "rules/expression.h"

using namespace belay;

namespace {

// "key=a|b" of every test, joined by blanks.
std::string tests_of(const std::string& condition) {
  conf::Problems problems;
  const auto expression = rules::Expression::compile(condition, {"rules.yaml", 1, 1}, rules::Names::request(), problems, rules::Want::boolean);
  INFO(problems.to_string());
  REQUIRE(expression != nullptr);
  std::string out;
  for (const rules::KeyTest& test : expression->key_tests()) {
    out += (out.empty() ? "" : " ") + test.key + "=";
    for (size_t i = 0; i < test.literals.size(); ++i) out += (i == 0 ? "" : "|") + test.literals[i];
  }
  return out;
}

}  // namespace

TEST_CASE("an_equality_with_a_text_is_a_key_test_whichever_side_the_text_stands_on") {
  CHECK_EQ(tests_of("$event.type == 'order.paid'"), "$event.type=order.paid");
  CHECK_EQ(tests_of("'paid' == data.status"), "data.status=paid");
  CHECK_EQ(tests_of("$headers['X-Kind'] == \"a b\""), "$headers[\"X-Kind\"]=a b");
  CHECK_EQ(tests_of("tenant in ['a', 'b']"), "tenant=a|b");
}

TEST_CASE("all_conjuncts_count_and_of_alternatives_what_all_say") {
  CHECK_EQ(tests_of("n > 1 && $event.type == 'a' && (tenant == 'b' && !late)"), "$event.type=a tenant=b");
  CHECK_EQ(tests_of("kind == 'a' || kind in ['b', 'c']"), "kind=a|b|c");
  CHECK_EQ(tests_of("(kind == 'a' && n == 1) || (n == 2 && kind == 'b' && x == 'y')"), "kind=a|b");
  CHECK_EQ(tests_of("kind == 'a' || n == 1"), "");
  CHECK_EQ(tests_of("kind == 'a' || other == 'a'"), "");
}

TEST_CASE("what_may_hold_for_other_values_too_is_no_key_test") {
  for (const char* condition : {"kind != 'a'", "!(kind == 'a')", "kind == other", "n == 1", "'a' == 'b'", "kind in ['a', 1]", "kind in [?optional.of('a'), 'b']",
                                "kind in kinds", "data.?status == optional.of('a')", "items[0] == 'a'", "lower(kind) == 'a'", "kind == 'a' ? true : false",
                                "kind in []", "[kind].all(k, k == 'a')", "kind.startsWith('a')", "data['\\n'] == 'a'"}) {
    INFO(condition);
    CHECK_EQ(tests_of(condition), "");
  }
}
