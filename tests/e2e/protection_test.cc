// What protects a backend, and what an operator stops, through the running gateway: breaker, pause, on_dead, several urls,
// health checks; with real backends that fall and return, and a spool that is killed.
#include <doctest/doctest.h>
#include <signal.h>

#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string rules(const std::string& destination) {
  return "sources:\n  now:   { match: { path: /now }, trust: open, routes: [{ to: crm }] }\n"
         "  later: { match: { path: /later }, trust: open, mode: spool, routes: [{ to: crm }] }\n"
         "destinations:\n  crm: { " + destination + " }\n";
}

int send(const Gateway& gateway, const std::string& path) {
  const auto answer = send_once(gateway.address(), request("POST", path, {{"Content-Type", "application/json"}}, "{\"a\":1}"));
  return answer ? answer->status : 0;
}

std::string stats(const Gateway& gateway) { return gateway.belay({"stats", "--json"}).out; }

bool says(const Gateway& gateway, const std::string& text) {
  return wait_for([&] { return stats(gateway).find(text) != std::string::npos; });
}

bool delivered(const Gateway& gateway, size_t count) { return says(gateway, "\"delivered\":" + std::to_string(count)); }

}  // namespace

TEST_CASE("breaker: a_backend_that_falls_is_left_alone_by_all_workers_and_found_again_when_it_returns") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules("url: \"http://" + backend.address() + "\", breaker: { failures: 50%, of_last: 10, open_for: 500ms }, retry: { first: 100ms, max: 200ms, attempts: 1000 }"),
                           .proxy = "  workers: 2\n"});
  CHECK_EQ(send(gateway, "/now"), 200);
  backend.mode("status 503");
  for (int i = 0; i < 40; ++i) CHECK_EQ(send(gateway, "/now"), 202);
  CHECK(gateway.log().find("the breaker opens") != std::string::npos);
  CHECK(gateway.access_log().find("its breaker is open") != std::string::npos);
  const size_t asked = backend.seen_count();
  CHECK(asked < 60);  // both halves opened theirs; without them 40 webhooks and their retries would be many more
  CHECK(says(gateway, "\"state\":\"breaker_open\""));
  backend.mode("ok");
  REQUIRE(delivered(gateway, 40));
  CHECK(wait_for([&] { return send(gateway, "/now") == 200; }));
  CHECK(says(gateway, "\"state\":\"ok\""));
  CHECK(wait_for([&] { return gateway.log().find("the breaker closes") != std::string::npos; }));
}

TEST_CASE("pause: what_comes_waits_whatever_the_mode_until_resume_and_over_a_killed_spool") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules("url: \"http://" + backend.address() + "\""), .proxy = "  workers: 2\n"});
  CHECK_EQ(send(gateway, "/now"), 200);
  const Finished paused = gateway.belay({"pause", "crm", "--reason", "update of the database"});
  CHECK_EQ(paused.code, 0);
  CHECK_EQ(paused.out, "crm is paused; what comes for it waits\n");
  CHECK(wait_for([&] { return send(gateway, "/now") == 202; }));
  const size_t before = backend.seen_count();
  CHECK_EQ(send(gateway, "/later"), 202);
  CHECK_EQ(send(gateway, "/now"), 202);
  CHECK(says(gateway, "\"paused\":{\"by\":\"admin\",\"since\":\""));
  CHECK(stats(gateway).find("\"reason\":\"update of the database\"") != std::string::npos);
  CHECK(gateway.belay({"stats"}).out.find("paused") != std::string::npos);

  const pid_t killed = gateway.spool();
  REQUIRE_EQ(kill(killed, SIGKILL), 0);
  REQUIRE(wait_for([&] { return gateway.spool() > 0 && gateway.spool() != killed && gateway.belay({"stats"}).code == 0; }));
  REQUIRE(wait_for([&] { return send(gateway, "/later") == 202; }));
  CHECK(wait_for([&] { return send(gateway, "/now") == 202; }));  // the other worker may still have to find the spool
  CHECK_EQ(backend.seen_count(), before);

  CHECK(gateway.belay({"pause", "crm"}).out.find("crm was paused already by admin") == 0);
  CHECK_EQ(gateway.belay({"resume", "crm"}).out, "crm goes on\n");
  CHECK_EQ(gateway.belay({"resume", "crm"}).out, "crm was not paused\n");
  CHECK(wait_for([&] { return backend.seen_count() >= before + 4; }));
  CHECK(wait_for([&] { return send(gateway, "/now") == 200; }));
  const Finished unknown = gateway.belay({"pause", "cmr"});
  CHECK_EQ(unknown.code, 2);
  CHECK(unknown.err.find("no destination 'cmr'; did you mean 'crm'?") != std::string::npos);
}

TEST_CASE("on_dead: the_destination_is_disabled_with_its_dead_letter_and_belay_enable_lets_the_rest_go") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("status 500");
  Gateway gateway(folder, {.rules = rules("url: \"http://" + backend.address() + "\", on_dead: disable, concurrency: 1, retry: { schedule: [0s, 100ms] }")});
  CHECK_EQ(send(gateway, "/later"), 202);
  REQUIRE(says(gateway, "\"state\":\"disabled\""));
  REQUIRE(wait_for([&] { return gateway.log().find("disabled until 'belay enable crm'") != std::string::npos; }));  // it is durable
  backend.mode("ok");
  const pid_t killed = gateway.spool();
  REQUIRE_EQ(kill(killed, SIGKILL), 0);
  REQUIRE(wait_for([&] { return gateway.spool() > 0 && gateway.spool() != killed && gateway.belay({"stats"}).code == 0; }));
  REQUIRE(wait_for([&] { return send(gateway, "/later") == 202; }));
  CHECK_EQ(send(gateway, "/now"), 202);
  CHECK(says(gateway, "\"disabled\":{\"by\":\"on_dead\""));
  CHECK_EQ(backend.seen_count(), 2);
  CHECK_EQ(gateway.belay({"enable", "crm"}).code, 0);
  REQUIRE(delivered(gateway, 2));
  CHECK(says(gateway, "\"dead\":1"));
}

TEST_CASE("urls: while_one_of_two_backends_is_gone_the_other_gets_everything") {
  const TempFolder folder;
  Backend one(folder, "one"), two(folder, "two");
  Gateway gateway(folder, {.rules = rules("urls: [\"http://" + one.address() + "\", \"http://" + two.address() + "\"]"), .proxy = "  workers: 1\n"});
  for (int i = 0; i < 10; ++i) CHECK_EQ(send(gateway, "/now"), 200);
  CHECK_EQ(one.seen_count(), 5);
  CHECK_EQ(two.seen_count(), 5);
  one.stop();
  for (int i = 0; i < 20; ++i) CHECK_EQ(send(gateway, "/now"), 200);
  CHECK_EQ(two.seen_count(), 25);
}

TEST_CASE("health: a_backend_that_fails_its_check_gets_nothing_from_either_half_until_it_passes") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules("url: \"http://" + backend.address() + "/in\", health: { path: /healthz, every: 100ms, timeout: 1s }")});
  CHECK_EQ(send(gateway, "/now"), 200);
  backend.mode("status 500");
  REQUIRE(says(gateway, "\"state\":\"down\""));
  REQUIRE(wait_for([&] { return gateway.log().find("is down: status 500") != std::string::npos; }));
  CHECK(wait_for([&] { return send(gateway, "/now") == 202 && gateway.access_log().find("down, says its health check") != std::string::npos; }));
  const auto webhooks = [&] {
    size_t count = 0;
    for (const Seen& seen : backend.seen()) count += seen.method == "POST" ? 1 : 0;
    return count;
  };
  const size_t before = webhooks();
  CHECK_EQ(send(gateway, "/later"), 202);
  CHECK_EQ(send(gateway, "/now"), 202);
  CHECK_EQ(webhooks(), before);
  backend.mode("ok");
  REQUIRE(says(gateway, "\"state\":\"ok\""));
  CHECK(says(gateway, "\"waiting\":0"));
  CHECK(wait_for([&] { return send(gateway, "/now") == 200; }));
}
