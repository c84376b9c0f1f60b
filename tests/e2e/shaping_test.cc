// order, debounce, batch, delay and expire of routes, from the rules file to the backend through the running gateway, with kill -9
// of the spool while webhooks wait.
#include <doctest/doctest.h>
#include <signal.h>

#include <optional>
#include <string>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"
#include "support/sender.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend, const std::string& shaping, const std::string& retry = "{ first: 100ms, factor: 1, max: 100ms, attempts: 1000, jitter: 0% }") {
  return R"(sources:
  s: { match: { path: /s }, trust: open, routes: [{ )" + shaping + R"(, to: d }] }
destinations:
  d: { url: "http://)" + backend.address() + R"(", timeout: 5s, connect_timeout: 1s, retry: )" + retry + R"( }
)";
}

std::optional<Answer> send_json(const Gateway& gateway, const std::string& body) {
  return send_once(gateway.address(), request("POST", "/s", {{"Content-Type", "application/json"}}, body));
}

// Posts what is stored first, and gives the id that the sender was told.
std::string post(const Gateway& gateway, const std::string& body) {
  const auto answer = send_json(gateway, body);
  REQUIRE(answer.has_value());
  CHECK_EQ(answer->status, 202);
  const size_t at = answer->body.find("\"id\":\"");
  const std::string spaced = "\"id\": \"";
  const size_t from = at != std::string::npos ? at + 6 : answer->body.find(spaced) + spaced.size();
  return answer->body.substr(from, 36);
}

std::vector<std::string> good_bodies(const Backend& backend) {
  std::vector<std::string> bodies;
  for (const Seen& seen : backend.seen()) {
    if (seen.status == 200) bodies.push_back(seen.body);
  }
  return bodies;
}

bool shows(const Gateway& gateway, const std::vector<std::string>& command, const std::string& text) {
  return wait_for([&] { return gateway.belay(command).out.find(text) != std::string::npos; });
}

void kill_spool(const Gateway& gateway) {
  const pid_t spool = gateway.spool();
  REQUIRE_GT(spool, 0);
  kill(spool, SIGKILL);
  REQUIRE(wait_for([&] { return gateway.spool() > 0 && gateway.spool() != spool; }));
}

using Bodies = std::vector<std::string>;

}  // namespace

TEST_CASE("order: a_keys_webhooks_reach_the_backend_one_after_another_whatever_fails") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "order: key"), .proxy = "  workers: 2\n"});
  backend.mode("status 503");
  Bodies sent;
  for (int i = 1; i <= 6; ++i) {
    sent.push_back(R"({"key":"a","n":)" + std::to_string(i) + "}");
    post(gateway, sent.back());
  }
  const std::string second = post(gateway, R"({"key":"a","n":7})");
  sent.emplace_back(R"({"key":"a","n":7})");
  REQUIRE(wait_for([&] { return backend.seen_count() >= 3; }));
  for (const Seen& seen : backend.seen()) CHECK_EQ(seen.body, sent[0]);  // the others wait for it
  CHECK(shows(gateway, {"show", second}, "waits for "));
  CHECK(shows(gateway, {"events", "--status", "queued"}, "waits for "));
  kill_spool(gateway);
  backend.mode("ok");
  REQUIRE(wait_for([&] { return good_bodies(backend).size() >= sent.size(); }));
  CHECK_EQ(good_bodies(backend), sent);
  CHECK(shows(gateway, {"events", "--status", "delivered"}, second));
}

TEST_CASE("order: a_dead_one_keeps_its_key_and_no_other_until_it_is_replayed") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "order: { key: key, on_stuck: wait }", "{ schedule: [0s] }")});
  backend.mode("status 400 x1");
  const std::string first = post(gateway, R"({"key":"a","n":1})");
  REQUIRE(shows(gateway, {"events", "--status", "dead"}, first));
  post(gateway, R"({"key":"a","n":2})");
  const std::string other = post(gateway, R"({"key":"b","n":3})");
  REQUIRE(shows(gateway, {"events", "--status", "delivered"}, other));  // an answer that is not stored may be asked for again
  CHECK_EQ(good_bodies(backend).at(0), R"({"key":"b","n":3})");
  kill_spool(gateway);
  REQUIRE(wait_for([&] { return gateway.belay({"replay", first}).code == 0; }));
  REQUIRE(wait_for([&] { return good_bodies(backend).size() == 3; }));
  CHECK_EQ(good_bodies(backend).at(1), R"({"key":"a","n":1})");
  CHECK_EQ(good_bodies(backend).at(2), R"({"key":"a","n":2})");
}

TEST_CASE("debounce: only_the_latest_of_a_key_arrives_also_over_a_killed_spool") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "debounce: { key: key, quiet: 1500ms, at_most: 60s }")});
  std::string first;
  for (int i = 1; i <= 5; ++i) {
    const std::string id = post(gateway, R"({"key":"a","n":)" + std::to_string(i) + "}");
    if (i == 1) first = id;
    if (i == 3) kill_spool(gateway);
    if (i == 3) REQUIRE(wait_for([&] { return send_json(gateway, R"({"key":"a","n":0})")->status == 202; }));
  }
  CHECK_EQ(send_json(gateway, R"({"n":"without a key"})")->status, 200);  // an ordinary one: forwarded
  REQUIRE(wait_for([&] { return backend.seen_count() == 2; }));
  CHECK_EQ(backend.seen().at(0).body, R"({"n":"without a key"})");
  CHECK_EQ(backend.seen().at(1).body, R"({"key":"a","n":5})");
  CHECK(shows(gateway, {"show", first}, "superseded"));
  CHECK(shows(gateway, {"events", "--status", "superseded"}, first));
}

TEST_CASE("batch: webhooks_arrive_together_and_every_attempt_is_the_same_over_a_killed_spool") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "batch: { max: 3, wait: 2s, per: key }")});
  backend.mode("status 503");
  const std::string first = post(gateway, R"({"key":"a", "n": 1})");
  post(gateway, R"({"key":"b","n":2})");
  post(gateway, R"({"key":"a","n":3})");
  const std::string last = post(gateway, R"({"key":"a","n":4})");  // full: it goes before its time
  REQUIRE(wait_for([&] { return backend.seen_count() >= 1; }));
  CHECK_EQ(backend.seen().at(0).id, first);
  CHECK(shows(gateway, {"show", last}, "in the batch of " + first));
  kill_spool(gateway);
  backend.mode("ok");
  REQUIRE(wait_for([&] { return good_bodies(backend).size() == 2; }));
  for (const Seen& seen : backend.seen()) {
    CHECK_EQ(seen.body, seen.id == first ? R"([{"key":"a", "n": 1},{"key":"a","n":3},{"key":"a","n":4}])" : R"([{"key":"b","n":2}])");
    CHECK_NE(seen.head.find("Content-Type: application/json\r\n"), std::string::npos);
  }
  CHECK(shows(gateway, {"events", "--status", "delivered"}, last));
}

TEST_CASE("batch: ndjson_holds_one_webhook_a_line_and_refuses_what_is_no_json") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, R"(batch: { wait: 500ms, as: ndjson }, transform: { body: { id: "{{ n }}" } })")});
  post(gateway, "{\n \"n\": 1 }");
  post(gateway, R"({"n":2})");
  REQUIRE(wait_for([&] { return backend.seen_count() == 1; }));
  CHECK_EQ(backend.seen().at(0).body, "{\"id\":1}\n{\"id\":2}\n");
  CHECK_NE(backend.seen().at(0).head.find("Content-Type: application/x-ndjson\r\n"), std::string::npos);

  gateway.write_rules(rules(backend, "batch: { wait: 500ms }"));
  gateway.reload();
  std::string form;
  REQUIRE(wait_for([&] {
    const auto answer = send_once(gateway.address(), request("POST", "/s", {{"Content-Type", "application/x-www-form-urlencoded"}}, "a=1"));
    return answer && answer->status == 202 && gateway.belay({"events", "--status", "dead"}).out.find("batch: route 1") != std::string::npos;
  }));
}

TEST_CASE("delay_and_expire: nothing_goes_before_its_time_or_after_it") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "delay: 1s")});
  const auto began = std::chrono::steady_clock::now();
  post(gateway, R"({"n":1})");
  REQUIRE(wait_for([&] { return backend.seen_count() == 1; }));
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(950));
  backend.mode("status 503");
  gateway.write_rules(rules(backend, "expire: 2s"));
  gateway.reload();
  std::string late;
  REQUIRE(wait_for([&] {  // from the new rules on a webhook is forwarded first
    late = post(gateway, R"({"n":2})");
    return gateway.belay({"show", late}).out.find("expires") != std::string::npos;
  }));
  REQUIRE(shows(gateway, {"show", late}, "expired"));
  CHECK(shows(gateway, {"show", late}, "dead"));
}

TEST_CASE("check: says_what_is_stored_first_and_refuses_what_contradicts_itself") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "order: key")});
  const Finished good = gateway.belay({"check"});
  CHECK_EQ(good.code, 0);
  CHECK_NE(good.out.find("d (order)"), std::string::npos);
  CHECK_NE(good.out.find("stored first, also in mode forward"), std::string::npos);
}
