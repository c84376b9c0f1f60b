// What explain finds in a request's walk: decisions, conditions, changes, requests; what it hides; which answer it says.
#include <doctest/doctest.h>

#include "cli/changes.h"
#include "cli/dry_run.h"
#include "cli/explain_view.h"
#include "cli/json_view.h"
#include "cli/rehearsal.h"
#include "conf/stand_in.h"
#include "support/process.h"
#include "support/sender.h"

using namespace belay;
using namespace belay::cli;

namespace {

constexpr WallTime kNow = WallTime(std::chrono::seconds(1'760'000'000));

// Rules of a source at /s, explained for one request.
struct Explained {
  explicit Explained(const std::string& rules, bool stand_in = false) {
    folder.write("rules.yaml", rules);
    const std::string main = folder.write("belay.yaml", "admin: { token: t }\nlog: { access: off }\nrules: [rules.yaml]\n");
    std::optional<conf::MissingSecretsStandIn> missing;
    if (stand_in) missing.emplace();
    auto ruleset = load_ruleset({.main_file = main});
    REQUIRE(ruleset != nullptr);
    run = *DryRun::create(std::move(ruleset));
  }

  // The whole JSON answer for a POST to /s.
  JsonView send(const std::string& body, const test::Headers& headers = {}, bool without_proof = false, const std::string& target = "/s",
                const std::string& client = "192.0.2.1") {
    request = *RawRequest::parse(test::request("POST", target, headers, body));
    run->run(*request, MessageId::first_at(kNow), kNow, *DrySender::parse(client), without_proof);
    document = *json::Document::parse_owned(explain_json(*run));
    return JsonView(*document);
  }

  // All that is shown of it, for programs and for people.
  std::vector<std::string> shown() const { return {explain_json(*run), explain_text(*run, false)}; }

  test::TempFolder folder;
  std::unique_ptr<DryRun> run;
  std::unique_ptr<RawRequest> request;
  std::unique_ptr<const json::Document> document;
};

// A destination `e` stands beside `d` where the keys name it.
std::string source(const std::string& keys) {
  const bool several = keys.find("to: e") != std::string::npos || keys.find(", e]") != std::string::npos;
  return "sources:\n  s: { match: { path: /s }, trust: open, " + keys + " }\ndestinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n" +
         (several ? "  e: { url: \"http://127.0.0.1:2/\" }\n" : "");
}

JsonView module(const JsonView& answer, std::string_view name) {
  for (const JsonView& each : answer["modules"].items()) {
    if (each["module"].text() == name) return each;
  }
  FAIL("no module ", std::string(name));
  return answer;
}

}  // namespace

TEST_CASE("explain_shows_each_condition_with_its_text_value_and_place") {
  Explained explained(source("filter: [\"has(order.id)\", \"order.total > 10\"], routes: [{ when: \"order.total > 100\", to: e }, { when: \"order.missing == 1\", to: e }, { to: d }]"));
  const JsonView answer = explained.send(R"({"order": {"id": 7, "total": 20}})");
  const auto filters = module(answer, "filter")["conditions"].items();
  REQUIRE_EQ(filters.size(), 2);
  CHECK_EQ(filters[1]["text"].text(), "order.total > 10");
  CHECK(filters[1]["value"].boolean());
  CHECK_EQ(filters[1]["line"].number(), 2);
  const auto routes = module(answer, "route")["conditions"].items();
  REQUIRE_EQ(routes.size(), 3);
  CHECK_EQ(routes[2]["of"].text(), "route 3");
  CHECK_EQ(routes[2]["text"].text(), "always");
  CHECK_EQ(routes[2]["line"].number(), 2);
  CHECK_EQ(routes[0]["of"].text(), "route 1");
  CHECK_FALSE(routes[0]["value"].boolean());
  CHECK_FALSE(routes[0]["value"].is_null());
  CHECK(routes[1]["value"].is_null());
  CHECK_NE(routes[1]["error"].text().find("missing"), std::string::npos);
  CHECK(answer["accepted"].boolean());
  CHECK_EQ(answer["answer"]["backend"].text(), "d");
  const auto sent = answer["routes"].items();
  REQUIRE_EQ(sent.size(), 1);
  CHECK_EQ(sent[0]["route"].number(), 3);
}

TEST_CASE("explain_names_what_a_transform_changed_and_the_request_that_goes_out") {
  Explained explained(source(R"(mode: spool, routes: [{ transform: { edit: { set: { status: "{{ upper(status) }}" }, remove: [secret] }, headers: { set: { X-Event: "{{ status }}" } } }, to: [d, e] }])"));
  const JsonView answer = explained.send(R"({"id": 100.10, "status": "new", "secret": "x"})");
  const JsonView route = answer["routes"].items().at(0);
  const JsonView transform = route["transform"];
  REQUIRE_EQ(transform["changed"].items().size(), 1);
  CHECK_EQ(transform["changed"].items()[0]["place"].text(), "status");
  CHECK_EQ(transform["changed"].items()[0]["after"].text(), "\"NEW\"");
  CHECK_EQ(transform["removed"].items().at(0)["place"].text(), "secret");
  CHECK_EQ(transform["added"].items().at(0)["place"].text(), "header X-Event");
  const auto requests = route["requests"].items();
  REQUIRE_EQ(requests.size(), 2);
  CHECK_FALSE(requests[0]["at_once"].boolean());
  CHECK_EQ(requests[0]["body"].text(), R"({"id": 100.10, "status": "NEW"})");
  CHECK(requests[0]["head"].text().starts_with("POST / HTTP/1.1\r\n"));
  CHECK_NE(requests[0]["head"].text().find("X-Event: new\r\n"), std::string::npos);
  CHECK_NE(requests[0]["head"].text().find("webhook-id: "), std::string::npos);
  CHECK_EQ(answer["answer"]["status"].number(), 202);
  CHECK_FALSE(answer["answer"]["backend"].present());
}

TEST_CASE("explain_says_which_module_refuses_and_what_was_not_reached") {
  Explained explained(source("allow: [10.0.0.0/8], routes: [{ to: d }]"));
  const JsonView answer = explained.send("{}");
  CHECK_EQ(module(answer, "allow")["decision"].text(), "answered");
  CHECK_EQ(module(answer, "allow")["status"].number(), 403);
  CHECK_EQ(module(answer, "route")["decision"].text(), "not reached");
  CHECK_FALSE(answer["accepted"].boolean());
  CHECK_NE(explain_text(*explained.run, false).find("not reached"), std::string::npos);
}

TEST_CASE("explain_refuses_a_body_that_is_too_large_or_of_another_type_as_the_gateway_does") {
  Explained explained(source("body: { max: 10B, types: [application/json] }, routes: [{ to: d }]"));
  CHECK_EQ(explained.send("{\"a\":   1}", {{"Content-Type", "application/json"}})["answer"]["status"].number(), 200 + 2);
  CHECK_EQ(explained.send("{\"a\":    1}", {{"Content-Type", "application/json"}})["answer"]["status"].number(), 413);
  const JsonView wrong_type = explained.send("{}", {{"Content-Type", "text/plain"}});
  CHECK_EQ(wrong_type["answer"]["status"].number(), 415);
  CHECK_EQ(module(wrong_type, "body")["status"].number(), 415);
  CHECK_EQ(explained.send("{}", {}, false, "/elsewhere")["answer"]["status"].number(), 404);
}

TEST_CASE("explain_without_a_secret_passes_verify_only_when_told_and_says_so") {
  const std::string rules = "sources:\n  s: { match: { path: /s }, preset: github, secrets: { signing: \"${env:BELAY_TEST_UNSET}\" }, auth: { bearer: \"${env:BELAY_TEST_UNSET}\" }, routes: [{ to: d }] }\n"
                            "destinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n";
  Explained explained(rules, true);
  CHECK_EQ(explained.send("{}")["answer"]["status"].number(), 401);
  const JsonView answer = explained.send("{}", {}, true);
  CHECK_EQ(module(answer, "verify")["decision"].text(), "excused");
  CHECK_FALSE(module(answer, "verify")["note"].text().empty());
  CHECK_EQ(module(answer, "auth")["decision"].text(), "excused");
  CHECK(answer["accepted"].boolean());
}

TEST_CASE("credentials_and_signatures_are_masked_in_everything_that_is_shown") {
  setenv("BELAY_TEST_SECRET", "planted-secret", 1);
  Explained explained("sources:\n  s: { match: { path: /s }, preset: github, secrets: { signing: k }, routes: [{ to: d }] }\n"
                      "destinations:\n  d: { url: \"http://127.0.0.1:1/\", auth: { bearer: \"${env:BELAY_TEST_SECRET}\" }, headers: { set: { X-Tenant: acme, X-Pass: \"${env:BELAY_TEST_SECRET}\" } } }\n");
  const std::string signature = "sha256=" + test::hmac_sha256_hex("k", "{}");
  explained.send("{}", {{"X-Hub-Signature-256", signature}, {"Cookie", "planted-secret"}}, false, "/s?token=planted-secret&a=1");
  CHECK(explained.run->accepted());
  for (const std::string& shown : explained.shown()) {
    CAPTURE(shown);
    CHECK_EQ(shown.find("planted-secret"), std::string::npos);
    CHECK_EQ(shown.find(signature), std::string::npos);
    CHECK_NE(shown.find("Bearer ***"), std::string::npos);
    CHECK_NE(shown.find("X-Tenant: acme"), std::string::npos);
    CHECK_NE(shown.find("token=***&a=1"), std::string::npos);
  }
}

TEST_CASE("numbered_signature_headers_are_masked_each") {
  Explained explained(source("secrets: { signing: k }, verify: { algorithm: hmac-sha256, encoding: hex, signature: { header: X-Check-* } }, mode: spool, routes: [{ to: d }]"));
  const std::string proof = test::hmac_sha256_hex("k", "{}");
  explained.send("{}", {{"X-Check-1", "planted"}, {"x-check-2", proof}, {"X-Checks", "shown"}});
  CHECK(explained.run->accepted());
  for (const std::string& shown : explained.shown()) {
    CAPTURE(shown);
    CHECK_EQ(shown.find("planted"), std::string::npos);
    CHECK_EQ(shown.find(proof), std::string::npos);
    CHECK_NE(shown.find("X-Checks: shown"), std::string::npos);
  }
}

TEST_CASE("proofs_in_a_body_are_masked_wherever_payloads_and_what_was_made_of_them_are_shown") {
  const std::string edit = R"(mode: spool, routes: [{ transform: { edit: { set: { copy: "{{ token }}", n: "2" }, remove: [token] }, headers: { set: { X-Copy: "{{ token }}" } } }, to: d }])";
  const std::string to_d = "mode: spool, routes: [{ to: d }]";
  const std::string in_json = R"(planted \"se<cret\")", odd = R"(\u0070lanted \"se<cret\")", in_form = "planted+%22se%3ccret%22";
  struct Case {
    const char* what;
    std::string keys, body;
    bool accepted = true;
  };
  const std::string secrets = "secrets: { signing: 'planted \"se<cret\"' }, ", equal = "algorithm: equal, ";
  const Case cases[] = {
      {"a field that a transform copies", secrets + "preset: netx, " + edit, R"({"n": 1, "token": ")" + in_json + "\"}"},
      {"a field with escapes that it need not have", secrets + "preset: netx, " + edit, R"({"n": 1, "token": ")" + odd + "\"}"},
      {"one that is wrong", "secrets: { signing: k }, preset: netx, " + to_d, R"({"n": 1, "token": ")" + in_json + "\"}", false},
      {"one in every element", secrets + "preset: microsoft_graph, " + to_d, R"({"n": 1, "value": [{"clientState": ")" + in_json + R"("}, {"clientState": ")" + in_json + "\"}]}"},
      {"a form field", secrets + "verify: { " + equal + "signature: { form: key } }, " + to_d, "n=1&key=" + in_form + "&b=2"},
      {"one of several checks", secrets + "verify: { any: [ { " + equal + "signature: { header: X-A } }, { " + equal + "signature: { body: deep.key } } ] }, " + to_d, R"({"n": 1, "deep": {"key": ")" + in_json + "\"}}"},
      {"a preset's, beside the source's own replay", "secrets: { signing: k }, preset: dropbox_sign, verify: { replay: 10m }, " + to_d, R"({"n": 1, "event": {"event_hash": ")" + in_json + "\"}}", false},
  };
  for (const Case& one : cases) {
    CAPTURE(one.what);
    Explained explained("sources:\n  s: { match: { path: /s }, " + one.keys + " }\ndestinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n");
    const std::string type = one.body.front() == '{' ? "application/json" : "application/x-www-form-urlencoded";
    for (const bool without_proof : {false, true}) {
      explained.send(one.body, {{"Content-Type", type}}, without_proof);
      CHECK_EQ(explained.run->accepted(), one.accepted || without_proof);
      for (const std::string& shown : explained.shown()) {
        CAPTURE(shown);
        CHECK_EQ(shown.find("lanted"), std::string::npos);
        if (explained.run->accepted()) CHECK_NE(shown.find("***"), std::string::npos);
      }
    }
  }
}

TEST_CASE("a_proof_with_white_space_is_masked_in_both_places_of_xml") {
  const std::string made = R"(transform: { as: xml, body: { order: { "@key": "{{ token }}", copy: "{{ token }}" } } })";
  Explained explained(source("secrets: { signing: \"planted\\tse<cret\" }, preset: netx, mode: spool, routes: [{ " + made + ", to: d }]"));
  explained.send(R"({"n": 1, "token": "planted\tse<cret"})", {{"Content-Type", "application/json"}});
  CHECK(explained.run->accepted());
  for (const std::string& shown : explained.shown()) {
    CAPTURE(shown);
    CHECK_EQ(shown.find("planted"), std::string::npos);
    CHECK_NE(shown.find("<copy>***</copy>"), std::string::npos);
  }
}

TEST_CASE("only_the_proof_is_masked_and_a_short_one_only_where_it_is_a_whole_value") {
  Explained explained(source("secrets: { signing: ab }, preset: netx, mode: spool, routes: [{ to: d }]"));
  explained.send(R"({"token": "ab", "table": "cabinet",  "n": 1.50, "list": ["ab", null]})", {{"X-Kind", "cabinet"}});
  const std::string shown = explain_text(*explained.run, false);
  CAPTURE(shown);
  CHECK_NE(shown.find(R"({"token": "***", "table": "cabinet",  "n": 1.50, "list": ["***", null]})"), std::string::npos);
  CHECK_NE(shown.find("X-Kind: cabinet"), std::string::npos);
}

TEST_CASE("rehearse_tells_what_changes_without_the_proof_in_the_body") {
  Explained explained(source("secrets: { signing: planted-secret }, preset: netx, mode: spool, routes: [{ transform: { edit: { set: { copy: \"{{ token }}\" } } }, to: d }]"));
  const std::string body = R"({\"token\": \"planted-secret\", \"copy\": \"old\"})";
  const std::string request = R"({"method": "POST", "target": "/s", "headers": [["Host", "a"], ["Content-Type", "application/json"]], "body": ")" + body + "\"}";
  const std::string message = R"({"id": ")" + MessageId::first_at(kNow).to_string() + R"(", "received": "2025-10-09T09:00:00Z", "client": "192.0.2.1", "source": "s", "outcome": "spooled", "status": 202,
      "stored": true, "request": )" + request + R"(, "deliveries": [{"destination": "d", "state": "delivered", "attempts": 1, "sent": )" + request + "}]}";
  const auto document = json::Document::parse(message);
  REQUIRE(document.ok());
  const auto differences = Rehearsal(*explained.run).compare(JsonView(**document));
  REQUIRE(differences.ok());
  REQUIRE_EQ(differences->size(), 1);
  CAPTURE(differences->front().what);
  CHECK_NE(differences->front().what.find("gets another request: copy \"old\" → \"***\""), std::string::npos);
  CHECK_EQ(differences->front().what.find("planted"), std::string::npos);
}

TEST_CASE("rates_are_counted_from_one_request_to_the_next_on_their_own_clock") {
  Explained explained(source("limit: { rate: 1/min, burst: 1 }, routes: [{ to: d }]"));
  CHECK(explained.send("{}")["accepted"].boolean());
  CHECK_EQ(explained.send("{}")["answer"]["status"].number(), 429);
  const auto later = *RawRequest::parse(test::request("POST", "/s", {}, "{}"));
  const auto& request = later;
  explained.run->run(*request, MessageId::first_at(kNow), kNow + std::chrono::minutes(2), *DrySender::parse("192.0.2.1"));
  CHECK(explained.run->accepted());
}

TEST_CASE("changes_of_json_go_value_by_value_and_of_other_payloads_as_a_whole") {
  const auto changes = payload_changes(R"({"a": [1, {"b c": 2}], "gone": {}})", R"({"a": [1, {"b c": 3}, 4]})");
  REQUIRE_EQ(changes.size(), 3);
  CHECK_EQ(changes[0].place, "a[1][\"b c\"]");
  CHECK_EQ(changes[0].before + changes[0].after, "23");
  CHECK_EQ(changes[1].place, "gone");
  CHECK(changes[1].kind == Change::Kind::removed);
  CHECK_EQ(changes[2].place, "a[2]");
  CHECK(changes[2].kind == Change::Kind::added);
  const auto whole = payload_changes("a=1", "<a>1</a>");
  REQUIRE_EQ(whole.size(), 1);
  CHECK_EQ(whole[0].place, "payload");
  CHECK(payload_changes("same", "same").empty());
}

TEST_CASE("explain_says_by_which_key_a_webhook_waits_for_others") {
  Explained explained(source("routes: [{ order: order.id, to: d }, { debounce: { key: order.gone }, to: e }]"));
  const auto facts = module(explained.send(R"({"order": {"id": "SO-7"}})"), "route")["facts"].items();
  REQUIRE_EQ(facts.size(), 2);
  CHECK_EQ(facts[0]["name"].text(), "order");
  CHECK_EQ(facts[0]["value"].text(), "route 1: key SO-7");
  CHECK_EQ(facts[1]["name"].text(), "debounce");
  CHECK_EQ(facts[1]["value"].text().find("route 2: no key, waits for no other: "), 0);
}
