// What backends get of transformed webhooks, through the running gateway: the bytes, their framing, the same on every attempt.
#include <doctest/doctest.h>

#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

constexpr std::string_view kOrder =
    R"({ "order": {"id": "8014w000008ZoiHAAS", "tax": 0, "totalPrice": 3000.00, "big": 12345678901234567890123,
    "__customerEx": "{\"id\":\"0014w\",\"name\":\"Canva \\u00dcK\"}", "status": "Activated", "poNumber": null}, "secret": "s3cret" })";

std::string rules_for(const Backend& backend, const std::string& transform, const std::string& more = {}, const std::string& destination = {}) {
  return "sources:\n  erp:\n    match: { path: /erp, methods: [POST, GET, HEAD, DELETE] }\n    trust: open\n" + more +
         "    routes:\n      - to: backend\n        transform: " + transform + "\ndestinations:\n  backend: { url: \"http://" + backend.address() +
         "/base\", timeout: 2s, retry: { schedule: [0s, 0s, 0s] }" + destination + " }\n";
}

// How often a field stands in a recorded head.
size_t count(const std::string& head, const std::string& field) {
  size_t found = 0;
  for (size_t at = head.find("\r\n" + field + ":"); at != std::string::npos; at = head.find("\r\n" + field + ":", at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("transform: a_backend_gets_six_fields_of_an_order_framed_anew") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules_for(backend, R"({ body: { id: "{{ order.id }}", total: "{{ order.totalPrice }}", big: "{{ order.big }}",
            customer: "{{ json(order.__customerEx).name }}", status: "{{ lower(order.status) }}", po: "{{ order.poNumber }}" },
            headers: { set: { X-Event: "order.{{ lower(order.status) }}" }, remove: [X-Secret] } })")});
  const std::string chunked = "POST /erp?a=%41 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nX-Secret: 1\r\n"
                              "Content-Digest: sha-256=:x:\r\nX-Keep: kept\r\n\r\n";
  std::string size(16, '\0');
  size.resize(static_cast<size_t>(snprintf(size.data(), size.size(), "%zx", kOrder.size())));
  const auto answer = send_once(gateway.address(), chunked + size + "\r\n" + std::string(kOrder) + "\r\n0\r\n\r\n");
  REQUIRE(answer.has_value());
  CHECK_EQ(answer->status, 200);
  const Seen seen = backend.seen().at(0);
  const std::string expected =
      R"({"id":"8014w000008ZoiHAAS","total":3000.00,"big":12345678901234567890123,"customer":"Canva \u00dcK","status":"activated","po":null})";
  CHECK_EQ(seen.body, expected);
  CHECK_EQ(seen.target, "/base?a=%41");
  CHECK_EQ(count(seen.head, "Content-Length"), 1);
  CHECK_NE(seen.head.find("Content-Length: " + std::to_string(expected.size()) + "\r\n"), std::string::npos);
  CHECK_EQ(count(seen.head, "Transfer-Encoding"), 0);
  CHECK_EQ(count(seen.head, "Content-Digest"), 0);
  CHECK_EQ(count(seen.head, "X-Secret"), 0);
  CHECK_NE(seen.head.find("X-Keep: kept\r\n"), std::string::npos);
  CHECK_NE(seen.head.find("X-Event: order.activated\r\n"), std::string::npos);
}

TEST_CASE("transform: a_stored_webhook_is_transformed_once_and_every_attempt_carries_the_same_bytes") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("status 503 x2");
  Gateway gateway(folder, {.rules = rules_for(backend, R"({ edit: { set: { "order.status": "{{ uuid() }}" }, remove: [secret], rename: { order.id: key } },
            method: PUT, path: "/legacy/{{ order.id }}", query: { set: { at: "{{ $now }}" }, remove: [k] } })", "    mode: spool\n")});
  const auto answer = send_once(gateway.address(), request("POST", "/erp?x=1&k=2", {{"Content-Type", "application/json"}}, kOrder));
  REQUIRE(answer.has_value());
  CHECK_EQ(answer->status, 202);
  REQUIRE(wait_for([&] { return backend.seen_count() == 3; }));
  const auto seen = backend.seen();
  CHECK_EQ(seen[0].method, "PUT");
  CHECK_EQ(seen[0].target.find("/legacy/8014w000008ZoiHAAS?x=1&at="), 0);
  CHECK_EQ(seen[0].body.find(R"({ "order": {"key": "8014w000008ZoiHAAS", "tax": 0, "totalPrice": 3000.00, "big": 12345678901234567890123,)"), 0);
  CHECK_NE(seen[0].body.find("\"poNumber\": null} }"), std::string::npos);
  CHECK_EQ(seen[0].body.find("s3cret"), std::string::npos);
  for (size_t i = 1; i < seen.size(); ++i) {
    CHECK_EQ(seen[i].body, seen[0].body);
    CHECK_EQ(seen[i].target, seen[0].target);
    CHECK_EQ(seen[i].id, seen[0].id);
  }
}

TEST_CASE("transform: a_forward_that_fails_is_stored_as_it_was_sent") {
  const TempFolder folder;
  Backend backend(folder);
  backend.mode("status 503 x1");
  Gateway gateway(folder, {.rules = rules_for(backend, R"({ text: "<order id=\"{{ order.id }}\">{{ uuid() }}</order>", as: xml })")});
  const auto answer = send_once(gateway.address(), request("POST", "/erp", {{"Content-Type", "application/json"}}, kOrder));
  REQUIRE(answer.has_value());
  CHECK_EQ(answer->status, 202);
  REQUIRE(wait_for([&] { return backend.seen_count() == 2; }));
  const auto seen = backend.seen();
  CHECK_EQ(seen[0].body.find("<order id=\"8014w000008ZoiHAAS\">"), 0);
  CHECK_EQ(seen[1].body, seen[0].body);
  CHECK_NE(seen[1].head.find("Content-Type: application/xml\r\n"), std::string::npos);
}

TEST_CASE("transform: what_cannot_be_made_is_422_and_reaches_no_backend") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules_for(backend, R"({ body: { x: "{{ order.gone }}" }, headers: { set: { X-Name: "{{ order.?name.orValue('n') }}" } }, path: "/p/{{ order.id }}" })")});
  for (const char* wrong : {R"({"order":{"id":1}})", R"({"order":{"id":1,"gone":1,"name":"a\r\nX-Evil: 1"}})", R"({"order":{"id":"..","gone":1}})"}) {
    INFO(wrong);
    const auto answer = send_once(gateway.address(), request("POST", "/erp", {{"Content-Type", "application/json"}}, wrong));
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, 422);
    CHECK_NE(answer->body.find("\"reason\": \"transform: route 1 cannot be applied to this webhook\""), std::string::npos);  // the rest is for the log
  }
  const auto unread = send_once(gateway.address(), request("POST", "/erp", {{"Content-Type", "application/json"}}, "no json"));
  REQUIRE(unread.has_value());
  CHECK_EQ(unread->status, 400);
  CHECK_NE(unread->body.find("decode: "), std::string::npos);
  const auto good = send_once(gateway.address(), request("POST", "/erp", {{"Content-Type", "application/json"}}, R"({"order":{"id":1,"gone":1}})"));
  REQUIRE(good.has_value());
  CHECK_EQ(good->status, 200);
  CHECK_EQ(backend.seen_count(), 1);
}

TEST_CASE("transform: framing_is_right_when_method_or_body_go") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = "sources:\n"
                                    "  get:   { match: { path: /get }, trust: open, routes: [{ to: b, transform: { method: GET, query: { set: { id: \"{{ id }}\" } } } }] }\n"
                                    "  none:  { match: { path: /none }, trust: open, routes: [{ to: b, transform: { text: \"\" } }] }\n"
                                    "  given: { match: { path: /given, methods: [GET, DELETE, HEAD] }, trust: open, routes: [{ to: b, transform: { text: \"{{ $method }}\" } }] }\n"
                                    "destinations:\n  b: { url: \"http://" + backend.address() + "\" }\n"});
  Connection connection(gateway.address());
  const auto exchange = [&](const std::string& bytes, bool head_request = false) {
    REQUIRE(connection.send(bytes));
    const auto answer = connection.read_answer(head_request);
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status, 200);
    return backend.seen().back();
  };
  const Seen get = exchange(request("POST", "/get", {{"Content-Type", "application/json"}}, R"({"id":7})"));
  CHECK_EQ(get.method + " " + get.target, "GET /get?id=7");
  CHECK_EQ(get.body, "");
  CHECK_EQ(count(get.head, "Content-Length") + count(get.head, "Content-Type"), 0);
  const Seen none = exchange(request("POST", "/none", {}, "{}"));
  CHECK_NE(none.head.find("Content-Length: 0\r\n"), std::string::npos);
  for (const std::string method : {"GET", "DELETE"}) {
    const Seen given = exchange(method + " /given HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_EQ(given.body, method);
    CHECK_NE(given.head.find("Content-Length: " + std::to_string(method.size()) + "\r\n"), std::string::npos);
  }
  const Seen head = exchange("HEAD /given HTTP/1.1\r\nHost: a\r\n\r\n", true);
  CHECK_EQ(head.method, "HEAD");
  CHECK_EQ(head.body, "HEAD");
}

TEST_CASE("transform: each_route_stores_what_it_made_and_what_cannot_be_made_is_dead_with_its_reason") {
  const TempFolder folder;
  Backend a(folder, "a"), b(folder, "b");
  Gateway gateway(folder, {.rules = R"(sources:
  erp:
    match: { path: /erp }
    trust: open
    mode: spool
    reply: { status: 202 }
    routes:
      - { to: a, transform: { body: { id: "{{ order.id }}" }, path: "/a/{{ order.id }}" } }
      - { to: b, transform: { text: "{{ order.id }};{{ order.total }}", as: text } }
      - { to: c, transform: { text: "{{ order.gone }}" } }
destinations:
  a: { url: "http://)" + a.address() + R"(/in" }
  b: { url: "http://)" + b.address() + R"(/in" }
  c: { url: "http://)" + b.address() + R"(/c" }
)"});
  const auto answer = send_once(gateway.address(), request("POST", "/erp", {{"Content-Type", "application/json"}}, R"({"order":{"id":7,"total":1.50}})"));
  REQUIRE(answer.has_value());
  CHECK_EQ(answer->status, 202);
  REQUIRE(wait_for([&] { return a.seen_count() == 1 && b.seen_count() == 1; }));
  CHECK_EQ(a.seen()[0].body, R"({"id":7})");
  CHECK_EQ(a.seen()[0].target, "/a/7");
  CHECK_EQ(b.seen()[0].body, "7;1.50");
  CHECK_EQ(b.seen()[0].target, "/in");
  const std::string dead = gateway.belay({"events", "--status", "dead", "--json"}).out;
  CHECK_NE(dead.find("transform: route 3: no such key: order.gone"), std::string::npos);
  // Nothing was made to be sent: a replay must not send what the rule would have changed.
  const auto replayed = gateway.belay({"replay", "--all", "--status", "dead", "--yes"});
  INFO(replayed.out << replayed.err);
  CHECK_NE(gateway.belay({"events", "--status", "dead", "--json"}).out.find("transform: route 3"), std::string::npos);
  CHECK_EQ(b.seen_count(), 1);
}
