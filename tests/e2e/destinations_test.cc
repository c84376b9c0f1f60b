// What Belay proves about itself to a backend, through the running gateway: access tokens and signatures of destinations, from
// the workers and from the spool.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string token_answer(const std::string& token) {
  const std::string body = R"({"access_token":")" + token + R"(","token_type":"Bearer","expires_in":3600})";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

int status_of(const Gateway& gateway, const std::string& path, const std::string& body = "{\"a\":1}") {
  const auto answer = send_once(gateway.address(), request("POST", path, {{"Content-Type", "application/json"}}, body));
  return answer ? answer->status : 0;
}

bool delivered(const Backend& backend, size_t count) {
  return wait_for([&] { return backend.seen_count() >= count; });
}

bool holds(const std::string& folder, const std::string& text) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && read_text(entry.path().string()).find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("oauth2: workers_and_spool_send_a_token_that_is_nowhere_stored_and_a_401_brings_another") {
  const TempFolder folder;
  Backend backend(folder), issuer(folder, "issuer");
  folder.write("token", token_answer("tok-1"));
  issuer.mode("raw " + folder / "token");
  Gateway gateway(folder, {.rules = R"(sources:
  forwarded: { match: { path: /forwarded }, trust: open, routes: [{ to: erp }] }
  stored:    { match: { path: /stored }, trust: open, mode: spool, routes: [{ to: erp }] }
destinations:
  erp:
    url: "http://)" + backend.address() + R"("
    retry: { first: 100ms, max: 200ms, attempts: 100 }
    auth: { oauth2: { token_url: "http://)" + issuer.address() + R"(/token", client_id: belay, client_secret: "${env:S}", scope: orders } }
)", .proxy = "  workers: 1\n", .environment = {{"S", "client-s3cret"}}});
  const auto bearer = [&](size_t at) { return backend.seen().at(at).head.find("Authorization: Bearer tok-1\r\n") != std::string::npos; };
  CHECK_EQ(status_of(gateway, "/forwarded"), 200);
  CHECK_EQ(status_of(gateway, "/forwarded"), 200);
  CHECK_EQ(status_of(gateway, "/stored"), 202);
  REQUIRE(delivered(backend, 3));
  for (const size_t at : {0, 1, 2}) CHECK(bearer(at));
  CHECK_EQ(issuer.seen_count(), 2);  // one for the worker, one for the spool
  CHECK_EQ(issuer.seen().at(0).body, "grant_type=client_credentials&scope=orders");

  backend.mode("status 401 x1");
  folder.write("token", token_answer("tok-2"));
  CHECK_EQ(status_of(gateway, "/forwarded"), 200);
  CHECK_EQ(issuer.seen_count(), 3);
  CHECK(backend.seen().back().head.find("Authorization: Bearer tok-2\r\n") != std::string::npos);
  for (const char* secret : {"tok-1", "tok-2", "client-s3cret"}) {
    INFO(secret);
    CHECK_FALSE(holds(gateway.state(), secret));
    CHECK_EQ((gateway.log() + gateway.access_log()).find(secret), std::string::npos);
  }
}

TEST_CASE("oauth2: while_the_token_endpoint_is_away_webhooks_wait_in_the_spool") {
  const TempFolder folder;
  Backend backend(folder), issuer(folder, "issuer");
  folder.write("token", token_answer("tok-1"));
  issuer.mode("raw " + folder / "token");
  issuer.stop();
  Gateway gateway(folder, {.rules = R"(sources:
  forwarded: { match: { path: /forwarded }, trust: open, routes: [{ to: erp }] }
destinations:
  erp:
    url: "http://)" + backend.address() + R"("
    retry: { first: 100ms, max: 200ms, attempts: 1000 }
    retry_on: [5xx]
    auth: { oauth2: { token_url: "http://)" + issuer.address() + R"(/token", client_id: belay, client_secret: s, auth: post } }
)"});
  CHECK_EQ(status_of(gateway, "/forwarded"), 202);
  CHECK_EQ(backend.seen_count(), 0);
  issuer.start();
  REQUIRE(delivered(backend, 1));
  CHECK_EQ(issuer.seen().at(0).body, "grant_type=client_credentials&client_id=belay&client_secret=s");
}

TEST_CASE("sign: what_a_transform_made_is_signed_so_that_the_receiver_verifies_it") {
  const TempFolder folder;
  Backend backend(folder);
  // The receiver is the gateway itself, on its other socket, with the presets' own checks.
  const std::string receiver = "unix:" + folder.path() + "/state/run/proxy.sock:";
  Gateway gateway(folder, {.rules = R"(sources:
  stored:   { match: { path: /stored }, trust: open, mode: spool, routes: [{ to: [standard, like_github], transform: { body: { made: "{{ a }}" } } }] }
  direct:   { match: { path: /direct }, trust: open, routes: [{ to: standard }] }
  mistaken: { match: { path: /mistaken }, trust: open, routes: [{ to: wrong_key }] }
  s: { match: { path: /receive/s }, preset: standard_webhooks, secrets: { signing: "${env:S}" }, routes: [{ to: backend }] }
  g: { match: { path: /receive/g }, preset: github, secrets: { signing: "${env:G}" }, routes: [{ to: backend }] }
destinations:
  backend:     { url: "http://)" + backend.address() + R"(" }
  standard:    { url: ")" + receiver + R"(/receive/s", sign: { preset: standard_webhooks, secret: "${env:S}" } }
  like_github: { url: ")" + receiver + R"(/receive/g", sign: { algorithm: hmac-sha256, signature: { header: X-Hub-Signature-256, prefix: "sha256=" }, secret: "${env:G}" } }
  wrong_key:   { url: ")" + receiver + R"(/receive/g", sign: { preset: github, secret: other } }
)", .environment = {{"S", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, {"G", "hub-s3cret"}}});
  CHECK_EQ(status_of(gateway, "/direct", "{\"a\":  1}"), 200);
  REQUIRE_EQ(backend.seen_count(), 1);
  CHECK_EQ(backend.seen()[0].body, "{\"a\":  1}");
  CHECK_EQ(status_of(gateway, "/stored", "{\"a\":  2}"), 202);
  REQUIRE(delivered(backend, 3));
  for (const size_t at : {1, 2}) CHECK_EQ(backend.seen()[at].body, "{\"made\":2}");
  CHECK_EQ(status_of(gateway, "/mistaken"), 401);
  CHECK_EQ(backend.seen_count(), 3);
}
