#include "signature/key_location.h"

#include <map>

#include "fixture.h"

using namespace belay;
using namespace belay::test;

namespace {

// RFC 8032 §7.1, test 1.
constexpr const char* kPublic = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

class Source final : public signature::KeySource {
 public:
  Answer get(const std::string& url, Need) override {
    asked = url;
    if (state != State::ready) return {state, nullptr};
    return {state, std::make_shared<const signature::PublicKeys>(signature::parse_public_keys(kPublic).value())};
  }
  void when_known(const std::string&, std::function<void()> done) override { done(); }
  State state = State::ready;
  std::string asked;
};

const Rules& named_by_request() {
  static const Rules rules(
      "{ algorithm: ed25519, signature: { header: Sig }, keys: { url: \"{{ $headers['Cert'] }}\", "
      "hosts: [sns.*.amazonaws.com], path: \"/Key-*.pem\" } }");
  return rules;
}

std::string asked_for(const std::string& url) {
  Source source;
  named_by_request().check(Request(Pairs{{"Sig", std::string(128, '0')}, {"Cert", url}}), &source);
  return source.asked;
}

}  // namespace

TEST_CASE("a_star_stands_for_letters_digits_and_dashes_and_for_at_least_one") {
  CHECK(signature::matches_stars("sns.*.amazonaws.com", "sns.eu-west-1.amazonaws.com"));
  CHECK(signature::matches_stars("/a-*.pem", "/a-b-c.pem"));
  CHECK(signature::matches_stars("*a*", "xaay"));
  for (const char* host : {"sns..amazonaws.com", "sns.a.b.amazonaws.com", "xsns.a.amazonaws.com", "sns.a.amazonaws.com.evil", "sns.a/.amazonaws.com"}) {
    INFO(host);
    CHECK_FALSE(signature::matches_stars("sns.*.amazonaws.com", host));
  }
}

TEST_CASE("only_addresses_that_the_host_rule_allows_are_asked_for") {
  CHECK_EQ(asked_for("https://sns.eu-west-1.amazonaws.com/Key-1.pem"), "https://sns.eu-west-1.amazonaws.com/Key-1.pem");
  for (const char* url :
       {"http://sns.eu.amazonaws.com/Key-1.pem", "https://sns.eu.amazonaws.com.evil.example/Key-1.pem", "https://evil.example/Key-1.pem",
        "https://sns.eu.amazonaws.com@evil.example/Key-1.pem", "https://evil.example#sns.eu.amazonaws.com/Key-1.pem",
        "https://evil.example\\.sns.eu.amazonaws.com/Key-1.pem", "https://sns.eu.amazonaws.com:8443/Key-1.pem",
        "https://sns.eu.amazonaws.com/Key-1.pem?x=1", "https://sns.eu.amazonaws.com/../Key-1.pem", "https://sns.eu.amazonaws.com/other.pem",
        "https://sns.eu.amazonaws.com", "https://sns.%65u.amazonaws.com/Key-1.pem", ""}) {
    INFO(url);
    CHECK_EQ(asked_for(url), "");
  }
}

TEST_CASE("an_address_out_of_the_request_needs_a_host_rule_and_a_fixed_one_https") {
  const auto keys = [](const std::string& keys_in) {
    return Rules("{ algorithm: ed25519, signature: { header: Sig }, keys: " + keys_in + " }").built();
  };
  CHECK(keys("https://keys.example.com/jwks"));
  CHECK(keys("http://127.0.0.1:8080/jwks"));
  CHECK(keys("\"http://[::1]/jwks\""));
  for (const char* far : {"http://keys.example.com/jwks", "http://localhost/jwks", "http://10.0.0.1/jwks", "ftp://127.0.0.1/jwks", "https://"}) {
    INFO(far);
    CHECK_FALSE(keys(far));
  }
  CHECK(keys("{ url: \"{{ $headers['Cert'] }}\", hosts: [keys.example.com] }"));
  CHECK_FALSE(keys("{ url: \"{{ $headers['Cert'] }}\" }"));
  CHECK_FALSE(keys("{ url: \"{{ $headers['Cert'] }}\", hosts: [] }"));
  CHECK_FALSE(keys("{ url: \"https://keys.example.com/jwks\", hosts: [keys.example.com] }"));
  CHECK_FALSE(keys("no/such/file.json"));
}

TEST_CASE("a_host_is_made_of_parameters_when_rules_load") {
  const auto rules = [](signature::Params params) {
    return std::make_unique<Rules>(
        "{ algorithm: ed25519, signature: { header: Sig }, keys: { url: \"{{ $headers['Cert'] }}\", hosts: [\"sns.{{ $param.arn.split(':')[3] }}.amazonaws.com\"] } }",
        std::vector<std::pair<std::string, std::string>>{{"signing", "k1"}}, std::move(params));
  };
  const auto pinned = rules({{"arn", "arn:aws:sns:eu-west-1:1:t"}});
  const auto asked = [&](const std::string& host) {
    Source source;
    pinned->check(Request(Pairs{{"Sig", std::string(128, '0')}, {"Cert", "https://" + host + "/key.pem"}}), &source);
    return !source.asked.empty();
  };
  CHECK(asked("sns.eu-west-1.amazonaws.com"));
  for (const char* host : {"sns.us-east-1.amazonaws.com", "sns.s3.amazonaws.com", "sns.s3-us-west-2.amazonaws.com"}) {
    INFO(host);
    CHECK_FALSE(asked(host));
  }
  CHECK_FALSE(rules({})->built());
  CHECK_FALSE(rules({{"arn", "topic"}})->built());
  CHECK_FALSE(rules({{"arn", "a:b:c:evil.example/:d"}})->built());
  CHECK_FALSE(rules({{"arn", "a:b:c::d"}})->built());
}

TEST_CASE("made_up_addresses_are_asked_for_a_few_times_a_minute_and_proven_ones_always") {
  class Counting final : public signature::KeySource {
   public:
    Answer get(const std::string& url, Need) override {
      ++asked;
      if (url.find("genuine") == std::string::npos) return {};
      return {State::ready, std::make_shared<const signature::PublicKeys>(signature::parse_public_keys(kPublic).value())};
    }
    void when_known(const std::string&, std::function<void()> done) override { done(); }
    void note_proven(const std::string& url) override { proven = url; }
    bool is_proven(const std::string& url) const override { return url == proven; }
    std::string proven;
    size_t asked = 0;
  } source;
  const Rules rules("{ algorithm: ed25519, signature: { header: Sig }, keys: { url: \"{{ $headers['Cert'] }}\", hosts: [keys.example.com] } }");
  const auto check = [&](const std::string& name, int64_t later_ms = 0) {
    // RFC 8032 §7.1, test 1: of the empty message.
    Request request(Pairs{{"Sig", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
                          {"Cert", "https://keys.example.com/" + name}}, "");
    request.now += Duration(later_ms);
    return rules.check(std::move(request), &source);
  };
  for (size_t i = 0; i < signature::KeyLocation::kMaxUnproven; ++i) CHECK_EQ(check("made-up-" + std::to_string(i)), "the sender's keys cannot be fetched now");
  CHECK_EQ(check("made-up-0"), "the sender's keys cannot be fetched now");  // again: nothing new
  CHECK_EQ(source.asked, signature::KeyLocation::kMaxUnproven + 1);
  CHECK_EQ(check("genuine"), "too many addresses of keys are asked for");
  CHECK_EQ(source.asked, signature::KeyLocation::kMaxUnproven + 1);
  CHECK_EQ(check("genuine", 60'000), "");
  CHECK_EQ(source.proven, "https://keys.example.com/genuine");
  for (size_t i = 0; i < signature::KeyLocation::kMaxUnproven; ++i) check("more-" + std::to_string(i), 60'001);
  CHECK_EQ(check("more", 60'002), "too many addresses of keys are asked for");
  CHECK_EQ(check("genuine", 60'002), "");
}

TEST_CASE("a_newer_document_is_asked_for_only_for_an_id_that_the_one_known_lacks") {
  const Rules rules("{ algorithm: ed25519, signature: { header: Sig }, keys: https://keys.example.com/jwks, key: { id: \"$headers['Kid']\" } }");
  class Set final : public signature::KeySource {
   public:
    Answer get(const std::string&, Need need) override {
      newer += need == Need::newer ? 1 : 0;
      return {State::ready, std::make_shared<const signature::PublicKeys>(
                                signature::parse_public_keys(R"({"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})").value())};
    }
    void when_known(const std::string&, std::function<void()> done) override { done(); }
    int newer = 0;
  } set;
  CHECK_EQ(rules.check(Request(Pairs{{"Sig", std::string(128, '0')}, {"Kid", "a"}}), &set), "the signature does not match");
  CHECK_EQ(set.newer, 0);
  CHECK_EQ(rules.check(Request(Pairs{{"Sig", std::string(128, '0')}, {"Kid", "b"}}), &set), "the sender publishes no key of this id");
  CHECK_EQ(set.newer, 1);
}

TEST_CASE("keys_that_cannot_be_had_leave_the_question_open") {
  Source source;
  source.state = signature::KeySource::State::pending;
  Request request(Pairs{{"Sig", std::string(128, '0')}, {"Cert", "https://sns.eu.amazonaws.com/Key-1.pem"}});
  const auto& scheme = named_by_request().scheme();
  auto finding = scheme.check(request.context(), request.now, &source);
  CHECK_EQ(finding.is, signature::Finding::Is::pending);
  CHECK_EQ(finding.url, "https://sns.eu.amazonaws.com/Key-1.pem");
  source.state = signature::KeySource::State::unavailable;
  CHECK_EQ(scheme.check(request.context(), request.now, &source).is, signature::Finding::Is::unavailable);
  CHECK_EQ(scheme.check(request.context(), request.now).is, signature::Finding::Is::unavailable);
  source.state = signature::KeySource::State::ready;
  finding = scheme.check(request.context(), request.now, &source);
  CHECK_EQ(finding.is, signature::Finding::Is::refused);
}
