#include <doctest/doctest.h>

#include <string>

#include "http/parser.h"
#include "message_stream.h"

using namespace belay;
using namespace belay::http;
using namespace belay::http::testing;

namespace {

struct Hostile {
  const char* name;
  std::string_view response;
};

using namespace std::string_view_literals;

constexpr Hostile kHostile[] = {
    {"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
    {"both lengths, other order",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
    {"two equal lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"},
    {"list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc"},
    {"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
    {"signed length", "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc"},
    {"hexadecimal length", "HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\nabc"},
    {"empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n"},
    {"length overflow", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\na"},
    {"space before colon", "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc"},
    {"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"},
    {"identity coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc"},
    {"chunked is not last", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
    {"two codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"chunked with HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"bare LF after the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"},
    {"bare LF in the fields", "HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n"},
    {"bare LF at the end", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n"},
    {"bare CR", "HTTP/1.1 200 OK\r\nX: a\rContent-Length: 5\r\n\r\n"},
    {"NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"sv},
    {"control in the reason", "HTTP/1.1 200 O\1K\r\nContent-Length: 0\r\n\r\n"},
    {"line folding", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"},
    {"folded first line", "HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 0\r\n\r\n"},
    {"field without colon", "HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n"},
    {"field without name", "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n"},
    {"bad field name", "HTTP/1.1 200 OK\r\nX(Y): x\r\nContent-Length: 0\r\n\r\n"},
    {"HTTP/0.9", "<html>hello</html>\r\n"},
    {"HTTP/2", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"HTTP/1.2", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"lower case version", "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"other protocol", "ICY 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"two spaces", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"},
    {"four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"},
    {"letters for a status", "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"},
    {"no status", "HTTP/1.1\r\nContent-Length: 0\r\n\r\n"},
    {"status 0", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"},
    {"status 99", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"},
    {"status 600", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n"},
    {"leading empty line", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"chunked 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"},
    {"100 with a length", "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc"},
    {"chunk size 0x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n"},
    {"negative chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n"},
    {"chunk overflow", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n"},
    {"chunk with bare LF", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n"},
    {"chunk longer than its size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"},
    {"empty chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n"},
    {"bytes behind the answer", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nabc HTTP/1.1 200\r\n"},
};

// Parses one whole head.
ResponseHead parse(std::string_view text, std::string_view method = "POST") {
  ResponseParser parser(HeadLimits{});
  ResponseHead head;
  REQUIRE(parser.parse(text, method, head) == ParseState::complete);
  CHECK(parser.head_bytes() == text.size());
  return head;
}

}  // namespace

TEST_CASE("hostile_responses_are_refused_wherever_they_are_cut") {
  for (const Hostile& hostile : kHostile) {
    CAPTURE(hostile.name);
    const Reading reading = read_responses(hostile.response, "POST", HeadLimits{}, whole());
    CHECK(reading.refused >= 400);
    CHECK(read_responses(hostile.response, "POST", HeadLimits{}, bytewise()) == reading);
    for (uint64_t seed = 0; seed < 10; ++seed) {
      CHECK(read_responses(hostile.response, "POST", HeadLimits{}, random_pieces(seed, 9)) == reading);
    }
  }
}

TEST_CASE("a_response_head_is_given_as_views") {
  const std::string text = "HTTP/1.1 503 Service  Unavailable\r\nRetry-After: 12\r\nContent-Length: 5\r\n\r\n";
  const ResponseHead head = parse(text);
  CHECK(head.status == 503);
  CHECK(head.reason == "Service  Unavailable");
  CHECK(*head.fields.find("retry-after") == "12");
  CHECK(head.framing == Framing::length);
  CHECK(head.content_length == 5);
  CHECK(head.keep_alive);
}

TEST_CASE("a_status_line_may_leave_its_reason_out") {
  CHECK(parse("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").reason.empty());
  CHECK(parse("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").reason.empty());
  CHECK(parse("HTTP/1.1 299 \xc3\xa4\r\nContent-Length: 0\r\n\r\n").reason == "\xc3\xa4");
}

TEST_CASE("bodies_of_responses_are_framed_as_rfc_9112_6_3_says") {
  CHECK(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n").framing == Framing::chunked);
  CHECK(parse("HTTP/1.1 204 No Content\r\n\r\n").framing == Framing::none);
  CHECK(parse("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").framing == Framing::none);
  CHECK(parse("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n").framing == Framing::none);
  CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "HEAD").framing == Framing::none);
  CHECK(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD").framing == Framing::none);
  CHECK(parse("HTTP/1.1 200 OK\r\n\r\n", "HEAD").keep_alive);
  CHECK(parse("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n").framing ==
        Framing::none);
  const ResponseHead close = parse("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
  CHECK(close.framing == Framing::close);
  CHECK_FALSE(close.keep_alive);
  CHECK_FALSE(parse("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive);
  CHECK(parse("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  CHECK_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").keep_alive);
}

TEST_CASE("informational_heads_are_given_one_by_one_before_the_answer") {
  const Reading reading = read_responses(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "POST", HeadLimits{}, bytewise());
  REQUIRE(reading.messages.size() == 3);
  CHECK(reading.messages[2].body == "ok");
  CHECK(reading.left == 0);
}

TEST_CASE("a_body_that_ends_with_the_connection_is_whole_only_when_it_was_closed") {
  const std::string text = "HTTP/1.1 200 OK\r\n\r\nabc";
  CHECK(read_responses(text, "POST", HeadLimits{}, bytewise(), true).messages.at(0).body == "abc");
  CHECK(read_responses(text, "POST", HeadLimits{}, bytewise(), false).messages.empty());
}

TEST_CASE("a_status_line_at_its_limit_passes_and_one_past_it_does_not") {
  const auto response = [](size_t line) {
    return "HTTP/1.1 200 " + std::string(line - 13, 'r') + "\r\nContent-Length: 0\r\n\r\n";
  };
  CHECK(read_responses(response(1024), "POST", HeadLimits{}, bytewise()).refused == 0);
  CHECK(read_responses(response(1025), "POST", HeadLimits{}, bytewise()).refused == 502);
}
