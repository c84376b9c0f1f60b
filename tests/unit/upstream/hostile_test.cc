// Answers that a broken or hostile backend gives: each is classified, and its connection is never used again.
#include <doctest/doctest.h>

#include "tests/unit/upstream/scripted_backend.h"

using namespace belay;
using namespace belay::test;
using namespace belay::upstream;
using namespace std::chrono_literals;

namespace {

struct Case {
  std::string name, bytes;
  Outcome outcome;
  Answer::Then then = Answer::Then::keep;
};

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const std::vector<Case> kCases = {
    {"length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Outcome::bad_response},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", Outcome::bad_response},
    {"bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n", Outcome::bad_response},
    {"chunk without its end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokX\n0\r\n\r\n", Outcome::bad_response},
    {"bytes after a length", kOk + "x", Outcome::bad_response},
    {"bytes after the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1", Outcome::bad_response},
    {"a body for 204", "HTTP/1.1 204 No Content\r\n\r\nbody", Outcome::bad_response},
    {"two answers", kOk + kOk, Outcome::bad_response},
    {"too many interim answers", repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 9) + kOk, Outcome::bad_response},
    {"endless interim answers", repeat("HTTP/1.1 100 Continue\r\n\r\n", 10'000), Outcome::bad_response},
    {"unasked 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", Outcome::bad_response},
    {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", Outcome::bad_response},
    {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", Outcome::bad_response},
    {"endless head", "HTTP/1.1 200 OK\r\n" + repeat("X-Field: 0123456789012345678901234567890123456789\r\n", 5'000), Outcome::bad_response},
    {"cut in the head", "HTTP/1.1 200 OK\r\nContent-Le", Outcome::reset, Answer::Then::close},
    {"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", Outcome::reset, Answer::Then::close},
    {"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Outcome::reset, Answer::Then::close},
    {"reset in a body that ends with the connection", "HTTP/1.1 200 OK\r\n\r\nhalf", Outcome::reset, Answer::Then::reset},
    {"reset before anything", "", Outcome::reset, Answer::Then::reset},
};

}  // namespace

TEST_CASE("hostile_answers_are_classified_and_their_connection_is_not_reused") {
  belay::event::Loop loop;
  Caller sender(loop);
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    ScriptedBackend backend(loop, [&](const std::string&) { return Answer{.bytes = c.bytes, .then = c.then}; });
    const auto to = destination({backend.url()});
    const auto sent = sender.send(to);
    CHECK_EQ(to_string(sent->outcome), to_string(c.outcome));
    CHECK_FALSE(sent->error.empty());
    CHECK_EQ(sent->error.find('\n'), std::string::npos);
    backend.script([](const std::string&) { return ok(); });
    CHECK_EQ(sender.send(to)->status, 200);
    CHECK_EQ(backend.connections, 2);
  }
}

TEST_CASE("clean_answers_of_every_framing_are_whole_however_they_are_cut") {
  belay::event::Loop loop;
  Caller sender(loop);
  const std::pair<std::string, bool> cases[] = {
      {kOk, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;a=b\r\nk\r\n0\r\nX-Trailer: 1\r\n\r\n", true},
      {"HTTP/1.1 200 OK\r\n\r\nok", false},
      {repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 8) + kOk, true},
  };
  // RULE: no structured binding, because clang 14 cannot capture one in a lambda.
  for (const auto& each : cases) {
    const std::string& bytes = each.first;
    const bool reused = each.second;
    for (const bool drip : {false, true}) {
      CAPTURE(bytes);
      ScriptedBackend backend(loop, [&](const std::string&) {
        return Answer{.bytes = bytes, .then = reused ? Answer::Then::keep : Answer::Then::close, .byte_by_byte = drip};
      });
      const auto to = destination({backend.url()});
      for (int i = 0; i < 2; ++i) {
        const auto sent = sender.send(to);
        CHECK_EQ(sent->status, 200);
        CHECK_EQ(sent->body, "ok");
      }
      CHECK_EQ(backend.connections, reused ? 1 : 2);
    }
  }
}

TEST_CASE("bytes_on_an_idle_connection_close_it_and_are_never_taken_for_an_answer") {
  belay::event::Loop loop;
  Caller sender(loop);
  ScriptedBackend backend(loop, [&](const std::string&) { return ok(); });
  const auto to = destination({backend.url()});
  backend.script([](const std::string&) {
    return Answer{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", .then = Answer::Then::keep};
  });
  CHECK_EQ(sender.send(to)->status, 200);
  backend.inject("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  CHECK(loop.run_until([&] { return backend.open_connections() == 0; }, 60s));
  CHECK_EQ(sender.send(to)->body, "ok");
  CHECK_EQ(backend.connections, 2);
}

TEST_CASE("bytes_read_before_the_request_is_written_are_never_taken_for_its_answer") {
  belay::event::Loop loop;
  Caller sender(loop);
  for (const std::string stray : {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", "x"}) {
    for (const bool closes : {false, true}) {
      CAPTURE(stray);
      CAPTURE(closes);
      ScriptedBackend backend(loop, [](const std::string&) { return ok(); });
      const auto to = destination({backend.url()});
      CHECK_EQ(sender.send(to)->status, 200);
      backend.inject(stray);
      if (closes) backend.close_all();
      const auto sent = sender.begin(to);  // gathered; what is there is read before the turn ends
      REQUIRE(loop.run_until([&] { return sent->done; }, 60s));
      CHECK_EQ(sent->status, 200);
      CHECK_EQ(sent->body, "ok");
      CHECK_EQ(backend.connections, 2);
      CHECK_EQ(backend.requests.size(), 2);
    }
  }
}

TEST_CASE("head_and_304_have_no_body_whatever_their_length_says") {
  belay::event::Loop loop;
  Caller sender(loop);
  sender.method = "HEAD";
  ScriptedBackend backend(loop, [](const std::string&) { return Answer{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"}; });
  const auto to = destination({backend.url()});
  for (int i = 0; i < 2; ++i) CHECK_EQ(sender.send(to)->status, 200);
  sender.method = "GET";
  backend.script([](const std::string&) { return Answer{.bytes = "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"}; });
  CHECK_EQ(sender.send(to)->status, 304);
  CHECK_EQ(backend.connections, 1);
}
