#include <doctest/doctest.h>

#include "base/bytes.h"
#include "tests/unit/upstream/scripted_backend.h"
#include "upstream/oauth2.h"
#include "upstream/tokens.h"

using namespace belay;
using namespace belay::test;
using namespace belay::upstream;
using namespace std::chrono_literals;

namespace {

Answer json(const std::string& body, const std::string& status = "200 OK") {
  return {.bytes = "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

// An issuer of t1, t2, … and a backend that takes only the token named in `accepted` (empty: any).
struct Kit {
  belay::event::Loop loop;
  int issued = 0;
  std::string lifetime = "3600", accepted;
  bool issuer_broken = false;
  ScriptedBackend issuer{loop, [this](const std::string&) {
                           if (issuer_broken) return json(R"({"error":"invalid_client"})", "401 Unauthorized");
                           return json(R"({"access_token":"t)" + std::to_string(++issued) + R"(","token_type":"bearer","expires_in":)" + lifetime + "}");
                         }};
  ScriptedBackend backend{loop, [this](const std::string& request) {
                            if (accepted.empty() || request.find("Authorization: Bearer " + accepted + "\r\n") != std::string::npos) return ok();
                            return json("", "401 Unauthorized");
                          }};
  Caller sender{loop};
  std::shared_ptr<OAuth2> oauth2 = std::make_shared<OAuth2>();
  std::shared_ptr<Destination> to = destination({backend.url()});

  Kit() {
    oauth2->endpoint = *make_endpoint(issuer.url("/token"));
    oauth2->client_id = "belay";
    oauth2->client_secret = FieldValue("s:cret");
    oauth2->scope = "orders.write x";
    to->oauth2 = oauth2;
    to->retry_on_network = false;
  }
};

}  // namespace

TEST_CASE("a_token_is_fetched_once_for_many_requests_and_replaces_the_senders_authorization") {
  Kit kit;
  kit.sender.fields.add("Authorization", "Bearer of-the-sender");
  std::vector<std::unique_ptr<Sent>> together;
  for (int i = 0; i < 5; ++i) together.push_back(kit.sender.begin(kit.to));
  for (const auto& sent : together) {
    REQUIRE(kit.loop.run_until([&] { return sent->done; }, 60s));
    CHECK_EQ(sent->status, 200);
  }
  CHECK_EQ(kit.sender.send(kit.to)->status, 200);
  REQUIRE_EQ(kit.issuer.requests.size(), 1);
  const std::string& asked = kit.issuer.requests[0];
  CHECK(asked.starts_with("POST /token HTTP/1.1\r\n"));
  CHECK(asked.find("Authorization: Basic " + base64_encode("belay:s%3Acret") + "\r\n") != std::string::npos);
  CHECK(asked.ends_with("\r\n\r\ngrant_type=client_credentials&scope=orders.write%20x"));
  REQUIRE_EQ(kit.backend.requests.size(), 6);
  for (const std::string& request : kit.backend.requests) {
    CHECK(request.find("Authorization: Bearer t1\r\n") != std::string::npos);
    CHECK(request.find("of-the-sender") == std::string::npos);
  }
}

TEST_CASE("with_auth_post_the_secret_stands_in_the_form") {
  Kit kit;
  kit.oauth2->secret_in_body = true;
  kit.oauth2->audience = "https://erp";
  CHECK_EQ(kit.sender.send(kit.to)->status, 200);
  CHECK(kit.issuer.requests.at(0).find("Authorization") == std::string::npos);
  CHECK(kit.issuer.requests.at(0).ends_with("&audience=https%3A%2F%2Ferp&client_id=belay&client_secret=s%3Acret"));
}

TEST_CASE("a_401_drops_the_token_once_and_repeats_the_attempt_with_a_fresh_one") {
  Kit kit;
  kit.accepted = "t2";
  CHECK_EQ(kit.sender.send(kit.to)->status, 200);
  CHECK_EQ(kit.issued, 2);
  REQUIRE_EQ(kit.backend.requests.size(), 2);
  for (const std::string& request : kit.backend.requests) CHECK(request.find("webhook-attempt: 1\r\n") != std::string::npos);
  CHECK_EQ(kit.backend.connections, 1);
  kit.accepted = "another";  // every token is refused: the second 401 stands
  CHECK_EQ(kit.sender.send(kit.to)->status, 401);
  CHECK_EQ(kit.issued, 3);
  CHECK_EQ(kit.backend.requests.size(), 4);
}

TEST_CASE("a_token_endpoint_that_gives_none_is_an_outcome_of_its_own_that_is_always_tried_again") {
  Kit kit;
  kit.issuer_broken = true;
  bool retryable = false;
  for (int i = 0; i < 3; ++i) {
    const auto sent = kit.sender.send(kit.to);
    CHECK(sent->outcome == Outcome::no_token);
    CHECK_EQ(sent->error, "no access token: status 401 (invalid_client)");
    const Attempt attempt{.outcome = sent->outcome};
    retryable = attempt.retryable(*kit.to);
  }
  CHECK(retryable);
  CHECK_EQ(kit.issuer.requests.size(), 1);  // the failure is remembered
  CHECK(kit.backend.requests.empty());
  CHECK(kit.loop.run_until([&] {
    kit.issuer_broken = false;
    return kit.sender.send(kit.to)->status == 200;
  }, 30s));
}

TEST_CASE("an_endpoint_that_nobody_serves_does_not_outlast_the_destinations_timeout") {
  Kit kit;
  kit.issuer.script([](const std::string&) { return Answer{}; });  // never answers
  kit.to->timeout = 300ms;
  const auto sent = kit.sender.send(kit.to);
  CHECK(sent->outcome == Outcome::no_token);
  CHECK(kit.backend.requests.empty());
}

TEST_CASE("a_token_near_its_end_is_renewed_beside_the_requests_and_an_expired_one_is_not_sent") {
  Kit kit;
  kit.lifetime = "1";  // renewed after 500 ms, not sent after 500 ms
  CHECK_EQ(kit.sender.send(kit.to)->status, 200);
  kit.loop.run_until([] { return false; }, 600ms);
  CHECK_EQ(kit.sender.send(kit.to)->status, 200);
  CHECK_EQ(kit.issued, 2);
  CHECK(kit.backend.requests.back().find("Bearer t2\r\n") != std::string::npos);
  kit.lifetime = "8";  // renewed after 4 s, sent until 6 s
  kit.loop.run_until([] { return false; }, 600ms);
  CHECK_EQ(kit.sender.send(kit.to)->status, 200);
  CHECK_EQ(kit.issued, 3);
  kit.loop.run_until([] { return false; }, 4'200ms);
  CHECK_EQ(kit.sender.send(kit.to)->status, 200);
  CHECK(kit.backend.requests.back().find("Bearer t3\r\n") != std::string::npos);
  CHECK(kit.loop.run_until([&] { return kit.issued == 4; }, 60s));
}

TEST_CASE("a_call_given_up_while_it_waits_for_a_token_is_not_sent") {
  Kit kit;
  auto sent = kit.sender.begin(kit.to);
  sent->call.reset();
  CHECK(kit.loop.run_until([&] { return kit.issued == 1; }, 60s));
  CHECK_EQ(kit.sender.send(kit.to)->status, 200);
  CHECK_EQ(kit.backend.requests.size(), 1);
}

TEST_CASE("answers_of_a_token_endpoint_are_judged") {
  const auto read = [](const std::string& body, int status = 200) {
    http::ResponseHead head;
    head.status = status;
    return read_token(Attempt{.head = &head, .body = body});
  };
  CHECK_EQ(read(R"({"access_token":"a","expires_in":60})")->lifetime, Duration(60'000));
  CHECK_EQ(read(R"({"access_token":"a","expires_in":"60"})")->lifetime, Duration(60'000));
  CHECK_EQ(read(R"({"access_token":"a"})")->lifetime, AccessToken::kUsualLifetime);
  CHECK_EQ(read(R"({"access_token":"a","expires_in":1e30})")->lifetime, AccessToken::kMostLifetime);
  for (const char* wrong : {R"({"access_token":"a b"})", R"({"access_token":"a\r\nX: y"})", R"({"access_token":""})", R"({"access_token":1})",
                            R"({"access_token":"a","token_type":"mac"})", "[]", "<html>", ""}) {
    INFO(wrong);
    CHECK_FALSE(read(wrong).ok());
  }
  CHECK_FALSE(read(R"({"access_token":"a"})", 201).ok());
  CHECK(read("{\"error\":\"bad\\nline\"}", 400).error().message.find('\n') == std::string::npos);
}
