#include "json/document.h"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <limits>
#include <string>

#include "json/number.h"

using namespace belay;
using json::Document;
using json::kNone;
using json::Ref;

namespace {

std::unique_ptr<const Document> parsed(std::string_view text, const json::Limits& limits = {}) {
  auto result = Document::parse(text, limits);
  REQUIRE_MESSAGE(result.ok(), std::string(text.substr(0, 80)));
  return std::move(result).value();
}

std::string refusal(std::string_view text, const json::Limits& limits = {}) {
  const auto result = Document::parse(text, limits);
  return result ? "accepted" : result.error().message;
}

std::string raw_at(std::string_view text, std::string_view path) {
  const auto document = parsed(text);
  const Ref ref = document->find_path(path);
  return ref == kNone ? "none" : std::string(document->raw(ref));
}

bool within(std::chrono::milliseconds limit, const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::steady_clock::now() - start < limit;
}

}  // namespace

TEST_CASE("every_value_keeps_the_bytes_it_was_written_with") {
  constexpr std::string_view kText = R"({ "big": 123456789012345678901234567890, "price": 100.10 ,"e":1e2,
    "minus": -0.0, "s": "a\u00e9\/b\n", "list": [ 1 , 2.50, {"x" : null} ], "t":true,"empty":{}, "none":[] })";
  CHECK_EQ(raw_at(kText, "big"), "123456789012345678901234567890");
  CHECK_EQ(raw_at(kText, "price"), "100.10");
  CHECK_EQ(raw_at(kText, "e"), "1e2");
  CHECK_EQ(raw_at(kText, "minus"), "-0.0");
  CHECK_EQ(raw_at(kText, "s"), R"("a\u00e9\/b\n")");
  CHECK_EQ(raw_at(kText, "list"), R"([ 1 , 2.50, {"x" : null} ])");
  CHECK_EQ(raw_at(kText, "list[1]"), "2.50");
  CHECK_EQ(raw_at(kText, "list[2].x"), "null");
  CHECK_EQ(raw_at(kText, "empty"), "{}");
  CHECK_EQ(raw_at(kText, "none"), "[]");
  CHECK_EQ(raw_at(kText, "missing"), "none");
  CHECK_EQ(raw_at(kText, "list[3]"), "none");
  CHECK_EQ(raw_at(kText, "price.x"), "none");
}

TEST_CASE("members_and_elements_are_walked_in_order") {
  const auto document = parsed(R"({"a":{"b":[1,[2,3],{}]},"c":"x","d":[]})");
  std::string names, scratch;
  for (Ref name = document->first(0); name != kNone; name = document->next(0, name)) names += document->string(name, scratch);
  CHECK_EQ(names, "acd");
  const Ref list = document->find_path("a.b");
  CHECK_EQ(document->size(list), 3);
  std::string raws;
  for (Ref item = document->first(list); item != kNone; item = document->next(list, item)) raws += std::string(document->raw(item)) + ";";
  CHECK_EQ(raws, "1;[2,3];{};");
  CHECK_EQ(document->first(document->find_path("d")), kNone);
}

TEST_CASE("names_with_escapes_are_found_by_their_decoded_text") {
  const auto document = parsed(R"({"\u0061\"\ud83d\ude00": 1, "plain": "\ud83d\ude00 \t\\ \u20ac"})");
  CHECK_NE(document->find(0, "a\"\U0001F600"), kNone);
  std::string scratch;
  const Ref plain = document->find(0, "plain");
  CHECK(document->has_escapes(plain));
  CHECK_EQ(document->string(plain, scratch), "\U0001F600 \t\\ \u20ac");
}

TEST_CASE("long_and_many_names_are_told_apart") {
  std::string text = "{";
  for (int i = 0; i < 3000; ++i) {
    if (i > 0) text += ',';
    text += '"' + std::string(static_cast<size_t>(i % 40), 'k') + std::to_string(i) + "\":" + std::to_string(i);
  }
  text += "}";
  const auto document = parsed(text);
  for (int i = 0; i < 3000; ++i) {
    const Ref value = document->find(0, std::string(static_cast<size_t>(i % 40), 'k') + std::to_string(i));
    REQUIRE_NE(value, kNone);
    CHECK_EQ(document->raw(value), std::to_string(i));
  }
}

TEST_CASE("duplicate_names_are_refused_wherever_they_stand_and_however_they_are_written") {
  CHECK_EQ(refusal(R"({"a":1,"b":2,"a":3})"), "duplicate member \"a\" at byte 13");
  CHECK_EQ(refusal(R"([{"x":{"a":1,"\u0061":2}}])"), "duplicate member \"a\" at byte 13");
  CHECK_EQ(refusal(R"({"a":{"a":{"a":1}},"b":{"a":1}})"), "accepted");
}

TEST_CASE("texts_that_are_not_json_are_refused_with_reason_and_place") {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"", "no value, the text is empty"},
      {"   ", "no value, the text is empty"},
      {"{", "expected a member name in quotes at byte 1"},
      {"[", "expected a value, the text ends at byte 1"},
      {"[1,", "expected a value, the text ends at byte 3"},
      {"[1,]", "expected a value at byte 3"},
      {"[1 2]", "expected ',' or ']' at byte 3"},
      {"[1}", "expected ',' or ']' at byte 2"},
      {"{\"a\":1]", "expected ',' or '}' at byte 6"},
      {"{\"a\" 1}", "expected ':' at byte 5"},
      {"{\"a\":}", "expected a value at byte 5"},
      {"{a:1}", "expected a member name in quotes at byte 1"},
      {"{,}", "expected a member name in quotes at byte 1"},
      {"{\"a\":1,}", "expected a member name in quotes at byte 7"},
      {"1 2", "something after the value at byte 2"},
      {"{} x", "something after the value at byte 3"},
      {"]", "expected a value at byte 0"},
      {"nul", "expected a value at byte 0"},
      {"truex", "expected a value at byte 0"},
      {"True", "expected a value at byte 0"},
      {"NaN", "expected a value at byte 0"},
      {"01", "malformed number at byte 0"},
      {"-", "malformed number at byte 0"},
      {"-01", "malformed number at byte 0"},
      {"1.", "malformed number at byte 0"},
      {".5", "expected a value at byte 0"},
      {"+1", "expected a value at byte 0"},
      {"1e", "malformed number at byte 0"},
      {"1e+", "malformed number at byte 0"},
      {"0x10", "malformed number at byte 0"},
      {"1\"a\"", "malformed number at byte 0"},
      {"\"a\"b", "something after the value at byte 3"},
      {"'a'", "expected a value at byte 0"},
      {"\"abc", "string without its closing quote at byte 4"},
      {"\"a\nb\"", "control character inside a string"},
      {"\"\\q\"", "invalid escape at byte 1"},
      {"\"\\u12g4\"", "invalid escape at byte 1"},
      {"\"\\u12\"", "invalid escape at byte 1"},
      {"\"\\ud800\"", "invalid escape at byte 1"},
      {"\"\\udc00\"", "invalid escape at byte 1"},
      {"\"\\ud800\\u0041\"", "invalid escape at byte 1"},
      {"\"\xff\"", "bytes that are not UTF-8"},
      {"\"\xc0\x80\"", "bytes that are not UTF-8"},
      {"\"\xed\xa0\x80\"", "bytes that are not UTF-8"},
      {"[1]\x01", "something after the value at byte 3"},
      {"/**/1", "expected a value at byte 0"},
  };
  for (const auto& one : kCases) CHECK_MESSAGE(refusal(one.first) == one.second, std::string(one.first) << " → " << refusal(one.first));
  CHECK_EQ(refusal(std::string_view("[1,\0]", 5)), "expected a value at byte 3");
}

TEST_CASE("texts_that_are_json_are_accepted") {
  for (const std::string_view text : {"0", "-0", "1.5E+300", "1e999999", "\"\"", "null", " [ ] ", "\t{\r\n}\n", "[[[[1]]]]", "\"\\u0000\"",
                                      "\xEF\xBB\xBF{\"bom\":1}", "\"\xf0\x9f\x98\x80\"", "[true,false,null]", "{\"\":0}"}) {
    CHECK_MESSAGE(refusal(text) == "accepted", std::string(text));
  }
}

TEST_CASE("depth_values_and_bytes_end_at_their_limits") {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  json::Limits limits;
  CHECK_EQ(refusal(nested(limits.depth), limits), "accepted");
  CHECK_EQ(refusal(nested(limits.depth + 1), limits), "nested deeper than 100");
  limits.values = 5;
  CHECK_EQ(refusal("[1,2,3,4]", limits), "accepted");
  CHECK_EQ(refusal("[1,2,3,4,5]", limits), "more than 5 values");
  limits.bytes = 4;
  CHECK_EQ(refusal("[12]", limits), "accepted");
  CHECK_EQ(refusal("[123]", limits), "JSON text larger than 4 bytes");
}

TEST_CASE("hostile_texts_are_decided_in_bounded_time") {
  constexpr size_t kSize = size_t{10} << 20;
  std::string keys = "{";
  for (int i = 0; keys.size() < kSize; ++i) keys += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
  keys += "}";
  std::string spaces = "{\"a\"" + std::string(kSize, ' ') + ":1}";
  const std::string hostile[] = {
      std::string(kSize, '['), std::string(kSize, '1'), "0." + std::string(kSize, '9'), "1e" + std::string(kSize, '9'),
      '"' + std::string(kSize, '\\') + '"', '"' + std::string(kSize, 'x'), std::string(kSize, '{'), keys, spaces,
      std::string(kSize, '"'), std::string(kSize, ','), std::string(kSize, ' '), "[" + std::string(kSize, '\xff') + "]",
  };
  for (const std::string& text : hostile) {
    CHECK_MESSAGE(within(std::chrono::milliseconds(2000), [&] { static_cast<void>(Document::parse(text)); }), text.substr(0, 20));
  }
}

TEST_CASE("an_owned_text_lives_as_long_as_its_document") {
  auto document = Document::parse_owned(std::string(R"({"a":"short"})"));
  REQUIRE(document);
  const auto moved = std::move(document).value();
  CHECK_EQ(moved->raw(moved->find(0, "a")), "\"short\"");
  CHECK_GT(moved->footprint(), 0);
}

TEST_CASE("numbers_compare_by_value_with_every_digit") {
  const auto sign = [](std::string_view a, std::string_view b) { return json::compare_numbers(a, b); };
  CHECK_EQ(sign("100.10", "100.1"), 0);
  CHECK_EQ(sign("1e2", "100"), 0);
  CHECK_EQ(sign("1E+2", "100.000"), 0);
  CHECK_EQ(sign("-0", "0.0e5"), 0);
  CHECK_EQ(sign("0.001", "1e-3"), 0);
  CHECK_EQ(sign("123.456e3", "123456"), 0);
  CHECK_EQ(sign("12345678901234567890123", "12345678901234567890124"), -1);
  CHECK_EQ(sign("0.10000000000000000001", "0.1"), 1);
  CHECK_EQ(sign("-5", "3"), -1);
  CHECK_EQ(sign("-5", "-3"), -1);
  CHECK_EQ(sign("5", "-3"), 1);
  CHECK_EQ(sign("0", "-1e-400"), 1);
  CHECK_EQ(sign("1e400", "1e399"), 1);
  CHECK_EQ(sign("10", "9"), 1);
  CHECK_EQ(sign("10.01", "10.1"), -1);
  CHECK_EQ(sign("1e99999999999999999999", "1e5"), 1);
}

TEST_CASE("numbers_convert_only_when_they_fit") {
  CHECK_EQ(json::to_int64("9223372036854775807"), INT64_MAX);
  CHECK_EQ(json::to_int64("-9223372036854775808"), INT64_MIN);
  CHECK_FALSE(json::to_int64("9223372036854775808").has_value());
  CHECK_FALSE(json::to_int64("1.0").has_value());
  CHECK_FALSE(json::to_int64("1e2").has_value());
  CHECK_EQ(json::to_uint64("18446744073709551615"), UINT64_MAX);
  CHECK_FALSE(json::to_uint64("18446744073709551616").has_value());
  CHECK_FALSE(json::to_uint64("-1").has_value());
  CHECK_EQ(json::to_double("100.10"), 100.1);
  CHECK_EQ(json::to_double("-1e999"), -std::numeric_limits<double>::infinity());
  CHECK_EQ(json::to_double("1e-999"), 0.0);
}
