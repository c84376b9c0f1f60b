// The commands as a user types them, against a running gateway.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <map>
#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend) {
  return R"(sources:
  acumatica: { match: { path: /acumatica }, preset: acumatica, secrets: { signing: "${env:S}" }, routes: [{ to: backend }] }
  stored: { match: { path: /stored }, trust: open, mode: spool, routes: [{ to: backend }] }
destinations:
  backend: { url: "http://)" + backend.address() + "\", timeout: 1s, retry: { schedule: [0s, 100ms] } }\n";
}

}  // namespace

TEST_CASE("check_print_masks_secrets_and_names_trust_levels") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .environment = {{"S", "planted-secret"}}});
  setenv("S", "planted-secret", 1);
  const Finished check = gateway.belay({"check"});
  CHECK_EQ(check.code, 0);
  INFO(check.out, check.err);
  CHECK_NE(check.out.find("signed"), std::string::npos);
  CHECK_NE(check.out.find("open"), std::string::npos);
  const Finished print = gateway.belay({"check", "--print"});
  CHECK_EQ(print.code, 0);
  CHECK_EQ((print.out + print.err).find("planted-secret"), std::string::npos);
  CHECK_EQ((print.out + print.err).find("test-token"), std::string::npos);
  CHECK_NE(print.out.find("***"), std::string::npos);
  const Finished strict = gateway.belay({"check", "--strict-secrets"});
  CHECK_EQ(strict.code, 1);  // the admin token is written in the file
}

TEST_CASE("send_signs_for_the_address_it_sends_to") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = R"(sources:
  url:   { match: { path: /url }, preset: square, secrets: { signing: s }, routes: [{ to: backend }] }
  path:  { match: { path: /path }, preset: jira_connect, secrets: { signing: s }, routes: [{ to: backend }] }
  query: { match: { path: /query }, preset: mercadopago, secrets: { signing: s }, routes: [{ to: backend }] }
destinations:
  backend: { url: "http://)" + backend.address() + "\" }\n"});
  const std::string sample = source_folder() + "/conf/samples/acumatica-Customer.Updated.json";
  const auto send = [&](const std::string& preset, const std::string& target) {
    const Finished sent = run({belay_binary(), "send", preset, "--secret", "s", "--to", "http://" + gateway.address() + target, sample});
    INFO(preset, sent.out, sent.err);
    CHECK_EQ(sent.code, 0);
  };
  send("square", "/url?portal=1&next=%2Fa");
  send("jira_connect", "/path?b=2&a=1");
  send("mercadopago", "/query?data.id=7&type=payment");
  CHECK_EQ(backend.seen_count(), 3);
}

TEST_CASE("send_signs_events_show_and_replay_tell_and_repeat_the_story_of_a_webhook") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .environment = {{"S", "acu"}}});
  setenv("S", "acu", 1);
  const std::string sample = source_folder() + "/conf/samples/acumatica-Customer.Updated.json";
  const Finished sent = run({belay_binary(), "send", "acumatica", "--secret", "acu", "--to", "http://" + gateway.address() + "/acumatica", sample});
  INFO(sent.out, sent.err);
  CHECK_EQ(sent.code, 0);
  const Finished wrong = run({belay_binary(), "send", "acumatica", "--secret", "other", "--to", "http://" + gateway.address() + "/acumatica", sample});
  CHECK_EQ(wrong.code, 1);
  CHECK_EQ(backend.seen().at(0).body, read_text(sample));

  backend.mode("status 500");
  const auto stored = send_once(gateway.address(), request("POST", "/stored", {}, "{\"dead\":1}"));
  REQUIRE(stored.has_value());
  CHECK_EQ(stored->status, 202);
  const size_t at = stored->body.find("\"id\": \"");
  REQUIRE_NE(at, std::string::npos);
  const std::string id = stored->body.substr(at + 7, 36);
  Finished events;
  CHECK(wait_for([&] {
    events = gateway.belay({"events", "--status", "dead", "--json"});
    return events.out.find(id) != std::string::npos;
  }));
  const Finished show = gateway.belay({"show", id});
  INFO(show.out, show.err);
  CHECK_EQ(show.code, 0);
  CHECK_NE(show.out.find("500"), std::string::npos);
  CHECK_NE(gateway.belay({"show", id, "--raw"}).out.find("{\"dead\":1}"), std::string::npos);
  CHECK_EQ(gateway.belay({"show", "0190a5b0-0000-7000-8000-000000000000"}).code, 1);
  CHECK_EQ(gateway.belay({"show", "nonsense"}).code, 2);

  const size_t before = backend.seen_count();
  const Finished dry = gateway.belay({"replay", "--all", "--status", "dead", "--dry-run"});
  INFO(dry.out, dry.err);
  CHECK_EQ(dry.code, 0);
  CHECK_EQ(backend.seen_count(), before);
  backend.mode("ok");
  CHECK_EQ(gateway.belay({"replay", id}).code, 0);
  CHECK(wait_for([&] { return backend.seen_count() > before; }));
  CHECK_EQ(backend.seen().back().id, id);
  CHECK_EQ(backend.seen().back().body, "{\"dead\":1}");
  CHECK(wait_for([&] { return gateway.belay({"events", "--status", "delivered", "--json"}).out.find(id) != std::string::npos; }));
  CHECK_EQ(gateway.belay({"stats"}).code, 0);
}

TEST_CASE("health_and_metrics_answer_and_nothing_else_without_the_token") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .environment = {{"S", "acu"}}});
  REQUIRE_EQ(send_once(gateway.address(), request("POST", "/stored", {}, "{}"))->status, 202);
  const auto curl = [&](const std::string& path, const std::string& token) {
    return run({"curl", "-s", "-w", "\n%{http_code}", "-H", "Authorization: Bearer " + token, gateway.admin() + path}).out;
  };
  CHECK(curl("/health", "").ends_with("\n200"));
  for (const std::string path : {"/metrics", "/v1/stats", "/v1/events", "/v1/messages/0190a5b0-0000-7000-8000-000000000000"}) {
    CAPTURE(path);
    CHECK(curl(path, "").ends_with("\n401"));
    CHECK(curl(path, "wrong").ends_with("\n401"));
  }
  std::string metrics;
  CHECK(wait_for([&] {
    metrics = curl("/metrics", "test-token");
    return metrics.find("belay_requests_total{source=\"stored\",outcome=\"spooled\"} 1") != std::string::npos;
  }));
  INFO(metrics);
  CHECK_NE(metrics.find("# TYPE belay_requests_total counter"), std::string::npos);
  CHECK_NE(metrics.find("belay_source_info{source=\"stored\",trust=\"open\"} 1\n"), std::string::npos);
}

TEST_CASE("listen_prints_what_arrives_and_fails_as_told") {
  const TempFolder folder;
  const int port = free_port();
  Process listen({belay_binary(), "listen", std::to_string(port), "--fail-first", "1"}, folder / "listen");
  const std::string at = "127.0.0.1:" + std::to_string(port);
  REQUIRE(wait_for([&] {
    try {
      Connection probe(at);
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }));
  CHECK_EQ(send_once(at, request("POST", "/first", {}, "{}"))->status, 503);
  CHECK_EQ(send_once(at, request("POST", "/second", {}, "{\"hello\":1}"))->status, 200);
  CHECK(wait_for([&] { return listen.out().find("/second") != std::string::npos; }));
  CHECK_NE(listen.out().find("hello"), std::string::npos);
}

TEST_CASE("the_shipped_rules_pass_check_and_deliver_a_sample_of_each_system") {
  const TempFolder folder;
  Backend backend(folder);
  REQUIRE_EQ(run({"cp", "-r", source_folder() + "/conf", folder / "conf"}).code, 0);
  REQUIRE_EQ(run({"rm", "-rf", folder / "conf/secrets"}).code, 0);
  const std::string samples = folder / "conf/samples/";
  const std::string netx = read_text(samples + "netx-asset.create.json");
  const std::string token = "\"token\": \"";
  const size_t at = netx.find(token);
  REQUIRE_NE(at, std::string::npos);
  const std::map<std::string, std::string> secrets = {
      {"ADMIN_TOKEN", "of-the-admin"}, {"NETSUITE_SECRET", "of-netsuite"},      {"NUE_TOKEN", "of-nue"}, {"ACUMATICA_SECRET", "of-acumatica"},
      {"BIGLEDGER_API_KEY", "of-bigledger"}, {"NETX_TOKEN", netx.substr(at + token.size(), netx.find('"', at + token.size()) - at - token.size())}};
  for (const auto& [name, value] : secrets) REQUIRE_EQ(chmod(folder.write("conf/secrets/" + name, value).c_str(), 0600), 0);
  const std::string proxy = std::to_string(free_port());
  REQUIRE_EQ(run({"sed", "-i", "s/127.0.0.1:8080/127.0.0.1:" + proxy + "/; s/127.0.0.1:9180/127.0.0.1:" + std::to_string(free_port()) + "/", folder / "conf/belay.yaml"}).code, 0);
  for (const char* system : {"acumatica", "bigledger", "netsuite", "netx", "nue"}) {
    REQUIRE_EQ(run({"sed", "-i", "s/127.0.0.1:8081/" + backend.address() + "/", folder / ("conf/rules.d/" + std::string(system) + ".yaml")}).code, 0);
  }
  const std::vector<std::string> where = {"-c", folder / "conf/belay.yaml", "--state", folder / "state"};
  const Finished check = run({belay_binary(), "check", where[0], where[1], where[2], where[3]});
  INFO(check.out, check.err);
  REQUIRE_EQ(check.code, 0);
  Process gateway({belay_binary(), "run", where[0], where[1], where[2], where[3]}, folder / "gateway");
  REQUIRE(wait_for([&] { return gateway.err().find("ready: ") != std::string::npos; }));
  struct Sample {
    const char *preset, *secret, *file, *path, *event, *arrives;
  };
  for (const Sample& one : {Sample{"netsuite", "NETSUITE_SECRET", "netsuite-customer.update.json", "netsuite", "", "/netsuite/customers"},
                            Sample{"nue", "NUE_TOKEN", "nue-order.activated.json", "nue/order.activated", "", "/nue/orders"},
                            Sample{"acumatica", "ACUMATICA_SECRET", "acumatica-Customer.Updated.json", "acumatica", "Customer.Updated", "/acumatica/customers"},
                            Sample{"netx", "NETX_TOKEN", "netx-asset.create.json", "netx", "", "/netx/assets"},
                            Sample{"bigledger", "BIGLEDGER_API_KEY", "bigledger-sales_order.created.json", "bigledger", "", "/bigledger/orders"}}) {
    CAPTURE(one.preset);
    std::vector<std::string> send = {belay_binary(), "send", one.preset, "--secret", secrets.at(one.secret), "--to", "http://127.0.0.1:" + proxy + "/webhooks/" + one.path};
    if (*one.event != 0) send.insert(send.end(), {"--event", one.event});
    send.push_back(samples + one.file);
    const Finished sent = run(send);
    CAPTURE(sent.out + sent.err);
    CHECK_EQ(sent.code, 0);
    CHECK(wait_for([&] {
      for (const Seen& seen : backend.seen()) {
        if (seen.target.starts_with(one.arrives)) return true;
      }
      return false;
    }));
  }
  gateway.signal(15);
  CHECK_EQ(gateway.wait().code, 0);
}

TEST_CASE("usage_errors_exit_2_with_a_hint") {
  const Finished unknown = run({belay_binary(), "chekc"});
  CHECK_EQ(unknown.code, 2);
  CHECK_NE((unknown.err + unknown.out).find("check"), std::string::npos);
  CHECK_EQ(run({belay_binary(), "verify"}).code, 2);
  CHECK_EQ(run({belay_binary(), "--version"}).code, 0);
}
