#include <doctest/doctest.h>

#include "tests/unit/upstream/scripted_backend.h"

using namespace belay;
using namespace belay::test;
using namespace belay::upstream;

namespace {

struct Request {
  std::string target = "/hook?x=1", path_rest, body = "{\"a\":1}";
  std::vector<std::pair<std::string, std::string>> fields;
  bool has_body = true;
  uint32_t attempt = 1;
  std::string client = "192.0.2.9";
  bool tls = false;
  bool vouched = false;
};

const std::string kId = "0198c0de-0000-7000-8000-000000000001";
const std::string kAdded = "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: http\r\nwebhook-id: " + kId +
                           "\r\nwebhook-attempt: 1\r\ntraceparent: 00-0198c0de000070008000000000000001-8000000000000000-01\r\n\r\n";

std::string compose(const Destination& to, const Request& from) {
  http::Fields fields;
  for (const auto& [name, value] : from.fields) fields.add(name, value);
  Outbound request;
  request.method = "POST";
  request.target = from.target;
  request.path_rest = from.path_rest;
  request.fields = &fields;
  request.body = from.body;
  request.has_body = from.has_body;
  request.id = *MessageId::parse(kId);
  request.attempt = from.attempt;
  request.client = from.client;
  request.client_tls = from.tls;
  request.vouched = from.vouched;
  return compose_head(to, to.urls[0], request);
}

std::string line(const std::string& head, size_t number) {
  size_t at = 0;
  for (size_t i = 0; i < number; ++i) at = head.find("\r\n", at) + 2;
  return head.substr(at, head.find("\r\n", at) - at);
}

}  // namespace

TEST_CASE("what_no_rule_changed_keeps_its_order_its_case_and_its_bytes") {
  const auto to = destination({"http://127.0.0.1:8081"});
  const std::string head = compose(*to, {.fields = {{"hOST", "shop.test"},
                                                    {"X-B", "2"},
                                                    {"Content-Type", "application/json"},
                                                    {"x-a", "1"},
                                                    {"Content-Length", "7"},
                                                    {"X-B", "3"},
                                                    {"X-Empty", ""}}});
  CHECK_EQ(head,
           "POST /hook?x=1 HTTP/1.1\r\nhOST: shop.test\r\nX-B: 2\r\nContent-Type: application/json\r\nx-a: 1\r\nContent-Length: 7\r\n"
           "X-B: 3\r\nX-Empty: \r\n" +
               kAdded);
}

TEST_CASE("the_url_decides_how_the_senders_target_is_used") {
  struct Case {
    std::string url;
    bool append;
    std::string target, rest, line;
  };
  const Case cases[] = {
      {"http://127.0.0.1:1", false, "/a/b?c=d", "", "POST /a/b?c=d HTTP/1.1"},
      {"http://127.0.0.1:1", false, "/a/b?", "", "POST /a/b? HTTP/1.1"},
      {"http://127.0.0.1:1/", false, "/a/b?c=d", "", "POST /?c=d HTTP/1.1"},
      {"http://127.0.0.1:1/legacy", false, "/a/b?c=d", "", "POST /legacy?c=d HTTP/1.1"},
      {"http://127.0.0.1:1/legacy", false, "/a/b", "", "POST /legacy HTTP/1.1"},
      {"http://127.0.0.1:1/legacy?k=v", false, "/a/b?c=d", "", "POST /legacy?k=v&c=d HTTP/1.1"},
      {"http://127.0.0.1:1/legacy?k=v", false, "/a/b", "", "POST /legacy?k=v HTTP/1.1"},
      {"http://127.0.0.1:1/legacy", true, "/hooks/x/y%20z?c=d", "/x/y%20z", "POST /legacy/x/y%20z?c=d HTTP/1.1"},
      {"http://127.0.0.1:1/legacy/", true, "/hooks/x", "x", "POST /legacy/x HTTP/1.1"},
      {"http://127.0.0.1:1/legacy", true, "/hooks", "", "POST /legacy HTTP/1.1"},
      {"http://127.0.0.1:1", true, "/hooks/x?q", "/x", "POST /x?q HTTP/1.1"},
      {"unix:/run/app.sock", false, "/a?b", "", "POST /a?b HTTP/1.1"},
  };
  for (const Case& c : cases) {
    const auto to = destination({c.url});
    to->append_path = c.append;
    CHECK_EQ(line(compose(*to, {.target = c.target, .path_rest = c.rest}), 0), c.line);
  }
}

TEST_CASE("the_senders_host_passes_to_an_address_and_a_named_backend_gets_its_own") {
  const std::pair<std::string, std::string> cases[] = {
      {"http://127.0.0.1:8081", "shop.test"},       {"http://[::1]:8081", "shop.test"},
      {"http://localhost:8081", "shop.test"},       {"unix:/run/app.sock", "shop.test"},
      {"http://backend.test:8081", "backend.test:8081"}, {"https://backend.test", "backend.test"},
      {"http://10.example", "10.example"},
  };
  for (const auto& [url, host] : cases) {
    const auto to = destination({url});
    CHECK_EQ(line(compose(*to, {.fields = {{"A", "1"}, {"Host", "shop.test"}, {"B", "2"}}}), 2), "Host: " + host);
  }
  CHECK_EQ(line(compose(*destination({"http://127.0.0.1:8081"}), {.fields = {{"A", "1"}}}), 1), "Host: 127.0.0.1:8081");
  const auto to = destination({"http://127.0.0.1:8081"});
  to->set_headers = {{"Host", "virtual.test"}};
  const std::string head = compose(*to, {.fields = {{"Host", "shop.test"}, {"A", "1"}}});
  CHECK_EQ(head.find("shop.test"), std::string::npos);
  CHECK(head.find("Host: virtual.test\r\n") != std::string::npos);
}

TEST_CASE("hop_by_hop_fields_and_those_connection_names_stay_behind") {
  const auto to = destination({"http://127.0.0.1:8081"});
  const std::string head = compose(*to, {.fields = {{"Host", "h"},
                                                    {"Connection", "keep-alive, X-Hop, Content-Length, host"},
                                                    {"Keep-Alive", "5"},
                                                    {"X-Hop", "1"},
                                                    {"TE", "trailers"},
                                                    {"Trailer", "X"},
                                                    {"Upgrade", "h2c"},
                                                    {"Proxy-Authorization", "Basic x"},
                                                    {"Proxy-Connection", "x"},
                                                    {"Expect", "100-continue"},
                                                    {"Content-Length", "7"},
                                                    {"X-Stays", "1"}}});
  CHECK_EQ(head, "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nX-Stays: 1\r\n" + kAdded);
}

TEST_CASE("the_length_stands_where_the_senders_framing_stood") {
  const auto to = destination({"http://127.0.0.1:8081"});
  const std::vector<std::pair<std::string, std::string>> chunked = {{"Host", "h"}, {"Transfer-Encoding", "chunked"}, {"X-Last", "1"}};
  CHECK_EQ(compose(*to, {.fields = chunked}), "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nX-Last: 1\r\n" + kAdded);
  const std::vector<std::pair<std::string, std::string>> stale = {{"Host", "h"}, {"Content-Length", "999"}};
  CHECK_EQ(compose(*to, {.fields = stale}), "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n" + kAdded);
  CHECK_EQ(compose(*to, {.fields = {{"Host", "h"}}}), "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n" + kAdded);
  CHECK_EQ(compose(*to, {.body = "", .fields = {{"Host", "h"}}}), "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" + kAdded);
  CHECK_EQ(compose(*to, {.body = "", .fields = {{"Host", "h"}}, .has_body = false}), "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\n" + kAdded);
}

TEST_CASE("a_destinations_headers_and_credentials_replace_the_senders") {
  const auto to = destination({"http://127.0.0.1:8081"});
  to->set_headers = {{"X-Tenant", "acme"}, {"X-Forwarded-Proto", "https"}};
  to->remove_headers = {"x-secret"};
  to->authorization = "Bearer inner";
  to->auth_headers = {{"X-API-Key", "k"}};
  const std::string head = compose(*to, {.fields = {{"Host", "h"},
                                                    {"X-TENANT", "forged"},
                                                    {"X-Secret", "s"},
                                                    {"authorization", "Bearer outer"},
                                                    {"x-api-key", "forged"},
                                                    {"X-Stays", "1"}},
                                         .has_body = false});
  CHECK(head.starts_with("POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nX-Stays: 1\r\nContent-Length: 7\r\nX-Tenant: acme\r\nX-Forwarded-Proto: https\r\n"
                         "Authorization: Bearer inner\r\nX-API-Key: k\r\nX-Forwarded-For: 192.0.2.9\r\nwebhook-id: "));
}

TEST_CASE("forged_forwarding_fields_are_replaced_and_the_senders_id_and_trace_are_kept") {
  const auto to = destination({"http://127.0.0.1:8081"});
  const std::string head = compose(*to, {.fields = {{"Host", "h"},
                                                    {"X-Forwarded-For", "6.6.6.6"},
                                                    {"x-forwarded-proto", "https"},
                                                    {"Webhook-Id", "msg_1"},
                                                    {"webhook-attempt", "99"},
                                                    {"Traceparent", "00-11111111111111111111111111111111-2222222222222222-00"}},
                                         .attempt = 3,
                                         .client = "198.51.100.1, 192.0.2.9",
                                         .tls = true});
  CHECK_EQ(head,
           "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nWebhook-Id: msg_1\r\nTraceparent: 00-11111111111111111111111111111111-2222222222222222-00\r\n"
           "Content-Length: 7\r\nX-Forwarded-For: 198.51.100.1, 192.0.2.9\r\nX-Forwarded-Proto: https\r\nwebhook-attempt: 3\r\n\r\n");
}

TEST_CASE("only_a_trusted_proxy_says_in_other_fields_who_the_sender_is") {
  const auto to = destination({"http://127.0.0.1:8081"});
  Request from{.fields = {{"Host", "h"},
                          {"Forwarded", "for=192.0.2.1;host=shop.test"},
                          {"X-Real-IP", "192.0.2.1"},
                          {"X-Forwarded-Host", "shop.test"},
                          {"x_forwarded_port", "443"},
                          {"X-Forwarded", "is none of them"},
                          {"Content-Length", "7"}}};
  CHECK_EQ(compose(*to, from), "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nX-Forwarded: is none of them\r\nContent-Length: 7\r\n" + kAdded);
  from.vouched = true;
  CHECK_EQ(compose(*to, from),
           "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nForwarded: for=192.0.2.1;host=shop.test\r\nX-Real-IP: 192.0.2.1\r\n"
           "X-Forwarded-Host: shop.test\r\nx_forwarded_port: 443\r\nX-Forwarded: is none of them\r\nContent-Length: 7\r\n" +
               kAdded);
}

TEST_CASE("a_senders_name_with_underscores_does_not_pass_for_a_field_that_belay_owns") {
  const auto plain = destination({"http://127.0.0.1:8081"});
  const std::string passed = compose(*plain, {.fields = {{"Host", "h"},
                                                         {"X_Forwarded_For", "6.6.6.6"},
                                                         {"x-forwarded_proto", "https"},
                                                         {"WEBHOOK_ATTEMPT", "99"},
                                                         {"Content-Length", "7"},
                                                         {"X_Stays_Here_Too", "1"}}});
  CHECK_EQ(passed, "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nX_Stays_Here_Too: 1\r\n" + kAdded);
  const auto to = destination({"http://127.0.0.1:8081"});
  to->set_headers = {{"X-Tenant", "acme"}};
  to->remove_headers = {"x-is-admin"};
  to->auth_headers = {{"X-API-Key", "k"}};
  const std::string owned = compose(*to, {.fields = {{"Host", "h"},
                                                     {"X_TENANT", "forged"},
                                                     {"X_Is-Admin", "1"},
                                                     {"x_api_key", "forged"},
                                                     {"Content-Length", "7"},
                                                     {"X_Stays", "1"}}});
  CHECK_EQ(owned, "POST /hook?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nX_Stays: 1\r\nX-Tenant: acme\r\nX-API-Key: k\r\n" + kAdded);
}

TEST_CASE("every_attempt_is_a_span_of_its_own_in_the_same_trace") {
  const auto to = destination({"http://127.0.0.1:8081"});
  const auto trace = [&](uint32_t attempt) {
    const std::string head = compose(*to, {.fields = {{"Host", "h"}}, .attempt = attempt});
    const size_t at = head.find("traceparent: ") + 13;
    return head.substr(at, head.find("\r\n", at) - at);
  };
  CHECK_EQ(trace(1).substr(0, 36), trace(2).substr(0, 36));
  CHECK_NE(trace(1), trace(2));
  CHECK_EQ(trace(1).size(), 55);
}

TEST_CASE("a_value_or_target_that_would_break_its_line_is_said_to_be_unsound") {
  const auto to = destination({"http://127.0.0.1:8081"});
  for (const std::string& value : {std::string("a\r\nB: c"), std::string("a\nB: c"), std::string("a\rb"), std::string("a\0b", 3)}) {
    http::Fields fields;
    fields.add("Host", "h");
    fields.add("X", value);
    Outbound request;
    request.method = "POST";
    request.target = "/";
    request.fields = &fields;
    std::string head;
    CHECK_FALSE(append_head(head, *to, to->urls[0], request));
  }
  for (const std::string& target : {std::string("/a b"), std::string("/a\r\nX: y"), std::string("/a?b\n")}) {
    Outbound request;
    request.method = "POST";
    request.target = target;
    std::string head;
    CHECK_FALSE(append_head(head, *to, to->urls[0], request));
  }
}
