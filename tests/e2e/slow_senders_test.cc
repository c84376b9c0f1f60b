// Senders that take, or give, as little as they can: what each may hold of the gateway, and for how long.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

using Clock = std::chrono::steady_clock;

std::string rules(const Backend& backend) {
  return "sources:\n  all: { match: { path: \"/*\", methods: [GET, POST] }, trust: open, routes: [{ to: backend }] }\n"
         "destinations:\n  backend: { url: \"http://" +
         backend.address() + "\", timeout: 5s }\n";
}

// The backend answers everything with a body of this size from now on.
void answer_large(const TempFolder& folder, const Backend& backend, size_t size) {
  folder.write("raw", "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x'));
  backend.mode("raw " + (folder / "raw"));
}

void receive_at_most(const Connection& connection, int bytes) { setsockopt(connection.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }

}  // namespace

TEST_CASE("a_sender_that_never_reads_its_answer_is_cut_off_and_one_that_reads_at_body_rate_gets_all_of_it") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 1\n  limits: { idle_timeout: 1s, body_rate: 200KB/s }\n"});
  constexpr size_t kLarge = 4'000'000;
  answer_large(folder, backend, kLarge);
  const pid_t worker = gateway.workers().at(0);
  const size_t before = open_descriptors(worker);
  Connection never(gateway.address());
  receive_at_most(never, 4096);
  never.send(request("POST", "/never", {}, "{}"));
  CHECK(wait_for([&] { return open_descriptors(worker) > before; }));
  const auto start = Clock::now();
  CHECK(wait_for([&] { return open_descriptors(worker) == before; }, Milliseconds(10'000)));  // 20 s would be the whole answer at body_rate
  CHECK_GE(Clock::now() - start, std::chrono::milliseconds(900));

  Connection steady(gateway.address());
  receive_at_most(steady, 100'000);
  steady.send(request("POST", "/steady", {}, "{}"));
  const auto begun = Clock::now();
  size_t received = 0;
  char part[65536];
  for (ssize_t got = 1; got > 0; received += static_cast<size_t>(got)) {
    // Twice body_rate, from the start.
    const auto due = begun + std::chrono::microseconds(received * 1'000'000 / 400'000);
    wait_for([&] { return Clock::now() >= due; }, Milliseconds(20'000));
    got = recv(steady.fd(), part, sizeof part, 0);
    if (got < 0 || received >= kLarge) break;
  }
  CHECK_GE(received, kLarge);
  CHECK_GT(Clock::now() - begun, std::chrono::seconds(8));
}

TEST_CASE("a_sender_that_never_reads_holds_one_answer_however_many_requests_it_pipelines") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 1\n"});
  answer_large(folder, backend, 200'000);
  Connection never(gateway.address());
  receive_at_most(never, 4096);
  std::string all;
  for (int i = 0; i < 50; ++i) all += request("GET", "/never", {}, "");
  REQUIRE(never.send(all));
  CHECK(wait_for([&] { return backend.seen_count() > 0; }));
  backend.mode("ok");  // one of another sender, and by then the first have had their time
  for (int i = 0; i < 20; ++i) CHECK_EQ(send_once(gateway.address(), request("POST", "/other", {}, "{}"))->status, 200);
  CHECK_LE(backend.seen_count(), 20 + 2);
}
