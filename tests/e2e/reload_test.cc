// Reloads and crashes while traffic flows: no failed request during reloads, wrong rules keep the old ones, a killed worker
// costs only its own requests.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
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

// One source, of which a version is known by its path.
std::string only(const Backend& backend, int version) {
  return "sources:\n  all: { match: { path: /version/" + std::to_string(version) +
         " }, trust: open, routes: [{ to: backend }] }\ndestinations:\n  backend: { url: \"http://" + backend.address() + "\" }\n";
}

bool serves(const Gateway& gateway, int version) {
  const auto answer = send_once(gateway.address(), request("POST", "/version/" + std::to_string(version), {}, "{}"));
  return answer && answer->status == 200;
}

// Workers that are not among `known`.
std::vector<pid_t> new_workers(const Gateway& gateway, const std::vector<pid_t>& known) {
  std::vector<pid_t> workers = gateway.workers();
  std::erase_if(workers, [&](pid_t pid) { return std::find(known.begin(), known.end(), pid) != known.end(); });
  return workers;
}

// A proxy alone: its workers wait a second for a spool before they accept, time enough to meddle with them.
GatewayOptions alone(const std::string& first_rules) {
  return {.rules = first_rules, .proxy = "  workers: 2\n  limits: { stop_timeout: 100ms }\n", .command = "proxy"};
}

bool refuses(const std::string& address) {
  try {
    const Connection connection(address);
  } catch (const std::runtime_error&) {
    return true;
  }
  return false;
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
      // Waits, because workers from before the last reload may still take connections.
      CHECK(wait_for([&] { return send_once(gateway.address(), request("POST", "/version/" + std::to_string(version), {}, "{}"))->status == 299; }));
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

TEST_CASE("a_reload_takes_the_place_of_one_whose_workers_hang_and_old_workers_that_die_meanwhile_are_replaced") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, alone(only(backend, 1)));
  std::vector<pid_t> known = gateway.workers();
  REQUIRE_EQ(known.size(), 2);
  gateway.write_rules(only(backend, 2));
  gateway.reload();
  REQUIRE(wait_for([&] { return new_workers(gateway, known).size() == 2; }));
  const std::vector<pid_t> hanging = new_workers(gateway, known);
  for (const pid_t pid : hanging) kill(pid, SIGSTOP);
  kill(known[0], SIGKILL);
  known.insert(known.end(), hanging.begin(), hanging.end());
  CHECK(wait_for([&] { return new_workers(gateway, known).size() == 1; }, Milliseconds(5'000)));
  CHECK(serves(gateway, 1));
  gateway.write_rules(only(backend, 3));
  gateway.reload();
  CHECK(wait_for([&] { return serves(gateway, 3); }));
  CHECK_FALSE(serves(gateway, 2));
  // Those that hang are killed once they have been told for long enough.
  CHECK(wait_for([&] { return gateway.workers().size() == 2 && new_workers(gateway, known).size() == 2; }, Milliseconds(20'000)));
}

TEST_CASE("a_reload_whose_workers_die_is_given_up_and_the_old_rules_stay_until_the_next_one") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, alone(only(backend, 1)));
  const std::vector<pid_t> known = gateway.workers();
  gateway.write_rules(only(backend, 2));
  gateway.reload();
  CHECK(wait_for([&] {
    for (const pid_t pid : new_workers(gateway, known)) kill(pid, SIGKILL);
    return gateway.log().find("reload given up") != std::string::npos;
  }, Milliseconds(20'000)));
  CHECK(wait_for([&] { return gateway.workers() == known; }));
  CHECK(serves(gateway, 1));
  gateway.reload();
  CHECK(wait_for([&] { return serves(gateway, 2); }));
  CHECK_EQ(count_of(gateway.log(), "reload given up"), 1);
}

TEST_CASE("a_reload_that_the_proxy_would_refuse_is_not_told_to_the_spool") {
  const TempFolder folder;
  Backend backend(folder);
  Backend occupant(folder, "occupant");  // of the address that is to be added
  const std::string kept = "127.0.0.1:" + std::to_string(free_port()), added = occupant.address();
  const auto make_certificate = [&] {
    REQUIRE_EQ(run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "a.key",
                    "-out", folder / "a.pem", "-days", "2", "-subj", "/CN=a"}).code, 0);
  };
  make_certificate();
  Gateway gateway(folder, {.rules = only(backend, 1),
                           .listen = "    - { address: \"" + kept + "\", tls: { certificate: a.pem, key: a.key } }\n"});
  const auto refused = [&](size_t times) { return wait_for([&] { return count_of(gateway.log(), "reload refused") >= times; }); };
  const std::string reloaded = "spool: configuration reloaded";
  folder.write("a.pem", "nonsense");
  gateway.reload();
  CHECK(refused(1));
  make_certificate();
  const std::string main = read_text(gateway.main_file());
  std::string with_more = main;
  with_more.insert(with_more.find("    - {"), "    - " + added + "\n");
  folder.write("belay.yaml", with_more);
  gateway.reload();
  CHECK(refused(2));
  occupant.stop();
  CHECK_EQ(count_of(gateway.log(), reloaded), 0);
  gateway.reload();
  CHECK(wait_for([&] { return !refuses(added); }));
  CHECK(wait_for([&] { return count_of(gateway.log(), reloaded) == 1; }));
  folder.write("belay.yaml", main);
  gateway.reload();
  CHECK(wait_for([&] { return refuses(added); }));  // in the new workers too, which were forked while it was open
}

TEST_CASE("an_address_that_the_proxy_kept_because_it_gave_a_reload_up_is_its_own_when_the_old_file_comes_back") {
  const TempFolder folder;
  Backend backend(folder);
  const auto list = [](int port) { return "    - 127.0.0.1:" + std::to_string(port) + "\n"; };
  const std::string kept = list(free_port()), left = list(free_port());
  Gateway gateway(folder, {.rules = only(backend, 1), .proxy = "  workers: 2\n", .listen = kept + left});
  const std::string main = read_text(gateway.main_file());
  std::string without = main;
  REQUIRE_NE(without.find(left), std::string::npos);
  without.erase(without.find(left), left.size());
  const std::vector<pid_t> known = gateway.workers();
  // New workers wait a second for the spool before they accept: time enough to end them.
  kill(gateway.spool(), SIGSTOP);
  folder.write("belay.yaml", without);
  gateway.reload();
  CHECK(wait_for([&] {
    for (const pid_t pid : new_workers(gateway, known)) kill(pid, SIGKILL);
    return gateway.log().find("reload given up") != std::string::npos;
  }, Milliseconds(20'000)));
  kill(gateway.spool(), SIGCONT);
  folder.write("belay.yaml", main);
  gateway.reload();
  CHECK(wait_for([&] { return gateway.workers().size() == 2 && new_workers(gateway, known).size() == 2; }));
  CHECK_EQ(count_of(gateway.log(), "reload refused"), 0);
}

TEST_CASE("a_reload_that_reaches_a_half_while_it_starts_waits_and_kills_nobody") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = only(backend, 1)});
  const pid_t spool = gateway.spool(), master = gateway.master();
  kill(spool, SIGKILL);
  kill(master, SIGKILL);
  const auto fresh = [](pid_t now, pid_t before) { return now > 0 && now != before; };
  REQUIRE(wait_for([&] { return fresh(gateway.spool(), spool); }));
  const pid_t new_spool = gateway.spool();
  kill(new_spool, SIGHUP);
  REQUIRE(wait_for([&] { return fresh(gateway.master(), master); }));
  const pid_t new_master = gateway.master();
  kill(new_master, SIGHUP);
  CHECK(wait_for([&] { return gateway.log().find("spool: configuration reloaded") != std::string::npos; }));
  CHECK(wait_for([&] { return gateway.log().find("sources, generation 2") != std::string::npos; }));
  CHECK_EQ(gateway.spool(), new_spool);
  CHECK_EQ(gateway.master(), new_master);
  CHECK_EQ(gateway.log().find("ended by signal 1 "), std::string::npos);
}

TEST_CASE("a_reload_changes_what_supervisor_master_and_spool_log_at_once") {
  const TempFolder folder;
  const Backend backend(folder);
  Gateway gateway(folder, {.rules = only(backend, 0), .main = "log: { level: info }\n"});
  const std::string main = read_text(gateway.main_file());
  const auto reload = [&](const std::string& level, int version) {
    std::string text = main;
    text.replace(text.find("level: info"), 11, "level: " + level);
    text.insert(text.find("token: ") + 7, "version" + std::to_string(version) + "-");
    folder.write("belay.yaml", text);
    gateway.write_rules(only(backend, version));
    gateway.reload();
    // A spool that is slow to reload would find the next file already: it takes the new token with the level.
    REQUIRE(wait_for([&] { return serves(gateway, version) && gateway.belay({"stats"}).code == 0; }));
  };
  reload("error", 1);
  reload("info", 2);
  CHECK(wait_for([&] { return count_of(gateway.log(), "spool: configuration reloaded") > 0 && count_of(gateway.log(), "ready: ") > 1; }));
  CHECK_EQ(count_of(gateway.log(), "spool: configuration reloaded"), 1);
  CHECK_EQ(count_of(gateway.log(), "ready: "), 2);  // of the start, and of the last
  reload("alert", 3);
  const pid_t killed = gateway.spool();
  REQUIRE_EQ(::kill(killed, SIGKILL), 0);
  CHECK(wait_for([&] { return gateway.spool() > 0 && gateway.spool() != killed; }));
  CHECK_EQ(count_of(gateway.log(), "was ended by signal"), 0);
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

TEST_CASE("a_reload_with_another_spool_socket_is_refused_by_name_and_the_spool_stays_reached") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = only(backend, 1), .spool = "{ size: 1GB, socket: run/first.sock }"});
  std::string main = read_text(gateway.main_file());
  const std::string before = main;
  main.replace(main.find("first.sock"), 10, "second.sock");
  folder.write("belay.yaml", main);
  gateway.reload();
  CHECK(wait_for([&] { return gateway.log().find("reload refused") != std::string::npos; }));
  CHECK_NE(gateway.log().find("spool.socket changes with a restart"), std::string::npos);
  folder.write("belay.yaml", before);
  gateway.reload();
  CHECK(wait_for([&] { return gateway.log().find("spool: configuration reloaded") != std::string::npos; }));
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
