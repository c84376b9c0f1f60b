#include <doctest/doctest.h>

#include <vector>

#include "event/simple_server.h"
#include "tests/unit/event/certificates.h"
#include "tests/unit/event/stream_pair.h"

using namespace belay;
using namespace belay::event;
using namespace belay::test;
using namespace std::chrono_literals;

namespace {

SocketAddress at(const SimpleServer& server) { return *parse_address("127.0.0.1:" + std::to_string(server.port())); }

}  // namespace

TEST_CASE("the_small_server_hands_over_whole_requests_and_sends_whole_answers") {
  Loop loop;
  SimpleRequest seen;
  SimpleServer server(loop, [&](const SimpleRequest& request, const SimpleServer::Respond& respond) {
    seen = request;
    respond({.status = 201, .headers = {{"Content-Type", "text/plain"}}, .body = "made"});
  });
  REQUIRE(server.listen("127.0.0.1:0").ok());
  Peer client;
  client.connect(loop, at(server));
  client.send("POST /v1/things?a=b%20c HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nContent-Length: 4\r\n\r\nbody");
  REQUIRE(loop.run_until([&] { return client.received.ends_with("made"); }, 60s));
  CHECK(client.received.starts_with("HTTP/1.1 201 "));
  CHECK(client.received.find("Content-Type: text/plain\r\n") != std::string::npos);
  CHECK_EQ(seen.method, "POST");
  CHECK_EQ(seen.path, "/v1/things");
  CHECK_EQ(seen.query, "a=b%20c");
  CHECK_EQ(seen.body, "body");
  CHECK_EQ(seen.peer, "127.0.0.1");
  REQUIRE(seen.header("x-one") != nullptr);
  CHECK_EQ(*seen.header("x-one"), "1");
  CHECK(seen.header("x-two") == nullptr);
}

TEST_CASE("an_answer_may_come_later_and_a_client_that_left_does_no_harm") {
  Loop loop;
  std::vector<SimpleServer::Respond> waiting;
  SimpleServer server(loop, [&](const SimpleRequest&, const SimpleServer::Respond& respond) { waiting.push_back(respond); });
  REQUIRE(server.listen("127.0.0.1:0").ok());
  Peer patient, hasty;
  patient.connect(loop, at(server));
  patient.send("GET /follow HTTP/1.1\r\nHost: x\r\n\r\n");
  hasty.connect(loop, at(server));
  hasty.send("GET /follow HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(loop.run_until([&] { return waiting.size() == 2; }, 60s));
  hasty.stream.reset();
  loop.run_until([] { return false; }, 20ms);
  for (const auto& respond : waiting) respond({.status = 200, .headers = {}, .body = "now"});
  CHECK(loop.run_until([&] { return patient.received.ends_with("now"); }, 60s));
  for (const auto& respond : waiting) respond({.status = 200, .headers = {}, .body = "twice"});
  CHECK(patient.received.find("twice") == std::string::npos);
}

TEST_CASE("an_open_answer_is_written_piece_by_piece_and_ends_with_its_stream") {
  Loop loop;
  std::unique_ptr<SimpleStream> stream;
  SimpleServer server(loop, [&](const SimpleRequest&, const SimpleServer::Respond& respond) {
    respond({.status = 200, .headers = {{"X-Open", "1"}}, .body = {}, .opened = [&](std::unique_ptr<SimpleStream> opened) { stream = std::move(opened); }});
  });
  REQUIRE(server.listen("127.0.0.1:0").ok());
  Peer client;
  client.connect(loop, at(server));
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(loop.run_until([&] { return stream != nullptr; }, 60s));
  stream->write("one");
  REQUIRE(loop.run_until([&] { return client.received.ends_with("3\r\none\r\n"); }, 60s));
  CHECK(client.received.find("X-Open: 1\r\n") != std::string::npos);
  stream->write("two");
  stream.reset();
  REQUIRE(loop.run_until([&] { return client.received.ends_with("3\r\ntwo\r\n0\r\n\r\n"); }, 60s));
  // The connection is an ordinary one again.
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(loop.run_until([&] { return stream != nullptr; }, 60s));
  CHECK_FALSE(stream->gone());
  client.stream.reset();
  REQUIRE(loop.run_until([&] { return stream->gone(); }, 60s));
  stream->write("nobody reads this");
  CHECK(stream->unsent() == 0);
  stream.reset();
}

TEST_CASE("a_handler_that_forgets_to_answer_answers_500") {
  Loop loop;
  SimpleServer server(loop, [](const SimpleRequest&, const SimpleServer::Respond&) {});
  REQUIRE(server.listen("127.0.0.1:0").ok());
  Peer client;
  client.connect(loop, at(server));
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(loop.run_until([&] { return client.received.starts_with("HTTP/1.1 500 "); }, 60s));
}

TEST_CASE("the_small_server_removes_its_unix_socket_and_outlives_answers_given_too_late") {
  Loop loop;
  const TemporaryFolder folder;
  SimpleServer::Respond late;
  auto server = std::make_unique<SimpleServer>(loop, [&](const SimpleRequest&, const SimpleServer::Respond& respond) { late = respond; });
  REQUIRE(server->listen("unix:" + folder.file("admin.sock")).ok());
  Peer client;
  client.connect(loop, {.ip = {}, .port = 0, .unix_path = folder.file("admin.sock")});
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(loop.run_until([&] { return late != nullptr; }, 60s));
  server.reset();
  late({.status = 200, .headers = {}, .body = "too late"});
  CHECK_FALSE(std::filesystem::exists(folder.file("admin.sock")));
}
