#include "base/bytes.h"
#include "kit.h"

using namespace belay;
using namespace belay::test;

namespace {

int status(Kit& kit, Fields fields, const std::string& target = "/s") {
  return kit.send("POST", target, std::move(fields), "{}")->status();
}

}  // namespace

TEST_CASE("a_bearer_token_passes_whatever_the_case_of_its_scheme") {
  Kit kit(source("auth: { bearer: tok-1 }"), &modules::kAuth);
  CHECK_EQ(status(kit, {{"Authorization", "Bearer tok-1"}}), 200);
  CHECK_EQ(status(kit, {{"authorization", "bearer  tok-1"}}), 200);
  for (const char* wrong :
       {"Bearer tok-2", "Bearer tok-", "Bearer tok-11", "Basic tok-1", "tok-1", "Bearer", "Bearer "}) {
    INFO(wrong);
    CHECK_EQ(status(kit, {{"Authorization", wrong}}), 401);
  }
  CHECK_EQ(status(kit, {{"Authorization", "Bearer tok-1"}, {"Authorization", "Bearer tok-1"}}), 401);
  CHECK(kit.post()->has_field("WWW-Authenticate: Bearer"));
}

TEST_CASE("rotated_secrets_are_accepted_inside_their_windows_only") {
  Kit kit(source("auth: { bearer: [new, { value: old, valid_until: \"2025-10-09T09:00:00Z\" }, { value: next, "
                 "valid_from: \"2025-10-10T00:00:00Z\" }] }"),
          &modules::kAuth);
  kit.clock.set_wall(*conf::parse_time("2025-10-09T08:59:59Z"));
  CHECK_EQ(status(kit, {{"Authorization", "Bearer new"}}), 200);
  CHECK_EQ(status(kit, {{"Authorization", "Bearer old"}}), 200);
  CHECK_EQ(status(kit, {{"Authorization", "Bearer next"}}), 401);
  kit.clock.set_wall(*conf::parse_time("2025-10-09T09:00:00Z"));
  CHECK_EQ(status(kit, {{"Authorization", "Bearer old"}}), 401);
  kit.clock.set_wall(*conf::parse_time("2025-10-10T00:00:00Z"));
  CHECK_EQ(status(kit, {{"Authorization", "Bearer next"}}), 200);
}

TEST_CASE("basic_header_and_query_credentials_are_compared_whole") {
  Kit basic(source("auth: { basic: { user: erp, password: \"p:w\" } }"), &modules::kAuth);
  CHECK_EQ(status(basic, {{"Authorization", "Basic " + base64_encode("erp:p:w")}}), 200);
  CHECK_EQ(status(basic, {{"Authorization", "Basic " + base64_encode("erp:p")}}), 401);
  CHECK_EQ(status(basic, {{"Authorization", "Basic " + base64_encode("other:p:w")}}), 401);
  CHECK_EQ(status(basic, {{"Authorization", "Basic !!!"}}), 401);
  CHECK(basic.post()->has_field("WWW-Authenticate: Basic realm=\"belay\", charset=\"UTF-8\""));
  Kit header(source("auth: { header: { X-API-Key: k1, X-Client-ID: c1 } }"), &modules::kAuth);
  CHECK_EQ(status(header, {{"x-api-key", "k1"}, {"X-Client-ID", "c1"}}), 200);
  CHECK_EQ(status(header, {{"x-api-key", "k1"}}), 401);
  Kit query(source("auth: { query: { k: \"a b&c\" } }"), &modules::kAuth);
  CHECK_EQ(status(query, {}, "/s?x=1&k=a+b%26c"), 200);
  CHECK_EQ(status(query, {}, "/s?k=a"), 401);
  CHECK_EQ(status(query, {}, "/s?k=a+b%26c&k=a+b%26c"), 401);
  CHECK_EQ(status(query, {}, "/s?k="), 401);
  CHECK_EQ(status(query, {}), 401);
}

TEST_CASE("any_needs_one_and_all_needs_every_one") {
  Kit any(source("auth: { any: [{ bearer: t }, { header: { X-Key: k } }] }"), &modules::kAuth);
  CHECK_EQ(status(any, {{"X-Key", "k"}}), 200);
  CHECK_EQ(status(any, {{"Authorization", "Bearer t"}}), 200);
  CHECK_EQ(status(any, {{"X-Key", "t"}}), 401);
  Kit all(source("auth: { all: [{ bearer: t }, { header: { X-Key: k } }] }"), &modules::kAuth);
  CHECK_EQ(status(all, {{"X-Key", "k"}}), 401);
  CHECK_EQ(status(all, {{"X-Key", "k"}, {"Authorization", "Bearer t"}}), 200);
}

TEST_CASE("a_client_certificate_is_known_by_its_subject") {
  Kit kit(source("auth: { tls: { subject: \"CN=erp\" } }"), &modules::kAuth);
  CHECK_EQ(status(kit, {}), 401);
}

TEST_CASE("auth_gives_the_source_trust_token_and_wrong_settings_stop_the_load") {
  Kit kit(source("auth: { bearer: t }"), &modules::kAuth);
  REQUIRE(kit.built());
  CHECK_EQ(kit.ruleset->sources[0]->trust, pipeline::Trust::token);
  for (const char* wrong :
       {"{ bearer: t, basic: { user: u, password: p } }", "{}", "{ baerer: t }",
        "{ bearer: \"${env:BELAY_TEST_UNSET}\" }", "{ bearer: \"\" }", "{ basic: { user: u } }", "{ any: [] }",
        "{ jwt: { algorithms: [HS256] } }", "{ jwt: { secret: s, algorithms: [none] } }", "{ header: {} }",
        // The body is not there yet.
        "{ jwt: { secret: s, algorithms: [HS256], claims: { hash: \"{{ hex(sha256($raw)) }}\" } } }",
        "{ jwt: { secret: s, algorithms: [HS256], claims: { id: \"{{ $body.id }}\" } } }", "{ jwt: { secret: s, algorithms: [HS256], claims: { id: \"{{ $form.id }}\" } } }",
        "{ jwt: { secret: s, algorithms: [HS256], claims: { id: \"{{ $event.id }}\" } } }"}) {
    INFO(wrong);
    CHECK_FALSE(Kit(source(std::string("auth: ") + wrong), &modules::kAuth).built());
  }
}
