// Deadlines, caps, drain, PROXY header, forwarded addresses: what keeps one sender from harming the others.
#include "unit/proxy/bench.h"

using namespace belay;
using namespace belay::test;

namespace {

std::function<void(conf::Limits&)> impatient() {
  return [](conf::Limits& limits) { limits.head_timeout = limits.idle_timeout = Duration{200}; };
}

// One byte every 20 ms, until an answer comes.
bool trickle(Bench& bench, Sender& sender) {
  auto next = bench.clock.monotonic();
  return bench.until([&] {
    if (bench.clock.monotonic() >= next) {
      sender.send("x");
      next += Duration{20};
    }
    sender.pull();
    return sender.answers() > 0;
  });
}

}  // namespace

TEST_CASE("a_head_that_trickles_gets_408") {
  Bench bench(impatient());
  Sender sender(bench);
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nX-Slow: ";
  sender.send(head);
  // Bytes keep coming, more often than the timeout: only an absolute deadline ends this.
  CHECK(trickle(bench, sender));
  CHECK(sender.gets("HTTP/1.1 408 "));
  REQUIRE(bench.books.size() == 1);
  CHECK(bench.books[0].reason.starts_with("head: "));
}

TEST_CASE("a_body_slower_than_the_rate_gets_408") {
  Bench bench(impatient());
  Sender sender(bench);
  sender.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  CHECK(trickle(bench, sender));
  CHECK(sender.gets("HTTP/1.1 408 "));
  REQUIRE(bench.books.size() == 1);
  CHECK(bench.books[0].reason.starts_with("body: "));
}

TEST_CASE("idle_connections_and_silent_ones_are_closed_without_a_word") {
  Bench bench(impatient());
  Sender silent(bench), idle(bench);
  idle.send(post("/echo", "x"));
  CHECK(idle.gets_answers(1));
  CHECK(silent.sees_end());
  CHECK(idle.sees_end());
  CHECK(silent.received.empty());
  CHECK(idle.answers() == 1);
  CHECK(bench.books.size() == 1);
}

TEST_CASE("a_reader_that_does_not_read_is_cut_off") {
  Bench bench([](conf::Limits& limits) {
    limits.idle_timeout = Duration{200};
    limits.body_rate = uint64_t{1} << 30;
  });
  Sender sender(bench);
  sender.send(post("/big", "x"));
  CHECK(bench.until([&] { return bench.connections->count() == 0; }));
}

TEST_CASE("a_reader_that_reads_slowly_but_well_gets_everything") {
  Bench bench;
  Sender sender(bench);
  sender.send(post("/big", "x") + post("/echo", "after"));
  CHECK(sender.gets("\r\n\r\nafter"));
  CHECK(sender.received.size() > Bench::kBig);
}

TEST_CASE("connections_over_the_cap_are_told_to_come_back") {
  Bench bench([](conf::Limits& limits) { limits.connections = 2; });
  Sender one(bench), two(bench);
  {
    Sender three(bench);
    CHECK(three.gets("HTTP/1.1 503 "));
    CHECK(three.gets("Retry-After: 1\r\n"));
    three.half_close();
    CHECK(three.sees_end());
  }
  CHECK(bench.until([&] { return bench.connections->count() == 2; }));
  CHECK(bench.connections->turned_away() == 1);
  one.close();
  CHECK(bench.until([&] { return bench.connections->count() == 1; }));
  Sender four(bench);
  four.send(post("/echo", "x"));
  CHECK(four.gets("HTTP/1.1 200 "));
  CHECK(bench.books.size() == 1);
}

TEST_CASE("one_address_cannot_take_all_connections_but_a_trusted_proxy_may") {
  Bench bench([](conf::Limits& limits) { limits.connections_per_client = 1; });
  Sender one(bench, "192.0.2.1"), other(bench, "192.0.2.2"), two(bench, "192.0.2.1");
  Sender proxied(bench, "127.0.0.1"), proxied_too(bench, "127.0.0.1");
  for (Sender* sender : {&one, &other, &two, &proxied, &proxied_too}) sender->send(post("/echo", "x"));
  CHECK(two.gets("HTTP/1.1 503 "));
  for (Sender* sender : {&one, &other, &proxied, &proxied_too}) CHECK(sender->gets("HTTP/1.1 200 "));
  one.close();
  two.close();
  CHECK(bench.until([&] { return bench.connections->count() == 3; }));
  Sender again(bench, "192.0.2.1");
  again.send(post("/echo", "x"));
  CHECK(again.gets("HTTP/1.1 200 "));
}

TEST_CASE("connections_of_one_address_at_other_workers_count_too") {
  Bench bench([](conf::Limits& limits) { limits.connections_per_client = 2; });
  pipeline::ClientCounts& clients = bench.shared.clients;
  CHECK(clients.add(1, *IpAddress::parse("192.0.2.1"), 2).has_value());
  Sender one(bench, "192.0.2.1"), two(bench, "192.0.2.1");
  one.send(post("/echo", "x"));
  CHECK(one.gets("HTTP/1.1 200 "));
  CHECK(two.gets("HTTP/1.1 503 "));
  clients.forget(1);  // the other worker died
  Sender three(bench, "192.0.2.1");
  three.send(post("/echo", "x"));
  CHECK(three.gets("HTTP/1.1 200 "));
}

TEST_CASE("over_the_memory_limit_a_body_gets_503_and_memory_is_given_back") {
  Bench bench([](conf::Limits& limits) { limits.memory = 400 << 10; });
  Sender large(bench);
  CHECK(large.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x')));
  CHECK(large.gets("HTTP/1.1 503 "));
  CHECK(large.gets("Retry-After: 1\r\n"));
  large.close();
  CHECK(bench.until([&] { return bench.connections->count() == 0; }));
  CHECK(bench.shared.buffered_bytes < 200 << 10);
  CHECK(bench.books.back().outcome == wire::Outcome::failed);
  Sender small(bench);
  small.send(post("/echo", "x"));
  CHECK(small.gets("HTTP/1.1 200 "));
  bench.connections.reset();
  CHECK(bench.shared.buffered_bytes == 0);
  CHECK(bench.shared.connections == 0);
  CHECK(bench.shared.workers[0].buffered_bytes == 0);
}

TEST_CASE("after_a_burst_the_memory_it_took_is_there_for_the_next_body") {
  Bench bench([](conf::Limits& limits) { limits.memory = 400 << 10; });
  std::vector<std::unique_ptr<Sender>> senders;
  for (int i = 0; i < 6; ++i) {
    senders.push_back(std::make_unique<Sender>(bench));
    CHECK(senders.back()->send(post("/park", std::string(40'000, 'x'))));
  }
  CHECK(bench.until([&] { return bench.parked.size() == 6; }));
  for (const auto& resume : bench.parked) {
    resume.exchange()->answer(200, wire::Outcome::forwarded, "");
    resume();
  }
  for (const auto& sender : senders) CHECK(sender->gets_answers(1));
  Sender large(bench);
  CHECK(large.send(post("/echo", std::string(150'000, 'y'))));
  CHECK(large.gets("HTTP/1.1 200 "));
}

TEST_CASE("a_body_that_fits_the_room_that_is_there_needs_no_budget") {
  Bench bench([](conf::Limits& limits) { limits.memory = 400 << 10; });
  Sender sender(bench);
  CHECK(sender.send(post("/echo", std::string(40'000, 'x'))));
  CHECK(sender.gets_answers(1));
  bench.shared.buffered_bytes += 400 << 10;  // somebody else holds everything
  CHECK(sender.send(post("/echo", std::string(40'000, 'y'))));
  CHECK(sender.gets_answers(2));
  CHECK(sender.received.find(" 503 ") == std::string::npos);
  bench.shared.buffered_bytes -= 400 << 10;
}

TEST_CASE("idle_connections_hold_no_buffers") {
  Bench bench;
  std::vector<std::unique_ptr<Sender>> senders;
  for (int i = 0; i < 50; ++i) {
    senders.push_back(std::make_unique<Sender>(bench));
    senders.back()->send(post("/echo", "x"));
    CHECK(senders.back()->gets_answers(1));
  }
  CHECK(bench.connections->count() == 50);
  CHECK(bench.shared.buffered_bytes < 100 << 10);
}

TEST_CASE("draining_answers_what_is_under_way_and_closes") {
  Bench bench;
  Sender busy(bench), idle(bench);
  busy.send(post("/park", "x"));
  CHECK(bench.until([&] { return bench.parked.size() == 1; }));
  bool drained = false;
  bench.connections->drain([&] { drained = true; });
  bench.parked[0].exchange()->answer(200, wire::Outcome::forwarded, "");
  bench.parked[0]();
  CHECK(busy.gets("Connection: close\r\n"));
  CHECK(busy.sees_end());
  CHECK(!drained);
  idle.send(post("/echo", "last"));  // was in flight when the drain began
  CHECK(idle.gets("\r\n\r\nlast"));
  CHECK(idle.gets("Connection: close\r\n"));
  CHECK(idle.sees_end());
  CHECK(bench.until([&] { return drained; }));
}

TEST_CASE("draining_without_connections_ends_at_once") {
  Bench bench;
  bool drained = false;
  bench.connections->drain([&] { drained = true; });
  CHECK(bench.until([&] { return drained; }));
}

TEST_CASE("a_proxy_header_from_a_trusted_peer_names_the_sender") {
  Bench bench;
  Sender sender(bench, "127.0.0.1", &bench.with_proxy_header);
  const std::string header = "PROXY TCP4 203.0.113.7 10.0.0.1 12345 443\r\n";
  for (const char c : header) {
    sender.send(std::string(1, c));
    int turns = 0;
    bench.until([&] { return ++turns > 1; });
  }
  sender.send(post("/echo", "x", "X-Forwarded-For: 6.6.6.6\r\n"));
  CHECK(sender.gets("HTTP/1.1 200 "));
  CHECK(bench.books.back().client == "203.0.113.7");
  CHECK(bench.books.back().forwarded_for == "203.0.113.7");
}

TEST_CASE("a_proxy_header_from_anybody_else_is_read_but_not_believed") {
  Bench bench;
  Sender sender(bench, "192.0.2.1", &bench.with_proxy_header);
  sender.send("PROXY TCP4 203.0.113.7 10.0.0.1 12345 443\r\n" + post("/echo", "x"));
  CHECK(sender.gets("HTTP/1.1 200 "));
  CHECK(bench.books.back().client == "192.0.2.1");
}

TEST_CASE("a_listener_that_expects_a_proxy_header_takes_nothing_else") {
  Bench bench;
  Sender sender(bench, "127.0.0.1", &bench.with_proxy_header);
  sender.send(post("/echo", "x"));
  CHECK(sender.sees_end());
  CHECK(sender.received.empty());
  CHECK(bench.books.empty());
}

TEST_CASE("forwarded_addresses_count_per_request") {
  Bench bench;
  Sender sender(bench, "unix:");
  sender.send(post("/echo", "x", "X-Forwarded-For: 203.0.113.7\r\n") + post("/echo", "y"));
  CHECK(sender.gets_answers(2));
  REQUIRE(bench.books.size() == 2);
  CHECK(bench.books[0].client == "203.0.113.7");
  CHECK(bench.books[1].client == "unix:");
}
