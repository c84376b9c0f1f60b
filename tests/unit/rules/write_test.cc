#include "rules/write.h"

#include <doctest/doctest.h>

#include "rules/escape.h"
#include "unit/rules/fixture.h"

using namespace belay;
using namespace belay::rules_test;

namespace {

using Writer = Result<void> (*)(std::string&, const Value&, Arena&);

std::string written(Writer writer, std::string_view json) {
  const auto document = json::Document::parse(json);
  REQUIRE(document.ok());
  Arena arena;
  std::string out;
  const auto done = writer(out, Value::json(**document, 0), arena);
  return done ? out : "error: " + done.error().message;
}
std::string xml(std::string_view json) { return written(append_xml, json); }
std::string form(std::string_view json) { return written(append_form, json); }

}  // namespace

TEST_CASE("maps_become_elements_attributes_and_text") {
  CHECK_EQ(xml(R"({"Order":{"line":["a","b"],"@id":7,"total":100.10,"paid":true,"note":null,"x":{},"none":[]}})"),
           R"(<Order id="7"><line>a</line><line>b</line><total>100.10</total><paid>true</paid><note/><x/></Order>)");
  CHECK_EQ(xml(R"({"a":{"#text":"one","@k":"v"}})"), R"(<a k="v">one</a>)");
  CHECK_EQ(xml(R"({"s:Envelope":{"@xmlns:s":"urn:x","s:Body":{"b":[{"c":1},{"@d":""}]}}})"),
           R"(<s:Envelope xmlns:s="urn:x"><s:Body><b><c>1</c></b><b d=""/></s:Body></s:Envelope>)");
  CHECK_EQ(xml(R"("<a & 'b'>")"), "&lt;a &amp; &apos;b&apos;&gt;");
  CHECK_EQ(xml("12345678901234567890123"), "12345678901234567890123");
}

TEST_CASE("what_has_no_xml_form_is_an_error") {
  CHECK_EQ(xml(R"({"1a":1})"), "error: '1a' is no name of an XML element or attribute");
  CHECK_EQ(xml(R"({"a><b":1})"), "error: 'a><b' is no name of an XML element or attribute");
  CHECK_EQ(xml(R"({"a":{"@b c":1}})"), "error: 'b c' is no name of an XML element or attribute");
  CHECK_EQ(xml(R"({"a":{"@b":[]}})"), "error: attribute '@b' is a list, not text");
  CHECK_EQ(xml(R"({"@b":"x"})"), "error: attribute '@b' stands outside of an element");
  CHECK_EQ(xml(R"({"a":{"#text":{}}})"), "error: '#text' is not text");
  CHECK_NE(xml("[1]").find("has no XML form"), std::string::npos);
  CHECK_NE(xml(R"({"a":[[1]]})").find("has no XML form"), std::string::npos);
}

TEST_CASE("a_document_has_a_declaration_and_one_root") {
  CHECK_EQ(written(append_xml_document, R"({"a":[{"b":1}]})"), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a><b>1</b></a>");
  for (const char* wrong : {R"({"a":1,"b":2})", R"({"a":[1,2]})", R"({"a":[]})", R"({"#text":"x"})", "{}", "[]", "\"x\""}) {
    INFO(wrong);
    CHECK_NE(written(append_xml_document, wrong).find("one root element"), std::string::npos);
  }
}

TEST_CASE("xml_text_survives_a_reader_and_never_holds_what_xml_forbids") {
  std::string out;
  append_xml_text(out, std::string_view("a\r\n\tb\x01\0c\xFF\xEF\xBF\xBE\u00e9", 14), XmlPlace::element);
  CHECK_EQ(out, "a&#13;\n\tb\uFFFD\uFFFDc\uFFFD\uFFFD\u00e9");
  out.clear();
  append_xml_text(out, "a\r\n\tb", XmlPlace::attribute);
  CHECK_EQ(out, "a&#13;&#10;&#9;b");
  CHECK(is_xml_name("\u00e9t\u00e9-1.x"));
  for (const char* wrong : {"", "1", "-a", "a b", "a\u00d7", "\xC3", "a/"}) CHECK_FALSE(is_xml_name(wrong));
}

TEST_CASE("forms_put_the_way_to_a_value_in_brackets") {
  CHECK_EQ(form(R"({"a":1,"b":{"c":"x y","d":{"e":true}},"l":[1,2.50],"n":null,"none":[]})"),
           "a=1&b%5Bc%5D=x+y&b%5Bd%5D%5Be%5D=true&l%5B%5D=1&l%5B%5D=2.50&n=");
  CHECK_EQ(form(R"({"l":[{"a":1,"b":2},{"a":3}],"m":[[1]]})"), "l%5B0%5D%5Ba%5D=1&l%5B0%5D%5Bb%5D=2&l%5B1%5D%5Ba%5D=3&m%5B0%5D%5B%5D=1");
  CHECK_EQ(form(R"({"a&b=c":"d&e=f%\u00e9\n"})"), "a%26b%3Dc=d%26e%3Df%25%C3%A9%0A");
  CHECK_EQ(form("{}"), "");
  CHECK_EQ(form("\"a b&\""), "a+b%26");
  CHECK_NE(form("[1]").find("error"), std::string::npos);
}

TEST_CASE("xml_and_form_are_functions_of_the_language") {
  CHECK_EQ(eval("xml({'a': {'@b': 1, 'c': [o.x, 2]}})", R"({"o":{"x":"<"}})"), R"("<a b=\"1\"><c>&lt;</c><c>2</c></a>")");
  CHECK_EQ(eval("form(o)", R"({"o":{"x":["<",1.50]}})"), R"("x%5B%5D=%3C&x%5B%5D=1.50")");
  CHECK_EQ(eval("form($headers)"), R"("X-Event=order.created&X-Many=one&X-Many=two")");
  CHECK_EQ(eval("xml(optional.of({'a': 1}))"), R"("<a>1</a>")");
  CHECK_EQ(eval("xml({'a': optional.none()})").substr(0, 5), "error");
  CHECK_EQ(eval("xml({'a b': 1})"), "refused: 'a b' is no name of an XML element or attribute");
}

TEST_CASE("a_result_of_more_than_16_mb_is_refused") {
  const std::string text(size_t{1} << 20, 'x');
  CHECK_NE(form("{\"a\":\"" + text + "\"}").size(), 0);
  std::string many = "{\"a\":[\"" + text + "\"";
  for (int i = 0; i < 16; ++i) many += ",\"" + text + "\"";
  CHECK_EQ(xml(many + "]}"), "error: the XML is larger than 16 MB");
  CHECK_EQ(form(many + "]}"), "error: the form is larger than 16 MB");
}
