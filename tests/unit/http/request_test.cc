#include <doctest/doctest.h>

#include <string>

#include "http/parser.h"
#include "message_stream.h"

using namespace belay;
using namespace belay::http;
using namespace belay::http::testing;

namespace {

// Parses one whole head; the text must outlive the head.
ParseState parse(std::string_view text, RequestHead& head, Refusal* refusal = nullptr, const HeadLimits& limits = {}) {
  RequestParser parser(limits);
  const ParseState state = parser.parse(text, head);
  if (refusal != nullptr) *refusal = parser.refusal();
  return state;
}

int status_of(std::string_view text, const HeadLimits& limits = {}) {
  const Reading reading = read_requests(text, limits, whole());
  CHECK(read_requests(text, limits, bytewise()) == reading);
  return reading.refused;
}

std::string with_fields(std::string_view fields) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
std::string with_target(std::string_view target, std::string_view host = "a") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("a_head_is_given_as_views_in_received_order_and_case") {
  const std::string text =
      "POST /hooks/acumatica?tenant=7&x=a%20b HTTP/1.1\r\nHost: Hooks.Example.com:8443\r\nX-SIGNATURE:  sha256=ab cd\t "
      "\r\n"
      "content-length: 12\r\nEmpty:\r\nx-signature: second\r\n\r\n";
  RequestHead head;
  RequestParser parser(HeadLimits{});
  REQUIRE(parser.parse(text, head) == ParseState::complete);
  CHECK(parser.head_bytes() == text.size());
  CHECK(head.method == "POST");
  CHECK(head.target == "/hooks/acumatica?tenant=7&x=a%20b");
  CHECK(head.path == "/hooks/acumatica");
  CHECK(head.query == "tenant=7&x=a%20b");
  CHECK(head.host == "Hooks.Example.com:8443");
  CHECK(head.framing == Framing::length);
  CHECK(head.content_length == 12);
  CHECK(head.keep_alive);
  REQUIRE(head.fields.size() == 5);
  CHECK(head.fields[1].name == "X-SIGNATURE");
  CHECK(head.fields[1].value == "sha256=ab cd");
  CHECK(head.fields[3].name == "Empty");
  CHECK(head.fields[3].value.empty());
  CHECK(*head.fields.find("X-Signature") == "sha256=ab cd");
  CHECK(head.fields.all("x-signature") == std::vector<std::string_view>{"sha256=ab cd", "second"});
  CHECK(head.fields.find("x-signatur") == nullptr);
}

TEST_CASE("a_parser_and_a_head_are_used_again_for_the_next_message") {
  RequestParser parser(HeadLimits{});
  RequestHead head;
  const std::string first = "POST /a?b HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  REQUIRE(parser.parse(first, head) == ParseState::complete);
  parser.reset();
  const std::string second = "GET /c HTTP/1.1\r\nHost: a\r\n\r\n";
  REQUIRE(parser.parse(second, head) == ParseState::complete);
  CHECK(head.fields.size() == 1);
  CHECK(head.framing == Framing::none);
  CHECK(head.content_length == 0);
  CHECK(head.query.empty());
  CHECK(head.keep_alive);
}

TEST_CASE("a_refused_message_stays_refused_until_reset") {
  RequestParser parser(HeadLimits{});
  RequestHead head;
  CHECK(parser.parse("GET / HTTP/1.1\nHost: a\r\n\r\n", head) == ParseState::refused);
  CHECK(parser.head_bytes() == 0);
  CHECK(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head) == ParseState::refused);
  parser.reset();
  CHECK(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head) == ParseState::complete);
}

TEST_CASE("whoever_does_not_speak_http_is_refused_before_the_head_is_whole") {
  RequestHead head;
  CHECK(parse("\x16\x03\x01\x02", head) == ParseState::refused);  // TLS on a plain port
  CHECK(parse("GET /\r\n", head) == ParseState::refused);
  CHECK(parse("SSH-2.0-OpenSSH_9.2\r\n", head) == ParseState::refused);
  Refusal refusal;
  CHECK(parse("PRI * HTTP/2.0\r\n", head, &refusal) == ParseState::refused);
  CHECK(refusal.status == 505);
}

TEST_CASE("request_targets_are_origin_form_or_reduced_to_it") {
  RequestHead head;
  std::string text = with_target("http://a/x?y");
  REQUIRE(parse(text, head) == ParseState::complete);
  CHECK(head.target == "/x?y");
  CHECK(head.path == "/x");
  CHECK(head.host == "a");
  text = with_target("HTTPS://A.example:443", "a.Example:443");
  REQUIRE(parse(text, head) == ParseState::complete);
  CHECK(head.target == "/");
  CHECK(head.host == "a.Example:443");
  text = "GET http://b/x HTTP/1.0\r\n\r\n";
  REQUIRE(parse(text, head) == ParseState::complete);
  CHECK(head.host == "b");
  text = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
  REQUIRE(parse(text, head) == ParseState::complete);
  CHECK(head.target == "*");
  text = with_target("/a?");
  REQUIRE(parse(text, head) == ParseState::complete);
  CHECK(head.target == "/a?");
  CHECK(head.query.empty());

  for (const std::string target :
       {"http://a?x", "http:///x", "http://u@a/x", "http://b/x", "ftp://a/x", "*", "a:443", "/%", "/%0", "/%0g", "/a#b",
        "/\x7f", "/\xc3\xa9", "?a", "http:/a", "http://a:99999/"}) {
    CAPTURE(target);
    CHECK(status_of(with_target(target)) == 400);
  }
  CHECK(status_of(with_target("//")) == 0);  // an empty segment is a path
  CHECK(status_of("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("methods_are_known_upper_case_tokens_and_open_no_tunnel") {
  const auto request = [](std::string_view method) { return std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n"; };
  for (const std::string method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT", "M-SEARCH"}) {
    CAPTURE(method);
    CHECK(status_of(request(method)) == 0);
  }
  for (const std::string method : {"get", "Post", "GETS", "GE", "BREW", "PRI", "SETUP", "TRACE", "CONNECT"}) {
    CAPTURE(method);
    CHECK(status_of(request(method)) == 501);
  }
  for (const std::string method : {"G(T", "", "G\xc3T", "GET,POST"}) {
    CAPTURE(method);
    CHECK(status_of(request(method)) == 400);
  }
}

TEST_CASE("versions_beside_1_0_and_1_1_are_refused") {
  const auto request = [](std::string_view version) { return "GET / " + std::string(version) + "\r\nHost: a\r\n\r\n"; };
  CHECK(status_of(request("HTTP/1.0")) == 0);
  for (const std::string version : {"HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/9.9"})
    CHECK(status_of(request(version)) == 505);
  for (const std::string version :
       {"HTTP/1.", "HTTP/11", "HTTP/1.01", "http/1.1", "RTSP/1.0", "HTTP/1,1", " HTTP/1.1", "HTTP/1.1 "}) {
    CAPTURE(version);
    CHECK(status_of(request(version)) == 400);
  }
}

TEST_CASE("host_is_one_name_or_address_with_an_optional_port") {
  for (const std::string host :
       {"a", "A-b.example_1~", "127.0.0.1:80", "[::1]", "[2001:db8::1]:8080", "a:0", "a:65535"}) {
    CAPTURE(host);
    CHECK(status_of(with_target("/", host)) == 0);
  }
  for (const std::string host :
       {"",   "a b", "a,b",         "u@a",    "a/x", "a:",   "a:x",   "a:65536", "a:-1", ":80",           "[::1",
        "[]", "[a]", "[127.0.0.1]", "[::1]x", "::1", "a%41", "a\xc3", "a;b",     "a?b",  "[fe80::1%eth0]"}) {
    CAPTURE(host);
    CHECK(status_of(with_target("/", host)) == 400);
  }
  CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/1.0\r\n\r\n") == 0);
  CHECK(status_of("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n") == 400);
}

TEST_CASE("framing_has_one_reading_or_none") {
  CHECK(status_of(with_fields("Content-Length: 0\r\n")) == 0);
  CHECK(status_of(with_fields("Content-Length: 4611686018427387904\r\n")) ==
        413);  // usable number, larger than the reader takes
  for (const std::string fields :
       {"Content-Length: 4611686018427387905\r\n", "Content-Length: 1 1\r\n", "Content-Length: ,\r\n",
        "Content-Length: 1\r\ncontent-length: 1\r\n", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Content-Length: 1;\r\n",
        "Transfer-Encoding:\r\nContent-Length: 5\r\n"}) {
    CAPTURE(fields);
    CHECK(status_of(with_fields(fields)) == 400);
  }
  for (const std::string coding :
       {"gzip", "identity", "\"chunked\"", "chunked;q=1", "chunke", "chunkedd", "xchunked"}) {
    CAPTURE(coding);
    const int status = status_of(with_fields("Transfer-Encoding: " + std::string(coding) + "\r\n"));
    CHECK((status == 400 || status == 501));
  }
}

TEST_CASE("a_body_of_a_get_is_its_body_and_never_a_request") {
  const Reading reading = read_requests(
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 19\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
      "GET /second HTTP/1.1\r\nHost: a\r\n\r\n",
      HeadLimits{}, bytewise());
  REQUIRE(reading.messages.size() == 2);
  CHECK(reading.messages[0].body == "GET /x HTTP/1.1\r\n\r\n");
  CHECK(reading.refused == 0);
}

TEST_CASE("connections_persist_as_rfc_9112_9_3_says") {
  const auto keeps = [](std::string_view version, std::string_view connection) {
    const std::string text = "GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(connection) + "\r\n";
    RequestHead head;
    REQUIRE(parse(text, head) == ParseState::complete);
    return head.keep_alive;
  };
  CHECK(keeps("HTTP/1.1", ""));
  CHECK_FALSE(keeps("HTTP/1.1", "Connection: close\r\n"));
  CHECK_FALSE(keeps("HTTP/1.1", "Connection: x, CLOSE ,y\r\n"));
  CHECK_FALSE(keeps("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  CHECK(keeps("HTTP/1.1", "Connection: closed\r\n"));
  CHECK_FALSE(keeps("HTTP/1.0", ""));
  CHECK(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  CHECK_FALSE(keeps("HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

TEST_CASE("an_upgrade_is_ignored_and_an_unknown_expectation_refused") {
  RequestHead head;
  const std::string upgrade = with_fields("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n");
  REQUIRE(parse(upgrade, head) == ParseState::complete);
  CHECK(head.framing == Framing::length);
  const std::string expect = with_fields("Expect: 100-Continue\r\n");
  REQUIRE(parse(expect, head) == ParseState::complete);
  CHECK(head.expect_continue);
  const std::string old = "POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n";
  REQUIRE(parse(old, head) == ParseState::complete);
  CHECK_FALSE(head.expect_continue);
  CHECK(status_of(with_fields("Expect: 200-maybe\r\n")) == 417);
  CHECK(status_of(with_fields("Expect: 100-continue\r\nExpect: x\r\n")) == 417);
}

TEST_CASE("every_stray_byte_of_a_head_is_refused_wherever_it_stands") {
  const std::string text =
      "POST /abcdefghijklmnop HTTP/1.1\r\nHost: abc\r\nX-Field-Of-Some-Length: value and more of it\r\nY: z\r\n\r\n";
  RequestHead head;
  REQUIRE(parse(text, head) == ParseState::complete);
  for (size_t at = 0; at + 4 < text.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      const bool control = (byte < 0x20 && byte != '\t') || byte == 0x7F;
      if (!control) continue;
      std::string broken = text;
      broken[at] = static_cast<char>(byte);
      if (broken == text) continue;
      CAPTURE(at);
      CAPTURE(byte);
      CHECK(read_requests(broken, HeadLimits{}, whole()).refused == 400);
    }
  }
}

TEST_CASE("a_head_at_a_limit_passes_and_one_past_it_does_not") {
  HeadLimits limits;
  limits.head_bytes = 400;
  limits.target_bytes = 100;
  limits.fields = 3;
  const auto fields = [](size_t count) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (size_t i = 1; i < count; ++i) text += "X: y\r\n";
    return text + "\r\n";
  };
  CHECK(status_of(fields(3), limits) == 0);
  CHECK(status_of(fields(4), limits) == 431);
  CHECK(status_of(with_target("/" + std::string(99, 'a')), limits) == 0);
  CHECK(status_of(with_target("/" + std::string(100, 'a')), limits) == 414);
  CHECK(status_of(with_target("/" + std::string(5000, 'a')), limits) == 414);
  CHECK(status_of("/" + std::string(5000, 'a'), limits) == 414);  // no line end in sight
  const auto sized = [](size_t bytes) {
    const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    return text + std::string(bytes - text.size() - 4, 'x') + "\r\n\r\n";
  };
  CHECK(status_of(sized(400), limits) == 0);
  CHECK(status_of(sized(401), limits) == 431);
  CHECK(status_of(sized(402), limits) == 431);
  CHECK(status_of(sized(403), limits) == 431);
  CHECK(status_of(sized(4000).substr(0, 3000), limits) == 431);
}

TEST_CASE("connection_options_at_their_limit_pass_and_one_past_it_does_not") {
  const auto options = [](size_t count) {
    std::string value = "Connection: a";
    for (size_t i = 1; i < count; ++i) value += i % 2 == 0 ? ",, b" : "\r\nConnection: c";
    return with_fields(value + "\r\n");
  };
  CHECK(status_of(options(16)) == 0);
  CHECK(status_of(options(17)) == 400);
}

TEST_CASE("a_few_empty_lines_before_a_request_are_skipped") {
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(read_requests("\r\n\r\n\r\n\r\n" + request, HeadLimits{}, bytewise()).messages.size() == 1);
  CHECK(status_of("\r\n\r\n\r\n\r\n\r\n" + request) == 400);
  CHECK(status_of("\n" + request) == 400);
  CHECK(status_of("\r" + request) == 400);
}
