// Work and memory of one evaluation end at their limits, whatever the expression and the payload.
#include <doctest/doctest.h>

#include "unit/rules/fixture.h"

using namespace belay;
using namespace belay::rules_test;

namespace {

std::string many(size_t count) {
  std::string payload = "{\"l\":[0";
  for (size_t i = 1; i < count; ++i) payload += "," + std::to_string(i);
  return payload + "]}";
}

Value run(std::string_view expression, Request& request, std::unique_ptr<Expression>& keep) {
  conf::Problems found;
  keep = Expression::compile(expression, {"t", 1, 1}, Names::request(), found);
  REQUIRE_MESSAGE(keep != nullptr, found.to_string());
  return keep->run(request);
}

}  // namespace

TEST_CASE("nested_loops_end_at_the_step_limit") {
  for (const std::string_view expression : {"l.all(a, l.all(b, l.all(c, a + b + c >= 0)))", "l.exists(a, l.exists(b, a + b < 0)) || true",
                                            "l.map(a, l.map(b, l))", "l.filter(a, l.exists(b, b == -a - 1)) == []", "sort(l.map(a, l.size() - a)).all(x, l.all(y, x == y || true))"}) {
    Request request(many(5000));
    std::unique_ptr<Expression> keep;
    const Value value = run(expression, request, keep);
    REQUIRE_MESSAGE(value.is_error(), std::string(expression));
    CHECK_EQ(value.failure().fault, Fault::budget);
  }
}

TEST_CASE("the_step_limit_is_exact_enough_to_be_set") {
  Request request(many(100));
  std::unique_ptr<Expression> keep;
  request.set_max_steps(50);
  CHECK_EQ(run("l.all(x, x >= 0)", request, keep).failure().fault, Fault::budget);
  request.set_max_steps(10'000);
  CHECK(run("l.all(x, x >= 0)", request, keep).is_true());
}

TEST_CASE("memory_ends_at_the_arena_limit") {
  Request request(many(1000), size_t{64} << 10);
  std::unique_ptr<Expression> keep;
  const Value value = run("l.map(x, string(x) + 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", request, keep);
  REQUIRE(value.is_error());
  CHECK_EQ(value.failure().fault, Fault::budget);
  CHECK_LE(request.arena().used(), size_t{64} << 10);
}

TEST_CASE("text_cannot_be_blown_up_without_end") {
  Request request(R"({"s":")" + std::string(1000, 'a') + "\"}");
  std::unique_ptr<Expression> keep;
  std::string expression = "s";
  for (int i = 0; i < 6; ++i) expression += ".replace('', s)";
  const Value value = run(expression, request, keep);
  REQUIRE(value.is_error());
  CHECK_EQ(value.failure().fault, Fault::budget);
}

TEST_CASE("deep_payloads_are_compared_and_copied_without_harm") {
  const std::string deep = std::string(99, '[') + std::string(99, ']');
  CHECK_EQ(eval("a == b", "{\"a\":" + deep + ",\"b\":" + deep + "}"), "true");
  CHECK_EQ(eval("a", "{\"a\":" + deep + "}"), deep);
  CHECK_EQ(eval("a == 1", "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"), "error: payload is not JSON: nested deeper than 100");
}

TEST_CASE("megabytes_of_digits_compare_in_bounded_time") {
  const std::string digits(4'000'000, '7');
  CHECK_EQ(eval("a == b", "{\"a\":" + digits + ",\"b\":" + digits + "}"), "true");
  CHECK_EQ(eval("a > 5", "{\"a\":" + digits + "}"), "true");
}
