#include "base/bytes.h"
#include "kit.h"
#include "signature/mac.h"
#include "signature/signature_place.h"
#include "signature/timestamp.h"

using namespace belay;
using namespace belay::test;

namespace {

std::string mac(signature::Digest digest, std::string_view key, std::string_view text) {
  const signature::Mac made(digest, key);
  signature::Mac::Room room;
  made.begin();
  made.update(text.substr(0, text.size() / 2));
  made.update(text.substr(text.size() / 2));
  return std::string(made.finish(room));
}
std::string hex_mac(std::string_view key, std::string_view text) {
  return hex_encode(mac(signature::Digest::sha256, key, text));
}

std::string verify(const std::string& keys, const std::string& secrets = "{ signing: k1 }") {
  return source("secrets: " + secrets + ", verify: " + keys);
}

pipeline::Trust trust_of(const std::string& keys) {
  Kit kit(verify(keys), &modules::kVerify);
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  return kit.ruleset->sources[0]->trust;
}

}  // namespace

TEST_CASE("macs_match_the_published_vectors_and_can_be_made_again_and_again") {
  // RFC 4231 §4.3 and RFC 2202 §3, case 2.
  const std::string_view text = "what do ya want for nothing?";
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(hex_encode(mac(signature::Digest::sha1, "Jefe", text)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    CHECK_EQ(hex_encode(mac(signature::Digest::sha256, "Jefe", text)),
             "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK_EQ(hex_encode(mac(signature::Digest::sha384, "Jefe", text)),
             "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
    CHECK_EQ(hex_encode(mac(signature::Digest::sha512, "Jefe", text)),
             "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34"
             "d4a6b4b636e070a38bce737");
  }
}

TEST_CASE("any_of_several_secrets_and_any_of_several_signatures_may_match") {
  Kit kit(verify("{ algorithm: hmac-sha256, signature: { header: X-Sig, list: \",\", pair: \"=\", take: v1 } }",
                 "{ signing: [new, old] }"),
          &modules::kVerify);
  const std::string with_new = hex_mac("new", "{}"), with_old = hex_mac("old", "{}"), wrong = hex_mac("other", "{}");
  CHECK_EQ(kit.post({{"X-Sig", "v1=" + with_new}})->status(), 200);
  CHECK_EQ(kit.post({{"X-Sig", "v1=" + with_old}})->status(), 200);
  CHECK_EQ(kit.post({{"X-Sig", "v0=zz, v1=" + wrong + ", v1=" + with_old}})->status(), 200);
  CHECK_EQ(kit.post({{"X-Sig", "v0=" + with_old}})->status(), 401);
  CHECK_EQ(kit.post({{"X-Sig", "v1=" + wrong}})->status(), 401);
  std::string many;
  for (size_t i = 0; i < signature::GivenSignatures::kMaxSignatures; ++i) many += "v1=" + wrong + ",";
  CHECK_EQ(kit.post({{"X-Sig", many.substr(0, many.size() - 1)}})->reason(), "verify: the signature does not match");
  CHECK_EQ(kit.post({{"X-Sig", many + "v1=" + with_new}})->reason(), "verify: header X-Sig has not the expected form");
}

TEST_CASE("a_secret_outside_its_window_does_not_count") {
  Kit kit(verify("{ algorithm: hmac-sha256, signature: { header: X-Sig } }",
                 "{ signing: [{ value: old, valid_until: \"2025-10-09T09:00:00Z\" }] }"),
          &modules::kVerify);
  kit.clock.set_wall(*conf::parse_time("2025-10-09T08:00:00Z"));
  CHECK_EQ(kit.post({{"X-Sig", hex_mac("old", "{}")}})->status(), 200);
  kit.clock.set_wall(*conf::parse_time("2025-10-09T09:00:00Z"));
  CHECK_EQ(kit.post({{"X-Sig", hex_mac("old", "{}")}})->reason(), "verify: no key is valid at this time");
}

TEST_CASE("the_signature_may_stand_in_the_query_the_payload_or_a_position") {
  Kit query(verify("{ algorithm: hmac-sha256, signature: { query: sig } }"), &modules::kVerify);
  CHECK_EQ(query.send("POST", "/s?sig=" + hex_mac("k1", "{}"), {}, "{}")->status(), 200);
  CHECK_EQ(query.send("POST", "/s?sig=" + hex_mac("k1", "{}") + "&sig=x", {}, "{}")->status(), 401);
  Kit payload(verify("{ algorithm: equal, signature: { body: auth.token } }"), &modules::kVerify);
  CHECK_EQ(payload.post({}, R"({"auth":{"token":"k1"}})")->status(), 200);
  CHECK_EQ(payload.post({}, R"({"auth":{"token":["k1"]}})")->status(), 401);
  CHECK_EQ(payload.post({}, R"(not json)")->status(), 401);
  Kit position(verify("{ algorithm: hmac-sha256, over: \"{{ $ts }}.{{ $raw }}\", signature: { header: X-Sig, list: "
                      "\",\", positional: [t, \"*\"] }, "
                      "timestamp: { signature: t, unit: ms, tolerance: 5m } }"),
               &modules::kVerify);
  const std::string now = std::to_string(to_ms(position.clock.wall()));
  CHECK_EQ(position.post({{"X-Sig", now + ",00," + hex_mac("k1", now + ".{}")}})->status(), 200);
  CHECK_EQ(position.post({{"X-Sig", now + ",00"}})->status(), 401);
}

TEST_CASE("a_timestamp_counts_up_to_its_tolerance_both_ways_and_is_judged_before_the_signature") {
  Kit kit(verify("{ algorithm: hmac-sha256, over: \"{{ $ts }}.{{ $raw }}\", signature: { header: X-Sig }, timestamp: { "
                 "header: X-Time, unit: s, tolerance: 5m } }"),
          &modules::kVerify);
  const int64_t now = to_ms(kit.clock.wall()) / 1000;
  const auto at = [&](int64_t second) {
    const std::string text = std::to_string(second);
    return kit.post({{"X-Time", text}, {"X-Sig", hex_mac("k1", text + ".{}")}})->reason();
  };
  CHECK_EQ(at(now - 300), "passed");
  CHECK_EQ(at(now + 300), "passed");
  CHECK_EQ(at(now - 301), "verify: the timestamp is too old");
  CHECK_EQ(at(now + 301), "verify: the timestamp is too far ahead");
  CHECK_EQ(kit.post({{"X-Time", "soon"}, {"X-Sig", hex_mac("k1", "soon.{}")}})->reason(),
           "verify: the timestamp cannot be read");
  CHECK_EQ(kit.post({{"X-Time", "-1"}, {"X-Sig", "00"}})->reason(), "verify: the timestamp cannot be read");
  CHECK_EQ(kit.post({{"X-Sig", hex_mac("k1", ".{}")}})->reason(), "verify: header X-Time is missing");
  CHECK(signature::read_timestamp("2025-10-09T08:53:20Z", signature::TimestampRule::Unit::iso8601).has_value());
  CHECK_FALSE(signature::read_timestamp("99999999999999999999", signature::TimestampRule::Unit::seconds).has_value());
  CHECK_FALSE(signature::read_timestamp("1760000000000000", signature::TimestampRule::Unit::seconds).has_value());
}

TEST_CASE("odd_timestamps_are_refused_although_they_are_signed") {
  Kit kit(verify("{ algorithm: hmac-sha256, over: \"{{ $ts }}.{{ $raw }}\", signature: { header: X-Sig }, timestamp: { "
                 "header: X-Time, unit: s, tolerance: 5m } }"),
          &modules::kVerify);
  const std::string now = std::to_string(to_ms(kit.clock.wall()) / 1000);
  const auto at = [&](const std::string& text) {
    return kit.post({{"X-Time", text}, {"X-Sig", hex_mac("k1", text + ".{}")}})->status();
  };
  CHECK_EQ(at(now), 200);
  for (const std::string& odd : {"+" + now, "-" + now, " " + now, now + " ", now + ".0", now + "e0", "0x" + now, now + "000", std::string("0"),
                                 std::string("-0"), std::string("18446744073709551615"), std::string("18446744073709551616"),
                                 std::string("253402300800"), std::string("\xd9\xa1"), std::string(5000, '9')}) {
    INFO(odd.substr(0, 40));
    CHECK_EQ(at(odd), 401);
  }
}

TEST_CASE("alternatives_of_what_is_signed_and_expressions_in_it_are_tried") {
  Kit kit(verify("{ algorithm: hmac-sha512, encoding: base64, over: [\"{{ $headers['X-Id'] }}:{{ $raw }}\", \"{{ "
                 "$method }}{{ $raw }}\"], signature: { header: X-Sig } }"),
          &modules::kVerify);
  const auto signature = [](const std::string& text) {
    return base64_encode(mac(signature::Digest::sha512, "k1", text));
  };
  CHECK_EQ(kit.post({{"X-Id", "7"}, {"X-Sig", signature("7:{}")}})->status(), 200);
  CHECK_EQ(kit.post({{"X-Sig", signature("POST{}")}})->status(), 200);
  CHECK_EQ(kit.post({{"X-Sig", signature("{}")}})->status(), 401);
}

TEST_CASE("a_signed_header_that_occurs_twice_is_refused_whatever_its_case") {
  Kit kit(verify("{ algorithm: hmac-sha256, over: \"{{ $headers['X-Id'] }}.{{ $ts }}.{{ $raw }}\", signature: { header: "
                 "X-Sig }, timestamp: { header: X-Time, unit: s } }"),
          &modules::kVerify);
  const std::string signature = hex_mac("k1", "7.1760000000.{}");
  CHECK_EQ(kit.post({{"X-Id", "7"}, {"X-Time", "1760000000"}, {"X-Sig", signature}})->status(), 200);
  CHECK_EQ(kit.post({{"X-Id", "7"}, {"X-Time", "1760000000"}, {"X-Sig", signature}, {"x-id", "8"}})->reason(),
           "verify: a signed header occurs twice");
  CHECK_EQ(kit.post({{"X-Id", "7"}, {"X-Time", "1760000000"}, {"X-Sig", signature}, {"x-time", "1"}})->status(), 401);
  CHECK_EQ(kit.post({{"X-Id", "7"}, {"X-Time", "1760000000"}, {"X-Sig", signature}, {"X-Other", "1"}, {"X-Other", "2"}})->status(), 200);
}

TEST_CASE("a_key_is_stripped_and_decoded_when_the_scheme_says_so") {
  Kit kit(verify("{ algorithm: hmac-sha256, signature: { header: X-Sig }, key: { secret: s2, strip: whsec_, decode: "
                 "base64 } }",
                 "{ s2: whsec_azE= }"),
          &modules::kVerify);
  CHECK_EQ(kit.post({{"X-Sig", hex_mac("k1", "{}")}})->status(), 200);
  CHECK_FALSE(
      Kit(verify("{ algorithm: hmac-sha256, signature: { header: X-Sig }, key: { decode: hex } }"), &modules::kVerify)
          .built());
}

TEST_CASE("the_trust_level_says_what_the_scheme_proves") {
  using pipeline::Trust;
  CHECK_EQ(trust_of("{ algorithm: hmac-sha256, signature: { header: X } }"), Trust::signed_body);
  CHECK_EQ(trust_of("{ algorithm: equal, signature: { header: X } }"), Trust::token);
  CHECK_EQ(trust_of("{ algorithm: hmac-sha256, over: \"{{ $ts }}{{ $raw }}\", signature: { header: X }, timestamp: { "
                    "header: T, tolerance: 5m } }"),
           Trust::signed_fresh);
  // Not judged, or not signed.
  CHECK_EQ(trust_of("{ algorithm: hmac-sha256, over: \"{{ $ts }}{{ $raw }}\", signature: { header: X }, timestamp: { "
                    "header: T } }"),
           Trust::signed_body);
  CHECK_EQ(trust_of("{ algorithm: hmac-sha256, signature: { header: X }, timestamp: { header: T, tolerance: 5m } }"),
           Trust::signed_body);
  CHECK_EQ(trust_of("{ algorithm: hmac-sha256, over: \"{{ $ts }}\", signature: { header: X }, timestamp: { header: T, "
                    "tolerance: 5m } }"),
           Trust::token);
  CHECK_EQ(trust_of("{ algorithm: hmac-sha256, over: [\"{{ $raw }}\", \"{{ $url }}\"], signature: { header: X } }"),
           Trust::token);
}

TEST_CASE("schemes_that_would_prove_nothing_or_cannot_be_read_stop_the_load") {
  for (const char* wrong : {"{ algorithm: md5, signature: { header: X } }", "{ algorithm: hmac-sha256 }",
                            "{ algorithm: hmac-sha256, signature: { header: X, query: y } }",
                            "{ algorithm: hmac-sha256, signature: { header: X, pair: \"=\" } }",
                            "{ algorithm: hmac-sha256, signature: { header: X, take: v1, pair: \"=\" } }",
                            "{ algorithm: hmac-sha256, signature: { header: X }, timestamp: { signature: t } }",
                            "{ algorithm: equal, signature: { header: X }, replay: 10m }",
                            "{ algorithm: hmac-sha256, signature: { header: X }, key: other }",
                            "{ algorithm: jwt, signature: { header: X } }",
                            "{ algorithm: equal, over: \"{{ $raw }}\", signature: { header: X } }",
                            "{ algorithm: hmac-sha256, over: [], signature: { header: X } }",
                            "{ algorithm: jwt, signature: { header: X }, jwt: { algorithms: [none] } }",
                            "{ algorithm: hmac-sha256, signature: { header: \"X Y\" } }"}) {
    INFO(wrong);
    CHECK_FALSE(Kit(verify(wrong), &modules::kVerify).built());
  }
  CHECK_FALSE(Kit(source("verify: { algorithm: hmac-sha256, signature: { header: X } }"), &modules::kVerify).built());
  CHECK(Kit(source("preset: github, secrets: { signing: s }, verify: { replay: 10m }"), &modules::kVerify).built());
  CHECK_FALSE(Kit(source("preset: github, secrets: { signing: s }, verify: { replay: 10m, encoding: base64 }"), &modules::kVerify).built());
  CHECK_FALSE(Kit(source("preset: netx, secrets: { signing: s }, verify: { replay: 10m }"), &modules::kVerify).built());
  CHECK_FALSE(Kit(verify("{ replay: 10m }"), &modules::kVerify).built());
  CHECK_FALSE(
      Kit(verify("{ algorithm: hmac-sha256, signature: { header: X } }", "{ signing: \"\" }"), &modules::kVerify)
          .built());
}

TEST_CASE("a_refusal_is_401_and_tells_neither_key_nor_signature") {
  Kit kit(verify("{ algorithm: hmac-sha256, signature: { header: X-Sig } }"), &modules::kVerify);
  const auto refused = kit.post({{"X-Sig", hex_mac("other", "{}")}});
  CHECK_EQ(refused->status(), 401);
  CHECK_EQ(refused->exchange->outcome, wire::Outcome::rejected);
  CHECK_FALSE(refused->exchange->verified);
  CHECK(refused->has_field("WWW-Authenticate: Signature"));
  CHECK_EQ(refused->exchange->reply.body.find(hex_mac("k1", "{}")), std::string::npos);
  CHECK(kit.post({{"X-Sig", hex_mac("k1", "{}")}})->exchange->verified);
}
