#include "base/bytes.h"
#include "fixture.h"
#include "pem.h"

using namespace belay;
using namespace belay::test;

namespace {

std::string rules_of(const std::string& jwt) {
  return "{ algorithm: jwt, signature: { header: Authorization, scheme: Bearer }, jwt: " + jwt + " }";
}

std::string token_of(const Request& request) { return request.fields.back().second; }

}  // namespace

TEST_CASE("every_algorithm_accepts_its_own_tokens_and_refuses_those_of_another_key") {
  const std::string rsa = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048}));
  const std::string p256 = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const std::string other_p256 = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const std::string ed25519 = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const std::vector<std::pair<std::string, std::string>> cases = {{"HS256", "k"},  {"HS384", "k"},  {"HS512", "k"},  {"RS256", rsa},
                                                                  {"RS384", rsa},  {"RS512", rsa},  {"PS256", rsa},  {"PS512", rsa},
                                                                  {"ES256", p256}, {"EdDSA", ed25519}};
  for (const auto& one : cases) {
    const std::string &name = one.first, &key = one.second;
    INFO(name);
    const Rules rules(rules_of("{ algorithms: [" + name + "], issuer: me, audience: [you, them] }"), {{"signing", key}});
    const Request request = rules.sign(Request());
    CHECK_EQ(rules.check(Request(request.fields)), "");
    const Rules narrower(rules_of("{ algorithms: [" + name + "], audience: [them] }"), {{"signing", key}});
    CHECK_EQ(narrower.check(Request(request.fields)), "the token is for another audience");
  }
  const Rules mine(rules_of("{ algorithms: [ES256] }"), {{"signing", p256}}), theirs(rules_of("{ algorithms: [ES256] }"), {{"signing", other_p256}});
  CHECK_EQ(theirs.check(Request(mine.sign(Request()).fields)), "the token's signature does not match");
}

TEST_CASE("shared_and_public_algorithms_do_not_mix_and_none_cannot_be_written") {
  CHECK_FALSE(Rules(rules_of("{ algorithms: [HS256, RS256] }")).built());
  CHECK_FALSE(Rules(rules_of("{ algorithms: [none] }")).built());
  const Rules rules(rules_of("{ algorithms: [HS256] }"));
  const std::string token = token_of(rules.sign(Request()));
  const std::string none = base64url_encode("{\"alg\":\"none\"}") + token.substr(token.find('.')), bare = none.substr(0, none.rfind('.') + 1);
  CHECK_EQ(rules.check(Request(Pairs{{"Authorization", "Bearer " + none}})), "the token's algorithm is not accepted");
  CHECK_EQ(rules.check(Request(Pairs{{"Authorization", "Bearer " + bare}})), "the token's algorithm is not accepted");
}

TEST_CASE("a_claim_binds_the_body_and_null_says_that_it_must_be_absent") {
  const Rules rules(rules_of("{ algorithms: [HS256], claims: { hash: \"{{ size($raw) == 0 ? null : hex(sha256($raw)) }}\" } }"));
  const Request full = rules.sign(Request({}, "{\"a\":1}")), empty = rules.sign(Request({}, ""));
  CHECK_EQ(rules.check(Request(full.fields, "{\"a\":1}")), "");
  CHECK_EQ(rules.check(Request(full.fields, "{\"a\":2}")), "a claim of the token does not fit the request");
  CHECK_EQ(rules.check(Request(full.fields, "")), "a claim of the token does not fit the request");
  CHECK_EQ(rules.check(Request(empty.fields, "")), "");
  CHECK_EQ(rules.check(Request(empty.fields, "{}")), "a claim of the token does not fit the request");
  CHECK_EQ(rules.scheme().trust(), signature::Trust::signed_body);  // exp may be years ahead
}

TEST_CASE("max_age_counts_from_iat") {
  const Rules rules(rules_of("{ algorithms: [HS256], require: [iat], max_age: 2m }"));
  Request request = rules.sign(Request());
  Request late(request.fields);
  late.now += Duration(121'000);
  CHECK_EQ(rules.scheme().check(late.context(), late.now).reason, "the token is too old");
  late.now -= Duration(2'000);
  CHECK(rules.scheme().check(late.context(), late.now).genuine());
}

TEST_CASE("max_life_bounds_how_far_ahead_exp_may_be") {
  const Rules rules(rules_of("{ algorithms: [HS256], claims: { hash: \"{{ hex(sha256($raw)) }}\" }, require: [], leeway: 0s, max_life: 5m }"));
  const Request made = rules.sign(Request());  // made for 300 s
  CHECK_EQ(rules.check(Request(made.fields)), "");
  CHECK_EQ(rules.scheme().trust(), signature::Trust::signed_fresh);
  Request early(made.fields);
  early.now -= Duration(1'000);
  CHECK_EQ(rules.scheme().check(early.context(), early.now).reason, "the token is not valid yet");
  const Rules shorter(rules_of("{ algorithms: [HS256], require: [], max_life: 4m }"));
  CHECK_EQ(shorter.check(Request(made.fields)), "the token is valid for too long");
}

TEST_CASE("a_public_key_among_secrets_is_known_by_the_secrets_name") {
  const std::string first = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")), second = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Rules rules("{ algorithm: ed25519, signature: { header: Sig }, key: { id: '$headers[\"Key-Id\"]', secrets: [first, second] } }",
                    {{"first", first}, {"second", second}});
  Request made = rules.sign(Request(Pairs{{"Key-Id", "second"}}));
  CHECK_EQ(rules.check(Request(made.fields)), "");
  made.fields.front().second = "first";
  CHECK_EQ(rules.check(Request(made.fields)), "the signature does not match");
}

TEST_CASE("no_more_keys_and_signatures_are_tried_than_a_request_may_cost") {
  const std::string right = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  std::vector<std::pair<std::string, std::string>> secrets;
  for (int i = 0; i < 4; ++i) secrets.emplace_back("signing", pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")));
  secrets.emplace_back("signing", right);
  const std::string scheme = "{ algorithm: ecdsa-p256-sha256, signature: { header: Sig, list: \",\" } }";
  const std::string good = Rules(scheme, {{"signing", right}}).sign(Request()).fields.back().second;
  const Rules rules(scheme, secrets);
  const auto check = [&](int bad_ones) {
    std::string list = good;
    for (int i = 0; i < bad_ones; ++i) list += ",3006020101020101";
    return rules.check(Request(Pairs{{"Sig", list}}));
  };
  CHECK_EQ(check(0), "");
  CHECK_EQ(check(14), "");  // 4 keys that are wrong by 15 signatures, then the right one's first
  CHECK_EQ(check(15), "there are too many keys and signatures to try");
}
