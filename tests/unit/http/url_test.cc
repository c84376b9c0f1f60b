#include <doctest/doctest.h>

#include <string>

#include "http/url.h"

using namespace belay;
using namespace belay::http;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("urls_are_taken_apart_as_written") {
  auto url = parse_url("HTTP://Backend.Example:8081/legacy/a%20b?x=1?2");
  REQUIRE(url.ok());
  CHECK(url->scheme == "http");
  CHECK(url->host == "backend.example");
  CHECK(url->port == 8081);
  CHECK(url->explicit_port);
  CHECK(url->path == "/legacy/a%20b");
  CHECK(url->query == "x=1?2");
  CHECK(url->authority() == "backend.example:8081");

  url = parse_url("https://a");
  REQUIRE(url.ok());
  CHECK(url->port == 443);
  CHECK_FALSE(url->explicit_port);
  CHECK_FALSE(url->has_path());
  CHECK(url->authority() == "a");

  url = parse_url("https://[2001:DB8::1]:443?q");
  REQUIRE(url.ok());
  CHECK(url->host == "2001:db8::1");
  CHECK(url->query == "q");
  CHECK_FALSE(url->has_path());
  CHECK(url->authority() == "[2001:db8::1]");
  CHECK(parse_url("http://[::1]:81/")->authority() == "[::1]:81");
}

TEST_CASE("unix_urls_name_a_socket_and_perhaps_a_path") {
  auto url = parse_url("unix:/run/app.sock");
  REQUIRE(url.ok());
  CHECK(url->scheme == "unix");
  CHECK(url->host == "/run/app.sock");
  CHECK_FALSE(url->has_path());
  CHECK(url->authority() == "localhost");
  url = parse_url("unix:/run/app.sock:/hooks?x=1");
  REQUIRE(url.ok());
  CHECK(url->host == "/run/app.sock");
  CHECK(url->path == "/hooks");
  CHECK(url->query == "x=1");
}

TEST_CASE("urls_that_are_refused_say_what_to_write") {
  struct Case {
    std::string text, part;
  };
  const Case kCases[] = {
      {"", "write one of them"},      {"backend:8081/x", "http://"},
      {"ftp://a/", "http://"},        {"http:/a", "http://"},
      {"http://", "has no host"},     {"http:///x", "has no host"},
      {"http://:80/", "has no host"}, {"http://u:p@a/", "auth"},
      {"http://a#f", "%23"},          {"http://a/b c", "%XX"},
      {"http://a/\xc3\xa4", "%XX"},   {"http://a/%zz", "%25"},
      {"http://a/\n", "%XX"},         {"http://a:/", "1 to 65535"},
      {"http://a:0/", "1 to 65535"},  {"http://a:65536/", "1 to 65535"},
      {"http://a:x/", "1 to 65535"},  {"http://a,b/", "letters, digits"},
      {"http://[::1", "brackets"},    {"http://[1.2.3.4]/", "brackets"},
      {"http://[::1]x/", "'x'"},      {"http://a%41/", "letters, digits"},
      {"unix:app.sock", "unix:/run"}, {"unix:", "unix:/run"},
  };
  for (const Case& one : kCases) {
    CAPTURE(one.text);
    const auto url = parse_url(one.text);
    REQUIRE_FALSE(url.ok());
    CHECK(url.error().kind == ErrorKind::invalid);
    CAPTURE(url.error().message);
    CHECK(url.error().message.find(one.part) != std::string::npos);
  }
}

TEST_CASE("percent_coding_goes_both_ways_and_refuses_broken_escapes") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  CHECK(percent_decode(percent_encode(all)) == all);
  CHECK(percent_encode("a-Z_0.~ /%+") == "a-Z_0.~%20%2F%25%2B");
  CHECK(percent_decode("a+b%2b%2B") == "a+b++");
  CHECK(percent_decode("a+b%2b", true) == "a b+");
  for (const std::string bad : {"%", "%0", "%0g", "a%%41"}) CHECK_FALSE(percent_decode(bad).has_value());
}

TEST_CASE("forms_keep_order_and_repeats_and_broken_escapes_as_written") {
  CHECK(parse_form("a=1&b=x+y%26&a=2") == Pairs{{"a", "1"}, {"b", "x y&"}, {"a", "2"}});
  CHECK(parse_form("&&a&=v&b=&c==d&") == Pairs{{"a", ""}, {"", "v"}, {"b", ""}, {"c", "=d"}});
  CHECK(parse_form("a=%zz&%=1") == Pairs{{"a", "%zz"}, {"%", "1"}});
  CHECK(parse_form("").empty());
  for (const std::string text : {"", "a", "&&a&=v&b=&c==d&", "a=1&b", "&", "=&="}) CHECK(count_form_fields(text) == parse_form(text).size());
}

TEST_CASE("paths_are_joined_with_one_slash") {
  CHECK(join_path("/base", "rest") == "/base/rest");
  CHECK(join_path("/base/", "/rest/") == "/base/rest/");
  CHECK(join_path("/base", "") == "/base");
  CHECK(join_path("/base/", "") == "/base/");
  CHECK(join_path("", "/x") == "/x");
  CHECK(join_path("", "") == "/");
  CHECK(join_path("/", "/") == "/");
}

TEST_CASE("paths_that_climb_are_recognised_in_every_spelling") {
  for (const std::string path : {"..", "/a/../b", "/.", "a/..", "/%2e%2E/x", "/a/.%2e", "/a%2f..%2fb", "/a\\..\\b",
                                 "/a%5c..", "/..;x=1/b", "/./"}) {
    CAPTURE(path);
    CHECK(has_dot_segments(path));
  }
  for (const std::string path : {"", "/", "/a.b/..c/...", "/a;../b", "/%2e%2e%2e"}) {
    CAPTURE(path);
    CHECK_FALSE(has_dot_segments(path));
  }
}
