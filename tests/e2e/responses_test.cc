// The same strictness towards backends: whatever is not one clean HTTP/1.1 answer is never passed on and its connection is
// never used again. The webhook goes to the spool instead and the sender gets 202.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend) {
  return "sources:\n  all:\n    match: { path: \"/*\" }\n    trust: open\n    routes: [{ to: backend }]\n"
         "destinations:\n  backend: { url: \"http://" +
         backend.address() + "\", timeout: 1s, retry: { schedule: [1h] } }\n";
}

std::string repeated(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

const std::vector<std::pair<std::string, std::string>> kHostile = {
    {"content-length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
    {"two content-lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"},
    {"content-length with sign", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"},
    {"chunk size in 0x form", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n"},
    {"chunk longer than said", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n"},
    {"chunked body cut off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"},
    {"length body cut off", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"},
    {"bytes after the answer", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"},
    {"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"},
    {"folded field", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"},
    {"nul in a field", bytes_of("HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok")},
    {"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"},
    {"unasked 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"},
    {"flood of 1xx", [] {
       std::string flood;
       for (int i = 0; i < 100; ++i) flood += "HTTP/1.1 103 Early Hints\r\n\r\n";
       return flood + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
     }()},
    {"not http", "220 mail.example.test ESMTP\r\n"},
    {"http/0.9", "hello\r\n"},
    {"status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"},
    {"unknown transfer coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok"},
    {"head without end", "HTTP/1.1 200 OK\r\n" + std::string(200'000, 'x')},
    {"nothing at all", ""},
    {"list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"},
    {"chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
    {"chunked in http/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
    {"chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nok\r\n0\r\n\r\n"},
    {"chunk size of 17 digits", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n"},
    {"chunk with bare line feeds", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n"},
    {"endless chunk extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;" + std::string(200'000, 'x')},
    {"endless trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + repeated("X: y\r\n", 50'000)},
    {"length of a trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n"},
    {"endless fields", "HTTP/1.1 200 OK\r\n" + repeated("X: y\r\n", 50'000)},
    {"endless 1xx", repeated("HTTP/1.1 100 Continue\r\n\r\n", 20'000)},
    {"1xx that never ends", "HTTP/1.1 103 Early Hints\r\n" + repeated("Link: </a>\r\n", 50'000)},
    {"length beyond any memory", "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nok"},
    {"body without end", "HTTP/1.1 200 OK\r\n\r\n" + std::string(11'000'000, 'x')},
    {"body of 204", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"},
    {"status beyond 599", "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok"},
    {"http/2", bytes_of("\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64")},
    {"tls alert", bytes_of("\x15\x03\x01\0\x02\x02\x50")},
};

}  // namespace

TEST_CASE("a_hostile_answer_is_not_passed_on_and_the_webhook_is_spooled") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  for (const auto& hostile : kHostile) {  // no structured binding: clang 14 cannot capture one
    const auto& name = hostile.first;
    const auto& bytes = hostile.second;
    CAPTURE(name);
    folder.write("raw", bytes);
    backend.mode("raw " + (folder / "raw"));
    const auto answer = send_once(gateway.address(), request("POST", "/x", {}, "{}"));
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, 202);
    CHECK_NE(answer->body.find("\"spooled\""), std::string::npos);
    backend.mode("ok");
    const auto next = send_once(gateway.address(), request("POST", "/after", {}, "{}"));
    REQUIRE(next.has_value());
    CHECK_EQ(next->status, 200);
    CHECK_EQ(next->body, "{\"ok\":true}");
  }
}

TEST_CASE("the_connection_of_a_hostile_answer_is_never_used_again_though_the_backend_keeps_it_open") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 1\n"});
  const auto kept_used = [&](const std::string& bytes, int expected) {
    folder.write("raw", bytes);
    backend.mode("keep " + (folder / "raw"));
    const auto answer = send_once(gateway.address(), request("POST", "/x", {}, "{}"));
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, expected);
    backend.mode("ok");
    const auto next = send_once(gateway.address(), request("POST", "/after", {}, "{}"));
    REQUIRE(next.has_value());
    CHECK_EQ(next->status, 200);
    return backend.seen().back().status == kOnKeptConnection;
  };
  CHECK(kept_used("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200));  // it would be noticed
  for (const auto& hostile : kHostile) {
    CAPTURE(hostile.first);
    CHECK_FALSE(kept_used(hostile.second, 202));
  }
}

TEST_CASE("a_clean_answer_passes_with_its_fields_whatever_its_framing") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  const std::vector<std::string> clean = {
      "HTTP/1.1 201 Created\r\nX-Order: 7\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 201 Created\r\nX-Order: 7\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 201 Created\r\nX-Order: 7\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.0 201 Created\r\nX-Order: 7\r\n\r\nok",
  };
  for (const std::string& bytes : clean) {
    CAPTURE(bytes);
    folder.write("raw", bytes);
    backend.mode("raw " + (folder / "raw"));
    const auto answer = send_once(gateway.address(), request("POST", "/x", {}, "{}"));
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, 201);
    CHECK_EQ(answer->field("X-Order"), "7");
    CHECK_EQ(answer->body, "ok");
    CHECK_EQ(answer->field("Link"), "");
  }
}

TEST_CASE("a_backend_that_hangs_drips_or_resets_leaves_the_sender_with_202_and_the_webhook_in_the_spool") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  for (const std::string mode : {"hang", "drip 200", "reset", "close", "status 500", "status 503"}) {
    CAPTURE(mode);
    backend.mode(mode);
    const auto answer = send_once(gateway.address(), request("POST", "/x", {}, "{}"));
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, 202);
  }
  for (const std::string mode : {"status 400", "status 404", "status 422"}) {
    CAPTURE(mode);
    backend.mode(mode);
    const auto answer = send_once(gateway.address(), request("POST", "/x", {}, "{}"));
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, std::stoi(mode.substr(7)));
  }
}
