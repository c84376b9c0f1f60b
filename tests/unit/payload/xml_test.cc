// XML as JSON: the mapping of src/payload/README.md, what is refused, and limits.
#include <doctest/doctest.h>

#include "payload/xml.h"
#include "unit/payload/fixture.h"

using namespace belay;
using namespace belay::payload_test;

namespace {

std::string xml(std::string_view text, const XmlLimits& limits = {}) {
  const auto json = xml_to_json(text, limits);
  return json ? *json : "refused: " + json.error().message;
}

bool refused(std::string_view text) { return xml(text).starts_with("refused: "); }

std::string nested(size_t depth) {
  std::string text;
  for (size_t i = 0; i < depth; ++i) text += "<a>";
  for (size_t i = 0; i < depth; ++i) text += "</a>";
  return text;
}

}  // namespace

TEST_CASE("elements_attributes_text_and_repeats_map_as_the_table_says") {
  CHECK_EQ(xml("<a>text</a>"), R"({"a":"text"})");
  CHECK_EQ(xml("<a/>"), R"({"a":""})");
  CHECK_EQ(xml("<a></a>"), R"({"a":""})");
  CHECK_EQ(xml(R"(<Order id="7"><line>a</line><line>b</line></Order>)"), R"({"Order":{"@id":"7","line":["a","b"]}})");
  CHECK_EQ(xml("<a><b>1</b><c>2</c></a>"), R"({"a":{"b":"1","c":"2"}})");
  CHECK_EQ(xml("<a><b>1</b><c/><b>2</b></a>"), R"({"a":{"b":["1","2"],"c":""}})");
  CHECK_EQ(xml(R"(<a id="7">text</a>)"), R"({"a":{"@id":"7","#text":"text"}})");
  CHECK_EQ(xml(R"(<a id="7"/>)"), R"({"a":{"@id":"7"}})");
  CHECK_EQ(xml("<a>one <b>2</b> three</a>"), R"({"a":{"b":"2","#text":"one  three"}})");
  CHECK_EQ(xml(R"(<s:a xmlns:s="urn:x"><s:b s:c="d"/></s:a>)"), R"({"s:a":{"@xmlns:s":"urn:x","s:b":{"@s:c":"d"}}})");
  CHECK_EQ(xml("<a><b><c>1</c><c>2</c></b><b><c>3</c></b></a>"), R"({"a":{"b":[{"c":["1","2"]},{"c":"3"}]}})");
  CHECK_EQ(xml("<a><z/><y/><x/><y/><z/></a>"), R"({"a":{"z":["",""],"y":["",""],"x":""}})");
}

TEST_CASE("characters_are_what_references_and_sections_stand_for") {
  CHECK_EQ(xml("<a>&lt;&gt;&amp;&quot;&apos;&#233;&#x20AC;</a>"), "{\"a\":\"<>&\\\"'\xC3\xA9\xE2\x82\xAC\"}");
  CHECK_EQ(xml("<a><![CDATA[<b>&amp;]]]]><![CDATA[>]]></a>"), R"({"a":"<b>&amp;]]>"})");
  CHECK_EQ(xml("<a b='&#10;x&quot;'/>"), R"({"a":{"@b":"\u000ax\""}})");
  CHECK_EQ(xml("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><?p x?><!-- c --><a>1<!-- c -->2<?p?>3</a><!-- d -->"), R"({"a":"123"})");
  CHECK_EQ(xml("<caf\xC3\xA9/>"), "{\"caf\xC3\xA9\":\"\"}");
}

TEST_CASE("blanks_are_layout_between_elements_and_text_where_there_is_nothing_else") {
  CHECK_EQ(xml("<a>\n  <b> x </b>\n  <c> </c>\n</a>\n"), R"({"a":{"b":" x ","c":" "}})");
  CHECK_EQ(xml("<a id=\"1\"> </a>"), R"({"a":{"@id":"1"}})");
  CHECK_EQ(xml("<a> x <b/> </a>"), R"({"a":{"b":"","#text":" x "}})");
  CHECK_EQ(xml("<a>1\r\n2</a>"), R"({"a":"1\u000a2"})");
}

TEST_CASE("what_is_not_well_formed_is_refused") {
  for (const char* text : {"", " ", "x", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a/>x", "x<a/>", "<a b=1/>", "<a b/>", "<a b='1' b='2'/>", "<a b='<'/>", "<a>&nbsp;</a>",
                           "<a>&</a>", "<a>&#0;</a>", "<a>&#xFFFE;</a>", "<a>&#55296;</a>", "<a>]]></a>", "<1a/>", "<a><!-- -- --></a>", "<a b='&x;'/>",
                           "<a>\x01</a>", " <?xml version='1.0'?><a/>", "<a><?xml version='1.0'?></a>", "<a", "<a>\xC3</a>", "<a>\xED\xA0\x80</a>",
                           "<a xml:b='1' xml:b='2'/>", "<a><b></a></b>", "{\"a\":1}", "<![CDATA[x]]>", "<a>&lt</a>"}) {
    CHECK_MESSAGE(refused(text), text);
  }
  CHECK(refused(std::string_view("<a>\0</a>", 8)));
  CHECK_EQ(xml("<a>\n <b></c></a>"), "refused: mismatched tag at line 2, column 7");
}

TEST_CASE("a_doctype_is_refused_and_so_are_the_entities_it_could_bring") {
  CHECK_EQ(xml("<!DOCTYPE a><a/>").substr(0, 34), "refused: a DOCTYPE is not accepted");
  CHECK(refused(R"(<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>)"));
  CHECK(refused(R"(<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>)"));
  CHECK(refused(R"(<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1/">]><a>&x;</a>)"));
  CHECK(refused(R"(<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>)"));
  CHECK(refused(R"(<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]><a/>)"));
}

TEST_CASE("every_limit_of_xml_holds_and_one_more_is_refused") {
  CHECK_FALSE(refused(nested(XmlLimits{}.depth)));
  CHECK_EQ(xml(nested(XmlLimits{}.depth + 1)).substr(0, 46), "refused: more than 64 elements inside each oth");
  CHECK_EQ(xml("<a><b c='1'/></a>", {.nodes = 3}), R"({"a":{"b":{"@c":"1"}}})");
  CHECK(xml("<a><b c='1'/><d/></a>", {.nodes = 3}).starts_with("refused: more than 3 elements and attributes"));
  CHECK_EQ(xml("<a b='1' c='2'/>", {.attributes = 2}), R"({"a":{"@b":"1","@c":"2"}})");
  CHECK(xml("<a b='1' c='2' d='3'/>", {.attributes = 2}).starts_with("refused: more than 2 attributes of one element"));
  CHECK_FALSE(refused("<a><!--" + std::string(200'000, 'x') + "--></a>"));
  CHECK(xml("<a><!--" + std::string(400'000, 'x') + "--></a>").starts_with("refused: a tag, comment or instruction longer than"));
  CHECK_EQ(xml("<a>" + std::string(1'000'000, 'x') + "</a>").size(), 1'000'008);
}

TEST_CASE("the_deepest_xml_can_be_read_as_json") {
  std::string text, close;
  for (uint32_t i = 1; i < XmlLimits{}.depth; ++i) {  // a list and an object at every level
    text += "<a><a/>";
    close += "</a>";
  }
  const std::string answer = read("text/xml", text + close);
  CHECK_MESSAGE(answer.starts_with("{\"a\":"), answer.substr(0, 200));
  CHECK_EQ(read("text/xml", nested(64)).substr(0, 6), "{\"a\":{");
}

TEST_CASE("hostile_xml_is_refused_or_read_soon") {
  constexpr size_t kSize = size_t{10} << 20;
  const auto repeated = [](std::string_view piece) {
    std::string text;
    while (text.size() < kSize) text += piece;
    return text;
  };
  std::string attributes = "<a";
  for (size_t i = 0; attributes.size() < kSize; ++i) attributes += " a" + std::to_string(i) + "=''";
  std::string names = "<a>";
  for (size_t i = 0; names.size() < kSize; ++i) names += "<n" + std::to_string(i) + "/>";
  const std::string hostile[] = {
      repeated("<a>"), repeated("<a/>"), "<a>" + repeated("<b/>") + "</a>", attributes + "/>", names + "</a>", "<a>" + std::string(kSize, 'x') + "</a>",
      "<a>" + repeated("&#65;") + "</a>", "<a>" + repeated("x<!---->") + "</a>", "<" + std::string(kSize, 'n') + "/>", "<a b='" + std::string(kSize, 'x') + "'/>",
      "<a>" + repeated("<![CDATA[]]>") + "</a>", "<!--" + std::string(kSize, '-'), std::string(kSize, ' ') + "<a/>", "<a>" + std::string(kSize, '&') + "</a>",
      "<a>" + repeated("\xC3\xA9") + "</a>", "<?" + std::string(kSize, 'p'), std::string(kSize, '<'),
  };
  int64_t slowest = 0;
  for (const std::string& text : hostile) {
    std::string answer;
    const int64_t spent = milliseconds([&] { answer = read("text/xml", text); });
    slowest = std::max(slowest, spent);
    CHECK_MESSAGE(spent < kSoon, text.substr(0, 20), " took ", spent, " ms: ", answer.substr(0, 100));
  }
  MESSAGE("slowest: ", slowest, " ms");
}
