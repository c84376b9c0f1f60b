#include "kit.h"
#include "modules/transform/head.h"
#include "modules/transform/shape.h"

using namespace belay;
using namespace belay::test;

namespace {

std::string rules_with(const std::string& transform, const std::string& more = {}) {
  return "sources:\n  s:\n    match: { path: /s, methods: [POST, GET, DELETE, HEAD] }\n    trust: open\n" + more +
         "    routes:\n      - to: d\n        transform: " + transform +
         "\ndestinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n";
}

// What would be sent, as text; "422 reason" when the transform fails.
std::string sent(const Walked& walked) {
  const pipeline::Exchange& exchange = *walked.exchange;
  if (exchange.selected.empty()) return "nothing is selected: " + exchange.reason;
  const auto& route = exchange.selected.front();
  if (!route.failure.empty()) {
    CHECK_EQ(exchange.reason, route.failure);
    CHECK_EQ(exchange.outcome, wire::Outcome::rejected);
    return std::to_string(walked.status()) + " " + route.failure;
  }
  if (route.request == nullptr) return "as received";
  const wire::StoredRequest& made = *route.request;
  std::string out = made.method + " " + (made.path.empty() ? made.target : made.path + made.target.substr(std::min(made.target.find('?'), made.target.size())));
  for (const auto& [name, value] : made.fields) out += "\n" + name + ": " + value;
  if (made.has_body) out += "\n\n" + (made.received_body ? std::string(exchange.body) : made.body);
  return out;
}

const Fields kJson = {{"Content-Type", "application/json"}};

// The body made of a JSON payload.
std::string body_of(const std::string& transform, const std::string& payload = "{}") {
  Kit kit(rules_with(transform), &modules::kTransform);
  const std::string text = sent(*kit.post(kJson, payload));
  const size_t at = text.find("\n\n");
  return at == std::string::npos ? text : text.substr(at + 2);
}

std::string problems_of(const std::string& transform) {
  const Kit kit(rules_with(transform), &modules::kTransform);
  CHECK_FALSE(kit.built());
  const std::string text = kit.problems();
  return text.substr(text.find("rules.yaml") + 11);
}

}  // namespace

TEST_CASE("a_body_is_a_tree_of_templates_and_payload_values_keep_their_bytes") {
  CHECK_EQ(body_of(R"({ body: { id: "{{ o.id }}", price: "{{ o.price }}", e: "{{ o.e }}", all: "{{ o.list }}", name: "Order {{ o.id }}: {{ o.t }}" } })",
                   R"({"o":{"id":12345678901234567890,"price":100.10,"e":1e2,"list":[ 1 ,{"a" : "\u00e9"}],"t":"a\"b"}})"),
           R"({"id":12345678901234567890,"price":100.10,"e":1e2,"all":[ 1 ,{"a" : "\u00e9"}],"name":"Order 12345678901234567890: a\"b"})");
  CHECK_EQ(body_of(R"({ body: { n: 5, s: "5", t: true, nul: null, none: ~, f: 1.50, word: abc, l: [1, "{{ a }}", { x: [] }], "q\"": {} } })", R"({"a":"x"})"),
           R"({"n":5,"s":"5","t":true,"nul":null,"none":null,"f":1.50,"word":"abc","l":[1,"x",{"x":[]}],"q\"":{}})");
  CHECK_EQ(body_of(R"({ body: "{{ data }}" })", R"({"data": [1, 2.0] })"), "[1, 2.0]");
  CHECK_EQ(body_of(R"({ body: { lines: "{{ p.map(x, {'sku': x.sku, 'qty': x.q}) }}" } })", R"({"p":[{"sku":"a","q":1.0},{"sku":"b","q":2}]})"),
           R"({"lines":[{"sku":"a","qty":1.0},{"sku":"b","qty":2}]})");
  CHECK_EQ(body_of(R"({ body: { name: "{{ json(order.__customerEx).name }}" } })", R"({"order":{"__customerEx":"{\"name\":\"Canva \\u00dcK\"}"}})"),
           R"({"name":"Canva \u00dcK"})");
}

TEST_CASE("an_absent_path_fails_the_transform_unless_missing_says_otherwise") {
  const std::string body = R"(body: { a: "{{ a }}", b: "{{ o.b }}", c: ["{{ c }}", "x{{ c }}"], d: { e: "{{ o.?x }}" } })";
  CHECK_EQ(body_of("{ " + body + ", missing: null }", R"({"a":1,"o":{}})"), R"({"a":1,"b":null,"c":[null,null],"d":{"e":null}})");
  CHECK_EQ(body_of("{ " + body + ", missing: omit }", R"({"a":1,"o":{}})"), R"({"a":1,"c":[],"d":{}})");
  const std::string failed = body_of("{ " + body + " }", R"({"a":1,"o":{}})");
  CHECK_EQ(failed.find("422 transform: route 1: no such key: o.b ("), 0);
  CHECK_NE(failed.find("rules.yaml:7:"), std::string::npos);
  CHECK_EQ(body_of(R"({ body: "{{ a }}", missing: omit })").find("422 transform: route 1: there is nothing to send"), 0);
  // Other errors are never hidden.
  CHECK_EQ(body_of(R"({ body: { a: "{{ int(s) + n }}" }, missing: omit })", R"({"n":1,"s":"x"})").find("422"), 0);
  CHECK_EQ(body_of(R"({ body: { a: "{{ n + 's' }}" }, missing: null })", R"({"n":1})").find("422"), 0);
}

TEST_CASE("as_form_and_as_xml_write_the_same_tree") {
  const std::string tree = R"(body: { Order: { "@id": "{{ id }}", line: "{{ lines }}", note: "a & b" } })";
  const std::string payload = R"({"id":7,"lines":["<1>","2"]})";
  CHECK_EQ(body_of("{ " + tree + ", as: xml }", payload),
           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Order id=\"7\"><line>&lt;1&gt;</line><line>2</line><note>a &amp; b</note></Order>");
  CHECK_EQ(body_of("{ " + tree + ", as: form }", payload),
           "Order%5B%40id%5D=7&Order%5Bline%5D%5B%5D=%3C1%3E&Order%5Bline%5D%5B%5D=2&Order%5Bnote%5D=a+%26+b");
  CHECK_EQ(body_of(R"({ body: { a: 1, b: 2 }, as: xml })").find("422 transform: route 1: an XML document has one root element"), 0);
  CHECK_EQ(body_of(R"({ body: { "{{ a }}": 1 }, as: xml })").find("422 transform: route 1: '{{ a }}' is no name"), 0);
}

TEST_CASE("a_text_is_escaped_for_what_it_is") {
  const std::string payload = R"({"v":"<a b=\"1\">&'"})";
  CHECK_EQ(body_of(R"({ text: "<x v=\"{{ v }}\"/>", as: xml })", payload), "<x v=\"&lt;a b=&quot;1&quot;&gt;&amp;&apos;\"/>");
  CHECK_EQ(body_of(R"({ text: "v={{ v }}", as: form })", payload), "v=%3Ca+b%3D%221%22%3E%26%27");
  CHECK_EQ(body_of(R"({ text: '{ "v": "{{ v }}" }', as: json })", payload), R"({ "v": "<a b=\"1\">&'" })");
  CHECK_EQ(body_of(R"({ text: '{ "v": {{ v }} }', as: json })", payload).find("422 transform: route 1: the text made is not JSON"), 0);
  CHECK_EQ(body_of(R"({ text: "v: {{ v }} {{ gone }}.", missing: omit })", payload), "v: <a b=\"1\">&' .");
  CHECK_EQ(body_of(R"({ text: "{{ gone }}" })", payload).find("422"), 0);
}

TEST_CASE("an_edit_keeps_every_other_byte") {
  const std::string payload = "{\n  \"entityId\" : 12345678901234567890,\n  \"price\": 100.10, \"status\":\"new\",\n  \"changes\": [1],\n  \"metadata\": {\"userId\": 5, \"k\": 1e2}\n}\n";
  CHECK_EQ(body_of(R"({ edit: { set: { status: "{{ upper(status) }}", x.y: "{{ price }}" }, remove: [changes, metadata.userId], rename: { entityId: id } } })", payload),
           "{\n  \"id\" : 12345678901234567890,\n  \"price\": 100.10, \"status\":\"NEW\",\n  \"metadata\": {\"k\": 1e2},\n  \"x\" : {\"y\":100.10}\n}\n");
  CHECK_EQ(body_of(R"({ edit: { keep: [order, assets], set: { "[\"a.b\"]": { deep: ["{{ n }}"] } } } })", R"({"order": {"x" : 1.0}, "secret": 2, "n":7})"),
           R"({"order": {"x" : 1.0}, "a.b": {"deep":[7]}})");
  CHECK_EQ(body_of(R"({ edit: { set: { a: "{{ gone }}", b: 1 } }, missing: omit })", R"({"a":1})"), R"({"a":1,"b":1})");
  CHECK_EQ(body_of(R"({ edit: { set: { a: "{{ gone }}" } }, missing: null })", R"({"a":1})"), R"({"a":null})");
  CHECK_EQ(body_of(R"({ edit: { rename: { a: b } } })", "{}").find("422 transform: route 1: no such key: a"), 0);
  CHECK_EQ(body_of(R"({ edit: { rename: { a: b } }, missing: omit })", "{ }"), "{ }");
  Kit unread(rules_with("{ edit: { set: { a: 1 } } }"), &modules::kTransform);
  CHECK_EQ(unread.post(kJson, "not json")->status(), 400);
}

TEST_CASE("what_is_no_json_cannot_be_edited") {
  Kit kit(rules_with("{ edit: { set: { a: 1 } } }"), &modules::kTransform);
  CHECK_EQ(sent(*kit.post({{"Content-Type", "application/x-www-form-urlencoded"}}, "a=2")).find("422 transform: route 1: edit changes a JSON payload"), 0);
  CHECK_EQ(sent(*kit.post({{"Content-Type", "application/xml"}}, "<a/>")).find("422"), 0);
}

TEST_CASE("content_fields_follow_the_new_body_and_other_fields_stay_as_they_were") {
  const Fields fields = {{"host", "a"},          {"X-Two", "1"},          {"Content-Type", "application/json; charset=utf-8"},
                         {"Content-Length", "2"}, {"X-Two", "2"},          {"Content-Encoding", "gzip"},
                         {"Content-MD5", "x"},    {"Digest", "y"},         {"Content-Digest", "z"},
                         {"Connection", "X-Gone"}, {"X-Gone", "1"},         {"x-last", "\xE9"}};
  Kit text(rules_with("{ text: \"hello\" }"), &modules::kTransform);
  CHECK_EQ(sent(*text.post(fields)), "POST /s\nhost: a\nX-Two: 1\nContent-Type: text/plain; charset=utf-8\nX-Two: 2\nx-last: \xE9\n\nhello");
  Kit set(rules_with("{ text: \"<a/>\", as: xml, headers: { set: { content-type: \"text/xml; charset=utf-8\", X-Two: \"{{ $method }}\" }, remove: [X-Last] } }"), &modules::kTransform);
  CHECK_EQ(sent(*set.post(fields)), "POST /s\nhost: a\ncontent-type: text/xml; charset=utf-8\nX-Two: POST\n\n<a/>");
  Kit head(rules_with("{ headers: { set: { X-Gone: mine } } }"), &modules::kTransform);
  CHECK_EQ(sent(*head.post(fields, "{ }")),
           "POST /s\nhost: a\nX-Two: 1\nContent-Type: application/json; charset=utf-8\nContent-Length: 2\nX-Two: 2\nContent-Encoding: gzip\n"
           "Content-MD5: x\nDigest: y\nContent-Digest: z\nx-last: \xE9\nX-Gone: mine\n\n{ }");
  Kit none(rules_with("{ body: { a: 1 } }"), &modules::kTransform);
  CHECK_EQ(sent(*none.post({}, "")), "POST /s\nContent-Type: application/json\n\n{\"a\":1}");
}

TEST_CASE("fields_that_name_the_sender_come_from_trusted_proxies_or_from_the_rule") {
  Kit kit(rules_with(R"({ headers: { set: { X-Real-IP: "{{ $client.address }}" } } })"), &modules::kTransform);
  CHECK_EQ(sent(*kit.post({{"X-Real-IP", "1.2.3.4"}, {"X_Forwarded_User", "root"}, {"X-Other", "1"}}, "{}")), "POST /s\nX-Other: 1\nX-Real-IP: 192.0.2.1\n\n{}");
}

TEST_CASE("an_edited_payload_is_utf_8") {
  Kit kit(rules_with("{ edit: { set: { a: 1 } } }"), &modules::kTransform);
  CHECK_EQ(sent(*kit.post({{"Content-Type", "application/json; charset=iso-8859-1"}}, "{}")), "POST /s\nContent-Type: application/json\n\n{\"a\":1}");
  CHECK_EQ(sent(*kit.post({{"Content-Type", "application/x+json; charset=UTF-8"}}, "{}")), "POST /s\nContent-Type: application/x+json; charset=UTF-8\n\n{\"a\":1}");
}

TEST_CASE("header_values_cannot_begin_a_field_of_their_own") {
  Kit kit(rules_with(R"({ headers: { set: { X-A: "{{ v }}" } } })"), &modules::kTransform);
  CHECK_EQ(sent(*kit.post(kJson, R"({"v":"  plain \u00e9 "})")), "POST /s\nContent-Type: application/json\nX-A: plain \u00e9\n\n{\"v\":\"  plain \\u00e9 \"}");
  for (const char* value : {R"("a\r\nX-B: 1")", R"("a\nb")", R"("a\u0000b")", R"("a\u007f")"}) {
    INFO(value);
    CHECK_EQ(sent(*kit.post(kJson, std::string("{\"v\":") + value + "}")).find("422 transform: route 1: headers.set.X-A: the value has a line break"), 0);
  }
  // Without a value there is no field, not the sender's either.
  Kit lenient(rules_with(R"({ headers: { set: { X-A: "{{ v }}" } }, missing: omit })"), &modules::kTransform);
  CHECK_EQ(sent(*lenient.post({{"Content-Type", "application/json"}, {"x_a", "theirs"}}, "{}")), "POST /s\nContent-Type: application/json\n\n{}");
  Kit empty(rules_with(R"({ headers: { set: { X-A: "{{ v }}" } }, missing: null })"), &modules::kTransform);
  CHECK_EQ(sent(*empty.post(kJson, "{}")), "POST /s\nContent-Type: application/json\nX-A: \n\n{}");
  // Other errors are never hidden, not by an absent value behind them either.
  Kit wrong(rules_with(R"({ headers: { set: { X-A: "{{ int(s) }}{{ gone }}" } }, missing: omit })"), &modules::kTransform);
  CHECK_EQ(sent(*wrong.post(kJson, R"({"s":"x"})")).find("422 transform: route 1: "), 0);
}

TEST_CASE("a_query_keeps_the_bytes_and_order_of_what_is_not_named") {
  Kit kit(rules_with(R"({ query: { set: { b: "{{ v }}", "n w": "1 2" }, remove: [c] } })"), &modules::kTransform);
  const auto target = [&](const std::string& asked, const std::string& payload = R"({"v":"x&y=z #\u00e9"})") {
    const auto walked = kit.send("POST", asked, kJson, payload);
    const std::string text = sent(*walked);
    return text.substr(0, text.find('\n'));
  };
  CHECK_EQ(target("/s?a=%41&b=1&c=2&&d&b=3&%63=4&e=+"), "POST /s?a=%41&b=x%26y%3Dz%20%23%C3%A9&&d&e=+&n%20w=1%202");
  CHECK_EQ(target("/s"), "POST /s?b=x%26y%3Dz%20%23%C3%A9&n%20w=1%202");
  CHECK_EQ(target("/s", "{}").find("POST"), std::string::npos);
  Kit removed(rules_with("{ query: { remove: a } }"), &modules::kTransform);
  CHECK_EQ(sent(*removed.send("POST", "/s?a=1", kJson, "{}")).find("POST /s\n"), 0);
  Kit untouched(rules_with("{ method: PUT }"), &modules::kTransform);
  CHECK_EQ(sent(*untouched.send("POST", "/s?", kJson, "{}")).find("PUT /s?\n"), 0);
}

TEST_CASE("a_payload_cannot_climb_out_of_its_part_of_a_path") {
  Kit kit(rules_with(R"({ path: "/legacy/{{ type }}/{{ id }}" })"), &modules::kTransform);
  const auto path = [&](const std::string& type) {
    const std::string text = sent(*kit.send("POST", "/s?q=1", kJson, R"({"id":7,"type":)" + type + "}"));
    return text.substr(0, text.find('\n'));
  };
  CHECK_EQ(path(R"("Customer")"), "POST /legacy/Customer/7?q=1");
  CHECK_EQ(path(R"("a/b?c#d%2f \u00e9")"), "POST /legacy/a%2Fb%3Fc%23d%252f%20%C3%A9/7?q=1");
  CHECK_EQ(path(R"("..")").find("422 transform: route 1: path: "), 0);
  CHECK_EQ(path(R"(".")").find("422 transform: route 1: path: "), 0);
  CHECK_EQ(path(R"("..;x")").find("422 transform: route 1: path: "), 0);
  CHECK_EQ(path(R"("../..")").find("422 transform: route 1: path: "), 0);
  CHECK_EQ(path(R"("")").find("422 transform: route 1: path: a part of /legacy/{{ type }}/{{ id }} is empty"), 0);
  CHECK_EQ(path(R"("\r\nHost: x")"), "POST /legacy/%0D%0AHost%3A%20x/7?q=1");
}

TEST_CASE("framing_follows_method_and_body") {
  const Fields fields = {{"Content-Type", "application/json"}, {"Content-Length", "2"}, {"X", "1"}};
  Kit get(rules_with("{ method: GET }"), &modules::kTransform);
  CHECK_EQ(sent(*get.post(fields)), "GET /s\nX: 1");
  Kit removed(rules_with("{ method: DELETE }"), &modules::kTransform);
  CHECK_EQ(sent(*removed.post(fields)), "DELETE /s\nContent-Type: application/json\nContent-Length: 2\nX: 1\n\n{}");
  Kit emptied(rules_with(R"({ text: "" })"), &modules::kTransform);
  CHECK_EQ(sent(*emptied.post(fields)), "POST /s\nContent-Type: text/plain; charset=utf-8\nX: 1\n\n");
}

TEST_CASE("only_routes_with_a_transform_change_the_request") {
  const std::string rules =
      "sources:\n  s:\n    match: { path: /s }\n    trust: open\n    routes:\n      - { to: a }\n      - { to: b, transform: { text: \"{{ n }}\" } }\n"
      "      - { to: c, when: n == 2, transform: { text: \"{{ gone }}\" } }\ndestinations:\n  a: { url: \"http://127.0.0.1:1/\" }\n"
      "  b: { url: \"http://127.0.0.1:1/\" }\n  c: { url: \"http://127.0.0.1:1/\" }\n";
  Kit kit(rules, &modules::kTransform);
  const auto good = kit.post(kJson, R"({"n":1})");
  REQUIRE_EQ(good->exchange->selected.size(), 2);
  CHECK(good->exchange->selected[0].request == nullptr);
  REQUIRE(good->exchange->selected[1].request != nullptr);
  CHECK_EQ(good->exchange->selected[1].request->body, "1");
  const auto bad = kit.post(kJson, R"({"n":2})");
  REQUIRE_EQ(bad->exchange->selected.size(), 3);  // the sender is answered by the first route's backend
  CHECK_EQ(bad->exchange->selected[2].failure.find("transform: route 3: no such key: gone"), 0);
  CHECK(bad->exchange->selected[2].request == nullptr);
}

TEST_CASE("wrong_settings_say_what_to_write") {
  CHECK_EQ(problems_of("{}").find("7:20: a transform is a mapping that says what changes"), 0);
  CHECK_NE(problems_of("{ body: {}, text: x }").find("one of body, edit and text"), std::string::npos);
  CHECK_NE(problems_of("{ as: xml }").find("add body or text"), std::string::npos);
  CHECK_NE(problems_of("{ body: { a: 1 }, as: text }").find("write text: instead of body:"), std::string::npos);
  CHECK_NE(problems_of("{ edit: { set: { a: 1 } }, as: xml }").find("edit changes a JSON payload"), std::string::npos);
  CHECK_NE(problems_of("{ edit: { remove: [a], set: { a: 1 } } }").find("edit.remove: 'a' is named by set already"), std::string::npos);
  CHECK_NE(problems_of("{ edit: { set: { 'a..b': 1 } } }").find("edit.set: 'a..b' is no path: expected a name at byte 2"), std::string::npos);
  CHECK_NE(problems_of("{ edit: { rename: { a: b.c } } }").find("to move a value, write set and remove"), std::string::npos);
  CHECK_NE(problems_of("{ edit: { rename: { a: c, b: c } } }").find("would become 'c'"), std::string::npos);
  CHECK_NE(problems_of("{ bodi: {} }").find("did you mean 'body'?"), std::string::npos);
  CHECK_NE(problems_of("{ body: { a: '{{ 1 + }}' } }").find("7:"), std::string::npos);
  CHECK_NE(problems_of("{ path: 'orders' }").find("a path begins with '/'"), std::string::npos);
  CHECK_NE(problems_of("{ path: '{{ p }}' }").find("a path begins with '/'"), std::string::npos);
  CHECK_NE(problems_of("{ path: '/a?b={{ p }}' }").find("write query:"), std::string::npos);
  CHECK_NE(problems_of("{ path: '/a b' }").find("%20"), std::string::npos);
  CHECK_NE(problems_of("{ method: get }").find("is no method"), std::string::npos);
  CHECK_NE(problems_of("{ method: GET, text: x }").find("GET carries no body"), std::string::npos);
  CHECK_NE(problems_of("{ headers: { set: { 'X A': 1 } } }").find("is no header name"), std::string::npos);
  CHECK_NE(problems_of("{ headers: { set: { Content-Length: 1 } } }").find("belongs to the connection"), std::string::npos);
  CHECK_NE(problems_of("{ headers: { remove: Host } }").find("depends on the destination"), std::string::npos);
  CHECK_NE(problems_of("{ headers: { set: { X-A: \"a\\nb\" } } }").find("line break"), std::string::npos);
  CHECK_NE(problems_of("{ headers: { set: { X-A: 1, x-a: 2 } } }").find("is set twice"), std::string::npos);
  CHECK_NE(problems_of("{ missing: ignore }").find("error, null or omit"), std::string::npos);
}

TEST_CASE("every_example_of_the_readme_sends_what_it_says") {
  const std::string text = read_text(source_folder() + "/modules/transform/README.md");
  size_t examples = 0;
  for (size_t at = text.find("```yaml\n"); at != std::string::npos; at = text.find("```yaml\n", at)) {
    const auto block = [&](const std::string& mark) {
      const size_t begin = text.find(mark, at);
      REQUIRE_NE(begin, std::string::npos);
      const size_t end = text.find("\n```", begin + mark.size());
      at = end;
      return text.substr(begin + mark.size(), end - begin - mark.size());
    };
    Kit kit(block("```yaml\n"), &modules::kTransform);
    const std::string payload = block("```json\n"), expected = block("```http\n");
    INFO(payload);
    REQUIRE_MESSAGE(kit.built(), kit.problems());
    CHECK_EQ(sent(*kit.send("POST", "/erp", kJson, payload)), expected);
    ++examples;
  }
  CHECK_GE(examples, 4);
}
