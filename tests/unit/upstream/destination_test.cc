#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/unit/event/certificates.h"
#include "upstream/destination.h"
#include "upstream/private_address.h"

using namespace belay;
using namespace belay::test;
using namespace belay::upstream;
using namespace std::chrono_literals;

namespace {

// Builds what stands below `destinations:`; presets are one, "steps".
struct Built {
  conf::Problems problems;
  conf::Configuration configuration;
  Destinations all;

  explicit Built(const std::string& text, const std::string& folder = "/nonexistent") {
    const auto preset = conf::Document::parse("retry: { schedule: [0s, 5m, 12h] }\n", "presets/steps.yaml", problems);
    const auto file = conf::Document::parse(text, "rules.yaml", problems);
    REQUIRE(file != nullptr);
    configuration.folder = folder;
    configuration.documents = {preset, file};
    configuration.presets.push_back({"steps", preset->root().position(), preset->root(), folder});
    for (const conf::Entry& entry : file->root().entries()) {
      configuration.destinations.push_back({entry.key, entry.key_position, entry.value, folder});
    }
    all = build_destinations(configuration, problems);
  }
  const Destination& only() const { return *all.begin()->second; }
};

}  // namespace

TEST_CASE("a_url_alone_is_a_destination_with_safe_defaults") {
  const Built built("crm: { url: http://127.0.0.1:8081/customers }\n");
  CHECK_MESSAGE(built.problems.empty(), built.problems.to_string());
  const Destination& to = *built.all.at("crm");
  CHECK_EQ(to.name, "crm");
  CHECK_EQ(to.key, Built("crm: { url: https://elsewhere.test }\n").only().key);  // stored: of the name alone
  CHECK_EQ(to.timeout.count(), 30'000);
  CHECK_EQ(to.connect_timeout.count(), 3'000);
  CHECK(to.success.contains(204));
  CHECK_FALSE(to.success.contains(301));
  CHECK(to.retry_on_network);
  for (const int status : {408, 409, 425, 429, 500, 503, 599}) CHECK(to.retry_on.contains(status));
  for (const int status : {200, 400, 401, 404, 422}) CHECK_FALSE(to.retry_on.contains(status));
  CHECK_EQ(to.retry.attempts, 12);
  CHECK(to.retry.schedule.empty());
  CHECK_EQ(to.concurrency, 512);
  CHECK(to.tls == nullptr);
}

TEST_CASE("every_key_of_a_destination_is_read") {
  const Built built(R"(
all:
  urls: [http://10.0.0.1:81/a, http://10.0.0.2:81/a]
  append_path: true
  timeout: 10s
  connect_timeout: 500ms
  success: [2xx, 404]
  concurrency: 20
  rate: 300/min
  retry: { first: 2s, factor: 3, max: 10m, attempts: 5, jitter: 10% }
  retry_on: ["5xx", "!501"]
  auth: { header: { X-API-Key: k1, X-Client-ID: c1 } }
  headers: { set: { X-Tenant: acme }, remove: [X-Secret, Cookie] }
  network: { allow: [10.0.0.0/8, 127.0.0.1] }
  on_dead: keep
)");
  CHECK_MESSAGE(built.problems.empty(), built.problems.to_string());
  const Destination& to = built.only();
  CHECK_EQ(to.urls.size(), 2);
  CHECK(to.append_path);
  CHECK_EQ(to.timeout.count(), 10'000);
  CHECK_EQ(to.connect_timeout.count(), 500);
  CHECK(to.success.contains(404));
  CHECK_EQ(to.concurrency, 20);
  CHECK_EQ(to.rate_per_second, doctest::Approx(5));
  CHECK_EQ(to.retry.first.count(), 2'000);
  CHECK_EQ(to.retry.factor, doctest::Approx(3));
  CHECK_EQ(to.retry.max.count(), 600'000);
  CHECK_EQ(to.retry.attempts, 5);
  CHECK_EQ(to.retry.jitter, doctest::Approx(0.1));
  CHECK_FALSE(to.retry_on_network);
  CHECK(to.retry_on.contains(500));
  CHECK_FALSE(to.retry_on.contains(501));
  CHECK_EQ(to.auth_headers.size(), 2);
  CHECK_EQ(*to.auth_headers[0].second.at({}), "k1");
  CHECK_EQ(to.set_headers[0].first, "X-Tenant");
  CHECK_EQ(to.remove_headers, std::vector<std::string>{"X-Secret", "Cookie"});
  CHECK_EQ(to.network_allow.size(), 2);
}

TEST_CASE("retry_is_a_preset_a_schedule_or_a_growing_wait") {
  const Destination preset = Built("a: { url: http://h.test, retry: { preset: steps } }\n").only();
  CHECK_EQ(preset.retry.schedule, std::vector<Duration>{0s, 5min, 12h});
  CHECK_EQ(preset.retry.attempts, 3);
  const Destination schedule = Built("a: { url: http://h.test, retry: { schedule: [0s, 1s] } }\n").only();
  CHECK_EQ(schedule.retry.schedule.size(), 2);
}

TEST_CASE("credentials_become_fields") {
  ::setenv("BELAY_TEST_TOKEN", "t0ken", 1);
  const Built bearer("a: { url: http://h.test, auth: { bearer: \"${env:BELAY_TEST_TOKEN}\" } }\n");
  CHECK_MESSAGE(bearer.problems.empty(), bearer.problems.to_string());
  CHECK_EQ(*bearer.only().authorization.at({}), "Bearer t0ken");
  CHECK_EQ(*Built("a: { url: http://h.test, auth: { basic: { user: aladdin, password: \"open sesame\" } } }\n").only().authorization.at({}),
           "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK_EQ(*Built("a: { url: http://h.test, headers: { set: { X-T: \"${env:BELAY_TEST_TOKEN}\" } } }\n").only().set_headers[0].second.at({}), "t0ken");
}

TEST_CASE("of_several_secrets_the_newest_that_is_valid_at_the_time_is_sent") {
  const auto at = [](const char* text) { return *conf::parse_time(text); };
  const std::string rotated = "[{ value: old, valid_until: 2026-03-01T00:00:00Z }, { value: next, valid_from: 2026-02-01T00:00:00Z, valid_until: 2026-06-01T00:00:00Z }]";
  const Built built("a: { url: http://h.test, auth: { bearer: " + rotated + " }, headers: { set: { X-Key: " + rotated + " } } }\n"
                    "b: { url: http://h.test, auth: { header: { X-API-Key: " + rotated + " } } }\n"
                    "c: { url: http://h.test, auth: { basic: { user: u, password: " + rotated + " } } }\n");
  REQUIRE_MESSAGE(built.problems.empty(), built.problems.to_string());
  const Destination& a = *built.all.at("a");
  const FieldValue& bearer = a.authorization;
  CHECK_EQ(*bearer.at(at("2026-01-31T23:59:59Z")), "Bearer old");
  CHECK_EQ(*bearer.at(at("2026-02-01T00:00:00Z")), "Bearer next");
  CHECK_EQ(*bearer.at(at("2026-05-31T23:59:59Z")), "Bearer next");
  CHECK(bearer.at(at("2026-06-01T00:00:00Z")) == nullptr);
  CHECK_EQ(*a.set_headers[0].second.at(at("2026-04-01T00:00:00Z")), "next");
  CHECK_EQ(a.field_without_value(at("2026-04-01T00:00:00Z")), "");
  CHECK_EQ(a.field_without_value(at("2026-07-01T00:00:00Z")), "Authorization");
  CHECK_EQ(*built.all.at("b")->auth_headers[0].second.at(at("2026-02-10T00:00:00Z")), "next");
  CHECK_EQ(built.all.at("b")->field_without_value(at("2026-07-01T00:00:00Z")), "X-API-Key");
  CHECK_EQ(*built.all.at("c")->authorization.at(at("2026-01-10T00:00:00Z")), "Basic dTpvbGQ=");
  CHECK_EQ(*built.all.at("c")->authorization.at(at("2026-02-10T00:00:00Z")), "Basic dTpuZXh0");
}

TEST_CASE("tls_files_start_at_the_folder_of_the_rules") {
  Certificates made;
  made.issue("client", "");
  const std::string folder = made.ca().substr(0, made.ca().rfind('/'));
  const Built built("a: { url: https://h.test, tls: { ca: ca.pem, certificate: client.pem, key: client.key, server_name: inner.test } }\n"
                    "b: { url: https://i.test, tls: { ca: ca.pem, certificate: client.pem, key: client.key } }\n", folder);
  CHECK_MESSAGE(built.problems.empty(), built.problems.to_string());
  CHECK(built.all.at("a")->tls != nullptr);
  CHECK(built.all.at("a")->tls == built.all.at("b")->tls);
  CHECK_EQ(built.all.at("a")->server_name, "inner.test");
}

TEST_CASE("what_is_wrong_is_said_with_its_place_and_what_to_write") {
  const std::pair<std::string, std::string> cases[] = {
      {"{ }", "a destination needs a url"},
      {"{ url: http://a.test, urls: [http://b.test] }", "url and urls exclude each other"},
      {"{ urls: [] }", "no url in the list"},
      {"{ url: ftp://a.test }", "rules.yaml:1:11: "},
      {"{ url: http://a.test, tiemout: 3s }", "did you mean 'timeout'?"},
      {"{ url: http://a.test, ramp: 1ms }", "ramp"},
      {"{ url: http://a.test, breaker: { failures: 0% } }", "failures"},
      {"{ url: http://a.test, breaker: { of_last: 65 } }", "more than 64"},
      {"{ url: http://a.test, breaker: { open_fro: 3s } }", "did you mean 'open_for'?"},
      {"{ url: http://a.test, health: { every: 3s } }", "path"},
      {"{ url: http://a.test, health: { path: healthz } }", "write for example /healthz"},
      {"{ url: http://a.test, balanced: first_alive }", "there is one url"},
      {"{ urls: [http://a.test, http://b.test], balanced: random }", "least_pending"},
      {"{ url: http://a.test, sign: { preset: x, secret: s } }", "there is no such preset"},
      {"{ url: http://a.test, sign: { algorithm: hmac-sha256, signature: { header: X-Sig } } }", "sign needs a secret"},
      {"{ url: http://a.test, sign: { secret: s, secrets: { signing: s }, algorithm: hmac-sha256, signature: { header: X-Sig } } }", "exclude each other"},
      {"{ url: http://a.test, sign: { secret: s } }", "algorithm"},
      {"{ url: http://a.test, sign: { secret: s, algorithm: hmac-sha256, signatrue: { header: X-Sig } } }", "did you mean 'signature'?"},
      {"{ url: http://a.test, sign: { secret: s, scheme: { algorithm: hmac-sha256, signature: { header: X-Sig } } } }", "unknown key 'scheme'"},
      {"{ url: http://a.test, sign: whsec_x }", "sign must be a mapping"},
      {"{ url: http://a.test, sign: { secret: s, algorithm: hmac-sha256, signature: { body: sig } } }", "sign cannot make it"},
      {"{ url: http://a.test, sign: { secret: s, algorithm: ed25519, signature: { header: X }, keys: \"https://a.test/k\" } }", "sign cannot make it"},
      {"{ url: http://a.test, on_dead: stop }", "keep"},
      {"{ url: http://a.test, auth: { oauth2: { token_url: \"https://a.test/t\", client_id: c } } }", "client_secret"},
      {"{ url: http://a.test, auth: { oauth2: { token_url: \"http://login.test/t\", client_id: c, client_secret: s } } }", "is not https"},
      {"{ url: http://a.test, auth: { bearer: a, header: { X: b } } }", "auth needs exactly one way"},
      {"{ url: http://a.test, auth: { } }", "auth needs exactly one way"},
      {"{ url: http://a.test, auth: { header: { \"X Y\": b } } }", "'X Y' is no header name"},
      {"{ url: http://a.test, auth: { bearer: \"a\\nb\" } }", "cannot stand in a header"},
      {"{ url: http://a.test, headers: { set: { Content-Length: 5 } } }", "header Content-Length belongs to the connection"},
      {"{ url: http://a.test, headers: { set: { Transfer-Encoding: chunked } } }", "belongs to the connection"},
      {"{ url: http://a.test, headers: { remove: [Host] } }", "a request needs its Host"},
      {"{ url: http://a.test, headers: { set: { X: \"a\\r\\nb\" } } }", "cannot stand in a header"},
      {"{ url: http://a.test, retry: { preset: none } }", "presets with a retry schedule: steps"},
      {"{ url: http://a.test, retry: { preset: steps, attempts: 3 } }", "attempts does not go with a preset"},
      {"{ url: http://a.test, retry: { schedule: [0s], factor: 2 } }", "factor does not go with a schedule"},
      {"{ url: http://a.test, retry: { schedule: [] } }", "schedule must be a list of waits"},
      {"{ url: http://a.test, retry_on: [6xx] }", "'6xx' is no status"},
      {"{ url: http://a.test, success: network }", "'network' is no status"},
      {"{ url: http://a.test, network: { allow: [10.0.0.1/8] } }", "10.0.0.0/8"},
      {"{ url: http://a.test, tls: { verify: false } }", "tls has no use without an https url"},
      {"{ url: https://a.test, tls: { ca: missing.pem } }", "missing.pem"},
  };
  // RULE: no structured binding, because clang 14 cannot capture one in the check's lambda.
  for (const auto& each : cases) {
    const std::string &text = each.first, &expected = each.second;
    const Built built("a: " + text + "\n");
    const std::string said = built.problems.to_string();
    CHECK_MESSAGE(said.find(expected) != std::string::npos, text, " said: ", said);
    CHECK_MESSAGE(said.starts_with("rules.yaml:1:"), said);
  }
}

TEST_CASE("a_breaker_is_there_when_it_is_written_and_its_share_becomes_a_number") {
  const Built built("a: { url: http://a.test }\nb: { url: http://a.test, breaker: {} }\nc: { url: http://a.test, on_dead: disable, breaker: { failures: 34%, of_last: 10, open_for: 5s } }\n");
  REQUIRE_MESSAGE(built.problems.empty(), built.problems.to_string());
  CHECK_FALSE(built.all.at("a")->breaker.on());
  CHECK_FALSE(built.all.at("a")->disable_on_dead);
  CHECK_EQ(built.all.at("b")->breaker.failures, 10);
  CHECK_EQ(built.all.at("b")->breaker.of_last, 20);
  CHECK(built.all.at("b")->breaker.open_for == Duration(30'000));
  CHECK_EQ(built.all.at("c")->breaker.failures, 4);
  CHECK(built.all.at("c")->breaker.open_for == Duration(5'000));
  CHECK(built.all.at("c")->disable_on_dead);
}

TEST_CASE("ramp_health_and_balanced_read_as_written") {
  const Built built("a: { urls: [http://a.test, http://b.test], balanced: least_pending, ramp: 60s, health: { path: \"/up?deep=1\", every: 2s } }\nb: { url: http://a.test, retry: { schedule: [0s, 10s], jitter: 10% } }\n");
  REQUIRE_MESSAGE(built.problems.empty(), built.problems.to_string());
  CHECK(built.all.at("a")->balance == Balance::least_pending);
  CHECK(built.all.at("a")->ramp == Duration(60'000));
  CHECK_EQ(built.all.at("a")->health.path, "/up?deep=1");
  CHECK(built.all.at("a")->health.every == Duration(2'000));
  CHECK(built.all.at("a")->health.timeout == Duration(5'000));
  CHECK_FALSE(built.all.at("b")->health.on());
  CHECK(built.all.at("b")->ramp == Duration(0));
  CHECK_EQ(built.all.at("b")->retry.jitter, 0.1);
}

TEST_CASE("status_terms_read_as_people_write_them") {
  const auto set = [](const std::vector<std::string>& terms) { return *StatusSet::parse(terms); };
  CHECK(set({">=500"}).contains(599));
  CHECK_FALSE(set({">=500"}).contains(499));
  CHECK(set({">499"}).contains(500));
  CHECK(set({"<=404"}).contains(404));
  CHECK_FALSE(set({"<404"}).contains(404));
  CHECK(set({"500..502"}).contains(502));
  CHECK_FALSE(set({"500..502"}).contains(503));
  CHECK(set({"!503"}).contains(500));
  CHECK_FALSE(set({"!503"}).contains(503));
  CHECK_FALSE(set({"5xx", "!503"}).contains(404));
  CHECK_FALSE(set({}).contains(200));
  for (const std::string term : {"", "2x", "99", "600", "2..3", "503..500", "network", ">=", "!", "20O"}) CHECK_FALSE_MESSAGE(StatusSet::parse({term}).ok(), term);
  bool network = false;
  CHECK(StatusSet::parse({"network"}, &network).ok());
  CHECK(network);
}

TEST_CASE("private_addresses_are_known_in_every_form") {
  for (const std::string text : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
                                 "fe80::1", "fd00::1", "::ffff:10.0.0.1", "224.0.0.1"}) {
    CHECK_MESSAGE(is_private(*IpAddress::parse(text)), text);
  }
  for (const std::string text : {"8.8.8.8", "172.32.0.1", "192.169.0.1", "100.128.0.1", "2001:4860:4860::8888"}) CHECK_FALSE_MESSAGE(is_private(*IpAddress::parse(text)), text);
}

TEST_CASE("a_v6_address_that_carries_a_v4_one_is_judged_by_that") {
  for (const std::string text : {"::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:c0a8:101::5",
                                 "2002:a9fe:a9fe::1", "::127.0.0.1"}) {
    CHECK_MESSAGE(is_private(*IpAddress::parse(text)), text);
  }
  for (const std::string text : {"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "64:ff9c::10.0.0.1", "2003:a00:1::"}) {
    CHECK_FALSE_MESSAGE(is_private(*IpAddress::parse(text)), text);
  }
}

TEST_CASE("the_edges_of_the_private_blocks_are_where_the_registry_has_them") {
  for (const std::string text : {"0.0.0.0", "0.255.255.255", "100.64.0.0", "100.127.255.255", "169.254.0.0", "169.254.255.255", "224.0.0.1", "255.255.255.255",
                                 "::", "::1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fdff::1", "ff02::1"}) {
    CHECK_MESSAGE(is_private(*IpAddress::parse(text)), text);
  }
  for (const std::string text : {"1.0.0.0", "100.63.255.255", "169.253.255.255", "169.255.0.0", "223.255.255.255", "fbff::1"}) {
    CHECK_FALSE_MESSAGE(is_private(*IpAddress::parse(text)), text);
  }
}
