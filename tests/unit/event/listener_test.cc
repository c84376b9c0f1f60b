#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/unit/event/certificates.h"
#include "tests/unit/event/stream_pair.h"

using namespace belay;
using namespace belay::event;
using namespace belay::test;
using namespace std::chrono_literals;

TEST_CASE("addresses_read_back_as_they_were_written") {
  for (const std::string text : {"127.0.0.1:8080", "[::1]:443", "0.0.0.0:0", "unix:/run/belay.sock"}) {
    const auto address = parse_address(text);
    REQUIRE_MESSAGE(address.ok(), text);
    CHECK_EQ(address->to_string(), text);
  }
  CHECK_EQ(parse_address("localhost:80")->to_string(), "127.0.0.1:80");
}

TEST_CASE("unclear_addresses_are_refused_with_what_to_write") {
  for (const std::string text : {"8080", "127.0.0.1", "::1:80", "127.0.0.1:65536", "127.0.0.1:http", "example.com:80", "unix:", ":80", ""}) {
    const auto address = parse_address(text);
    REQUIRE_FALSE_MESSAGE(address.ok(), text);
    CHECK(address.error().message.find("write ") != std::string::npos);
  }
  CHECK_FALSE(parse_address("unix:/" + std::string(107, 'x')).ok());
  CHECK(parse_address("unix:/" + std::string(106, 'x')).ok());
}

TEST_CASE("a_port_in_use_is_said_in_words") {
  const int fd = *open_listener("127.0.0.1:0");
  const std::string address = local_address(fd).to_string();
  const auto second = open_listener(address);
  REQUIRE_FALSE(second.ok());
  CHECK_EQ(second.error().message, address + ": address already in use; another program listens there: stop it or choose another port");
  ::close(fd);
}

TEST_CASE("a_stale_unix_socket_is_replaced_but_a_living_one_and_a_plain_file_are_not") {
  const TemporaryFolder folder;
  const std::string path = folder.file("proxy.sock"), address = "unix:" + path;
  const int first = *open_listener(address);
  const auto second = open_listener(address);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message.find("another process answers") != std::string::npos);
  ::close(first);
  CHECK(std::filesystem::exists(path));
  const auto third = open_listener(address);
  REQUIRE(third.ok());
  ::close(*third);
  std::filesystem::remove(path);
  std::ofstream(path) << "precious";
  const auto fourth = open_listener(address);
  REQUIRE_FALSE(fourth.ok());
  CHECK(fourth.error().message.find("not a socket") != std::string::npos);
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("a_listener_takes_what_came_while_it_was_paused") {
  Loop loop;
  const int fd = *open_listener("127.0.0.1:0");
  int accepted = 0;
  Listener listener(loop, fd, [&](int client, const SocketAddress& peer) {
    CHECK(peer.ip.is_loopback());
    CHECK((::fcntl(client, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(client, F_GETFD) & FD_CLOEXEC) != 0);
    ++accepted;
    ::close(client);
  });
  listener.pause();
  std::vector<std::unique_ptr<Peer>> clients;
  for (int i = 0; i < 2 * Listener::kBurst + 3; ++i) {
    clients.push_back(std::make_unique<Peer>());
    clients.back()->connect(loop, local_address(fd));
  }
  CHECK_FALSE(loop.run_until([&] { return accepted > 0; }, 30ms));
  listener.resume();
  CHECK(loop.run_until([&] { return accepted == 2 * Listener::kBurst + 3; }, 60s));
  ::close(fd);
}

TEST_CASE("a_listener_may_be_destroyed_by_what_it_accepted") {
  Loop loop;
  const int fd = *open_listener("127.0.0.1:0");
  auto listener = std::unique_ptr<Listener>();
  bool done = false;
  listener = std::make_unique<Listener>(loop, fd, [&listener, &done](int client, const SocketAddress&) {
    ::close(client);
    listener.reset();
    done = true;
  });
  Peer client;
  client.connect(loop, local_address(fd));
  CHECK(loop.run_until([&] { return done; }, 60s));
  ::close(fd);
}

TEST_CASE("out_of_descriptors_pauses_accepting_without_spinning_and_goes_on_when_some_are_free") {
  Loop loop;
  const int fd = *open_listener("127.0.0.1:0");
  std::vector<int> held;
  int accepted = 0, turns = 0;
  Listener listener(loop, fd, [&](int client, const SocketAddress&) {
    ++accepted;
    ::close(client);
  });
  const Loop::TurnEnd count(loop, [&] { ++turns; });
  Peer client;
  client.connect(loop, local_address(fd));
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit low{.rlim_cur = 64, .rlim_max = limit.rlim_max};
  REQUIRE_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (int copy = ::dup(fd); copy >= 0; copy = ::dup(fd)) held.push_back(copy);
  CHECK_FALSE(loop.run_until([&] { return accepted > 0; }, 100ms));
  CHECK(turns < 60);  // run_until itself looks every 5 ms
  for (const int copy : held) ::close(copy);
  CHECK(loop.run_until([&] { return accepted == 1; }, 60s));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::close(fd);
}
