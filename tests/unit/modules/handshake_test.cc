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

TEST_CASE("an_answer_made_of_the_request_needs_a_token_and_a_proof_needs_verify") {
  CHECK_FALSE(Kit(slackish("{ when: a == 1, respond: { body: \"{{ b }}\" } }"), &modules::kVerify).built());
  CHECK_FALSE(Kit(source("trust: open, handshake: " + kEcho), &modules::kVerify).built());
  CHECK_FALSE(Kit(slackish("{ when: a == 1, respond: { status: 500 } }"), &modules::kVerify).built());
  CHECK_FALSE(Kit(slackish("[]"), &modules::kVerify).built());
  CHECK(Kit(slackish("{ when: a == 1, respond: { body: ok } }"), &modules::kVerify).built());
}
