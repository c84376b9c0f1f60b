// Which payload is read as what; content codings; charsets; forms.
#include <doctest/doctest.h>

#include "support/compress.h"
#include "unit/payload/fixture.h"

using namespace belay;
using namespace belay::payload_test;
using test::compress;
using test::Wrapper;

namespace {

std::string coded(const std::string& coding, std::string body, Options options = {}) {
  return show(Request({{"Content-Type", "application/json"}, {"Content-Encoding", coding}}, std::move(body), options).value());
}

std::string field(Request& request, std::string_view name) {
  const rules::Value form = request.form();
  if (form.is_error()) return show(form);
  return form.as_table().all(name, request.arena()).to_json().value();
}

Options with_charset(const char* name) {
  Options options;
  options.charset = find_charset(name);
  return options;
}

}  // namespace

TEST_CASE("the_content_type_decides_what_a_payload_is") {
  CHECK_EQ(read("application/json", R"({"a":1.50})"), R"({"a":1.50})");
  CHECK_EQ(read("Application/JSON ; charset=utf-8", "[1]"), "[1]");
  CHECK_EQ(read("application/vnd.acme.event+json", "\"x\""), "\"x\"");
  CHECK_EQ(read("application/x-www-form-urlencoded", "a=1&b=%C3%A9"), "{\"a\":\"1\",\"b\":\"\xC3\xA9\"}");
  CHECK_EQ(read("text/xml", "<a>1</a>"), R"({"a":"1"})");
  CHECK_EQ(read("application/soap+xml; action=x", "<a/>"), R"({"a":""})");
  CHECK_EQ(read("", R"( {"a":1})"), R"({"a":1})");
  CHECK_EQ(read("text/plain; charset=UTF-8", "\xEF\xBB\xBF[1]"), "[1]");
}

TEST_CASE("what_is_neither_json_nor_form_nor_xml_is_not_read_and_the_reason_says_why") {
  CHECK_EQ(read("", "hello"), "unreadable: it has no Content-Type and does not begin like JSON");
  CHECK_EQ(read("text/plain", "42"), "unreadable: it is text/plain and does not begin like JSON");
  CHECK_EQ(read("multipart/form-data; boundary=x", "--x--"), "unreadable: its type multipart/form-data is not JSON, a form or XML");
  CHECK_EQ(read("application/octet-stream", "{}"), "unreadable: its type application/octet-stream is not JSON, a form or XML");
  CHECK_EQ(read("application/json", "{"), "unreadable: it is not JSON: expected a member name in quotes at byte 1");
  CHECK_EQ(show(Request({{"Content-Type", "application/json"}, {"content-type", "text/xml"}}, "{}").value()), "unreadable: it has two Content-Types");
}

TEST_CASE("the_rules_override_the_content_type") {
  CHECK_EQ(read("text/html", "[1]", {.as = As::json}), "[1]");
  CHECK_EQ(read("application/json", "a=1", {.as = As::form}), R"({"a":"1"})");
  CHECK_EQ(read("", "<a/>", {.as = As::xml}), R"({"a":""})");
  CHECK_EQ(read("application/json", "{}", {.as = As::none}), "unreadable: its source says decode: none");
}

TEST_CASE("gzip_and_deflate_are_undone_in_the_order_they_were_applied") {
  const std::string text = R"({"a":[1,2,3]})";
  CHECK_EQ(coded("gzip", compress(text)), text);
  CHECK_EQ(coded("X-GZip", compress(text)), text);
  CHECK_EQ(coded("deflate", compress(text, Wrapper::zlib)), text);
  CHECK_EQ(coded("deflate", compress(text, Wrapper::none)), text);
  CHECK_EQ(coded("identity", text), text);
  CHECK_EQ(coded("", text), text);
  CHECK_EQ(coded("deflate, gzip", compress(compress(text, Wrapper::zlib))), text);
  CHECK_EQ(coded("gzip", compress("{\"a\":") + compress("1}")), R"({"a":1})");
  const Request::Fields fields{{"Content-Type", "application/json"}, {"Content-Encoding", "deflate"}, {"content-encoding", "gzip"}};
  CHECK_EQ(show(Request(fields, compress(compress(text, Wrapper::zlib))).value()), text);
}

TEST_CASE("a_compressed_form_and_compressed_xml_are_read_too") {
  const Request::Fields form{{"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Encoding", "gzip"}};
  CHECK_EQ(show(Request(form, compress("a=1")).value()), R"({"a":"1"})");
  const Request::Fields xml{{"Content-Type", "text/xml"}, {"Content-Encoding", "gzip"}};
  CHECK_EQ(show(Request(xml, compress("<a>x</a>")).value()), R"({"a":"x"})");
}

TEST_CASE("broken_cut_and_unknown_content_codings_are_refused") {
  const std::string good = compress("{\"a\":1}");
  CHECK_EQ(coded("gzip", "{\"a\":1}"), "unreadable: its compressed stream is broken");
  CHECK_EQ(coded("gzip", good.substr(0, good.size() - 1)), "unreadable: its compressed stream is cut short");
  CHECK_EQ(coded("gzip", ""), "unreadable: its compressed stream is cut short");
  CHECK_EQ(coded("gzip", good + "x"), "unreadable: its compressed stream is cut short");
  CHECK_EQ(coded("gzip", good + "more bytes"), "unreadable: its compressed stream is broken");
  CHECK_EQ(coded("deflate", compress("{}", Wrapper::zlib) + "x"), "unreadable: something follows its compressed stream");
  std::string flipped = good;
  flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 1);  // the checksum
  CHECK_EQ(coded("gzip", flipped), "unreadable: its compressed stream is broken");
  CHECK_EQ(coded("br", "x"), "unreadable: its content coding 'br' is not one that can be read (gzip, deflate)");
  CHECK_EQ(coded("gzip, gzip, gzip", "x"), "unreadable: it has more than 2 content codings");
}

TEST_CASE("what_unfolds_beyond_the_limits_is_refused_at_the_limit_and_not_later") {
  const std::string list = "[\"" + std::string(996, 'x') + "\"]";
  CHECK_EQ(coded("gzip", compress(list), {.max = 1000}), list);
  CHECK_EQ(coded("gzip", compress(list), {.max = 999}), "unreadable: it unfolds to more than 999 bytes");
  const std::string bomb = compress(std::string(size_t{64} << 20, ' '));
  CHECK_LT(bomb.size(), 70'000);
  std::string answer;
  const int64_t spent = milliseconds([&] { answer = coded("gzip", bomb); });
  CHECK_EQ(answer, "unreadable: it unfolds to more than 100 times its size");
  CHECK_LT(spent, kSoon);
  const std::string two_fold = compress(bomb);
  CHECK_LT(two_fold.size(), 1000);
  CHECK_EQ(coded("gzip, gzip", two_fold), "unreadable: it unfolds to more than 100 times its size");
}

TEST_CASE("another_charset_is_read_as_utf8") {
  CHECK_EQ(read("application/json; charset=iso-8859-1", "[\"caf\xE9\"]"), "[\"caf\xC3\xA9\"]");
  CHECK_EQ(read("application/json; charset=\"Windows-1252\"", "[\"\x80\"]"), "[\"\xE2\x82\xAC\"]");
  CHECK_EQ(read("application/json; charset=shift_jis", "[\"\x83\x5C\"]"), "[\"\xE3\x82\xBD\"]");
  CHECK_EQ(read("application/json; charset=utf-16le", std::string("[\0001\0]\0", 6)), "[1]");
  CHECK_EQ(read("application/json; charset=utf-16", std::string("\xFE\xFF\0[\0001\0]", 8)), "[1]");
  CHECK_EQ(read("application/json", std::string("\xFF\xFE[\0001\0]\0", 8)), "[1]");
  CHECK_EQ(read("text/plain", std::string("\xFF\xFE[\0001\0]\0", 8)), "[1]");
  CHECK_EQ(read("application/json", "[\"\xE9\"]", with_charset("iso-8859-1")), "[\"\xC3\xA9\"]");
  CHECK_EQ(read("text/xml; charset=iso-8859-1", "<a>\xE9</a>"), "{\"a\":\"\xC3\xA9\"}");
  CHECK_EQ(read("text/xml", "<?xml version='1.0' encoding='ISO-8859-15'?><a>\xA4</a>"), "{\"a\":\"\xE2\x82\xAC\"}");
  CHECK_EQ(read("text/xml; charset=utf-8", "<?xml version='1.0' encoding='ISO-8859-15'?><a>\xC3\xA9</a>"), "{\"a\":\"\xC3\xA9\"}");
}

TEST_CASE("bytes_that_are_not_of_the_charset_are_errors_and_nothing_is_replaced") {
  CHECK_EQ(read("application/json", "[\"\xE9\"]"), "unreadable: it is not JSON: bytes that are not UTF-8");
  CHECK_EQ(read("application/json; charset=us-ascii", "[\"\xC3\xA9\"]"), "unreadable: it holds bytes that are not us-ascii (at byte 2)");
  CHECK_EQ(read("application/json; charset=windows-1252", "[\"\x81\"]"), "unreadable: it holds bytes that are not windows-1252 (at byte 2)");
  CHECK_EQ(read("application/json; charset=utf-16le", std::string("[\0\0\xD8]\0", 6)), "unreadable: it holds bytes that are not utf-16le (at byte 2)");
  CHECK_EQ(read("application/json; charset=utf-16le", std::string("[\0001\0]", 5)), "unreadable: it holds bytes that are not utf-16le (at byte 4)");
  CHECK_EQ(read("text/xml", "<a>\xE9</a>").substr(0, 27), "unreadable: it is not XML: ");
}

TEST_CASE("charsets_that_contradict_each_other_or_are_not_known_are_refused") {
  CHECK_EQ(read("application/json; charset=klingon", "[]"), "unreadable: charset 'klingon' is not one that can be read");
  CHECK_EQ(read("application/json; charset=utf-7", "[]"), "unreadable: charset 'utf-7' is not one that can be read");
  CHECK_EQ(read("application/json; charset=UTF-8//TRANSLIT", "[]"), "unreadable: charset 'UTF-8//TRANSLIT' is not one that can be read");
  CHECK_EQ(read("application/json; charset=utf-8; charset=iso-8859-1", "[]"), "unreadable: its Content-Type names two charsets");
  CHECK_EQ(read("application/json; charset=utf-8", std::string("\xFF\xFE[\0]\0", 6)),
           "unreadable: its byte order mark is utf-16le's, its charset is said to be utf-8");
  CHECK_EQ(read("application/json; charset=utf-16", "[]"), "unreadable: it is UTF-16 without a byte order mark; utf-16le or utf-16be would say more");
  CHECK_EQ(read("text/xml", "<?xml version='1.0' encoding='x-unknown'?><a/>"), "unreadable: charset 'x-unknown' is not one that can be read");
}

TEST_CASE("a_text_larger_than_the_limit_once_converted_is_refused") {
  const std::string latin = "[\"" + std::string(100, '\xE9') + "\"]";
  CHECK_EQ(read("application/json; charset=iso-8859-1", latin, {.max = 204}).size(), 204);
  CHECK_EQ(read("application/json; charset=iso-8859-1", latin, {.max = 203}), "unreadable: it is larger than 203 bytes as UTF-8");
}

TEST_CASE("a_form_keeps_order_repeats_and_names_as_written") {
  Request request({{"Content-Type", "application/x-www-form-urlencoded"}}, "z=1&a%5Bb%5D=2&z=3&list[]=4&list[]=5&=6&empty");
  CHECK_EQ(show(request.form()), R"({"z":"1","a[b]":"2","list[]":"4","":"6","empty":""})");
  CHECK_EQ(field(request, "z"), R"(["1","3"])");
  CHECK_EQ(field(request, "list[]"), R"(["4","5"])");
  CHECK_EQ(field(request, "a"), "[]");
  Request untyped({}, "a=1&a=2");
  CHECK_EQ(field(untyped, "a"), R"(["1","2"])");
}

TEST_CASE("a_form_in_another_charset_is_converted_behind_its_percent_signs") {
  Request latin({{"Content-Type", "application/x-www-form-urlencoded; charset=windows-1252"}}, "name=caf%E9&euro=%80");
  CHECK_EQ(field(latin, "name"), "[\"caf\xC3\xA9\"]");
  CHECK_EQ(field(latin, "euro"), "[\"\xE2\x82\xAC\"]");
  CHECK_EQ(read("application/x-www-form-urlencoded", "name=caf%E9"), "unreadable: it holds bytes that are not UTF-8");
  CHECK_EQ(read("application/x-www-form-urlencoded; charset=utf-16", "a=1"), "unreadable: it is a form in utf-16; a form is ASCII");
}

TEST_CASE("a_form_has_at_most_its_limit_of_pairs") {
  std::string pairs = "a=1";
  for (size_t i = 1; i < Payload::kMaxFormPairs; ++i) pairs += "&a=" + std::to_string(i);
  CHECK_EQ(read("application/x-www-form-urlencoded", pairs), R"({"a":"1"})");
  CHECK_EQ(read("application/x-www-form-urlencoded", pairs + "&b"), "unreadable: it is a form of more than 10000 pairs");
}
