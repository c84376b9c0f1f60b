// Reloads and crashes while traffic flows: no failed request during reloads, wrong rules keep the old ones, a killed worker
// costs only its own requests.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend, int version) {
  return "sources:\n  all: { match: { path: \"/*\" }, trust: open, routes: [{ to: backend }] }\n  v" + std::to_string(version) +
         ": { match: { path: /version/" + std::to_string(version) +
         " }, trust: open, mode: spool, reply: { status: 299 }, routes: [{ to: backend }] }\ndestinations:\n  backend: { url: \"http://" +
         backend.address() + "\" }\n";
}

struct Load {
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0}, failed{0}, reconnected{0};
  std::vector<std::thread> threads;

  void start(const std::string& address, int connections) {
    for (int i = 0; i < connections; ++i) threads.emplace_back([this, address] { run(address); });
  }
  void finish() {
    stop = true;
    for (auto& thread : threads) thread.join();
  }
  void run(const std::string& address) {
    std::optional<Connection> connection;
    while (!stop) {
      std::optional<Answer> answer;
      try {
        if (!connection) {
          connection.emplace(address);
          ++reconnected;
        }
        if (connection->send(request("POST", "/load", {}, "{\"n\":1}"))) answer = connection->read_answer();
      } catch (const std::runtime_error&) {
      }
      if (!answer || answer->status != 200) {
        ++failed;
        connection.reset();
        continue;
      }
      ++answered;
      if (answer->field("Connection") == "close") connection.reset();
      std::this_thread::sleep_for(Milliseconds(2));
    }
  }
};

size_t count_of(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size()) ++count;
  return count;
}

}  // namespace

TEST_CASE("a_hundred_reloads_under_load_fail_no_request_and_wrong_rules_keep_the_old_ones") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, 0), .proxy = "  workers: 2\n"});
  Load load;
  load.start(gateway.address(), 64);
  int version = 0;
  for (int i = 1; i <= 100; ++i) {
    if (i % 3 == 0) {
      const size_t before = count_of(gateway.log(), "test.yaml:");
      gateway.write_rules("sources:\n  all:\n    match: { pth: /x }\n");
      gateway.reload();
      CHECK(wait_for([&] { return count_of(gateway.log(), "test.yaml:") > before; }));
      CHECK_EQ(send_once(gateway.address(), request("POST", "/version/" + std::to_string(version), {}, "{}"))->status, 299);
    } else {
      version = i;
      gateway.write_rules(rules(backend, version));
      gateway.reload();
      // Old workers drain while new ones accept: the new rules hold once a new connection meets them.
      CHECK(wait_for([&] { return send_once(gateway.address(), request("POST", "/version/" + std::to_string(version), {}, "{}"))->status == 299; }));
    }
  }
  load.finish();
  MESSAGE("answered ", load.answered.load(), ", connections opened ", load.reconnected.load());
  CHECK_EQ(load.failed.load(), 0);
  CHECK_GT(load.answered.load(), 1'000);
  CHECK(wait_for([&] { return gateway.workers().size() == 2; }, Milliseconds(30'000)));
}

TEST_CASE("a_killed_worker_is_replaced_and_costs_only_its_own_requests") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, 0), .proxy = "  workers: 2\n"});
  Load load;
  load.start(gateway.address(), 16);
  for (int i = 0; i < 5; ++i) {
    const int before = load.answered;
    CHECK(wait_for([&] { return load.answered > before + 50; }));
    const auto workers = gateway.workers();
    REQUIRE_EQ(workers.size(), 2);
    kill(workers[static_cast<size_t>(i % 2)], SIGKILL);
    CHECK(wait_for([&] {
      const auto now = gateway.workers();
      return now.size() == 2 && std::find(now.begin(), now.end(), workers[static_cast<size_t>(i % 2)]) == now.end();
    }));
  }
  load.finish();
  CHECK_LE(load.failed.load(), 5 * 16);
  CHECK_GT(load.answered.load(), 250);
}

TEST_CASE("a_graceful_stop_finishes_requests_under_way") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, 0)});
  backend.mode("slow 800");
  Connection connection(gateway.address());
  connection.send(request("POST", "/slow", {}, "{}"));
  REQUIRE(wait_for([&] { return backend.seen_count() == 1; }));
  gateway.process().signal(SIGTERM);
  const auto answer = connection.read_answer();
  REQUIRE(answer.has_value());
  CHECK_EQ(answer->status, 200);
  gateway.stop();
}

TEST_CASE("wrong_rules_refuse_to_start_with_file_line_column_and_a_hint") {
  const TempFolder folder;
  folder.write("belay.yaml", "proxy: { listen: [\"127.0.0.1:0\"] }\nrules: [rules.yaml]\n");
  folder.write("rules.yaml", "sources:\n  acme:\n    match: { pth: /x }\n    trust: open\n    routes: [{ to: nowhere }]\n");
  const Finished finished = run({belay_binary(), "run", "-c", folder / "belay.yaml", "--state", folder / "state"});
  INFO(finished.err, finished.out);
  CHECK_EQ(finished.code, 1);
  CHECK_NE((finished.err + finished.out).find("rules.yaml:3:14"), std::string::npos);
  CHECK_NE((finished.err + finished.out).find("path"), std::string::npos);
  CHECK_NE((finished.err + finished.out).find("nowhere"), std::string::npos);
}
