#include <doctest/doctest.h>

#include <string>

#include "http/message.h"
#include "http/parser.h"
#include "http/writer.h"

using namespace belay;
using namespace belay::http;

TEST_CASE("written_heads_are_read_back") {
  std::string text;
  append_request_line(text, "POST", "/a?b");
  append_field(text, "Host", "a:1");
  append_content_length(text, 18446744);
  end_head(text);
  CHECK(text == "POST /a?b HTTP/1.1\r\nHost: a:1\r\nContent-Length: 18446744\r\n\r\n");
  RequestParser requests(HeadLimits{});
  RequestHead request;
  CHECK(requests.parse(text, request) == ParseState::complete);
  CHECK(request.content_length == 18446744);

  std::string answer;
  append_status_line(answer, 503);
  append_content_length(answer, 0);
  end_head(answer);
  CHECK(answer == "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  ResponseParser responses(HeadLimits{});
  ResponseHead response;
  CHECK(responses.parse(answer, "POST", response) == ParseState::complete);
  std::string own;
  append_status_line(own, 299, "Fine");
  append_status_line(own, 299);
  CHECK(own == "HTTP/1.1 299 Fine\r\nHTTP/1.1 299 Unknown\r\n");
}

TEST_CASE("fields_of_one_hop_are_known_in_any_case_and_no_others") {
  for (const std::string name : {"Connection", "KEEP-ALIVE", "Proxy-Connection", "te", "Trailer", "Transfer-Encoding",
                                 "upgrade", "Proxy-Authorization", "Proxy-Authenticate"}) {
    CAPTURE(name);
    CHECK(is_hop_by_hop(name));
  }
  for (const std::string name : {"Content-Length", "Host", "X-Upgrade", "", "tx", "Trailed", "Connectiom",
                                 "Content-Encoding-", "Authorization"}) {
    CAPTURE(name);
    CHECK_FALSE(is_hop_by_hop(name));
  }
}

TEST_CASE("connection_options_of_all_fields_are_split") {
  Fields fields;
  fields.add("Connection", "close, X-Custom ,,\t y");
  fields.add("X", "z");
  fields.add("connection", "w");
  CHECK(connection_options(fields) == std::vector<std::string_view>{"close", "X-Custom", "y", "w"});
  CHECK(connection_options(Fields{}).empty());
}

TEST_CASE("field_values_with_controls_are_not_written") {
  using namespace std::string_view_literals;
  CHECK(is_field_value(""));
  CHECK(is_field_value("a\tb \xc3\xa4 and more than sixteen bytes"));
  for (const std::string_view text : {"\r"sv, "a\nb"sv, "\0"sv, "a long value with one stray \x7f"sv, "\x1f"sv})
    CHECK_FALSE(is_field_value(text));
}

TEST_CASE("dates_are_written_as_imf_fixdate") {
  CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST_CASE("retry_after_is_read_as_seconds_or_any_http_date") {
  constexpr int64_t kNow = 784111777;
  CHECK(parse_retry_after("120", kNow) == 120);
  CHECK(parse_retry_after(" 0 ", kNow) == 0);
  CHECK(parse_retry_after("99999999999999999999999999", kNow) == kMaxRetryAfter);
  CHECK(parse_retry_after(http_date(kNow + 90), kNow) == 90);
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:36 GMT", kNow) == 0);  // in the past
  CHECK(parse_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", kNow) == 60);
  CHECK(parse_retry_after("Sun Nov  6 08:50:37 1994", kNow) == 60);
  CHECK(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", kNow) == kMaxRetryAfter);
  for (const std::string bad :
       {"", "-1", "1.5", "12s", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT "
        "and more"}) {
    CAPTURE(bad);
    CHECK(parse_retry_after(bad, kNow) == -1);
  }
}
