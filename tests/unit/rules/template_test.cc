#include <doctest/doctest.h>

#include "unit/rules/fixture.h"

using namespace belay;
using namespace belay::rules_test;

namespace {

constexpr std::string_view kPayload = R"({"id":"A\u00251","n":100.10,"o":{"x": [1, 2]},"q":"<a & \"b\">","nul":null,"t":true})";

std::unique_ptr<Template> compiled(std::string_view text) {
  conf::Problems found;
  auto made = Template::compile(text, {"t", 1, 1}, Names::signature(), found);
  REQUIRE_MESSAGE(made != nullptr, found.to_string());
  return made;
}

std::string value_of(std::string_view text) {
  Request request{std::string(kPayload)};
  const auto made = compiled(text);
  const Value value = made->run(request);
  const auto json = value.to_json();
  return json ? *json : "error: " + json.error().message;
}

}  // namespace

TEST_CASE("a_hole_alone_yields_the_value_and_text_around_it_text") {
  CHECK_EQ(value_of("{{ o }}"), R"({"x": [1, 2]})");
  CHECK_EQ(value_of("{{n}}"), "100.10");
  CHECK_EQ(value_of("n: {{ n }}"), "\"n: 100.10\"");
  CHECK_EQ(value_of("plain"), "\"plain\"");
  CHECK_EQ(value_of(""), "\"\"");
  CHECK_EQ(value_of("{{ missing }}"), "error: no such key: missing");
  CHECK_EQ(value_of("x{{ missing }}"), "error: no such key: missing");
}

TEST_CASE("holes_render_bare_text_and_structures_as_json") {
  CHECK_EQ(render("{{ id }}/{{ n }}/{{ o.x }}/{{ nul }}/{{ t }}!", kPayload), "A%1/100.10/[1, 2]//true!");
  CHECK_EQ(render("{{ $ts }}.{{ $raw }}", "raw \xff bytes"), "1700000000.raw \xff bytes");
  CHECK_EQ(render("{{ {'a': {'b': 1}} }}"), R"({"a":{"b":1}})");
  CHECK_EQ(render("{{ \"{{\" }} and {{ '}}' }}"), "{{ and }}");
  CHECK_EQ(render("{ {{ 1 }} }"), "{ 1 }");
  CHECK_EQ(render("{{ $now }}"), "2023-11-14T22:13:20.5Z");
}

TEST_CASE("holes_are_escaped_for_what_surrounds_them") {
  CHECK_EQ(render("<q>{{ q }}</q>", kPayload, Template::Escape::xml), "<q>&lt;a &amp; &quot;b&quot;&gt;</q>");
  CHECK_EQ(render("q={{ q }}&i={{ id }}", kPayload, Template::Escape::form), "q=%3Ca+%26+%22b%22%3E&i=A%251");
  CHECK_EQ(render("\"{{ q }}\"", kPayload, Template::Escape::json), R"("<a & \"b\">")");
}

TEST_CASE("errors_of_a_hole_say_where_it_stands") {
  Request request{std::string(kPayload)};
  const auto made = compiled("id {{ id }}\n and {{ o.y }}");
  const auto result = made->render(request);
  REQUIRE_FALSE(result.ok());
  CHECK_EQ(result.error().message, "no such key: o.y (t:2:11)");
  CHECK_EQ(made->run(request).failure().fault, Fault::no_such_key);
}

TEST_CASE("broken_templates_say_what_is_missing") {
  CHECK_EQ(render("{{ id"), "refused: expected '}}' but found the end");
  CHECK_EQ(render("{{ }}"), "refused: the hole is empty");
  CHECK_EQ(render("{{ id } }"), "refused: expected '}}' but found '}'");
  CHECK_EQ(render("{{ id }} {{ upper(5) }}"), "refused: upper() needs string, this is int");
  conf::Problems found;
  CHECK_EQ(Template::compile("a {{ x }} b {{ y y }}", {"f", 3, 5}, Names::request(), found), nullptr);
  CHECK_EQ(found.to_string(), "f:3:22: expected '}}' but found 'y'\n    a {{ x }} b {{ y y }}\n                     ^\n");
}

TEST_CASE("a_template_knows_what_it_reads") {
  CHECK(compiled("x")->is_constant());
  CHECK(compiled("{{ a }}")->is_single());
  CHECK(compiled("{{ a }}")->reads_payload());
  CHECK_FALSE(compiled("{{ $raw }}.{{ $ts }}")->reads_payload());
  CHECK(compiled("{{ $raw }}.{{ $ts }}")->reads(Variable::raw));
  CHECK_FALSE(compiled("{{ $raw }}")->reads(Variable::ts));
}

TEST_CASE("a_hole_in_a_url_cannot_leave_its_segment") {
  CHECK_EQ(render("/a/{{ v }}", R"({"v":"../b?c=d#e&f%/ü"})", Template::Escape::url), "/a/..%2Fb%3Fc%3Dd%23e%26f%25%2F%C3%BC");
}

TEST_CASE("absent_holes_may_be_left_empty_other_errors_not") {
  const auto rendered = [](std::string_view text) {
    Request request{std::string(kPayload)};
    std::string out;
    const auto done = compiled(text)->append(request, out, Template::Absent::empty);
    return done ? out : "error: " + done.error().message;
  };
  CHECK_EQ(rendered("a {{ missing }}{{ o.?y }} b {{ n }}"), "a  b 100.10");
  CHECK_EQ(rendered("a {{ id + 1 }}").substr(0, 5), "error");
}

TEST_CASE("a_text_with_an_absent_hole_may_be_left_out_as_a_whole") {
  const auto rendered = [](std::string_view text) {
    Request request{std::string(kPayload)};
    std::string out = "before ";
    const auto present = compiled(text)->append_present(request, out);
    return present ? std::to_string(*present) + " " + out : "error: " + present.error().message;
  };
  CHECK_EQ(rendered("a {{ n }} b"), "1 before a 100.10 b");
  CHECK_EQ(rendered("a {{ n }} b {{ missing }}"), "0 before ");
  CHECK_EQ(rendered("a {{ n }} b {{ o.?y }} c"), "0 before ");
  CHECK_EQ(rendered("a {{ id + 1 }}{{ missing }}").substr(0, 5), "error");
}

TEST_CASE("every_hole_is_evaluated_once_whatever_absent_ones_do") {
  const auto text = compiled("{{ $method + '.' }}{{ $ts }}");
  const auto evaluations = [](const auto& append) {
    Request request{std::string(kPayload)};
    std::string out;
    append(request, out);
    CHECK_EQ(out, "POST.1700000000");
    return request.variables;
  };
  CHECK_EQ(evaluations([&](Request& request, std::string& out) { CHECK(text->append(request, out).ok()); }), 2);
  CHECK_EQ(evaluations([&](Request& request, std::string& out) { CHECK(text->append(request, out, Template::Absent::empty).ok()); }), 2);
  CHECK_EQ(evaluations([&](Request& request, std::string& out) { CHECK(text->append_present(request, out).ok()); }), 2);
}
