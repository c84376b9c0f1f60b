// How Belay treats a sender's connection: keep-alive, pipelining, continue, limits, deadlines, overload.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend) {
  return "sources:\n  all: { match: { path: \"/*\", methods: [GET, HEAD, POST] }, trust: open, routes: [{ to: backend }] }\n"
         "  locked: { match: { path: /locked }, auth: { bearer: token }, routes: [{ to: backend }] }\n"
         "destinations:\n  backend: { url: \"http://" +
         backend.address() + "\", timeout: 5s }\n";
}

}  // namespace

TEST_CASE("pipelined_requests_are_answered_in_order_on_one_connection") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  Connection connection(gateway.address());
  std::string all;
  for (int i = 0; i < 50; ++i) all += request("POST", "/p" + std::to_string(i), {}, std::string(static_cast<size_t>(i) * 97, 'b'));
  REQUIRE(connection.send(all));
  for (int i = 0; i < 50; ++i) {
    const auto answer = connection.read_answer();
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, 200);
  }
  const auto seen = backend.seen();
  REQUIRE_EQ(seen.size(), 50);
  for (size_t i = 0; i < 50; ++i) CHECK_EQ(seen[i].target, "/p" + std::to_string(i));
}

TEST_CASE("continue_is_sent_only_when_the_head_was_accepted") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  Connection good(gateway.address());
  good.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  char first[26] = {};
  REQUIRE_EQ(recv(good.fd(), first, 25, MSG_WAITALL), 25);
  CHECK_EQ(std::string(first), "HTTP/1.1 100 Continue\r\n\r\n");
  good.send("{}");
  CHECK_EQ(good.read_answer()->status, 200);
  Connection refused(gateway.address());
  refused.send("POST /locked HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  const std::string text = refused.read_all(Milliseconds(1'000));
  CHECK(text.starts_with("HTTP/1.1 401 "));
}

TEST_CASE("head_requests_get_the_length_without_the_body_and_http_1_0_closes") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  Connection connection(gateway.address());
  connection.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto head = connection.read_answer(true);
  REQUIRE(head.has_value());
  CHECK_EQ(head->status, 200);
  connection.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_EQ(connection.read_answer()->body, "{\"ok\":true}");
  Connection old(gateway.address());
  old.send("GET /z HTTP/1.0\r\n\r\n");
  CHECK_EQ(old.read_answer()->status, 200);
  CHECK(old.closed_by_peer(Milliseconds(2'000)));
}

TEST_CASE("chunked_bodies_of_any_split_arrive_whole") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  std::string body;
  std::string chunks;
  for (int i = 1; i < 200; ++i) {
    const std::string part(static_cast<size_t>(i), static_cast<char>('a' + i % 26));
    char size[16];
    std::snprintf(size, sizeof size, "%x", i);
    chunks += std::string(size) + (i % 3 == 0 ? ";ext=\"v\"" : "") + "\r\n" + part + "\r\n";
    body += part;
  }
  const std::string bytes = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\nX-Trailer: t\r\n\r\n";
  for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}, bytes.size()}) {
    Connection connection(gateway.address());
    for (size_t at = 0; at < bytes.size(); at += step) connection.send(std::string_view(bytes).substr(at, step));
    CHECK_EQ(connection.read_answer()->status, 200);
  }
  for (const Seen& seen : backend.seen()) CHECK_EQ(seen.sha256, sha256_hex(body));
}

TEST_CASE("ten_megabytes_pass_byte_exact_and_one_byte_more_is_413_without_losing_the_answer") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  std::string body(10 << 20, 'x');
  for (size_t i = 0; i < body.size(); i += 4099) body[i] = static_cast<char>(i);
  CHECK_EQ(send_once(gateway.address(), request("POST", "/big", {}, body))->status, 200);
  CHECK_EQ(backend.seen().at(0).sha256, sha256_hex(body));
  body.push_back('x');
  const auto refused = send_once(gateway.address(), request("POST", "/big", {}, body));
  REQUIRE(refused.has_value());
  CHECK_EQ(refused->status, 413);
}

TEST_CASE("too_long_heads_are_431_or_414") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend)});
  CHECK_EQ(send_once(gateway.address(), "GET /" + std::string(40'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n")->status, 414);
  CHECK_EQ(send_once(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n")->status, 431);
  std::string many;
  for (int i = 0; i < 101; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  CHECK_EQ(send_once(gateway.address(), "GET / HTTP/1.1\r\nHost: a\r\n" + many + "\r\n")->status, 431);
  CHECK_EQ(backend.seen_count(), 0);
}

TEST_CASE("slow_heads_slow_bodies_and_idle_connections_end_at_their_deadline_however_they_drip") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  limits: { head_timeout: 1s, idle_timeout: 1s, body_rate: 100KB/s }\n"});
  Connection head(gateway.address());
  Connection body(gateway.address());
  Connection idle(gateway.address());
  body.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  const auto started = std::chrono::steady_clock::now();
  const std::string_view drip = "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: 0123456789012345678901234567890123456789012345678901234567890123456789";
  bool head_ended = false;
  for (const char c : drip) {
    if (!head.send({&c, 1})) {
      head_ended = true;
      break;
    }
    body.send("x");
    usleep(50'000);
    if (head.closed_by_peer(Milliseconds(1))) {
      head_ended = true;
      break;
    }
  }
  CHECK(head_ended);
  CHECK(body.closed_by_peer(Milliseconds(10'000)));
  CHECK(idle.closed_by_peer(Milliseconds(3'000)));
  CHECK_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(15));
  CHECK_EQ(backend.seen_count(), 0);
}

TEST_CASE("over_the_connection_cap_new_senders_get_503_with_retry_after_and_others_go_on") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 1\n  limits: { connections: 10 }\n"});
  std::vector<Connection> held;
  for (int i = 0; i < 10; ++i) {
    held.emplace_back(gateway.address());
    held.back().send(request("POST", "/x", {}, "{}"));
    REQUIRE_EQ(held.back().read_answer()->status, 200);
  }
  Connection over(gateway.address());
  over.send(request("POST", "/x", {}, "{}"));
  const auto shed = over.read_answer();
  REQUIRE(shed.has_value());
  CHECK_EQ(shed->status, 503);
  CHECK_GT(std::stoi(shed->field("Retry-After")), 0);
  held.front().send(request("POST", "/x", {}, "{}"));
  CHECK_EQ(held.front().read_answer()->status, 200);
}

TEST_CASE("a_sender_that_leaves_in_the_middle_costs_nothing") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 1\n"});
  REQUIRE_EQ(send_once(gateway.address(), request("POST", "/x", {}, "{}"))->status, 200);
  const pid_t worker = gateway.workers().at(0);
  const size_t before = open_descriptors(worker);
  backend.mode("hang x20");
  for (int i = 0; i < 20; ++i) {
    Connection leaver(gateway.address());
    leaver.send(request("POST", "/gone", {}, "{}"));
  }
  CHECK(wait_for([&] { return backend.seen_count() == 21; }));
  CHECK(wait_for([&] { return open_descriptors(worker) <= before + 2; }, Milliseconds(15'000)));
  CHECK_EQ(send_once(gateway.address(), request("POST", "/x", {}, "{}"))->status, 200);
}

TEST_CASE("the_proxy_protocol_names_the_client_on_a_listener_that_asks_for_it") {
  const TempFolder folder;
  Backend backend(folder);
  const int port = free_port();
  Gateway gateway(folder, {.rules = R"(sources:
  far: { match: { path: /far }, trust: open, allow: [192.0.2.0/24], routes: [{ to: backend }] }
destinations:
  backend: { url: "http://)" + backend.address() + "\" }\n",
                           .proxy = "  trusted_proxies: [127.0.0.0/8]\n",
                           .listen = "    - { address: \"127.0.0.1:" + std::to_string(port) + "\", proxy_protocol: true }\n"});
  const std::string to = "127.0.0.1:" + std::to_string(port);
  const std::string far = request("POST", "/far", {}, "{}");
  CHECK_EQ(send_once(to, "PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n" + far)->status, 200);
  CHECK_EQ(send_once(to, "PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n" + far)->status, 403);
  const std::string v2 = bytes_of("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\x7f\0\0\x01\x12\x67\0\x50");
  CHECK_EQ(send_once(to, v2 + far)->status, 200);
  // Who does not begin with that line gets nothing but the end.
  Connection without(to);
  without.send(far);
  CHECK_FALSE(without.read_answer(false, Milliseconds(2'000)).has_value());
  CHECK(without.closed_by_peer(Milliseconds(2'000)));
  CHECK_NE(backend.seen().at(0).head.find("192.0.2.7"), std::string::npos);
  CHECK_EQ(backend.seen_count(), 2);
}
