// What operators do to many, through the real binary: replay, reapply, cancel, quarantine, and the log of all that.
#include <doctest/doctest.h>

#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend, const std::string& secret, const std::string& transform) {
  return R"(sources:
  stored: { match: { path: /stored }, trust: open, mode: spool, routes: [{ to: backend }] }
  made:   { match: { path: /made }, trust: open, mode: spool, routes: [{ transform: { body: { n: "{{ )" + transform + R"( }}" } }, to: backend }] }
  signed:
    match: { path: /signed }
    secrets: { signing: )" + secret + R"( }
    verify: { algorithm: hmac-sha256, signature: { header: X-Signature }, encoding: hex, key: { secret: signing } }
    mode: spool
    reject: { quarantine: [verify] }
    routes: [{ to: backend }]
destinations:
  backend: { url: "http://)" + backend.address() + "\", timeout: 1s, retry: { schedule: [0s, 50ms] } }\n";
}

std::string id_of(const std::optional<Answer>& answer) {
  REQUIRE(answer.has_value());
  const size_t at = answer->body.find("\"id\": \"");
  REQUIRE_NE(at, std::string::npos);
  return answer->body.substr(at + 7, 36);
}

std::string post(const Gateway& gateway, const std::string& path, const std::string& body, const Headers& headers = {}) {
  Headers all = headers;
  all.emplace_back("Content-Type", "application/json");
  return id_of(send_once(gateway.address(), request("POST", path, all, body)));
}

bool has(const Finished& finished, const std::string& text) { return (finished.out + finished.err).find(text) != std::string::npos; }

void until(const Gateway& gateway, const std::vector<std::string>& command, const std::string& text) {
  Finished last;
  const bool came = wait_for([&] {
    last = gateway.belay(command);
    return has(last, text);
  });
  INFO(last.out, last.err);
  CHECK(came);
}

}  // namespace

TEST_CASE("replay_cancel_and_the_log_of_what_was_done") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("status 500");
  Gateway gateway(folder, {.rules = rules(backend, "s", "n")});
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(post(gateway, "/stored", "{\"n\":" + std::to_string(i) + "}"));
  until(gateway, {"replay", "--all", "--status", "dead", "--dry-run"}, "5 deliveries of 5 webhooks would be queued again.");

  const Finished cancelled = gateway.belay({"cancel", ids[0]});
  INFO(cancelled.out, cancelled.err);
  CHECK_EQ(cancelled.code, 0);
  CHECK(has(cancelled, "1 delivery of 1 webhook cancelled."));
  CHECK(has(gateway.belay({"show", ids[0]}), "cancelled"));

  CHECK_EQ(gateway.belay({"replay", "--all", "--status", "dead"}).code, 2);  // nobody to ask
  CHECK_EQ(gateway.belay({"replay", "--all"}).code, 2);
  CHECK_EQ(gateway.belay({"replay", "nonsense"}).code, 2);
  CHECK_EQ(gateway.belay({"replay", "--all", "--status", "deed", "--dry-run"}).code, 2);
  CHECK_EQ(gateway.belay({"cancel", "--status", "dead"}).code, 2);
  const Finished unknown = gateway.belay({"replay", "0190a5b0-0000-7000-8000-000000000000"});
  CHECK_EQ(unknown.code, 2);
  CHECK(has(unknown, "no webhook of this id is known"));
  CHECK_EQ(gateway.belay({"replay", "--stop", "0190a5b0-0000-7000-8000-000000000000"}).code, 1);

  backend.mode("ok");
  const size_t before = backend.seen_count();
  const Finished replayed = gateway.belay({"replay", "--all", "--status", "dead", "--since", "24h", "--yes"});
  INFO(replayed.out, replayed.err);
  CHECK_EQ(replayed.code, 0);
  CHECK(has(replayed, "4 deliveries of 4 webhooks queued again."));
  CHECK(wait_for([&] { return backend.seen_count() == before + 4; }));
  until(gateway, {"events", "--status", "delivered", "--json"}, ids[1]);

  const Finished log = gateway.belay({"audit", "log"});
  INFO(log.out, log.err);
  CHECK_EQ(log.code, 0);
  CHECK(has(log, "status=dead since="));
  CHECK(has(log, "4 of 4"));
  CHECK(has(log, ids[0]));
  const Finished books = gateway.belay({"audit"});
  INFO(books.out, books.err);
  CHECK_EQ(books.code, 0);
  CHECK(has(books, "The books balance"));
}

TEST_CASE("reapply_asks_the_present_rules_and_quarantine_keeps_what_they_could_not_make") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "s", "missing.path")});
  const std::string id = post(gateway, "/made", "{\"n\":7}");
  until(gateway, {"quarantine", "list"}, "unmade");
  CHECK(has(gateway.belay({"quarantine", "list", "--kind", "refused"}), "Nothing is in quarantine"));
  const Finished still = gateway.belay({"quarantine", "release", id});
  INFO(still.out, still.err);
  CHECK_EQ(still.code, 1);
  CHECK(has(still, "still: "));
  CHECK_EQ(backend.seen_count(), 0);

  gateway.write_rules(rules(backend, "s", "n"));
  gateway.reload();
  until(gateway, {"replay", "--reapply", id, "--dry-run"}, "1 delivery of 1 webhook would go through the present rules and out.");
  const Finished released = gateway.belay({"quarantine", "release", "--all", "--source", "made", "--yes"});
  INFO(released.out, released.err);
  CHECK_EQ(released.code, 0);
  CHECK(wait_for([&] { return backend.seen_count() == 1; }));
  CHECK_EQ(backend.seen()[0].body, "{\"n\":7}");
  CHECK_NE(backend.seen()[0].id, id);
  CHECK(has(gateway.belay({"quarantine", "list"}), "Nothing is in quarantine"));
  CHECK(has(gateway.belay({"show", id}), "went out anew as " + backend.seen()[0].id));
  CHECK_EQ(gateway.belay({"audit"}).code, 0);
}

TEST_CASE("refused_webhooks_are_released_after_the_secret_is_right_or_dropped") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "wrong", "n")});
  const std::string body = "{\"n\":1}";
  const std::string id = post(gateway, "/signed", body, {{"X-Signature", hmac_sha256_hex("right", body)}});
  const std::string forged = post(gateway, "/signed", body, {{"X-Signature", hmac_sha256_hex("forged", body)}});
  until(gateway, {"quarantine", "list", "--json"}, id);
  CHECK(has(gateway.belay({"quarantine", "show", id}), "verify"));
  CHECK(has(gateway.belay({"quarantine", "release", id}), "left out: " + id + ": the present rules: rejected: verify"));

  gateway.write_rules(rules(backend, "right", "n"));
  gateway.reload();
  until(gateway, {"quarantine", "release", "--all", "--source", "signed", "--dry-run"}, "1 delivery of 1 webhook would be released.");
  const Finished released = gateway.belay({"quarantine", "release", "--all", "--source", "signed", "--yes"});
  INFO(released.out, released.err);
  CHECK(has(released, "1 delivery of 1 webhook released."));
  CHECK(has(released, "left out: 1: the present rules: rejected: verify"));
  CHECK(wait_for([&] { return backend.seen_count() == 1; }));
  CHECK_EQ(backend.seen()[0].body, body);
  const Finished left = gateway.belay({"quarantine", "list", "--json"});
  CHECK_FALSE(has(left, id));
  CHECK(has(left, forged));
  const Finished dropped = gateway.belay({"quarantine", "drop", forged});
  INFO(dropped.out, dropped.err);
  CHECK_EQ(dropped.code, 0);
  CHECK(has(dropped, "1 webhook dropped."));
  CHECK(has(gateway.belay({"quarantine", "list"}), "Nothing is in quarantine"));
  CHECK_EQ(gateway.belay({"quarantine", "drop", forged}).code, 1);
  CHECK(has(gateway.belay({"audit", "log", "--json"}), "\"action\":\"drop\""));
  CHECK_EQ(gateway.belay({"audit"}).code, 0);
}
