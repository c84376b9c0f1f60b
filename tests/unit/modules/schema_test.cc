#include "modules/schema/schema.h"

#include <filesystem>

#include "kit.h"
#include "modules/schema/compiler.h"
#include "modules/schema/validator.h"

using namespace belay;
using namespace belay::test;
namespace schema = belay::modules::schema;

namespace {

// "fits", the misfit, or "refused: …" with the first complaint.
std::string check(const std::string& text, std::string_view payload, const Fields& others = {}) {
  const TempFolder folder;
  folder.write("s.json", text);
  for (const auto& [name, content] : others) folder.write(name, content);
  schema::SchemaSet set;
  schema::Compiler compiler(folder.path(), set);
  const schema::Node* node = compiler.compile("s.json");
  if (node == nullptr) return "refused: " + compiler.complaints().at(0);
  const auto document = json::Document::parse(payload);
  REQUIRE_MESSAGE(document.ok(), std::string(payload.substr(0, 100)));
  return schema::Validator(**document).validate(*node).value_or("fits");
}

bool fits(const std::string& text, std::string_view payload) {
  const std::string answer = check(text, payload);
  INFO(answer);
  CHECK_FALSE(answer.starts_with("refused"));
  return answer == "fits";
}

std::string refusal(const std::string& text, const Fields& others = {}) {
  const std::string answer = check(text, "{}", others);
  return answer.starts_with("refused: ") ? answer.substr(9) : "accepted";
}

Kit with(const std::string& keys, const Fields& files) { return Kit(source("trust: open, " + keys), &modules::kSchema, "admin: { token: t }\n", files); }

}  // namespace

TEST_CASE("every_keyword_for_any_value_and_numbers_decides_by_value") {
  CHECK(fits(R"({"type":"integer"})", "7.0"));
  CHECK_FALSE(fits(R"({"type":"integer"})", "7.5"));
  CHECK(fits(R"({"type":["null","string"]})", "null"));
  CHECK_EQ(check(R"({"type":["null","string"]})", "1"), "the payload itself: type, expected null or string");
  CHECK(fits(R"({"enum":[1,{"a":[1.0,"\u0062"]}]})", R"({"a":[1,"b"]})"));
  CHECK_FALSE(fits(R"({"enum":[1,"1"]})", "true"));
  CHECK_FALSE(fits(R"({"enum":[]})", "1"));
  CHECK(fits(R"({"const":100.1})", "100.10"));
  CHECK_FALSE(fits(R"({"const":null})", "0"));
  CHECK(fits(R"({"minimum":0.1,"maximum":1e2})", "100.00"));
  CHECK_FALSE(fits(R"({"maximum":9007199254740992})", "9007199254740993"));
  CHECK_FALSE(fits(R"({"exclusiveMinimum":1})", "1.0"));
  CHECK_FALSE(fits(R"({"exclusiveMaximum":1})", "1"));
  CHECK(fits(R"({"multipleOf":0.01})", "19.99"));
  CHECK_FALSE(fits(R"({"multipleOf":0.01})", "19.995"));
  CHECK(fits(R"({"multipleOf":3})", "30000000000000000000000000000000000003"));
  CHECK(fits(R"({"minimum":5})", R"("text is no number")"));
  CHECK(fits("true", "1"));
  CHECK_EQ(check("false", "1"), "the payload itself: false");
}

TEST_CASE("every_keyword_for_strings_decides") {
  CHECK(fits(R"({"minLength":2,"maxLength":2})", "\"\xC3\xA9\\u20ac\""));
  CHECK_EQ(check(R"({"minLength":3})", "\"\xC3\xA9\\u20ac\""), "the payload itself: minLength, at least 3");
  CHECK_EQ(check(R"({"maxLength":1})", R"("ab")"), "the payload itself: maxLength, at most 1");
  CHECK(fits(R"({"pattern":"^[a-z]+$"})", R"("abc")"));
  CHECK(fits(R"({"pattern":"b"})", R"("abc")"));
  CHECK_EQ(check(R"({"pattern":"^b"})", R"("abc")"), "the payload itself: pattern, ^b");
  const auto format = [](const char* name, const char* text) { return fits(std::string(R"({"format":")") + name + "\"}", std::string("\"") + text + '"'); };
  CHECK(format("date-time", "2026-02-28T23:59:59.5Z"));
  CHECK_FALSE(format("date-time", "2026-02-30T00:00:00Z"));
  CHECK_FALSE(format("date-time", "2026-02-28"));
  CHECK(format("date", "2024-02-29"));
  CHECK_FALSE(format("date", "2023-02-29"));
  CHECK(format("time", "12:00:00+02:00"));
  CHECK_FALSE(format("time", "25:00:00Z"));
  CHECK(format("email", "a.b@example.test"));
  CHECK_FALSE(format("email", "a.b@"));
  CHECK(format("ipv4", "192.0.2.1"));
  CHECK_FALSE(format("ipv4", "192.0.2.256"));
  CHECK(format("ipv6", "2001:db8::1"));
  CHECK_FALSE(format("ipv6", "192.0.2.1"));
  CHECK(format("uuid", "123E4567-e89b-12d3-a456-426614174000"));
  CHECK_FALSE(format("uuid", "123e4567e89b12d3a456426614174000"));
  CHECK(format("uri", "https://example.test/a?b#c"));
  CHECK_FALSE(format("uri", "/a/b"));
  CHECK_FALSE(format("uri", "http://a b"));
}

TEST_CASE("every_keyword_for_lists_decides") {
  CHECK_EQ(check(R"({"items":{"type":"string"}})", R"(["a",1])"), "/1: type, expected string");
  CHECK_EQ(check(R"({"prefixItems":[{"type":"string"}],"items":false})", R"(["a",1])"), "/1: false");
  CHECK(fits(R"({"prefixItems":[{"type":"string"},{"type":"number"}]})", R"(["a"])"));
  CHECK_EQ(check(R"({"minItems":1})", "[]"), "the payload itself: minItems, at least 1");
  CHECK_EQ(check(R"({"maxItems":1})", "[1,2]"), "the payload itself: maxItems, at most 1");
  CHECK(fits(R"({"contains":{"const":2}})", "[1,2]"));
  CHECK_FALSE(fits(R"({"contains":{"const":2}})", "[1]"));
  CHECK_FALSE(fits(R"({"contains":{"const":2},"minContains":2,"maxContains":2})", "[2]"));
  CHECK(fits(R"({"contains":{"const":2},"minContains":0})", "[]"));
  CHECK_FALSE(fits(R"({"contains":{"const":2},"maxContains":1})", "[2,2]"));
  CHECK_EQ(check(R"({"uniqueItems":true})", R"([{"a":1,"b":[2]},3,{"b":[2.0],"a":1e0}])"), "the payload itself: uniqueItems, elements 0 and 2 are equal");
  CHECK(fits(R"({"uniqueItems":true})", R"([1,"1",true,[1],{"1":1},null,0,false])"));
  CHECK_FALSE(fits(R"({"uniqueItems":true})", "[0,-0.0]"));
}

TEST_CASE("every_keyword_for_objects_decides_and_the_path_names_the_place") {
  const std::string order = R"({"type":"object","required":["order"],"properties":{"order":{"properties":{"lines":{"items":{"required":["sku"],"properties":{"sku":{"type":"string"}}}}}}}})";
  CHECK_EQ(check(order, R"({"order":{"lines":[{"sku":"a"},{"sku":7}]}})"), "/order/lines/1/sku: type, expected string");
  CHECK_EQ(check(order, R"({"order":{"lines":[{}]}})"), "/order/lines/0: required, 'sku' is missing");
  CHECK(fits(order, R"({"order":{"lines":[{"sku":"a","more":1}]}})"));
  CHECK_EQ(check(R"({"properties":{"a":true},"additionalProperties":false})", R"({"a":1,"b/c~":2})"), "/b~1c~0: additionalProperties, not one of the properties");
  CHECK_EQ(check(R"({"additionalProperties":{"type":"null"}})", R"({"a":1})"), "/a: type, expected null");
  CHECK_EQ(check(R"({"patternProperties":{"^x-":{"type":"string"}},"additionalProperties":false})", R"({"x-a":1})"), "/x-a: type, expected string");
  CHECK(fits(R"({"patternProperties":{"^x-":{"type":"string"}},"additionalProperties":false})", R"({"x-a":"1"})"));
  CHECK_EQ(check(R"({"propertyNames":{"maxLength":2}})", R"({"ab":1,"abc":1})"), "/abc: propertyNames");
  CHECK_FALSE(fits(R"({"minProperties":1})", "{}"));
  CHECK_FALSE(fits(R"({"maxProperties":1})", R"({"a":1,"b":2})"));
  CHECK_EQ(check(R"({"dependentRequired":{"card":["address"]}})", R"({"card":1})"), "the payload itself: dependentRequired, 'address' is missing");
  CHECK_FALSE(fits(R"({"dependentSchemas":{"card":{"required":["address"]}}})", R"({"card":1})"));
  CHECK(fits(R"({"dependentSchemas":{"card":{"required":["address"]}}})", R"({"cash":1})"));
  CHECK(fits(R"({"properties":{"\u0061":{"type":"string"}}})", R"({"a":"x"})"));
}

TEST_CASE("schemas_combine") {
  CHECK_EQ(check(R"({"allOf":[{"minimum":1},{"maximum":2}]})", "3"), "the payload itself: maximum, 2");
  CHECK(fits(R"({"anyOf":[{"type":"string"},{"minimum":5}]})", "7"));
  CHECK_EQ(check(R"({"anyOf":[{"type":"string"},{"minimum":5}]})", "3"), "the payload itself: anyOf, no alternative fits");
  CHECK_EQ(check(R"({"oneOf":[{"minimum":1},{"minimum":2}]})", "3"), "the payload itself: oneOf, 2 alternatives fit");
  CHECK(fits(R"({"oneOf":[{"minimum":1},{"minimum":2}]})", "1"));
  CHECK_EQ(check(R"({"not":{"type":"string"}})", R"("x")"), "the payload itself: not");
  const std::string branch = R"({"if":{"properties":{"kind":{"const":"a"}}},"then":{"required":["a"]},"else":{"required":["b"]}})";
  CHECK(fits(branch, R"({"kind":"a","a":1})"));
  CHECK_FALSE(fits(branch, R"({"kind":"a","b":1})"));
  CHECK(fits(branch, R"({"kind":"x","b":1})"));
}

TEST_CASE("references_reach_into_this_file_and_others_of_the_folder") {
  const std::string tree = R"({"$defs":{"node":{"properties":{"next":{"$ref":"#/$defs/node"},"n":{"type":"integer"}},"required":["n"]}},"$ref":"#/$defs/node"})";
  CHECK(fits(tree, R"({"n":1,"next":{"n":2,"next":{"n":3}}})"));
  CHECK_EQ(check(tree, R"({"n":1,"next":{"n":2,"next":{}}})"), "/next/next: required, 'n' is missing");
  const Fields others{{"lib/types.json", R"({"$defs":{"a/b":{"type":"string"},"id":{"$ref":"../ids.json"}}})"}, {"ids.json", R"({"pattern":"^[0-9]+$"})"}};
  CHECK_EQ(check(R"({"properties":{"x":{"$ref":"lib/types.json#/$defs/a~1b"}}})", R"({"x":1})", others), "/x: type, expected string");
  CHECK_EQ(check(R"({"properties":{"x":{"$ref":"lib/types.json#/%24defs/id"}}})", R"({"x":"a"})", others), "/x: pattern, ^[0-9]+$");
}

TEST_CASE("a_schema_that_is_wrong_is_refused_with_its_place") {
  CHECK_EQ(refusal(R"({"properties":{"a/b":{"typ":"string"}}})"), "s.json#/properties/a~1b/typ: keyword 'typ' is not supported; did you mean 'type'?");
  CHECK_EQ(refusal(R"({"unevaluatedProperties":false})"), "s.json#/unevaluatedProperties: keyword 'unevaluatedProperties' is not supported; remove it");
  CHECK_EQ(refusal(R"({"items":[{}]})"), "s.json#/items: a list of schemas is called prefixItems in 2020-12");
  CHECK_EQ(refusal(R"({"dependencies":{}})"), "s.json#/dependencies: it is called dependentRequired or dependentSchemas in 2020-12");
  CHECK_EQ(refusal(R"({"type":"text"})"), "s.json#/type: expected null, boolean, number, integer, string, array or object");
  CHECK_EQ(refusal(R"x({"pattern":"(?=x)"})x").substr(0, 61), "s.json#/pattern: the pattern is not a regular expression of R");
  CHECK_EQ(refusal(R"({"format":"phone"})").substr(0, 50), "s.json#/format: format 'phone' is not one that is ");
  CHECK_EQ(refusal(R"({"minLength":-1})"), "s.json#/minLength: expected a whole number, 0 or more");
  CHECK_EQ(refusal(R"({"multipleOf":0})"), "s.json#/multipleOf: expected a number above 0");
  CHECK_EQ(refusal(R"({"$schema":"http://json-schema.org/draft-07/schema#"})").substr(0, 55), "s.json#/$schema: only JSON Schema 2020-12 is read; writ");
  CHECK_EQ(refusal("[1]"), "s.json#: expected a schema: an object, true or false");
  CHECK_EQ(refusal("{"), "s.json: not JSON: expected a member name in quotes at byte 1");
  for (const char* text : {R"({"type":[]})", R"({"enum":1})", R"({"minimum":"1"})", R"({"required":["a",1]})", R"({"required":"a"})", R"({"properties":[]})", R"({"allOf":[]})",
                           R"({"not":1})", R"({"$anchor":"x"})", R"({"properties":{"a":{"$id":"x"}}})", R"({"uniqueItems":1})", R"({"$dynamicRef":"#x"})"}) {
    CHECK_MESSAGE(refusal(text) != "accepted", text);
  }
}

TEST_CASE("a_reference_out_of_the_folder_to_the_network_to_nothing_or_to_itself_is_refused") {
  CHECK_EQ(refusal(R"({"$ref":"https://example.test/s.json"})"), "s.json#/$ref: 'https://example.test/s.json' is not a file; schemas are never fetched: copy it beside this one");
  CHECK_NE(refusal(R"({"$ref":"../outside.json"})").find("lies outside of the rules' folder"), std::string::npos);
  CHECK_NE(refusal(R"({"$ref":"/etc/hostname"})").find("lies outside of the rules' folder"), std::string::npos);
  CHECK_NE(refusal(R"({"$ref":"missing.json"})").find("missing.json: cannot read"), std::string::npos);
  CHECK_EQ(refusal(R"({"$ref":"#/$defs/none"})"), "s.json#/$ref: nothing stands at '#/$defs/none'");
  CHECK_EQ(refusal(R"({"$ref":"#name"})"), "s.json#/$ref: anchors are not supported; refer by the path, such as #/$defs/name");
  CHECK_NE(refusal(R"({"$ref":"#"})").find("refers to itself for the same value"), std::string::npos);
  CHECK_NE(refusal(R"({"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"})").find("refers to itself"), std::string::npos);
  const TempFolder outside;
  outside.write("secret.json", "{}");
  const TempFolder folder;
  folder.write("s.json", R"({"$ref":"link.json"})");
  std::filesystem::create_symlink(outside.path() + "/secret.json", folder.path() + "/link.json");
  schema::SchemaSet set;
  schema::Compiler compiler(folder.path(), set);
  CHECK_EQ(compiler.compile("s.json"), nullptr);
}

TEST_CASE("work_is_bounded_whatever_the_payload") {
  const std::string doubling = R"({"$defs":{"n":{"anyOf":[{"properties":{"a":{"$ref":"#/$defs/n"}},"not":{}},{"properties":{"a":{"$ref":"#/$defs/n"}},"not":{}}]}},"$ref":"#/$defs/n"})";
  std::string deep = "1";
  for (int i = 0; i < 60; ++i) deep = R"({"a":)" + deep + "}";
  CHECK_EQ(check(doubling, deep), "the payload needs more than 500000 steps to be checked");
  std::string same_double = "[";
  for (int i = 0; i < 20'000; ++i) same_double += "1.00000000000000000000" + std::to_string(i + 100'000) + "1,";
  CHECK_EQ(check(R"({"uniqueItems":true})", same_double + "0]").substr(0, 22), "the payload needs more");
  std::string distinct = "[";
  for (int i = 0; i < 50'000; ++i) distinct += std::to_string(i) + ",";
  CHECK(fits(R"({"uniqueItems":true})", distinct + "-1]"));
}

TEST_CASE("values_and_long_names_of_the_payload_stay_out_of_the_reason") {
  const std::string answer = check(R"({"additionalProperties":{"const":"expected"}})", "{\"" + std::string(5000, 'n') + "\":\"s3cret\"}");
  CHECK_LT(answer.size(), 300);
  CHECK_EQ(answer.find("s3cret"), std::string::npos);
  CHECK_EQ(answer.find("expected\""), std::string::npos);
}

TEST_CASE("the_type_of_the_event_chooses_the_schema") {
  Kit kit = with(R"(identify: { type: t }, schema: { "order.*": order.json, "order.paid": paid.json, "*.test": any.json, default: other.json })",
                 {{"order.json", R"({"required":["order"]})"}, {"paid.json", R"({"required":["paid"]})"}, {"any.json", "true"}, {"other.json", R"({"required":["other"]})"}});
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  const auto reason = [&](const std::string& body) { return kit.post({{"Content-Type", "application/json"}}, body)->reason(); };
  CHECK_EQ(reason(R"({"t":"order.new","order":1})"), "passed");
  CHECK_EQ(reason(R"({"t":"order.new"})"), "schema: the payload itself: required, 'order' is missing");
  CHECK_EQ(reason(R"({"t":"order.paid"})"), "schema: the payload itself: required, 'paid' is missing");
  CHECK_EQ(reason(R"({"t":"x.test"})"), "passed");
  CHECK_EQ(reason(R"({"t":"x"})"), "schema: the payload itself: required, 'other' is missing");
  CHECK_EQ(reason("{}"), "schema: the payload itself: required, 'other' is missing");
  const auto refused = kit.post({{"Content-Type", "application/json"}}, "{}");
  CHECK_EQ(refused->status(), 422);
  CHECK_EQ(refused->exchange->outcome, wire::Outcome::rejected);
}

TEST_CASE("forms_and_xml_are_checked_as_rules_see_them_and_what_cannot_be_read_is_400") {
  Kit kit = with("schema: s.json", {{"s.json", R"({"properties":{"a":{"const":"1"}},"required":["a"]})"}});
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  CHECK_EQ(kit.post({{"Content-Type", "application/x-www-form-urlencoded"}}, "a=1&b=2")->reason(), "passed");
  CHECK_EQ(kit.post({{"Content-Type", "application/x-www-form-urlencoded"}}, "a=2")->reason(), "schema: /a: const");
  CHECK_EQ(kit.post({{"Content-Type", "text/xml"}}, "<a>1</a>")->reason(), "passed");
  CHECK_EQ(kit.post({{"Content-Type", "application/json"}}, "{")->status(), 400);
}

TEST_CASE("settings_of_schema_that_cannot_work_stop_the_load_and_name_both_places") {
  const Kit wrong = with("schema: bad.json", {{"bad.json", R"({"properties":{"a":{"typ":1}}})"}});
  CHECK_FALSE(wrong.built());
  CHECK_NE(wrong.problems().find("rules.yaml:2:"), std::string::npos);
  CHECK_NE(wrong.problems().find("bad.json#/properties/a/typ: keyword 'typ' is not supported; did you mean 'type'?"), std::string::npos);
  CHECK_FALSE(with("schema: none.json", {}).built());
  CHECK_FALSE(with("schema: [a.json]", {{"a.json", "{}"}}).built());
  CHECK_FALSE(with("schema: {}", {}).built());
  CHECK_FALSE(with(R"(schema: { "order.*": a.json })", {{"a.json", "{}"}}).built());
}
