#include "base/bytes.h"
#include "kit.h"

using namespace belay;
using namespace belay::test;

namespace {

std::string slackish(const std::string& keys) {
  return source("secrets: { signing: k }, verify: { algorithm: equal, signature: { header: X-Token } }, handshake: " +
                keys);
}
const std::string kEcho =
    "{ when: type == \"url_verification\", token: challenge, respond: { body: \"{{ challenge }}\" } }";

}  // namespace

TEST_CASE("a_verified_challenge_is_answered_and_goes_no_further") {
  Kit kit(slackish(kEcho), &modules::kVerify);
  const auto walked = kit.post({{"X-Token", "k"}}, R"({"type":"url_verification","challenge":"abc-123"})");
  CHECK_EQ(walked->status(), 200);
  CHECK_EQ(walked->exchange->reply.body, "abc-123");
  CHECK(walked->has_field("Content-Type: text/plain"));
  CHECK(walked->has_field("X-Content-Type-Options: nosniff"));
  CHECK_EQ(walked->exchange->outcome, wire::Outcome::filtered);
}

TEST_CASE("a_challenge_without_its_proof_is_401_unless_the_sender_does_not_sign_it") {
  const std::string body = R"({"type":"url_verification","challenge":"abc"})";
  Kit verified(slackish(kEcho), &modules::kVerify);
  CHECK_EQ(verified.post({}, body)->status(), 401);
  Kit open(slackish("{ verified: false, when: type == \"url_verification\", token: challenge, respond: { status: 202, "
                    "type: text/html, body: \"{{ challenge }}\" } }"),
           &modules::kVerify);
  const auto walked = open.post({}, body);
  CHECK_EQ(walked->status(), 202);
  CHECK(walked->has_field("Content-Type: text/html"));
}

TEST_CASE("everything_else_passes_by_and_must_still_be_verified") {
  Kit kit(slackish(kEcho), &modules::kVerify);
  CHECK_EQ(kit.post({{"X-Token", "k"}}, R"({"type":"event","challenge":"abc"})")->reason(), "passed");
  CHECK_EQ(kit.post({{"X-Token", "k"}}, "not json")->reason(), "passed");
  CHECK_EQ(kit.post({}, R"({"type":"event"})")->status(), 401);
  const std::string padding(modules::Handshake::kMaxBody, ' ');
  CHECK_EQ(kit.post({{"X-Token", "k"}}, R"({"type":"url_verification","challenge":"abc"})" + padding)->reason(),
           "passed");
}

TEST_CASE("only_what_looks_like_a_token_is_echoed") {
  Kit kit(slackish(kEcho), &modules::kVerify);
  const auto echo = [&](const std::string& challenge) {
    std::string quoted;
    append_json_string(quoted, challenge);
    return kit.post({{"X-Token", "k"}}, R"({"type":"url_verification","challenge":)" + quoted + "}")->status();
  };
  CHECK_EQ(echo(std::string(modules::Handshake::kMaxToken, 'a')), 200);
  CHECK_EQ(echo(std::string(modules::Handshake::kMaxToken + 1, 'a')), 400);
  for (const char* wrong : {"", "<script>", "a b", "{\"id\":1}", "a\r\nX: y", "\xc3\xa9"}) {
    INFO(wrong);
    CHECK_EQ(echo(wrong), 400);
  }
  CHECK_EQ(kit.post({{"X-Token", "k"}}, R"({"type":"url_verification","challenge":{"a":1}})")->status(), 400);
  CHECK_EQ(kit.post({{"X-Token", "k"}}, R"({"type":"url_verification"})")->status(), 400);
}

TEST_CASE("a_token_is_signed_with_the_secret_and_only_what_cannot_be_a_webhook_is_signed") {
  const std::string keys =
      "secrets: { signing: k }, verify: { algorithm: equal, signature: { header: X-Token }, timestamp: { header: X-Time } }, "
      "handshake: { when: 'event == \"validate\" && $ts == \"1760000000\"', token: payload.plain, respond: { body: '{\"plain\": \"{{ "
      "payload.plain }}\", \"signed\": \"{{ hex(hmac_sha256($secret.signing, payload.plain)) }}\"}' } }";
  Kit kit(source(keys), &modules::kVerify);
  const auto ask = [&](const std::string& plain, const std::string& time = "1760000000") {
    return kit.post({{"X-Token", "k"}, {"X-Time", time}}, R"({"event":"validate","payload":{"plain":")" + plain + "\"}}");
  };
  CHECK_EQ(ask("qgg8vlvZRS6UYooatFL8Aw")->exchange->reply.body,
           R"({"plain": "qgg8vlvZRS6UYooatFL8Aw", "signed": "7648f00663203a3b7c15e7680e9c4a6ea2fd5eb6b44d7ff5858d5588c4ce9ff9"})");
  CHECK_EQ(ask("abc", "1760000001")->reason(), "passed");
  CHECK_EQ(ask(std::string(modules::Handshake::kMaxSigned, 'a'))->status(), 200);
  CHECK_EQ(ask("YWJjZA==")->status(), 200);
  for (const std::string wrong : {"1760000000.abc", "v0:1:abc", "a=b", "a===", "a b", "{}", "", "a~", "a@b"}) {
    INFO(wrong);
    CHECK_EQ(ask(wrong)->status(), 400);
  }
  CHECK_EQ(ask(std::string(modules::Handshake::kMaxSigned + 1, 'a'))->status(), 400);
}

TEST_CASE("an_agreed_token_in_the_query_gets_the_challenge_back") {
  Kit kit(
      "sources:\n  s: { match: { path: /s, methods: [GET] }, routes: [{ to: d }], secrets: { signing: k, agreed: a1 }, verify: { "
      "algorithm: hmac-sha256, signature: { header: X-Sig } }, handshake: { verified: false, when: '$query[\"hub.mode\"] == "
      "\"subscribe\" && sha256($query[\"hub.verify_token\"]) == sha256($secret.agreed)', token: '$query[\"hub.challenge\"]', "
      "respond: { body: '{{ $query[\"hub.challenge\"] }}' } } }\ndestinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n",
      &modules::kVerify);
  const auto ask = [&](const std::string& query) { return kit.send("GET", "/s?" + query); };
  CHECK_EQ(ask("hub.mode=subscribe&hub.verify_token=a1&hub.challenge=1158201444")->exchange->reply.body, "1158201444");
  CHECK_EQ(ask("hub.mode=subscribe&hub.verify_token=a2&hub.challenge=1158201444")->status(), 401);
  CHECK_EQ(ask("hub.mode=subscribe&hub.challenge=1158201444")->status(), 401);
  CHECK_EQ(ask("hub.mode=subscribe&hub.verify_token=a1&hub.challenge=%3Cb%3E")->status(), 400);
}

TEST_CASE("answers_read_nothing_of_the_request_but_the_token_and_secrets_are_known_and_never_echoed") {
  const auto loads = [](const std::string& token, const std::string& body) {
    return Kit(slackish("{ when: a == 1, " + token + "respond: { body: '" + body + "' } }"), &modules::kVerify).built();
  };
  CHECK(loads("token: a.b, ", "x {{ upper(a.b) + a.b }} {{ $secret.signing == a.b }}"));
  CHECK(loads("token: $ts, ", "{{ $ts }}"));
  CHECK(loads("", "{{ hex(hmac_sha256($secret.signing, $source)) }}"));
  for (const char* wrong : {"{{ a }}", "{{ a.b.c }}x{{ a.bc }}", "{{ x.a.b }}", "{{ $raw }}", "{{ hex(hmac_sha256($secret.signing, $raw)) }}",
                            "{{ a.b }}{{ $headers[\"X\"] }}", "{{ $ts }}", "{{ $body }}", "{{ $secret.other }}"}) {
    INFO(wrong);
    CHECK_FALSE(loads("token: a.b, ", wrong));
  }
  CHECK_FALSE(loads("token: $secret.signing, ", "{{ $secret.signing }}"));
  CHECK_FALSE(loads("", "{{ a.b }}"));
}

TEST_CASE("an_answer_made_of_the_request_needs_a_token_and_a_proof_needs_verify") {
  CHECK_FALSE(Kit(slackish("{ when: a == 1, respond: { body: \"{{ b }}\" } }"), &modules::kVerify).built());
  CHECK_FALSE(Kit(source("trust: open, handshake: " + kEcho), &modules::kVerify).built());
  CHECK_FALSE(Kit(slackish("{ when: a == 1, respond: { status: 500 } }"), &modules::kVerify).built());
  CHECK_FALSE(Kit(slackish("[]"), &modules::kVerify).built());
  CHECK(Kit(slackish("{ when: a == 1, respond: { body: ok } }"), &modules::kVerify).built());
}
