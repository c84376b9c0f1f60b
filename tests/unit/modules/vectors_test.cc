// The published and SDK-made vectors of tests/data/signature-vectors.json through the code that `belay verify` runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "conf/configuration.h"
#include "http/url.h"
#include "json/document.h"
#include "kit.h"
#include "signature/key_source.h"
#include "tests/unit/signature/pem.h"

using namespace belay;
using namespace belay::test;

namespace {

class Vectors {
 public:
  Vectors()
      : document_(*json::Document::parse_owned(*read_file(source_folder() + "/tests/data/signature-vectors.json"))) {}

  const json::Document& json() const { return *document_; }
  std::string text(json::Ref object, std::string_view name) const {
    const json::Ref value = document_->find(object, name);
    return value == json::kNone ? "" : string(value);
  }
  std::string string(json::Ref value) const {
    std::string scratch;
    return document_->type(value) == json::Type::string ? std::string(document_->string(value, scratch))
                                                        : std::string(document_->raw(value));
  }

 private:
  std::unique_ptr<const json::Document> document_;
};

std::string quoted(const std::string& text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

Fields fields_of(const Vectors& vectors, json::Ref vector) {
  Fields fields;
  const json::Document& json = vectors.json();
  const json::Ref headers = json.find(vector, "headers");
  for (json::Ref name = json.first(headers); name != json::kNone; name = json.next(headers, name)) {
    const json::Ref value = json::Document::value_of(name);
    const auto add = [&](json::Ref one) {
      // As the HTTP parser gives it: without the white space around it.
      const std::string text = vectors.string(one);
      fields.emplace_back(vectors.string(name), trim_ows(text));
    };
    if (json.type(value) != json::Type::array) {
      add(value);
      continue;
    }
    for (json::Ref one = json.first(value); one != json::kNone; one = json.next(value, one)) add(one);
  }
  return fields;
}

// What senders publish, from the vector's params.
class VectorKeys final : public signature::KeySource {
 public:
  void add(const std::string& url, const std::string& text) {
    known_[url] = std::make_shared<const signature::PublicKeys>(signature::parse_public_keys(text).value());
  }
  Answer get(const std::string& url, Need) override {
    const auto found = known_.find(url);
    return found == known_.end() ? Answer{} : Answer{State::ready, found->second};
  }
  void when_known(const std::string&, std::function<void()>) override { FAIL("nothing is pending"); }

 private:
  std::map<std::string, std::shared_ptr<const signature::PublicKeys>> known_;
};

// Private keys for the presets that take none but these.
struct Keys {
  Keys() {
    ed25519 = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    p256 = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    rsa = pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048}));
  }
  std::string secret_for(const std::string& preset) const {
    if (preset == "discord" || preset == "telnyx" || preset == "standard_webhooks_v1a") return ed25519;
    if (preset == "sendgrid" || preset == "plaid") return p256;
    if (preset == "wise" || preset == "wechatpay") return rsa;
    if (preset == "onfleet" || preset == "adyen_platform") return "00ff10";
    if (preset == "airtable" || preset == "ms_teams") return "c2VjcmV0";
    return "whsec_c2VjcmV0";
  }
  std::string ed25519, p256, rsa;
};

// One vector as a source of its own.
struct Source {
  Source(const Vectors& vectors, json::Ref vector) {
    const std::string preset = vectors.text(vector, "vendor");
    const auto url = http::parse_url(vectors.text(vector, "url")).value();
    std::string secret = vectors.text(vector, "secret");
    if (vectors.text(vector, "name") == "asana-challenge") secret = "not known yet";
    if (secret.empty() && vectors.text(vector, "reason") != "empty_secret") secret = "none that is used";
    // The preset says it: a secret beyond ASCII is pasted as NFKD.
    if (preset == "easypost") secret = "se\xCC\x81" "cret";
    std::map<std::string, std::string> secrets, params;
    params["url"] = vectors.text(vector, "url").substr(0, vectors.text(vector, "url").find('?'));
    const json::Document& json = vectors.json();
    const json::Ref given = json.find(vector, "params");
    for (json::Ref name = given == json::kNone ? given : json.first(given); name != json::kNone; name = json.next(given, name)) {
      const json::Ref value = json::Document::value_of(name);
      const std::string key = vectors.string(name);
      if (key == "secondary") {
        secrets[key] = vectors.string(value);
      } else if (key == "registered_url") {
        params["url"] = vectors.string(value);
      } else if (key == "jwks" && preset == "plaid") {
        secret = json.raw(value);
      } else if (key == "jwks") {
        keys.add("https://www.googleapis.com/oauth2/v3/certs", std::string(json.raw(value)));
      } else if (key == "certificates") {
        for (json::Ref one = json.first(value); one != json::kNone; one = json.next(value, one))
          keys.add(vectors.string(one), vectors.string(json::Document::value_of(one)));
      } else {
        params[key] = vectors.string(value);
      }
    }
    secrets["signing"] = secret;
    secrets.try_emplace("verify_token", "x");
    secrets.try_emplace("verification_token", "x");
    path = url.path;
    target = url.query.empty() ? path : path + "?" + url.query;
    rules = "sources:\n  s: { match: { path: " + quoted(path) + ", methods: [GET, HEAD, POST] }, preset: " + preset + ", secrets: " + map_of(secrets) +
            ", params: " + map_of(params) + ", routes: [{ to: d }] }\ndestinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n";
  }
  static std::string map_of(const std::map<std::string, std::string>& entries) {
    std::string out = "{ ";
    for (const auto& [name, value] : entries) out += (out.size() > 2 ? ", " : "") + name + ": " + quoted(value);
    return out + " }";
  }

  VectorKeys keys;
  std::string rules, path, target;
};

void check_answer(const Vectors& vectors, json::Ref expected, const Walked& walked) {
  const json::Document& json = vectors.json();
  CHECK_EQ(std::to_string(walked.status()), vectors.text(expected, "status"));
  if (json.find(expected, "body") != json::kNone) CHECK_EQ(walked.exchange->reply.body, vectors.text(expected, "body"));
  if (const json::Ref type = json.find(expected, "content_type"); type != json::kNone)
    CHECK(walked.has_field("Content-Type: " + vectors.string(type)));
  if (const json::Ref object = json.find(expected, "json"); object != json::kNone) {
    const auto answered = json::Document::parse(walked.exchange->reply.body);
    REQUIRE(answered.ok());
    CHECK_EQ((*answered)->size((*answered)->root()), json.size(object));
    for (json::Ref name = json.first(object); name != json::kNone; name = json.next(object, name)) {
      const json::Ref found = (*answered)->find((*answered)->root(), vectors.string(name));
      REQUIRE_NE(found, json::kNone);
      CHECK_EQ((*answered)->raw(found), json.raw(json::Document::value_of(name)));
    }
  }
  if (const json::Ref headers = json.find(expected, "headers"); headers != json::kNone) {
    for (json::Ref name = json.first(headers); name != json::kNone; name = json.next(headers, name))
      CHECK(walked.has_field(vectors.string(name) + ": " + vectors.string(json::Document::value_of(name))));
  }
}

}  // namespace

TEST_CASE("every_vector_is_accepted_or_refused_as_its_maker_says") {
  const Vectors vectors;
  const json::Document& json = vectors.json();
  const json::Ref list = json.find(json.root(), "vectors");
  int valid_ones = 0, invalid_ones = 0;
  for (json::Ref vector = json.first(list); vector != json::kNone; vector = json.next(list, vector)) {
    const std::string name = vectors.text(vector, "name");
    INFO(name);
    const bool valid = vectors.text(vector, "valid") == "true";
    ++(valid ? valid_ones : invalid_ones);
    Source source(vectors, vector);
    Kit kit(source.rules, &modules::kVerify);
    if (vectors.text(vector, "reason") == "empty_secret") {
      CHECK_FALSE(kit.built());  // an unset secret never reaches a request
      continue;
    }
    REQUIRE_MESSAGE(kit.built(), kit.problems());
    kit.services.keys = &source.keys;
    kit.clock.set_wall(wall_from_ms(std::stoll(vectors.text(vector, "now")) * 1000));
    const auto walked =
        kit.send(vectors.text(vector, "method"), source.target, fields_of(vectors, vector), vectors.text(vector, "body"));
    INFO(walked->reason());
    if (const json::Ref expected = json.find(vector, "expect_response"); expected != json::kNone) {
      check_answer(vectors, expected, *walked);
      continue;
    }
    CHECK_EQ(walked->status(), valid ? 200 : 401);
    if (!valid) continue;
    CHECK(walked->exchange->verified);
    CHECK_EQ(walked->reason(), "passed");
  }
  CHECK_EQ(valid_ones + invalid_ones, 268);
}

TEST_CASE("what_a_preset_signs_it_accepts_and_a_changed_body_it_refuses_when_it_says_signed") {
  conf::Problems problems;
  const auto presets = conf::load_presets({}, problems);
  REQUIRE_MESSAGE(problems.empty(), problems.to_string());
  // Their proof stands in the payload, or in what only the sender can publish: nothing can be added.
  const std::vector<std::string> unsignable = {"netx", "adyen", "mailgun", "dropbox_sign", "figma", "microsoft_graph",
                                               "ebay", "aws_sns", "paypal", "alipay", "braintree", "google_pubsub"};
  const Keys made;
  for (const conf::Named& preset : presets.presets) {
    const conf::Node& verify = preset.node.at("verify");
    if (!verify.present() || std::find(unsignable.begin(), unsignable.end(), preset.name) != unsignable.end()) continue;
    INFO(preset.name);
    const std::string keys = Source::map_of({{"signing", made.secret_for(preset.name)}, {"secondary", "s2"}, {"verify_token", "x"}});
    const std::string params = Source::map_of({{"app_key", "k"}, {"client_id", "c"}, {"key_id", "1"}, {"user", "u"}, {"serial", "7"},
                                               {"api_key", "a"}, {"url", "https://hooks.example.test/s"}});
    Kit kit(source("preset: " + preset.name + ", secrets: " + keys + ", params: " + params), &modules::kVerify);
    REQUIRE_MESSAGE(kit.built(), kit.problems());
    const std::string body = "{\"a\":1,\"encrypt\":\"e\",\"webhookTimestamp\":" + std::to_string(to_ms(kit.clock.wall())) + "}";
    const auto unsigned_one = kit.send("POST", "/s?timestamp=1&nonce=2", {{"X-Contentful-Signed-Headers", "x-contentful-signed-headers,x-contentful-timestamp"}}, body);
    signature::Keyring keyring;
    for (const auto& [name, value] : std::map<std::string, std::string>{{"signing", made.secret_for(preset.name)}, {"secondary", "s2"}})
      keyring.secrets[name] = {{.value = value, .valid_from = {}, .valid_until = {}}};
    keyring.params = {{"app_key", "k"}, {"client_id", "c"}, {"key_id", "1"}, {"user", "u"}, {"serial", "7"},
                      {"api_key", "a"}, {"url", "https://hooks.example.test/s"}};
    const auto scheme = signature::Scheme::build(verify, keyring, {}, problems);
    REQUIRE_MESSAGE(scheme != nullptr, problems.to_string());
    const auto signed_one = scheme->sign(unsigned_one->exchange->context(), kit.clock.wall());
    REQUIRE_MESSAGE(signed_one.ok(), signed_one.error().message);
    Fields fields = {{"X-Contentful-Signed-Headers", "x-contentful-signed-headers,x-contentful-timestamp"}};
    fields.insert(fields.end(), signed_one->fields.begin(), signed_one->fields.end());
    const std::string target = "/s?timestamp=1&nonce=2" + (signed_one->query.empty() ? "" : "&" + signed_one->query);
    const auto right = kit.send("POST", target, fields, body);
    CHECK_EQ(right->reason(), "passed");
    std::string changed = body;
    changed[5] = '2';
    if (scheme->trust() >= pipeline::Trust::signed_body) CHECK_EQ(kit.send("POST", target, fields, changed)->status(), 401);
  }
}
