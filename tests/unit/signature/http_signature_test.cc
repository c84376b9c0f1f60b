#include "signature/http_signature.h"

#include "base/bytes.h"
#include "fixture.h"

using namespace belay;
using namespace belay::test;

namespace {

// RFC 9421 appendix B.2: test-request.
Request rfc_request(const std::string& input, const std::string& signature) {
  Request request(Pairs{{"Date", "Tue, 20 Apr 2021 02:07:55 GMT"},
                   {"Content-Type", "application/json"},
                   {"Content-Digest",
                    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"},
                   {"Content-Length", "18"},
                   {"Signature-Input", input},
                   {"Signature", signature}},
                  "{\"hello\": \"world\"}", "/foo?param=Value&Pet=dog");
  request.now = wall_from_ms(1'618'884'473'000);
  return request;
}

const std::string kEd25519 = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

}  // namespace

TEST_CASE("the_published_examples_are_accepted") {
  const Rules hmac(
      "{ algorithm: rfc9421, signature: { algorithm: hmac-sha256, components: [\"@authority\", content-type], tolerance: 5m }, "
      "key: { decode: base64 } }",
      {{"signing", "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="}});
  CHECK_EQ(hmac.check(rfc_request("sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
                                  "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:")),
           "");
  const Rules ed25519("{ algorithm: rfc9421, signature: { algorithm: ed25519, components: [\"@method\", \"@path\"] } }",
                      {{"signing", kEd25519}});
  const std::string input =
      "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;"
      "keyid=\"test-key-ed25519\"";
  const std::string signature =
      "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";
  CHECK_EQ(ed25519.check(rfc_request(input, signature)), "");
  Request changed = rfc_request(input, signature);
  changed.fields[1].second = "text/plain";
  CHECK_EQ(ed25519.check(Request(changed.fields, changed.body, changed.target)), "the signature does not match");
}

TEST_CASE("what_the_rules_demand_must_be_among_what_is_signed") {
  const Rules rules("{ algorithm: rfc9421, signature: { algorithm: ed25519, components: [content-digest] } }", {{"signing", kEd25519}});
  CHECK_EQ(rules.check(rfc_request("sig-b26=(\"date\");created=1618884473", "sig-b26=:AAAA:")),
           "the signature leaves out what must be signed");
  CHECK_EQ(rules.scheme().trust(), signature::Trust::signed_body);
}

TEST_CASE("a_signed_request_is_accepted_until_its_body_or_its_time_changes") {
  const Rules rules(
      "{ algorithm: rfc9421, signature: { algorithm: hmac-sha256, components: [\"@method\", \"@target-uri\", content-digest], "
      "tolerance: 5m } }");
  const Request signed_one = rules.sign(Request({}, "{\"a\":1}"));
  CHECK_EQ(rules.check(Request(signed_one.fields, signed_one.body)), "");
  CHECK_EQ(rules.check(Request(signed_one.fields, "{\"a\":2}")), "the Content-Digest is not the body's");
  CHECK_EQ(rules.check(Request(signed_one.fields, signed_one.body, "/other")), "the signature does not match");
  Request late(signed_one.fields, signed_one.body);
  late.now += Duration(301'000);
  const auto finding = rules.scheme().check(late.context(), late.now);
  CHECK_EQ(finding.reason, "the timestamp is too old");
  CHECK_EQ(rules.scheme().trust(), signature::Trust::signed_fresh);
}

TEST_CASE("the_rules_choose_the_algorithm_and_expired_or_foreign_signatures_are_refused") {
  const Rules rules("{ algorithm: rfc9421, signature: { algorithm: hmac-sha256, components: [\"@method\"], tag: app } }");
  const auto check = [&](const std::string& parameters) {
    return rules.check(Request(Pairs{{"Signature-Input", "s=(\"@method\")" + parameters}, {"Signature", "s=:AAAA:"}}));
  };
  CHECK_EQ(check(";alg=\"ed25519\";tag=\"app\""), "the signature's algorithm is not accepted");
  CHECK_EQ(check(";tag=\"other\""), "the signature is for something else");
  CHECK_EQ(check(";tag=\"app\";expires=1759999999"), "the signature has expired");
  CHECK_EQ(check(";tag=\"app\""), "the signature does not match");
  CHECK_EQ(rules.check(Request()), "Signature or Signature-Input is missing or cannot be read");
}

TEST_CASE("a_content_digest_is_judged_by_every_algorithm_we_know") {
  const std::string right = signature::content_digest("{}");
  CHECK_EQ(signature::check_content_digest(right, "{}"), "");
  CHECK_EQ(signature::check_content_digest(right + ", md5=:AAAA:", "{}"), "");
  CHECK_NE(signature::check_content_digest(right + ", sha-512=:AAAA:", "{}"), "");
  CHECK_NE(signature::check_content_digest("md5=:AAAA:", "{}"), "");
  CHECK_NE(signature::check_content_digest("sha-256=abc", "{}"), "");
}

TEST_CASE("structured_fields_that_break_the_grammar_are_refused_whole") {
  CHECK(signature::parse_dictionary("a=(\"x\" \"y\";key=\"z\");created=1;alg=\"q\", b=:AAAA:").has_value());
  for (const char* text : {"", "a", "a=", "A=:AAAA:", "a=:AAA", "a=(\"x\"", "a=(x)", "a=:AAAA:, a=:AAAA:", "a=:AAAA:;", "a=:AAAA: b=:AAAA:",
                           "a=(\"x\");k=1;k=2", "a=\"x\"", "a=(\"\x01\")", "a=(\"\\x\")"}) {
    INFO(text);
    CHECK_FALSE(signature::parse_dictionary(text).has_value());
  }
  std::string many;
  for (size_t i = 0; i < signature::kMaxMembers; ++i) many += (i == 0 ? "a" : ", a") + std::to_string(i) + "=:AAAA:";
  CHECK(signature::parse_dictionary(many).has_value());
  CHECK_FALSE(signature::parse_dictionary(many + ", b=:AAAA:").has_value());
}

TEST_CASE("a_query_parameter_that_is_not_there_cannot_be_signed") {
  const Rules rules("{ algorithm: rfc9421, signature: { algorithm: hmac-sha256, components: [\"@query-param\"] } }");
  const std::string parameters = "(\"@query-param\";name=\"id\");created=1759999999";
  const auto check = [&](const std::string& target, const std::string& value) {
    signature::Mac mac(signature::Digest::sha256, "k1");
    signature::Mac::Room room;
    mac.begin();
    mac.update("\"@query-param\";name=\"id\": " + value + "\n\"@signature-params\": " + parameters);
    return rules.check(Request(Pairs{{"Signature-Input", "s=" + parameters}, {"Signature", "s=:" + base64_encode(mac.finish(room)) + ":"}}, "{}", target));
  };
  CHECK_EQ(check("/hook?id=7", "7"), "");
  CHECK_EQ(check("/hook", ""), "the request lacks something that was signed");
  CHECK_EQ(check("/hook?id=7&id=8", "7"), "the request lacks something that was signed");
}
