// Framing, keep-alive, pipelining, 100-continue, early answers.
#include "unit/proxy/bench.h"

using namespace belay;
using namespace belay::test;

namespace {

// Sends `whole` in two pieces, cut anywhere, with another request right behind it.
void cut_at_every_byte(const std::string& whole, const std::string& body) {
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    Bench bench;
    Sender sender(bench);
    sender.send(whole.substr(0, cut));
    int turns = 0;
    bench.until([&] { return ++turns > 2; });
    sender.send(whole.substr(cut) + post("/echo", "after"));
    CAPTURE(cut);
    CHECK(sender.gets("\r\n\r\n" + body));
    CHECK(sender.gets("\r\n\r\nafter"));
  }
}

}  // namespace

TEST_CASE("a_webhook_comes_in_and_its_answer_goes_out") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/echo", "{\"a\": 1}"));
  CHECK(sender.gets("\r\n\r\n{\"a\": 1}"));
  CHECK(sender.received.starts_with("HTTP/1.1 200 OK\r\nX-Backend: yes\r\nDate: "));
  CHECK(sender.received.find("Content-Length: 8\r\n") != std::string::npos);
  CHECK(sender.received.find("Connection:") == std::string::npos);
  REQUIRE(bench.books.size() == 1);
  CHECK(bench.books[0].client == "192.0.2.1");
  CHECK(bench.books[0].outcome == wire::Outcome::forwarded);
}

TEST_CASE("a_request_may_be_cut_at_every_byte") {
  cut_at_every_byte(post("/echo", "payload"), "payload");
}

TEST_CASE("a_connection_carries_one_request_after_another") {
  Bench bench;
  Sender sender(bench);
  for (size_t i = 1; i <= 5; ++i) {
    sender.send(post("/echo", "number " + std::to_string(i)));
    CHECK(sender.gets("number " + std::to_string(i)));
  }
  CHECK(bench.books.size() == 5);
  CHECK(bench.connections->count() == 1);
}

TEST_CASE("pipelined_requests_are_answered_in_order") {
  Bench bench;
  Sender sender(bench);
  std::string all;
  for (int i = 0; i < 100; ++i) all += post("/echo", "<" + std::to_string(i) + ">");
  sender.send(all);
  CHECK(sender.gets_answers(100));
  size_t at = 0;
  for (int i = 0; i < 100; ++i) {
    const size_t next = sender.received.find("<" + std::to_string(i) + ">");
    REQUIRE(next != std::string::npos);
    CHECK(next >= at);
    at = next;
  }
}

TEST_CASE("the_next_request_is_not_looked_at_before_the_answer_of_the_last") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/park", "one") + post("/echo", "two"));
  CHECK(bench.until([&] { return bench.parked.size() == 1; }));
  int turns = 0;
  bench.until([&] { return ++turns > 3; });
  CHECK(bench.books.empty());
  pipeline::Exchange* waiting = bench.parked[0].exchange();
  REQUIRE(waiting != nullptr);
  CHECK(waiting->body == "one");
  waiting->answer(202, wire::Outcome::spooled, "");
  bench.parked[0]();
  CHECK(sender.gets("\r\n\r\ntwo"));
  CHECK(sender.received.starts_with("HTTP/1.1 202 "));
}

TEST_CASE("a_chunked_body_arrives_without_its_framing") {
  const std::string whole =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n";
  cut_at_every_byte(whole, "abcdefg");
}

TEST_CASE("large_bodies_arrive_byte_for_byte_and_what_follows_them_too") {
  Bench bench;
  std::string body;
  for (int i = 0; body.size() < (size_t{1} << 20) - 16; ++i) body += std::to_string(i) + ",";
  std::string chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < body.size(); at += 40'000) {
    const std::string piece = body.substr(at, 40'000);
    char size[16];
    snprintf(size, sizeof size, "%zx\r\n", piece.size());
    chunked += size + piece + "\r\n";
  }
  chunked += "0\r\n\r\n";
  Sender sender(bench);
  for (const std::string& request : {post("/echo", body), chunked}) {
    sender.received.clear();
    CHECK(sender.send(request + post("/echo", "after")));
    CHECK(sender.gets("\r\n\r\nafter"));
    CHECK(sender.received.find(body) != std::string::npos);
  }
  REQUIRE(bench.books.size() == 4);
  CHECK(bench.books[0].body == body);
  CHECK(bench.books[2].body == body);
}

TEST_CASE("bodies_around_the_receive_buffers_size_arrive_whole") {
  Bench bench;
  Sender sender(bench);
  for (size_t size = proxy::Workspace::kReceive - 80; size < proxy::Workspace::kReceive + 20; ++size) {
    sender.received.clear();
    sender.send(post("/echo", std::string(size, 'x')) + post("/echo", "after"));
    CAPTURE(size);
    REQUIRE(sender.gets("\r\n\r\nafter"));
    CHECK(bench.books[bench.books.size() - 2].body.size() == size);
  }
}

TEST_CASE("a_head_larger_than_the_receive_buffer_is_read_and_the_next_is_small_again") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/echo", "one", "X-Long: " + std::string(20'000, 'h') + "\r\n") + post("/echo", "two"));
  CHECK(sender.gets("\r\n\r\none"));
  CHECK(sender.gets("\r\n\r\ntwo"));
}

TEST_CASE("the_body_is_asked_for_only_when_the_head_may_pass") {
  Bench bench;
  Sender asked(bench), refused(bench);
  const std::string fields = "Host: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
  asked.send("POST /echo HTTP/1.1\r\n" + fields);
  CHECK(asked.gets("HTTP/1.1 100 Continue\r\n\r\n"));
  CHECK(bench.books.empty());
  asked.send("body");
  CHECK(asked.gets("\r\n\r\nbody"));

  refused.send("POST /refuse HTTP/1.1\r\n" + fields);
  CHECK(refused.gets("HTTP/1.1 403 "));
  CHECK(refused.received.find("100 Continue") == std::string::npos);
  CHECK(refused.gets("Connection: close\r\n"));
  CHECK(refused.sees_end());
}

TEST_CASE("nobody_is_asked_for_a_body_that_is_already_there") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/echo", "body", "Expect: 100-continue\r\n"));
  CHECK(sender.gets("\r\n\r\nbody"));
  CHECK(sender.received.find("100 Continue") == std::string::npos);
}

TEST_CASE("head_gets_the_head_of_the_answer_alone") {
  Bench bench;
  Sender sender(bench);
  sender.send("HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" + post("/echo", "next"));
  CHECK(sender.gets("\r\n\r\nnext"));
  CHECK(sender.received.starts_with("HTTP/1.1 404 "));
  CHECK(sender.received.find("no source") == std::string::npos);
}

TEST_CASE("keep_alive_follows_the_version_and_the_senders_word") {
  const auto closes = [](const std::string& line, const std::string& fields) {
    Bench bench;
    Sender sender(bench);
    sender.send("GET /echo HTTP/" + line + "\r\nHost: a\r\n" + fields + "\r\n");
    REQUIRE(sender.gets_answers(1));
    return sender.sees_end(Duration{100});
  };
  CHECK(!closes("1.1", ""));
  CHECK(closes("1.1", "Connection: close\r\n"));
  CHECK(closes("1.0", ""));
  CHECK(!closes("1.0", "Connection: keep-alive\r\n"));
}

TEST_CASE("an_early_answer_to_a_body_that_is_there_keeps_the_connection") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/early", "ignored") + post("/echo", "next"));
  CHECK(sender.gets("\r\n\r\nnext"));
  CHECK(sender.received.find("Connection: close") == std::string::npos);
}

TEST_CASE("an_early_answer_reaches_a_sender_that_is_still_sending") {
  Bench bench;
  Sender sender(bench);
  const std::string body((size_t{4} << 20), 'x');
  CHECK(sender.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
  CHECK(sender.gets("HTTP/1.1 413 "));
  CHECK(sender.gets("Connection: close\r\n"));
  sender.half_close();
  CHECK(sender.sees_end());
  CHECK(!sender.reset);
  CHECK(bench.until([&] { return bench.connections->count() == 0; }));
  REQUIRE(bench.books.size() == 1);
  CHECK(bench.books[0].outcome == wire::Outcome::rejected);
}

TEST_CASE("a_body_is_accepted_at_the_limit_and_refused_one_past_it") {
  Bench bench([](conf::Limits& limits) { limits.body = 1000; });
  const auto chunked = [](size_t size) {
    char line[16];
    snprintf(line, sizeof line, "%zx\r\n", size);
    return "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + (line + std::string(size, 'x')) + "\r\n0\r\n\r\n";
  };
  Sender fits(bench), fits_chunked(bench), large(bench), large_chunked(bench);
  fits.send(post("/echo", std::string(1000, 'x')));
  CHECK(fits.gets("HTTP/1.1 200 "));
  fits_chunked.send(chunked(1000));
  CHECK(fits_chunked.gets("HTTP/1.1 200 "));
  large.send(post("/echo", std::string(1001, 'x')));
  CHECK(large.gets("HTTP/1.1 413 "));
  large_chunked.send(chunked(1001));
  CHECK(large_chunked.gets("HTTP/1.1 413 "));
}

TEST_CASE("a_malformed_head_is_answered_logged_and_closed") {
  Bench bench;
  Sender sender(bench);
  sender.send("GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n" + post("/echo", "smuggled"));
  CHECK(sender.gets("HTTP/1.1 400 "));
  CHECK(sender.gets("\"status\": \"rejected\""));
  CHECK(sender.gets("Connection: close"));
  sender.half_close();
  CHECK(sender.sees_end());
  REQUIRE(bench.books.size() == 1);
  CHECK(bench.books[0].path.empty());
  CHECK(bench.books[0].outcome == wire::Outcome::rejected);
  CHECK(bench.counters.at(nullptr, wire::Outcome::rejected) == 1);
}

TEST_CASE("an_unknown_path_is_404_and_keeps_the_connection") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/nowhere", "x") + post("/echo", "next"));
  CHECK(sender.gets("\r\n\r\nnext"));
  CHECK(sender.received.starts_with("HTTP/1.1 404 "));
}

TEST_CASE("a_sender_that_leaves_inside_the_body_is_in_the_books") {
  Bench bench;
  Sender sender(bench);
  sender.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
  int turns = 0;
  bench.until([&] { return ++turns > 2; });
  sender.close();
  CHECK(bench.until([&] { return bench.connections->count() == 0; }));
  REQUIRE(bench.books.size() == 1);
  CHECK(bench.books[0].outcome == wire::Outcome::rejected);
}

TEST_CASE("a_sender_that_half_closes_still_gets_its_answer") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/park", "x"));
  sender.half_close();
  CHECK(bench.until([&] { return bench.parked.size() == 1; }));
  int turns = 0;
  bench.until([&] { return ++turns > 3; });
  bench.parked[0].exchange()->answer(200, wire::Outcome::forwarded, "");
  bench.parked[0]();
  CHECK(sender.gets("HTTP/1.1 200 "));
  CHECK(sender.sees_end());
}

TEST_CASE("a_connection_that_ends_while_parked_puts_the_request_in_the_books") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/park", "x"));
  CHECK(bench.until([&] { return bench.parked.size() == 1; }));
  bench.connections->abandon();
  CHECK(bench.until([&] { return bench.connections->count() == 0; }));
  bench.parked[0]();
  REQUIRE(bench.books.size() == 1);
  CHECK(bench.books[0].outcome == wire::Outcome::failed);
}
