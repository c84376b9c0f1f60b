// What somebody who has seen genuine webhooks of a vendor may try, against the presets themselves.
#include <doctest/doctest.h>

#include "base/bytes.h"
#include "conf/configuration.h"
#include "kit.h"
#include "signature/mac.h"

using namespace belay;
using namespace belay::test;

namespace {

// A preset as a source has it, and as its sender.
class Preset {
 public:
  Preset(const std::string& name, signature::Params params = {})
      : kit(test::source("preset: " + name + ", secrets: { signing: k1 }, params: " + map_of(params)), &modules::kVerify) {
    REQUIRE_MESSAGE(kit.built(), kit.problems());
    conf::Problems problems;
    presets_ = conf::load_presets({}, problems);
    for (const conf::Named& preset : presets_.presets) {
      if (preset.name != name) continue;
      signature::Keyring keyring{{}, std::move(params)};
      keyring.secrets["signing"].push_back({.value = "k1", .valid_from = {}, .valid_until = {}});
      scheme_ = signature::Scheme::build(preset.node.at("verify"), std::move(keyring), {}, problems);
    }
    REQUIRE_MESSAGE(scheme_ != nullptr, problems.to_string());
  }

  // The request with what a sender adds.
  std::unique_ptr<Walked> sign(Fields& fields, std::string& body) {
    auto walked = kit.send("POST", "/s", fields, body);
    const auto made = scheme_->sign(walked->exchange->context(), kit.clock.wall());
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    fields.insert(fields.end(), made->fields.begin(), made->fields.end());
    if (made->body) body = *made->body;
    return kit.send("POST", "/s", fields, body);
  }
  pipeline::Trust trust() const { return kit.ruleset->sources[0]->trust; }

  Kit kit;

 private:
  static std::string map_of(const signature::Params& params) {
    std::string out = "{ ";
    for (const auto& [name, value] : params) out += (out.size() > 2 ? ", " : "") + name + ": \"" + value + '"';
    return out + " }";
  }

  conf::PresetSet presets_;  // the scheme points into it
  std::unique_ptr<signature::Scheme> scheme_;
};

}  // namespace

TEST_CASE("a_second_payload_behind_braintrees_is_refused") {
  Preset braintree("braintree", {{"public_key", "pk"}});
  Fields fields = {{"Content-Type", "application/x-www-form-urlencoded"}};
  std::string body = "bt_payload=good";
  CHECK_EQ(braintree.sign(fields, body)->status(), 200);
  CHECK_EQ(braintree.kit.post(fields, body + "&bt_payload=forged")->status(), 401);
  CHECK_EQ(braintree.kit.post(fields, body + "&other=1")->status(), 200);
  CHECK_EQ(braintree.trust(), pipeline::Trust::token);  // which is why the other field may be there
}

TEST_CASE("contentfuls_list_of_signed_headers_must_hold_itself_and_the_time") {
  Kit kit(test::source("preset: contentful, secrets: { signing: k1 }"), &modules::kVerify);
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  const std::string time = std::to_string(to_ms(kit.clock.wall()));
  // `signed_lines`: what the sender signed in the place of its headers.
  const auto status = [&](const std::string& list, const std::string& topic, const std::string& signed_lines) {
    const std::string text = "POST\n/s\n" + signed_lines + "\n{}";
    signature::Mac mac(signature::Digest::sha256, "k1");
    signature::Mac::Room room;
    mac.begin();
    mac.update(text);
    return kit
        .post({{"X-Contentful-Signed-Headers", list},
               {"X-Contentful-Timestamp", time},
               {"X-Contentful-Topic", topic},
               {"X-Contentful-Signature", hex_encode(mac.finish(room))}})
        ->status();
  };
  const std::string both = "x-contentful-signed-headers,x-contentful-timestamp";
  CHECK_EQ(status(both, "t", "x-contentful-signed-headers:" + both + ";x-contentful-timestamp:" + time), 200);
  const std::string three = both + ",x-contentful-topic", three_lines = "x-contentful-signed-headers:" + three + ";x-contentful-timestamp:" + time;
  CHECK_EQ(status(three, "t", three_lines + ";x-contentful-topic:t"), 200);
  CHECK_EQ(status("x-contentful-timestamp", "t", "x-contentful-timestamp:" + time), 401);
  CHECK_EQ(status("x-contentful-signed-headers", "t", "x-contentful-signed-headers:x-contentful-signed-headers"), 401);
  CHECK_EQ(status("x-contentful-topic", "t", "x-contentful-topic:t"), 401);
  // One list read as another: the same text, but the time that is judged is not the one that was signed.
  CHECK_EQ(status(three, "a;x:b", three_lines + ";x-contentful-topic:a;x:b"), 401);
  CHECK_EQ(status(three + ",a;b", "t", three_lines + ",a;b;x-contentful-topic:t;a;b:"), 401);
}

TEST_CASE("the_topic_says_whose_certificates_count_and_fields_that_sns_does_not_sign_lend_no_trust") {
  class Asked final : public signature::KeySource {
   public:
    Answer get(const std::string& url, Need) override {
      urls.push_back(url);
      return {};
    }
    void when_known(const std::string&, std::function<void()>) override { FAIL("nothing is pending"); }
    std::vector<std::string> urls;
  } asked;
  Kit kit(test::source("preset: aws_sns, params: { topic_arn: \"arn:aws:sns:eu-west-1:1:t\" }"), &modules::kVerify);
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  kit.services.keys = &asked;
  const auto post = [&](const std::string& host) {
    return kit
        .post({}, R"({"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:eu-west-1:1:t","Message":"hello","Timestamp":"2026-01-01T00:00:00Z",)"
                  R"("SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://)" + host + R"(/SimpleNotificationService-1.pem"})")
        ->status();
  };
  CHECK_EQ(post("sns.eu-west-1.amazonaws.com"), 503);
  CHECK_EQ(asked.urls.size(), 1);
  for (const char* host : {"sns.s3.amazonaws.com", "sns.s3-us-west-2.amazonaws.com", "sns.us-east-1.amazonaws.com", "sns.eu-west-1.amazonaws.com.cn"}) {
    INFO(host);
    CHECK_EQ(post(host), 401);
  }
  CHECK_EQ(asked.urls.size(), 1);
  CHECK_EQ(kit.ruleset->sources[0]->trust, pipeline::Trust::token);
  Kit china(test::source("preset: aws_sns, params: { topic_arn: \"arn:aws-cn:sns:cn-north-1:1:t\" }"), &modules::kVerify);
  CHECK_MESSAGE(china.built(), china.problems());
  CHECK_FALSE(Kit(test::source("preset: aws_sns"), &modules::kVerify).built());
}
