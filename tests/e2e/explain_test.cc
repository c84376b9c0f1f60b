// explain, rehearse, openapi and reference as a user types them, the first two beside a running gateway.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "json/document.h"
#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend, const std::string& stored_routes, const std::string& more = {}) {
  return "sources:\n"
         "  acumatica: { match: { path: /acumatica }, preset: acumatica, secrets: { signing: acu }, routes: [{ to: crm }] }\n"
         "  stored: { match: { path: /stored }, trust: open, mode: spool" + more + ", routes: " + stored_routes + " }\n"
         "destinations:\n"
         "  crm: { url: \"http://" + backend.address() + "/crm\", auth: { bearer: planted-secret } }\n"
         "  erp: { url: \"http://" + backend.address() + "/erp\" }\n";
}

bool has(const std::string& text, const std::string& piece) { return text.find(piece) != std::string::npos; }

// Head and body of each request that explain --json tells, by destination.
std::map<std::string, std::pair<std::string, std::string>> told_requests(const std::string& text) {
  std::map<std::string, std::pair<std::string, std::string>> told;
  const auto parsed = belay::json::Document::parse(text);
  REQUIRE(parsed.ok());
  const belay::json::Document& json = **parsed;
  const auto text_of = [&](belay::json::Ref object, std::string_view name) {
    std::string scratch;
    return std::string(json.string(json.find(object, name), scratch));
  };
  const auto routes = json.find(json.root(), "routes");
  for (auto route = json.first(routes); route != belay::json::kNone; route = json.next(routes, route)) {
    const auto requests = json.find(route, "requests");
    for (auto one = json.first(requests); one != belay::json::kNone; one = json.next(requests, one)) {
      told[text_of(one, "destination")] = {text_of(one, "head"), text_of(one, "body")};
    }
  }
  return told;
}

// A head with another webhook-id, where explain had to make one up.
std::string with_id(const std::string& head, const std::string& id) {
  const size_t at = head.find("webhook-id: ");
  return at == std::string::npos ? head : head.substr(0, at + 12) + id + head.substr(head.find("\r\n", at));
}

std::string id_of(const Answer& answer) {
  const size_t at = answer.body.find("\"id\": \"");
  return at == std::string::npos ? std::string() : answer.body.substr(at + 7, 36);
}

}  // namespace

TEST_CASE("explain_tells_for_a_recorded_request_what_would_happen_and_whether_it_would_be_taken") {
  const TempFolder folder;
  const Backend backend(folder);
  folder.write("rules.d/test.yaml", rules(backend, "[{ when: 'size(items) > 1', transform: { body: { n: '{{ size(items) }}' } }, to: erp }, { to: crm }]"));
  const std::string main = folder.write("belay.yaml", "admin: { token: t }\n");
  const std::string wanted = folder.write("wanted.http", request("POST", "/stored", {{"Content-Type", "application/json"}}, "{\"items\":[1,2]}"));
  const Finished text = run({belay_binary(), "explain", "-c", main, wanted});
  INFO(text.out, text.err);
  CHECK_EQ(text.code, 0);
  CHECK(has(text.out, "source stored"));
  CHECK(has(text.out, "size(items) > 1"));
  CHECK(has(text.out, "POST /erp HTTP/1.1"));
  CHECK(has(text.out, "{\"n\":2}"));
  CHECK(has(text.out, "Bearer ***"));
  CHECK_FALSE(has(text.out, "planted-secret"));
  CHECK_FALSE(has(text.out, "\x1b["));

  const std::string unsigned_file = folder.write("unsigned.http", request("POST", "/acumatica", {{"Content-Type", "application/json"}}, "{}"));
  const Finished refused = run({belay_binary(), "explain", "-c", main, unsigned_file});
  CHECK_EQ(refused.code, 1);
  CHECK(has(refused.out, "401"));
  const Finished excused = run({belay_binary(), "explain", "-c", main, "--unsigned", "--json", unsigned_file});
  CHECK_EQ(excused.code, 0);
  CHECK(has(excused.out, "\"excused\""));
  CHECK_EQ(run({belay_binary(), "explain", "-c", main, folder.write("broken.http", "nonsense")}).code, 2);
  CHECK_EQ(backend.seen_count(), 0);
}

TEST_CASE("explain_shows_byte_for_byte_what_each_destination_then_gets") {
  const TempFolder folder;
  const Backend backend(folder);
  const std::string url = "http://" + backend.address();
  const std::string routes = R"([
      { when: total > 100, transform: { body: { id: "{{ id }}", total: "{{ total }}", skus: "{{ lines.map(l, l.sku) }}" },
          headers: { set: { X-Kind: "{{ $event.type }}" }, remove: [X-Internal] }, method: PUT, path: "/legacy/{{ kind }}", query: { set: { v: "2" } } }, to: erp },
      { transform: { text: '<Order id="{{ id }}"/>', as: xml }, to: soap },
      { transform: { edit: { set: { status: "{{ upper(status) }}" }, remove: [note] } }, to: edited },
      { to: [crm, archive] } ])";
  Gateway gateway(folder, {.rules = "sources:\n"
                                    "  orders: { match: { path: /orders/* }, trust: open, mode: spool, identify: { type: kind, id: id }, routes: " + routes + " }\n"
                                    "  live: { match: { path: /live/* }, trust: open, identify: { type: kind, id: id }, routes: " + routes + " }\n"
                                    "destinations:\n"
                                    "  erp: { url: \"" + url + "/erp\" }\n"
                                    "  soap: { url: \"" + url + "/soap?fixed=1\" }\n"
                                    "  edited: { url: \"" + url + "/edited\" }\n"
                                    "  crm: { url: \"" + url + "/crm\", append_path: true, headers: { set: { X-Tenant: acme }, remove: [User-Agent] } }\n"
                                    "  archive: { url: \"" + url + "/archive\" }\n"});
  const std::string body = R"({"kind": "order", "id": 7, "total": 100.50, "status": "open", "note": "n", "lines": [{"sku": "a\u00e9"}, {"sku": "b"}]})";
  for (const std::string source : {"orders", "live"}) {
    CAPTURE(source);
    const std::string bytes = request("POST", "/" + source + "/eu?dry=1&x=%20y",
                                      {{"Content-Type", "application/json"}, {"X-Internal", "1"}, {"user-agent", "test"}, {"X-Forwarded-Proto", "https"},
                                       {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, {"Connection", "X-Hop"}, {"X-Hop", "1"}}, body);
    const size_t before = backend.seen_count();
    const auto answer = send_once(gateway.address(), bytes);
    REQUIRE(answer.has_value());
    REQUIRE(wait_for([&] { return backend.seen_count() == before + 5; }));
    std::vector<Seen> seen = backend.seen();
    seen.erase(seen.begin(), seen.begin() + static_cast<ptrdiff_t>(before));
    const auto destination_of = [](const Seen& one) -> std::string {
      for (const char* name : {"soap", "edited", "crm", "archive"}) {
        if (one.target.starts_with(std::string("/") + name)) return name;
      }
      return "erp";  // its path is the transform's
    };
    const auto compare = [&](const Finished& explained, bool recorded) {
      INFO(explained.out, explained.err);
      REQUIRE_EQ(explained.code, 0);
      const auto told = told_requests(explained.out);
      CHECK_EQ(told.size(), 5);
      for (const Seen& one : seen) {
        const auto found = told.find(destination_of(one));
        REQUIRE(found != told.end());
        std::string head = recorded ? found->second.first : with_id(found->second.first, one.id);
      // Keys stand in urls of destinations.
      if (const size_t hidden = head.find("fixed=***"); hidden != std::string::npos) head.replace(hidden, 9, "fixed=1");
      CHECK_EQ(head, one.head + "\r\n");
        CHECK_EQ(found->second.second, one.body);
      }
    };
    compare(gateway.belay({"explain", "--json", folder.write("request.http", bytes)}), false);
    compare(gateway.belay({"explain", "--json", seen.front().id}), true);
  }
  const Finished unknown = gateway.belay({"explain", "00000000-0000-7000-8000-000000000000"});
  CHECK_EQ(unknown.code, 1);
  INFO(unknown.err);
  CHECK(has(unknown.err, "00000000-0000-7000-8000-000000000000"));
}

TEST_CASE("rehearse_finds_nothing_with_the_same_rules_and_says_what_others_would_change") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend, "[{ when: 'kind == \"a\"', transform: { body: { id: '{{ id }}' } }, to: erp }, { to: crm }]")});
  std::string first, second;
  {
    const auto a = send_once(gateway.address(), request("POST", "/stored", {{"Content-Type", "application/json"}}, "{\"kind\":\"a\",\"id\":1}"));
    const auto b = send_once(gateway.address(), request("POST", "/stored", {{"Content-Type", "application/json"}}, "{\"kind\":\"b\",\"id\":2}"));
    REQUIRE(a.has_value());
    REQUIRE(b.has_value());
    first = id_of(*a);
    second = id_of(*b);
  }
  REQUIRE_EQ(send_once(gateway.address(), request("POST", "/acumatica", {{"X-Acumatica-Signature", "x"}}, "{}"))->status, 401);
  CHECK(wait_for([&] { return has(gateway.belay({"events", "--json"}).out, "\"rejected\""); }));
  const auto rehearse = [&](const std::string& changed, std::vector<std::string> flags) {
    folder.write("new/rules.d/test.yaml", changed);
    const std::string main = folder.write("new/belay.yaml", read_text(gateway.main_file()));
    std::vector<std::string> command = {belay_binary(), "rehearse", "-c", main};
    command.insert(command.end(), flags.begin(), flags.end());
    return run(command);
  };
  const Finished same = rehearse(rules(backend, "[{ when: 'kind == \"a\"', transform: { body: { id: '{{ id }}' } }, to: erp }, { to: crm }]"), {});
  INFO(same.out, same.err);
  CHECK_EQ(same.code, 0);
  CHECK(has(same.out, "2 webhooks rehearsed: 2 the same, 0 would change"));
  CHECK(has(same.out, "Not rehearsed: 1 webhook rejected"));

  // The first loses crm and gets another request at erp; the second is filtered.
  const Finished other = rehearse(rules(backend, "[{ when: 'kind == \"a\"', transform: { body: { id: '{{ id + 1 }}' } }, to: erp }]"), {"--json", "--since", "1h"});
  INFO(other.out, other.err);
  CHECK_EQ(other.code, 1);
  CHECK(has(other.out, "\"changed\":2"));
  CHECK(has(other.out, "{\"from\":\"accepted\",\"to\":\"filtered\",\"count\":1}"));
  CHECK(has(other.out, "{\"destination\":\"crm\",\"gained\":0,\"lost\":1,\"rewritten\":0}"));
  CHECK(has(other.out, "{\"destination\":\"erp\",\"gained\":0,\"lost\":0,\"rewritten\":1}"));
  CHECK(has(other.out, "erp: gets another request: id 1 → 2"));
  CHECK(has(other.out, first));
  CHECK(has(other.out, second));

  // With a key that both share, the later one would have been a duplicate.
  const std::string keyed = rules(backend, "[{ when: 'kind == \"a\"', transform: { body: { id: '{{ id }}' } }, to: erp }, { to: crm }]", ", dedupe: { key: '\"same\"' }");
  const Finished duplicate = rehearse(keyed, {"--last", "3", "--source", "stored"});
  INFO(duplicate.out, duplicate.err);
  CHECK_EQ(duplicate.code, 1);
  CHECK(has(duplicate.out, "→ duplicate"));
  CHECK_EQ(rehearse("sources: { broken: {} }\n", {}).code, 1);  // as belay check says it
}

TEST_CASE("openapi_and_reference_print_without_secrets_at_hand") {
  const TempFolder folder;
  REQUIRE_EQ(run({"cp", "-r", source_folder() + "/conf", folder / "conf"}).code, 0);
  const Finished openapi = run({belay_binary(), "openapi", "-c", folder / "conf/belay.yaml"});
  INFO(openapi.err);
  CHECK_EQ(openapi.code, 0);
  CHECK(has(openapi.out, "\"/webhooks/acumatica\""));
  const Finished parsed = run({"python3", "-c", "import json,sys; json.load(open(sys.argv[1]))", folder.write("openapi.json", openapi.out)});
  CHECK_EQ(parsed.code, 0);
  const Finished reference = run({belay_binary(), "reference"});
  CHECK_EQ(reference.code, 0);
  CHECK(has(reference.out, "| `connect_timeout` |"));
}
