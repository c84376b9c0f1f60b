#include "signature/scheme.h"

#include "base/bytes.h"
#include "fixture.h"

using namespace belay;
using namespace belay::test;
using signature::Trust;

TEST_CASE("of_a_list_every_check_that_applies_must_hold_and_one_must_apply") {
  const Rules rules(
      "[ { algorithm: equal, signature: { header: Key }, over: \"{{ $param.app }}\", when: \"'Key' in $headers\" },"
      "  { algorithm: hmac-sha256, signature: { header: Sig }, when: \"'Sig' in $headers\" } ]",
      {{"signing", "k1"}}, {{"app", "mine"}});
  const Request signed_one = rules.sign(Request(Pairs{{"Sig", "replaced"}}));
  const std::string good = Rules("{ algorithm: hmac-sha256, signature: { header: Sig } }").sign(Request()).fields.back().second;
  CHECK_EQ(rules.check(Request(Pairs{{"Sig", good}})), "");
  CHECK_EQ(rules.check(Request(Pairs{{"Sig", good}, {"Key", "mine"}})), "");
  CHECK_EQ(rules.check(Request(Pairs{{"Sig", good}, {"Key", "other"}})), "the token does not match");
  CHECK_EQ(rules.check(Request()), "no check of the scheme applies to this request");
  CHECK_EQ(rules.check(Request(Pairs{{"Key", "mine"}})), "no check of the scheme applies to this request");  // no secret in it
  CHECK_EQ(rules.scheme().trust(), Trust::token);  // the weakest of what may be all that is checked
}

TEST_CASE("what_compares_only_things_that_the_sender_writes_is_no_scheme") {
  for (const char* wrong : {"{ algorithm: equal, signature: { header: A }, over: \"{{ $raw }}\" }",
                            "[ { algorithm: equal, signature: { header: A }, over: known } ]",
                            "{ any: [ { algorithm: hmac-sha256, signature: { header: A } }, { algorithm: equal, signature: { header: B }, over: b } ] }"}) {
    INFO(wrong);
    const Rules rules(wrong);
    CHECK_FALSE(rules.built());
    CHECK_NE(rules.problems().find("this proves nothing"), std::string::npos);
  }
}

TEST_CASE("what_is_proven_is_the_same_however_it_is_signed_and_another_text_is_not") {
  const std::string replay = ", replay: 10m }", place = "{ algorithm: hmac-sha256, signature: { header: Sig, list: \",\", pair: \"=\", take: v1 }";
  const Rules both(place + replay, {{"signing", "k1"}, {"signing", "k2"}});
  const auto signature = [&](const char* key, const std::string& body) {
    return Rules(place + " }", {{"signing", key}}).sign(Request({}, body)).fields.back().second;
  };
  const auto proven = [&](const std::string& value, const std::string& body = "{}") {
    Request request(Pairs{{"Sig", value}, {"X", value}}, body);
    std::string out;
    CHECK(both.scheme().check(request.context(), request.now, nullptr, &out).genuine());
    CHECK_EQ(out.size(), 32);
    return out;
  };
  const std::string first = signature("k1", "{}"), second = signature("k2", "{}");
  const std::string known = proven(first + "," + second);
  CHECK_EQ(proven(first), known);
  CHECK_EQ(proven(second), known);
  CHECK_EQ(proven("v0=x,v1=" + ascii_upper(second.substr(3))), known);
  CHECK_NE(proven(signature("k1", "[]"), "[]"), known);
}

TEST_CASE("replay_is_said_once_and_only_where_what_is_signed_differs_from_webhook_to_webhook") {
  const std::string hmac = "{ algorithm: hmac-sha256, signature: { header: Sig } }";
  CHECK(Rules("{ all: [ " + hmac + ", { algorithm: equal, signature: { header: Key } } ], replay: 10m }").built());
  CHECK(Rules("{ any: [ " + hmac + ", " + hmac + " ], replay: 10m }").built());
  for (const std::string& wrong :
       {std::string("{ algorithm: equal, signature: { header: Key }, replay: 10m }"), "{ any: [ " + hmac + ", { algorithm: equal, signature: { header: Key } } ], replay: 10m }",
        std::string("{ any: [ { algorithm: hmac-sha256, signature: { header: Sig }, replay: 10m } ] }"),
        std::string("{ each: items, algorithm: hmac-sha256, signature: { body: $item.sig }, replay: 10m }"),
        std::string("{ algorithm: jwt, signature: { header: Sig }, jwt: { algorithms: [HS256] }, replay: 10m }"),
        std::string("{ algorithm: sha256, signature: { header: Sig }, over: \"{{ $secret.signing }}{{ $raw }}\", replay: 10m }"),
        std::string("{ algorithm: hmac-sha256, signature: { header: Sig }, replay: 100d }")}) {
    INFO(wrong);
    CHECK_FALSE(Rules(wrong).built());
  }
}

TEST_CASE("any_is_satisfied_by_one_and_believed_as_far_as_the_weakest") {
  const Rules rules(
      "{ any: [ { algorithm: hmac-sha256, signature: { header: A } }, { algorithm: equal, signature: { header: B } } ] }");
  CHECK_EQ(rules.check(Request(Pairs{{"B", "k1"}})), "");
  CHECK_EQ(rules.check(Request(Pairs{{"A", "00"}, {"B", "k1"}})), "");
  CHECK_EQ(rules.check(Request(Pairs{{"A", "00"}, {"B", "k2"}})), "the signature has not the expected form");
  CHECK_EQ(rules.scheme().trust(), Trust::token);
}

TEST_CASE("each_checks_every_element_and_refuses_none_and_too_many") {
  const Rules rules("{ each: value, algorithm: equal, signature: { body: $item.state } }");
  const auto list = [](const std::string& items) { return Request({}, "{\"value\":[" + items + "]}"); };
  const std::string good = "{\"state\":\"k1\"}";
  CHECK_EQ(rules.check(list(good + "," + good)), "");
  CHECK_EQ(rules.check(list(good + ",{\"state\":\"k2\"}")), "the token does not match");
  CHECK_NE(rules.check(list(good + ",{}")), "");
  CHECK_EQ(rules.check(list("")), "there is no list of signed elements");
  CHECK_EQ(rules.check(Request({}, "{}")), "there is no list of signed elements");
  std::string many = good;
  for (int i = 1; i < 1000; ++i) many += "," + good;
  CHECK_EQ(rules.check(list(many)), "");
  CHECK_EQ(rules.check(list(many + "," + good)), "too many signed elements");
}

TEST_CASE("numbered_headers_are_each_tried_and_their_number_is_limited") {
  const Rules rules("{ algorithm: hmac-sha256, signature: { header: \"X-Sig-*\" } }");
  const Request made = rules.sign(Request());
  REQUIRE_EQ(made.fields.back().first, "X-Sig-1");
  const std::string good = made.fields.back().second, bad(64, '0');
  CHECK_EQ(rules.check(Request(Pairs{{"x-sig-1", bad}, {"x-sig-2", good}})), "");
  CHECK_EQ(rules.check(Request(Pairs{{"X-Sig-", good}})), "header X-Sig-* is missing");
  CHECK_EQ(rules.check(Request(Pairs{{"X-Sig-a", good}})), "header X-Sig-* is missing");
  Pairs many;
  for (int i = 0; i < 16; ++i) many.emplace_back("X-Sig-" + std::to_string(i), i == 15 ? good : bad);
  CHECK_EQ(rules.check(Request(many)), "");
  many.emplace_back("X-Sig-99", good);
  CHECK_EQ(rules.check(Request(many)), "header X-Sig-* has not the expected form");
}

TEST_CASE("groups_carry_a_time_each") {
  const Rules rules(
      "{ algorithm: hmac-sha256, over: \"{{ $ts }}.{{ $raw }}\", signature: { header: Sig, group: \" \", list: \",\", pair: \"=\", take: v1 }, "
      "timestamp: { signature: t, unit: s, tolerance: 5m } }");
  const std::string good = rules.sign(Request()).fields.back().second, old = "t=1,v1=" + std::string(64, '0');
  CHECK_EQ(rules.check(Request(Pairs{{"Sig", old + " " + good}})), "");
  CHECK_EQ(rules.check(Request(Pairs{{"Sig", good + " " + old}})), "");
  CHECK_NE(rules.check(Request(Pairs{{"Sig", old + " " + good.substr(0, 13) + ",v1=" + std::string(64, '0')}})), "");
}

TEST_CASE("keys_are_derived_when_rules_load_and_for_each_request_where_the_request_has_a_part_in_it") {
  const std::string over = "algorithm: hmac-sha256, signature: { header: Sig }";
  const Rules suffix("{ " + over + ", key: { derive: \"{{ $secret.signing }}&\" } }"), plain("{ " + over + " }", {{"signing", "k1&"}});
  CHECK_EQ(plain.check(Request(suffix.sign(Request()).fields)), "");
  const Rules dated("{ " + over + ", key: { derive: '{{ hmac_sha256(hmac_sha256(\"v4\" + $secret.signing, $headers[\"Date\"]), \"eu\") }}' } }");
  const Request made = dated.sign(Request(Pairs{{"Date", "20251009"}}));
  CHECK_EQ(dated.check(Request(made.fields)), "");
  Pairs other = made.fields;
  other.front().second = "20251010";
  CHECK_EQ(dated.check(Request(other)), "the signature does not match");
}

TEST_CASE("a_request_may_name_the_secret_it_was_signed_with") {
  const Rules rules("{ algorithm: hmac-sha256, signature: { header: Sig }, key: { id: '$headers[\"Key-Id\"]', secrets: [first, second] } }",
                    {{"first", "k1"}, {"second", "k2"}, {"verify_token", "guessable"}});
  const Request made = rules.sign(Request(Pairs{{"Key-Id", "second"}}));
  CHECK_EQ(rules.check(Request(made.fields)), "");
  Pairs other = made.fields;
  other.front().second = "first";
  CHECK_EQ(rules.check(Request(other)), "the signature does not match");
  other.front().second = "third";
  CHECK_EQ(rules.check(Request(other)), "the key's id is not known");
  const Rules token("{ algorithm: hmac-sha256, signature: { header: Sig } }", {{"signing", "guessable"}});
  other = token.sign(Request(Pairs{{"Key-Id", "verify_token"}})).fields;
  CHECK_EQ(rules.check(Request(other)), "the key's id is not known");
  for (const char* wrong : {"{ secrets: [first] }", "{ id: \"'first'\", secrets: [] }", "{ id: \"'first'\", secrets: [third] }", "{ id: \"'first'\" }"}) {
    INFO(wrong);
    CHECK_FALSE(Rules("{ algorithm: hmac-sha256, signature: { header: Sig }, key: " + std::string(wrong) + " }", {{"first", "k1"}}).built());
  }
}

TEST_CASE("a_plain_hash_proves_the_body_only_with_the_secret_behind_it") {
  const auto trust = [](const std::string& over) {
    return Rules("{ algorithm: sha256, over: \"" + over + "\", signature: { header: Sig } }").scheme().trust();
  };
  CHECK_EQ(trust("{{ $raw }}{{ $secret.signing }}"), Trust::signed_body);
  CHECK_EQ(trust("{{ $secret.signing }}{{ $raw }}"), Trust::token);
  CHECK_FALSE(Rules("{ algorithm: sha256, signature: { header: Sig } }").built());
}

TEST_CASE("the_future_may_be_bounded_more_tightly_than_the_past") {
  const Rules rules("{ algorithm: hmac-sha256, over: \"{{ $ts }}{{ $raw }}\", signature: { header: Sig }, "
                    "timestamp: { header: Time, unit: s, tolerance: 5m, future: 10s } }");
  const auto at = [&](int64_t seconds) {
    Request request(Pairs{{"Time", std::to_string(1'760'000'000 + seconds)}});
    return rules.check(Request(rules.sign(std::move(request)).fields));
  };
  CHECK_EQ(at(-300), "");
  CHECK_EQ(at(-301), "the timestamp is too old");
  CHECK_EQ(at(10), "");
  CHECK_EQ(at(11), "the timestamp is too far ahead");
}

TEST_CASE("the_url_a_sender_knows_stands_in_the_parameters_and_takes_the_requests_query") {
  const Rules rules("{ algorithm: hmac-sha256, over: \"{{ $url }}{{ $raw }}\", signature: { header: Sig } }", {{"signing", "k1"}},
                    {{"url", "https://public.example/in"}});
  const Rules expected("{ algorithm: hmac-sha256, over: \"https://public.example/in?a=1{{ $raw }}\", signature: { header: Sig } }");
  const Request made = expected.sign(Request({}, "{}", "/hook?a=1"));
  CHECK_EQ(rules.check(Request(made.fields, "{}", "/hook?a=1")), "");
  CHECK_NE(rules.check(Request(made.fields, "{}", "/hook?a=2")), "");
  CHECK_EQ(signature::public_url("https://h/p?x=1", Request({}, "", "/q").context().view()), "https://h/p?x=1");
  CHECK_EQ(signature::public_url("https://h/p?x=1", Request({}, "", "/q?y=2").context().view()), "https://h/p?y=2");
}

TEST_CASE("a_reason_never_tells_a_secret") {
  const Rules rules("{ algorithm: equal, signature: { header: Token } }", {{"signing", "very-secret"}});
  CHECK_EQ(rules.check(Request(Pairs{{"Token", "very-secreT"}})).find("secre"), std::string::npos);
}

TEST_CASE("what_is_signed_by_name_must_not_be_given_twice") {
  const Rules form("{ algorithm: hmac-sha256, over: \"{{ $form.payload }}\", signature: { header: Sig } }");
  const Request made = form.sign(Request({}, "payload=good"));
  CHECK_EQ(form.check(Request(made.fields, "payload=good&other=1")), "");
  CHECK_EQ(form.check(Request(made.fields, "payload=good&payload=forged")), "a signed form field occurs twice");
  CHECK_EQ(form.check(Request(made.fields, "payload=good&pay%6Coad=forged")), "a signed form field occurs twice");
  const Rules query("{ algorithm: hmac-sha256, over: '{{ $query[\"data.id\"] }}', signature: { header: Sig } }");
  const Request asked = query.sign(Request({}, "{}", "/hook?data.id=1"));
  CHECK_EQ(query.check(Request(asked.fields, "{}", "/hook?data.id=1&id=2")), "");
  CHECK_EQ(query.check(Request(asked.fields, "{}", "/hook?data.id=1&data.id=2")), "a signed query parameter occurs twice");
}

TEST_CASE("a_signed_header_is_known_however_it_is_written") {
  for (const char* over : {"$headers['X-Id']", "$headers[ 'X-Id' ]", "$headers.?date.orValue('') + $headers[?'X-Id'].orValue('')", "default($headers['X-Id'], '')",
                           "('x-id' in $headers) ? $headers['X-Id'] : ''"}) {
    INFO(over);
    const Rules rules("{ algorithm: hmac-sha256, over: \"{{ " + std::string(over) + " }}\", signature: { header: Sig } }");
    const Request made = rules.sign(Request(Pairs{{"X-Id", "1"}}));
    Pairs twice = made.fields;
    CHECK_EQ(rules.check(Request(twice)), "");
    twice.emplace_back("x-id", "2");
    CHECK_EQ(rules.check(Request(twice)), "a signed header occurs twice");
  }
}

TEST_CASE("a_key_that_no_secret_has_a_part_in_is_refused") {
  const std::string over = "algorithm: hmac-sha256, signature: { header: Sig }";
  CHECK_FALSE(Rules("{ " + over + ", key: { derive: known } }").built());
  CHECK_FALSE(Rules("{ " + over + ", key: { derive: \"{{ $headers['Key'] }}\" } }").built());
  CHECK_FALSE(Rules("{ algorithm: equal, over: [\"{{ $secret.signing }}\", known], signature: { header: Sig } }").built());
  CHECK(Rules("{ algorithm: equal, over: [\"{{ $secret.signing }}\", \"a{{ $secret.signing }}\"], signature: { header: Sig } }").built());
}

TEST_CASE("a_parameter_that_is_not_given_stops_the_load_unless_its_presence_is_asked_for") {
  const auto built = [](const std::string& expression) {
    return Rules("{ algorithm: hmac-sha256, over: \"{{ $raw }}{{ " + expression + " }}\", signature: { header: Sig } }", {{"signing", "k1"}}, {{"app", "a"}})
        .problems();
  };
  CHECK_EQ(built("$param.app"), "");
  CHECK_NE(built("$param.other").find("parameter 'other' is not given"), std::string::npos);
  CHECK_NE(built("$param['other']").find("parameter 'other' is not given"), std::string::npos);
  for (const char* asks : {"has($param.other) ? $param.other : ''", "$param.?other.orValue('')", "default($param.other, '')", "'other' in $param ? $param.other : ''"}) {
    INFO(asks);
    CHECK_EQ(built(asks), "");
  }
}

TEST_CASE("trust_is_judged_for_every_alternative_and_what_is_lost_of_the_body_is_not_signed") {
  const auto trust = [](const std::string& over) {
    return Rules("{ algorithm: hmac-sha256, over: " + over + ", signature: { header: Sig }, timestamp: { header: Time, tolerance: 5m } }").scheme().trust();
  };
  CHECK_EQ(trust("\"{{ $ts }}{{ $raw }}\""), Trust::signed_fresh);
  CHECK_EQ(trust("\"{{ $headers['time'] }}{{ $raw }}\""), Trust::signed_fresh);
  CHECK_EQ(trust("[\"{{ $headers['time'] }}{{ $raw }}\", \"{{ $ts }}{{ hex(sha256($raw)) }}\"]"), Trust::signed_fresh);
  CHECK_EQ(trust("[\"{{ $headers['Time'] }}{{ $raw }}\", \"{{ $raw }}\"]"), Trust::signed_body);
  for (const char* part : {"\"{{ size($raw) }}\"", "\"{{ crc32($raw) }}\"", "\"{{ string($raw).contains('a') }}\"", "\"{{ string($raw).substring(0, 1) }}\"",
                           "\"{{ $raw == b'a' ? 'a' : 'b' }}\"", "[\"{{ $raw }}\", \"{{ size($raw) }}\"]"}) {
    INFO(part);
    CHECK_EQ(trust(part), Trust::token);
  }
}

TEST_CASE("a_digest_of_the_largest_body_is_made_and_what_is_too_much_work_is_nobodys_fault") {
  const Rules rules("{ algorithm: hmac-sha256, over: \"{{ hex(sha256($raw)) }}\", signature: { header: Sig } }");
  const std::string largest(size_t{24} << 20, 'a');  // limits.body can be no more
  CHECK_EQ(rules.check(Request(rules.sign(Request({}, largest)).fields, largest)), "");
  const Rules greedy("{ algorithm: hmac-sha256, over: \"{{ hex($raw) }}\", signature: { header: Sig } }");
  Request request(Pairs{{"Sig", std::string(64, '0')}}, largest);
  CHECK_EQ(greedy.scheme().check(request.context(), request.now).is, signature::Finding::Is::unavailable);
}

TEST_CASE("public_keys_beside_an_algorithm_that_has_none_are_refused") {
  for (const char* algorithm : {"hmac-sha256", "equal", "rfc9421"}) {
    INFO(algorithm);
    const bool components = std::string(algorithm) == "rfc9421";
    CHECK_FALSE(Rules("{ algorithm: " + std::string(algorithm) + ", signature: " +
                      (components ? "{ algorithm: hmac-sha256, components: [\"@method\"] }" : "{ header: Sig }") + ", keys: https://keys.example.com/jwks }")
                    .built());
  }
}
