#include "support/json_edge.h"

#include <string_view>

namespace belay::test {

namespace {

using namespace std::string_view_literals;

struct Edge {
  std::string_view name, text;
};

constexpr Edge kValid[] = {
    {"empty object", "{}"},
    {"empty list", "[]"},
    {"zero", "0"},
    {"minus zero", "-0"},
    {"integer alone", "42"},
    {"true alone", "true"},
    {"false alone", "false"},
    {"null alone", "null"},
    {"string alone", R"("x")"},
    {"empty string alone", R"("")"},
    {"blanks of all four kinds around everything", " \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n[ 1 \t\r\n, 2 ] \t\r\n} \t\r\n"},
    {"fraction", "[0.5]"},
    {"fraction with zeros behind", "[1.000]"},
    {"fraction with many digits", "[0.1000000000000000055511151231257827021181583404541015625]"},
    {"exponent", "[1e2]"},
    {"exponent with plus", "[1E+2]"},
    {"exponent with minus", "[1e-2]"},
    {"exponent with zeros in front", "[1e0002]"},
    {"fraction and exponent", "[-1.5e10]"},
    {"integer beyond 64 bits", "[123456789012345678901234567890]"},
    {"lowest 64 bit integer", "[-9223372036854775808]"},
    {"member names that differ in case", R"({"a":1,"A":2})"},
    {"empty member name", R"({"":1})"},
    {"the same name in different objects", R"([{"a":1},{"a":2},{"b":{"a":3},"a":4}])"},
    {"member name with escapes", R"({"\u0061\n":1})"},
    {"names that differ only behind a zero", R"({"a\u0000b":1,"a\u0000c":2})"},
    {"all short escapes", R"(["\"\\\/\b\f\n\r\t"])"},
    {"escape of a letter", R"(["\u0041\u00e9\u20AC"])"},
    {"escape in mixed case", R"(["\uAbCd"])"},
    {"escaped zero", R"(["\u0000"])"},
    {"surrogate pair", R"(["\ud83d\ude00"])"},
    {"first and last surrogate pair", R"(["\ud800\udc00","\udbff\udfff"])"},
    {"escaped noncharacters", R"(["\uffff\ufffe\ufdd0"])"},
    {"two-byte letter", "[\"\xC3\xA9\"]"},
    {"three-byte letter", "[\"\xE2\x82\xAC\"]"},
    {"four-byte letter", "[\"\xF0\x9F\x98\x80\"]"},
    {"last code point", "[\"\xF4\x8F\xBF\xBF\"]"},
    {"noncharacter in UTF-8", "[\"\xEF\xBF\xBF\"]"},
    {"delete character", "[\"\x7F\"]"},
    {"line and paragraph separators", "[\"\xE2\x80\xA8\xE2\x80\xA9\"]"},
    {"byte order mark inside a string", "[\"\xEF\xBB\xBF\"]"},
    {"text that looks like structure", R"(["{\"a\":[1,2]}", "]", "}", ",", ":"])"},
    {"comment signs inside a string", R"(["// x /* y */ # z"])"},
    {"backslashes in front of the closing quote", R"(["\\\\"])"},
    {"nested lists", "[[[[[]]]],[]]"},
    {"nested objects", R"({"a":{"b":{"c":{}}}})"},
    {"everything in one", R"({"n":null,"t":true,"f":false,"i":1,"d":1.5,"s":"x","l":[1,"a",{}],"o":{"l":[]}})"},
    {"a slash that need not be escaped", R"(["/"])"},
};

constexpr Edge kInvalid[] = {
    {"nothing", ""},
    {"blanks alone", " \n\t"},
    {"a word", "hello"},
    {"capital true", "[True]"},
    {"capital null", "[NULL]"},
    {"cut true", "[tru]"},
    {"longer true", "[truex]"},
    {"true and a digit", "[true1]"},
    {"not a number", "[NaN]"},
    {"infinity", "[Infinity]"},
    {"minus infinity", "[-Infinity]"},
    {"undefined", "[undefined]"},
    {"open object", "{"},
    {"open list", "["},
    {"closed object alone", "}"},
    {"closed list alone", "]"},
    {"wrong closing bracket", R"({"a":1])"},
    {"wrong closing brace", "[1}"},
    {"comma alone", ","},
    {"colon alone", ":"},
    {"list with a comma at its end", "[1,]"},
    {"list with a comma in front", "[,1]"},
    {"list with two commas", "[1,,2]"},
    {"list of a comma", "[,]"},
    {"list without commas", "[1 2]"},
    {"list of strings without commas", R"(["a" "b"])"},
    {"list with a colon", R"(["a":1])"},
    {"object with a comma at its end", R"({"a":1,})"},
    {"object with a comma in front", R"({,"a":1})"},
    {"object with two commas", R"({"a":1,,"b":2})"},
    {"object without a value", R"({"a":})"},
    {"object without a colon", R"({"a" 1})"},
    {"object without colon and value", R"({"a"})"},
    {"object with two colons", R"({"a"::1})"},
    {"object without a name", "{:1}"},
    {"object of a value", "{1}"},
    {"number as a name", "{1:1}"},
    {"null as a name", "{null:1}"},
    {"bare name", "{a:1}"},
    {"single quotes", "{'a':1}"},
    {"single quotes around a value", "['a']"},
    {"backquotes", "[`a`]"},
    {"something behind an object", R"({"a":1} x)"},
    {"a second value", "1 2"},
    {"a second object", "{}{}"},
    {"a closing bracket too many", "[1]]"},
    {"a comma behind the value", "{},"},
    {"line comment", "[1] // end"},
    {"block comment", "[1 /* one */]"},
    {"hash comment", "# x\n[1]"},
    {"plus sign", "[+1]"},
    {"two minus signs", "[--1]"},
    {"minus alone", "[-]"},
    {"minus and a blank", "[- 1]"},
    {"zero in front", "[01]"},
    {"zeros in front of zero", "[00]"},
    {"minus and zero in front", "[-01]"},
    {"fraction without digits in front", "[.5]"},
    {"fraction without digits behind", "[1.]"},
    {"fraction without digits and exponent", "[1.e2]"},
    {"two fractions", "[1.2.3]"},
    {"exponent without digits", "[1e]"},
    {"exponent with a sign alone", "[1e+]"},
    {"exponent with a fraction", "[1e2.5]"},
    {"two exponents", "[1e2e3]"},
    {"hexadecimal number", "[0x1F]"},
    {"octal number", "[0o7]"},
    {"number with an underscore", "[1_000]"},
    {"number with a comma for the point", "[1,5.]"},
    {"number with a letter behind", "[1a]"},
    {"number with a suffix", "[1L]"},
    {"blank inside a number", "[1 .5]"},
    {"full-width digit", "[\xEF\xBC\x91]"},
    {"open string", R"(["a)"},
    {"string that escapes its closing quote", R"(["a\"])"},
    {"quote alone", "\""},
    {"unknown escape", R"(["\x41"])"},
    {"escaped single quote", R"(["\'"])"},
    {"escaped letter a", R"(["\a"])"},
    {"escaped zero digit", R"(["\0"])"},
    {"capital U escape", R"(["\U0041"])"},
    {"short unicode escape", R"(["\u41"])"},
    {"unicode escape with a blank", R"(["\u 041"])"},
    {"unicode escape with a letter that is no digit", R"(["\u00G1"])"},
    {"unicode escape in braces", R"(["\u{41}"])"},
    {"escape outside of a string", R"([\n])"},
    {"line break inside a string", "[\"a\nb\"]"},
    {"tab inside a string", "[\"a\tb\"]"},
    {"zero byte inside a string", "[\"a\0b\"]"sv},
    {"control byte inside a string", "[\"\x1F\"]"},
    {"zero byte behind the value", "[]\0"sv},
    {"zero byte between values", "[1,\0 2]"sv},
    {"form feed as a blank", "[\f1]"},
    {"vertical tab as a blank", "[\v1]"},
    {"no-break space as a blank", "[\xC2\xA0" "1]"},
    {"byte order mark behind the start", "[\xEF\xBB\xBF]"},
    {"two byte order marks", "\xEF\xBB\xBF\xEF\xBB\xBF[]"},
    {"byte order mark alone", "\xEF\xBB\xBF"},
    {"continuation byte alone", "[\"\x80\"]"},
    {"cut two-byte letter", "[\"\xC3\"]"},
    {"cut three-byte letter", "[\"\xE2\x82\"]"},
    {"cut four-byte letter", "[\"\xF0\x9F\x98\"]"},
    {"letter cut by the end of the text", "[\"\xE2\x82"},
    {"overlong slash", "[\"\xC0\xAF\"]"},
    {"overlong zero", "[\"\xC0\x80\"]"},
    {"overlong in three bytes", "[\"\xE0\x80\xAF\"]"},
    {"overlong in four bytes", "[\"\xF0\x80\x80\xAF\"]"},
    {"surrogate in UTF-8", "[\"\xED\xA0\x80\"]"},
    {"surrogate pair in UTF-8", "[\"\xED\xA0\xBD\xED\xB8\x80\"]"},
    {"beyond the last code point", "[\"\xF4\x90\x80\x80\"]"},
    {"byte FE", "[\"\xFE\"]"},
    {"byte FF", "[\"\xFF\"]"},
    {"five-byte letter", "[\"\xF8\x88\x80\x80\x80\"]"},
    {"broken bytes in a name", "{\"\xFF\":1}"},
    {"broken bytes outside of strings", "[1]\xFF"},
    {"broken bytes alone", "\xC3\x28"},
    {"latin-1 text", "[\"caf\xE9\"]"},
    {"JSON with a prefix against scripts", ")]}',\n{}"},
    {"JSONP", "f({})"},
    {"form fields", "a=1&b=2"},
    {"XML", "<a>1</a>"},
};

// RFC 8259 lets readers differ; what Belay answers, and why, stands in each name.
constexpr Edge kOpenAccepted[] = {
    {"byte order mark in front (§8.1 allows to ignore it)", "\xEF\xBB\xBF{\"a\":1}"},
    {"number beyond doubles (§6: digits are kept as written)", "[1e400,-1e400,1e-400]"},
    {"an exponent of many digits (§6)", "[1e99999999999999999999]"},
    {"integer of 1000 digits (§6)", ""},  // text made below
    {"100 levels (§9: the limit itself)", ""},
};
constexpr Edge kOpenRefused[] = {
    {"duplicate name (§4: readers disagree which one counts)", R"({"a":1,"a":2})"},
    {"duplicate name with equal values (§4)", R"({"a":1,"b":2,"a":1})"},
    {"duplicate name behind an escape (§8.3)", R"({"a":1,"\u0061":2})"},
    {"duplicate empty name (§4)", R"({"":1,"":2})"},
    {"duplicate name deep inside (§4)", R"([{"x":[{"k":1,"k":2}]}])"},
    {"first half of a surrogate pair alone (§8.2)", R"(["\ud83d"])"},
    {"second half of a surrogate pair alone (§8.2)", R"(["\ude00"])"},
    {"surrogate pair in the wrong order (§8.2)", R"(["\ude00\ud83d"])"},
    {"first half and a letter (§8.2)", R"(["\ud83d\u0041"])"},
    {"first half and a short escape (§8.2)", R"(["\ud83d\n"])"},
    {"first half twice (§8.2)", R"(["\ud83d\ud83d"])"},
    {"surrogate alone in a name (§8.2)", R"({"\udc00":1})"},
    {"101 levels (§9: one beyond the limit)", ""},
};

std::string repeated(std::string_view text, size_t size) {
  std::string out;
  out.reserve(size);
  while (out.size() + text.size() <= size) out += text;
  return out;
}

void add_hostile(std::vector<JsonEdge>& out, size_t size) {
  const auto refused = [&out](std::string name, std::string text) { out.push_back({std::move(name), std::move(text), false, true}); };
  out.push_back({"digits", std::string(size, '7'), true, true});
  out.push_back({"digits behind a point", "[0." + std::string(size - 4, '3') + "]", true, true});
  out.push_back({"one string", "\"" + std::string(size - 2, 'x') + "\"", true, true});
  out.push_back({"one string of escapes", "\"" + repeated("\\u00e9", size - 2) + "\"", true, true});
  out.push_back({"blanks", std::string(size - 2, ' ') + "[]", true, true});
  refused("digits with a zero in front", std::string(size, '0'));
  refused("open brackets", std::string(size, '['));
  refused("open braces", std::string(size, '{'));
  refused("open objects", repeated(R"({"a":)", size));
  refused("open lists in objects", repeated(R"([{"":)", size));
  refused("quotes", std::string(size, '"'));
  refused("backslashes", "\"" + std::string(size - 1, '\\'));
  refused("commas", "[" + std::string(size - 1, ','));
  refused("too many values", "[" + repeated("0,", size - 3) + "0]");
  refused("too many empty lists", "[" + repeated("[],", size - 3) + "0]");
  refused("bytes that are not UTF-8", "[\"" + std::string(size - 4, '\xFF') + "\"]");
  refused("the last byte is not UTF-8", "[\"" + std::string(size - 5, 'x') + "\xFF\"]");
  refused("the same name again and again", "{" + repeated(R"("a":1,)", size - 8) + R"("a":1})");
  refused("blanks alone", std::string(size, ' '));
  refused("half an escape at the end", "\"" + std::string(size - 4, 'x') + "\\u0");
  std::string names = "{";
  for (size_t i = 0; names.size() + 24 < size; ++i) names += "\"n" + std::to_string(i) + "\":0,";
  refused("names, and the first one again at the end", names + "\"n0\":0}");
}

}  // namespace

std::vector<JsonEdge> json_edges(size_t size) {
  std::vector<JsonEdge> out;
  const auto add = [&out](const Edge& edge, bool accepted, bool open) {
    std::string text(edge.text);
    if (edge.name.starts_with("integer of 1000")) text = std::string(1000, '9');
    if (edge.name.starts_with("100 levels")) text = std::string(100, '[') + std::string(100, ']');
    if (edge.name.starts_with("101 levels")) text = std::string(101, '[') + std::string(101, ']');
    out.push_back({std::string(edge.name), std::move(text), accepted, open});
  };
  for (const Edge& edge : kValid) add(edge, true, false);
  for (const Edge& edge : kInvalid) add(edge, false, false);
  for (const Edge& edge : kOpenAccepted) add(edge, true, true);
  for (const Edge& edge : kOpenRefused) add(edge, false, true);
  add_hostile(out, size);
  return out;
}

}  // namespace belay::test
