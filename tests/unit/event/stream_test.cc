#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/event/certificates.h"
#include "tests/unit/event/stream_pair.h"

using namespace belay;
using namespace belay::event;
using namespace belay::test;
using namespace std::chrono_literals;

TEST_CASE("bytes_travel_both_ways_and_a_closed_peer_is_seen") {
  Pair pair;
  pair.client.connect(pair.loop, pair.address);
  pair.client.send("ping");
  REQUIRE(pair.loop.run_until([&] { return pair.server.received == "ping"; }, 60s));
  CHECK_EQ(pair.client.opened, 1);
  pair.server.send("pong");
  REQUIRE(pair.loop.run_until([&] { return pair.client.received == "pong"; }, 60s));
  CHECK_FALSE(pair.client.stream->is_tls());
  pair.client.stream->shutdown_write();
  REQUIRE(pair.loop.run_until([&] { return pair.server.closed; }, 60s));
  pair.server.send("still open this way");
  REQUIRE(pair.loop.run_until([&] { return pair.client.received == "pongstill open this way"; }, 60s));
  pair.server.stream.reset();
  CHECK(pair.loop.run_until([&] { return pair.client.closed; }, 60s));
}

TEST_CASE("more_than_the_kernel_takes_is_finished_by_on_writable") {
  Pair pair;
  pair.client.connect(pair.loop, pair.address);
  const std::string big(16 << 20, 'x');
  pair.client.send(big);
  REQUIRE(pair.loop.run_until([&] { return pair.server.received.size() == big.size(); }, 60s));
  CHECK((pair.server.received == big));
  CHECK(pair.client.opened > 1);
}

TEST_CASE("readability_is_level_triggered_and_want_read_holds_it_back") {
  Pair pair;
  pair.server.read_once = true;
  pair.client.connect(pair.loop, pair.address);
  pair.client.send(std::string(1'000, 'a'));
  REQUIRE(pair.loop.run_until([&] { return pair.server.received.size() == 1'000; }, 60s));
  CHECK(pair.server.readable >= 10);
  pair.server.stream->want_read(false);
  pair.client.send("held");
  CHECK_FALSE(pair.loop.run_until([&] { return pair.server.received.size() > 1'000; }, 50ms));
  pair.server.stream->want_read(true);
  CHECK(pair.loop.run_until([&] { return pair.server.received.size() == 1'004; }, 60s));
}

TEST_CASE("a_refused_connect_is_told_on_a_later_turn_in_one_line") {
  Loop loop;
  const int fd = *open_listener("127.0.0.1:0");
  const SocketAddress gone = local_address(fd);
  ::close(fd);
  Peer client;
  client.connect(loop, gone);
  CHECK(client.failure.empty());
  REQUIRE(loop.run_until([&] { return !client.failure.empty(); }, 60s));
  CHECK_EQ(client.failure, "connect: Connection refused");
  Peer local;
  local.connect(loop, {.ip = {}, .port = 0, .unix_path = "/nonexistent/belay.sock"});
  CHECK(local.failure.empty());
  REQUIRE(loop.run_until([&] { return !local.failure.empty(); }, 60s));
  CHECK_EQ(local.failure, "connect: No such file or directory");
}

TEST_CASE("a_handler_may_destroy_its_stream_inside_a_callback") {
  Pair pair;
  pair.server.destroy_on_read = true;
  pair.client.connect(pair.loop, pair.address);
  pair.client.send("bye");
  CHECK(pair.loop.run_until([&] { return pair.client.closed || pair.client.failed; }, 60s));
  CHECK(pair.server.stream == nullptr);
}

TEST_CASE("linger_reset_makes_the_peer_see_a_reset") {
  Pair pair;
  pair.client.connect(pair.loop, pair.address);
  pair.client.send("x");
  REQUIRE(pair.loop.run_until([&] { return pair.server.received == "x"; }, 60s));
  pair.server.stream->linger_reset();
  pair.server.stream.reset();
  CHECK(pair.loop.run_until([&] { return pair.client.failed; }, 60s));
}

TEST_CASE("unix_sockets_carry_streams_too") {
  const TemporaryFolder folder;
  Pair pair(nullptr, "unix:" + folder.file("a.sock"));
  pair.client.connect(pair.loop, pair.address);
  pair.client.send("over a file");
  CHECK(pair.loop.run_until([&] { return pair.server.received == "over a file"; }, 60s));
}
