// The published and SDK-made vectors of tests/data/signature-vectors.json through the code that `belay verify` runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "conf/configuration.h"
#include "http/url.h"
#include "json/document.h"
#include "kit.h"

using namespace belay;
using namespace belay::test;

namespace {

const std::vector<std::string> kPresets = {
    "netsuite",      "acumatica", "netx",   "nue",   "bigledger_apikey", "bigledger_bearer",
    "bigledger_jwt", "github",    "stripe", "slack", "shopify",          "standard_webhooks"};

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

}  // namespace

TEST_CASE("every_vector_of_the_presets_is_accepted_or_refused_as_its_maker_says") {
  const Vectors vectors;
  const json::Document& json = vectors.json();
  const json::Ref list = json.find(json.root(), "vectors");
  std::map<std::string, int> positives, negatives;
  for (json::Ref vector = json.first(list); vector != json::kNone; vector = json.next(list, vector)) {
    const std::string preset = vectors.text(vector, "vendor"), name = vectors.text(vector, "name");
    if (std::find(kPresets.begin(), kPresets.end(), preset) == kPresets.end()) continue;
    INFO(name);
    const bool valid = vectors.text(vector, "valid") == "true";
    Kit kit(source("preset: " + preset + ", secrets: { signing: " + quoted(vectors.text(vector, "secret")) + " }"),
            &modules::kVerify);
    ++(valid ? positives : negatives)[preset];
    if (vectors.text(vector, "secret").empty()) {
      CHECK_FALSE(kit.built());  // an unset secret never reaches a request
      continue;
    }
    REQUIRE_MESSAGE(kit.built(), kit.problems());
    kit.clock.set_wall(wall_from_ms(std::stoll(vectors.text(vector, "now")) * 1000));
    const auto url = http::parse_url(vectors.text(vector, "url"));
    const auto walked = kit.send(vectors.text(vector, "method"), url->query.empty() ? "/s" : "/s?" + url->query,
                                 fields_of(vectors, vector), vectors.text(vector, "body"));
    INFO(walked->reason());
    CHECK_EQ(walked->status(), valid ? 200 : 401);
    if (const json::Ref expected = json.find(vector, "expect_response"); expected != json::kNone) {
      CHECK_EQ(walked->exchange->reply.body, vectors.text(expected, "body"));
      CHECK_EQ(std::to_string(walked->status()), vectors.text(expected, "status"));
    } else if (valid) {
      CHECK(walked->exchange->verified);
      CHECK_EQ(walked->reason(), "passed");
    }
  }
  for (const std::string& preset : kPresets) {
    INFO(preset);
    CHECK_GT(positives[preset], 0);
    CHECK_GT(negatives[preset], 0);
  }
}

TEST_CASE("what_a_preset_signs_it_accepts_and_a_changed_body_it_refuses_when_it_says_signed") {
  for (const std::string& preset : kPresets) {
    if (preset == "netx") continue;  // its proof stands in the payload: nothing is added
    INFO(preset);
    Kit kit(source("preset: " + preset + ", secrets: { signing: whsec_c2VjcmV0 }"), &modules::kVerify);
    REQUIRE_MESSAGE(kit.built(), kit.problems());
    conf::Problems problems;
    const auto presets = conf::load_presets({}, problems);
    const auto found = std::find_if(presets.presets.begin(), presets.presets.end(),
                                    [&](const conf::Named& each) { return each.name == preset; });
    const signature::SecretTable secrets = {
        {"signing", {{.value = "whsec_c2VjcmV0", .valid_from = {}, .valid_until = {}}}}};
    const auto scheme = signature::Scheme::build(found->node.at("verify"), secrets, {}, problems);
    REQUIRE_MESSAGE(scheme != nullptr, problems.to_string());
    const auto unsigned_one = kit.post({}, "{\"a\":1}");
    const auto made = scheme->sign(unsigned_one->exchange->context(), kit.clock.wall());
    REQUIRE(made.ok());
    const std::string target = made->query.empty() ? "/s" : "/s?" + made->query;
    CHECK_EQ(kit.send("POST", target, made->fields, "{\"a\":1}")->reason(), "passed");
    CHECK_EQ(kit.send("POST", target, made->fields, "{\"a\":2}")->status(),
             scheme->trust() == pipeline::Trust::token ? 200 : 401);
  }
}
