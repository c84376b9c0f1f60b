// What is special about values of the payload: lazy, byte for byte, numbers that adapt, absent paths that never pass silently.
#include <doctest/doctest.h>

#include "unit/rules/fixture.h"

using namespace belay;
using namespace belay::rules_test;

namespace {

constexpr std::string_view kOrder = R"({"type":"order.created","order":{"id":"A1","total":100.10,"qty":3,"big":123456789012345678901234567890,"u":18446744073709551615,
  "exp":1e2,"note":null,"esc":"a\u0062\n","tags":["x","y"],"lines":[{"sku":"s1","price":2.50},{"sku":"s2","price":10}],"ex":"{\"name\":\"Canva \\u0055K\",\"n\":1.0}"}})";

std::string on_order(std::string_view expression) { return eval(expression, kOrder); }

}  // namespace

TEST_CASE("untouched_values_come_out_byte_for_byte") {
  CHECK_EQ(on_order("order.total"), "100.10");
  CHECK_EQ(on_order("order.big"), "123456789012345678901234567890");
  CHECK_EQ(on_order("order.exp"), "1e2");
  CHECK_EQ(on_order("order.esc"), R"("a\u0062\n")");
  CHECK_EQ(on_order("order.lines[0]"), R"({"sku":"s1","price":2.50})");
  CHECK_EQ(on_order("order.lines.map(l, l.price)"), "[2.50,10]");
  CHECK_EQ(on_order("{'t': order.total, 'l': order.tags}"), R"({"t":100.10,"l":["x","y"]})");
  CHECK_EQ(on_order("json(order.ex).n"), "1.0");
  CHECK_EQ(on_order("json(order.ex).name"), R"("Canva \u0055K")");
  CHECK_EQ(on_order("string(order.total)"), "\"100.10\"");
  CHECK_EQ(on_order("to_json(order.lines)"), R"("[{\"sku\":\"s1\",\"price\":2.50},{\"sku\":\"s2\",\"price\":10}]")");
  CHECK_EQ(on_order("order.missing.orValue(1)").substr(0, 6), "error:");
}

TEST_CASE("payload_numbers_compare_by_their_digits") {
  CHECK_EQ(on_order("order.total == 100.1"), "true");
  CHECK_EQ(on_order("order.total > 100"), "true");
  CHECK_EQ(on_order("order.total >= 100.10 && order.total < 100.11"), "true");
  CHECK_EQ(on_order("order.exp == 100"), "true");
  CHECK_EQ(on_order("order.qty == 3.0 && order.qty == 3u"), "true");
  CHECK_EQ(on_order("order.big > 9223372036854775807"), "true");
  CHECK_EQ(on_order("order.u == 18446744073709551615u"), "true");
  CHECK_EQ(on_order("order.total in [100.1]"), "true");
  CHECK_EQ(eval("a > b", R"({"a":12345678901234567890124,"b":12345678901234567890123})"), "true");
  CHECK_EQ(eval("a == b", R"({"a":1.0,"b":1.00})"), "true");
  CHECK_EQ(eval("a > 0.1", R"({"a":0.10000000000000000001})"), "true");
  CHECK_EQ(eval("a == 0.1", R"({"a":0.1})"), "true");
  CHECK_EQ(eval("a == b", R"({"a":{"x":[1,2.0]},"b":{"x":[1.0,2]}})"), "true");
  CHECK_EQ(eval("a > 0.0", R"({"a":1e-400})"), "true");
  CHECK_EQ(eval("a < 1.7e308", R"({"a":1e400})"), "false");
}

TEST_CASE("payload_numbers_take_the_type_their_neighbour_needs") {
  CHECK_EQ(on_order("order.qty * 2"), "6");
  CHECK_EQ(on_order("order.qty * 1.5"), "4.5");
  CHECK_EQ(on_order("order.total * 2"), "200.2");
  CHECK_EQ(on_order("order.qty * order.total > 300"), "true");
  CHECK_EQ(on_order("order.qty * 2 * 1.5"), "9");
  CHECK_EQ(on_order("order.qty * 1.5 * 2"), "9");
  CHECK_EQ(on_order("1 + order.qty + 0.5"), "4.5");
  CHECK_EQ(on_order("order.qty + 1u"), "4");
  CHECK_EQ(on_order("math.round(order.qty)"), "3");
  CHECK_EQ(on_order("order.big + 1"), "error: integer of the payload does not fit 64 bits; use double(…)");
  CHECK_EQ(on_order("int(order.qty) * 1.5").substr(0, 8), "refused:");
}

TEST_CASE("absent_paths_are_errors_and_never_pass_silently") {
  CHECK_EQ(on_order("order.totl > 100"), "error: no such key: order.totl");
  CHECK_EQ(on_order("nothing"), "error: no such key: nothing");
  CHECK_EQ(on_order("order.note.deep"), "error: no such key: order.note.deep");
  CHECK_EQ(on_order("order.total.cents"), "error: no such overload: double has no field 'cents'");
  CHECK_EQ(on_order("order.?missing.?deep.orValue('none')"), "\"none\"");
  CHECK_EQ(on_order("order.?note.?deep.orValue('none')"), "\"none\"");
  CHECK_EQ(on_order("has(order.total) && !has(order.x) && has(order) && !has(nothing) && !has(order.note.x)"), "true");
  CHECK_EQ(on_order("order.missing == 1 || order.id == 'A1'"), "true");
  CHECK_EQ(on_order("default(order.missing, 'd') + default(order.note, 'e')"), "\"de\"");
}

TEST_CASE("comparing_a_payload_value_with_another_type_is_an_error") {
  CHECK_EQ(on_order("order.id == 5"), "error: no such overload: string and int cannot be compared; convert one of them");
  CHECK_EQ(on_order("order.qty != '3'"), "error: no such overload: int and string cannot be compared; convert one of them");
  CHECK_EQ(on_order("order.tags == 'x'"), "error: no such overload: list and string cannot be compared; convert one of them");
  CHECK_EQ(on_order("order.qty < '3'"), "error: no such overload: int and string have no order; convert one of them");
  CHECK_EQ(on_order("order.id == null || order.note == null"), "true");
  CHECK_EQ(on_order("'A1' in [1, order.id]"), "true");
}

TEST_CASE("names_that_are_functions_are_fields_too") {
  CHECK_EQ(on_order("type.startsWith('order.')"), "true");
  CHECK_EQ(eval("timestamp", R"({"timestamp":"x"})"), "\"x\"");
  CHECK_EQ(eval("timestamp(timestamp) > timestamp('2020-01-01T00:00:00Z')", R"({"timestamp":"2024-11-11T22:11:56.000+00:00"})"), "true");
  CHECK_EQ(eval("type(string) == string", R"({"string":"x"})"), "true");
  CHECK_EQ(eval("$body.package + $body['in']", R"({"package":"a","in":"b"})"), "\"ab\"");
  CHECK_EQ(eval("$body.`x-y`", R"({"x-y":1})"), "1");
  CHECK_EQ(eval("$body[1]", "[1,2]"), "2");
  CHECK_EQ(eval("[1].map(id, .id)", R"({"id":"root"})"), "[\"root\"]");
  CHECK_EQ(eval("field", "[1]"), "error: the payload is list, it has no field 'field'; $body is the whole");
}

TEST_CASE("request_names_read_what_the_context_gives") {
  CHECK_EQ(eval("$headers['X-EVENT'] + $headers[\"x-event\"]"), "\"order.createdorder.created\"");
  CHECK_EQ(eval("$headers.all('x-many')"), R"(["one","two"])");
  CHECK_EQ(eval("$headers['absent']"), "error: no such key: \"absent\"");
  CHECK_EQ(eval("'x-event' in $headers && !('y' in $headers)"), "true");
  CHECK_EQ(eval("$headers[?'absent'].orValue('none')"), "\"none\"");
  CHECK_EQ(eval("$path.tenant + $path"), "\"acme/hooks/acme\"");
  CHECK_EQ(eval("$path.nobody"), "error: no such key: $path.nobody");
  CHECK_EQ(eval("$secret.signing"), "\"whsec\"");
  CHECK_EQ(eval("$now - timestamp(1700000000)"), "\"0.5s\"");
  CHECK_EQ(eval("$headers"), R"({"X-Event":"order.created","X-Many":"one"})");
  CHECK_EQ(eval("$secret"), "{}");
  CHECK_EQ(eval("hex(sha256($raw))", "abc"), "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"");
}

TEST_CASE("the_payload_is_parsed_once_and_only_when_read") {
  conf::Problems found;
  const auto reads = Expression::compile("order.id == 'A1' && order.qty == 3", {}, Names::request(), found);
  const auto ignores = Expression::compile("$method == 'POST'", {}, Names::request(), found);
  REQUIRE(found.empty());
  CHECK(reads->reads_payload());
  CHECK_FALSE(ignores->reads_payload());
  CHECK(ignores->reads(Variable::method));
  Request request{std::string(kOrder)};
  CHECK(*ignores->test(request));
  CHECK_EQ(request.parses, 0);
  CHECK(*reads->test(request));
  CHECK(*reads->test(request));
  CHECK_EQ(request.parses, 1);
}

TEST_CASE("a_payload_that_cannot_be_read_is_an_error_and_not_an_absence") {
  CHECK_EQ(eval("order.id == 'x'", "{\"a\":1,\"a\":2}"), "error: payload is not JSON: duplicate member \"a\" at byte 7");
  CHECK_EQ(eval("has(order)", "nope"), "error: payload is not JSON: expected a value at byte 0");
  CHECK_EQ(eval("default(order, 1)", "nope").substr(0, 6), "error:");
}

TEST_CASE("errors_of_an_evaluation_say_where") {
  conf::Problems found;
  const auto compiled = Expression::compile("true &&\n  order.totl > 1", {"rules.yaml", 12, 7}, Names::request(), found);
  Request request{std::string(kOrder)};
  const auto result = compiled->test(request);
  REQUIRE_FALSE(result.ok());
  CHECK_EQ(result.error().message, "no such key: order.totl (rules.yaml:13:9)");
  CHECK_EQ(compiled->explain_with_caret(compiled->run(request).failure()), "rules.yaml:13:9: no such key: order.totl; where it may be absent write order.?totl.orValue(…)\n      order.totl > 1\n            ^");
}
