#include <doctest/doctest.h>

#include "proxy/answer.h"

using namespace belay;
using namespace belay::proxy;

namespace {

constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

pipeline::Reply reply(int status, std::string head, std::string body) {
  return {.status = status, .head = std::move(head), .body = std::move(body)};
}

}  // namespace

TEST_CASE("an_answer_gets_date_and_length") {
  std::string out;
  CHECK(append_answer_head(out, reply(200, "X-A: 1\r\n", "hello"), {.date = kDate, .method = "POST"}));
  CHECK(out == "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n\r\n");
}

TEST_CASE("the_backends_date_stays_the_only_one") {
  for (const char* head : {"Date: x\r\n", "X-A: 1\r\ndate: x\r\n", "X: 1\r\nDATE: x\r\nY: 2\r\n"}) {
    std::string out;
    append_answer_head(out, reply(200, head, ""), {.date = kDate, .method = "POST"});
    CHECK(out.find("1994") == std::string::npos);
  }
  std::string out;
  append_answer_head(out, reply(200, "Dated: x\r\nX-Date: y\r\n", ""), {.date = kDate, .method = "POST"});
  CHECK(out.find("1994") != std::string::npos);
}

TEST_CASE("head_gets_no_body_and_204_and_304_no_length") {
  std::string out;
  CHECK(!append_answer_head(out, reply(404, "", "{}"), {.date = kDate, .method = "HEAD"}));
  CHECK(out.find("Content-Length: 2\r\n") != std::string::npos);
  out.clear();
  CHECK(!append_answer_head(out, reply(200, "", ""), {.date = kDate, .method = "HEAD"}));
  CHECK(out.find("Content-Length") == std::string::npos);
  for (const int status : {204, 304}) {
    out.clear();
    CHECK(!append_answer_head(out, reply(status, "", ""), {.date = kDate, .method = "GET"}));
    CHECK(out.find("Content-Length") == std::string::npos);
  }
  out.clear();
  CHECK(!append_answer_head(out, reply(200, "", ""), {.date = kDate, .method = "POST"}));
  CHECK(out.find("Content-Length: 0\r\n") != std::string::npos);
}

TEST_CASE("connection_is_said_only_where_it_is_not_understood") {
  const auto says = [](int minor, bool close) {
    std::string out;
    append_answer_head(out, reply(200, "", ""), {.date = kDate, .method = "GET", .minor_version = minor, .close = close});
    const size_t at = out.find("Connection: ");
    return at == std::string::npos ? std::string() : out.substr(at + 12, out.find('\r', at) - at - 12);
  };
  CHECK(says(1, false).empty());
  CHECK(says(1, true) == "close");
  CHECK(says(0, false) == "keep-alive");
  CHECK(says(0, true) == "close");
}
