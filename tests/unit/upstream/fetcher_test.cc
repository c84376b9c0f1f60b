#include "upstream/fetcher.h"

#include <doctest/doctest.h>

#include "tests/unit/event/certificates.h"
#include "tests/unit/upstream/scripted_backend.h"

using namespace belay;
using namespace belay::test;
using namespace belay::upstream;
using namespace std::chrono_literals;

namespace {

using Standing = Fetcher::Standing;

Answer document(const std::string& body, const std::string& fields = {}) {
  return {.bytes = "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}
Answer failure(const std::string& status) { return {.bytes = "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"}; }

struct Kit {
  belay::event::Loop loop;
  std::string body = "one", fields;
  bool broken = false;
  ScriptedBackend backend{loop, [this](const std::string&) { return broken ? failure("503 Service Unavailable") : document(body, fields); }};
  belay::event::Resolver resolver{loop, "127.0.0.1:1"};
  Client client{loop, resolver};
  Fetcher fetcher;
  Fetcher::Endpoint from = *make_endpoint(backend.url("/keys?v=1"));

  explicit Kit(FetchLimits limits = {}) : fetcher(loop, client, limits) {}

  Fetcher::Known fetched(Duration newest = Duration::max()) {
    bool done = false;
    fetcher.fetch(from, [&] { done = true; });
    BELAY_CHECK_NOTE(!done, "done ran inside fetch()");
    BELAY_CHECK_NOTE(loop.run_until([&] { return done; }, 60s), "no result within 60 s");
    return fetcher.known(*from, newest);
  }
  void pass(Duration time) { loop.run_until([] { return false; }, time); }
};

}  // namespace

TEST_CASE("a_document_is_fetched_once_for_all_who_wait_and_then_served_from_memory") {
  Kit kit;
  CHECK(kit.fetcher.known(*kit.from).standing == Standing::ask);
  int done = 0;
  for (int i = 0; i < 50; ++i) kit.fetcher.fetch(kit.from, [&] { ++done; });
  REQUIRE(kit.loop.run_until([&] { return done == 50; }, 60s));
  CHECK_EQ(kit.backend.requests.size(), 1);
  CHECK(kit.backend.requests[0].starts_with("GET /keys?v=1 HTTP/1.1\r\n"));
  CHECK(kit.backend.requests[0].find("webhook-id") == std::string::npos);
  const auto known = kit.fetcher.known(*kit.from);
  CHECK(known.standing == Standing::fresh);
  REQUIRE(known.document != nullptr);
  CHECK_EQ(known.document->body, "one");
}

TEST_CASE("cache_control_is_followed_between_the_bounds") {
  http::Fields fields;
  CHECK_EQ(max_age_of(fields).count(), -1);
  fields.add("Cache-Control", "public, Max-Age=120");
  CHECK_EQ(max_age_of(fields), Duration(120'000));
  fields.add("cache-control", "no-store");
  CHECK_EQ(max_age_of(fields), Duration(0));
  http::Fields odd;
  odd.add("Cache-Control", "max-age=1x, max-age=, s-maxage=5");
  CHECK_EQ(max_age_of(odd).count(), -1);

  Kit kit({.least_age = 40ms, .usual_age = 60s, .most_age = 80ms});
  kit.fields = "Cache-Control: no-store\r\n";
  CHECK(kit.fetched().standing == Standing::fresh);
  kit.pass(60ms);
  CHECK(kit.fetcher.known(*kit.from).standing == Standing::ask);
  kit.fields = "Cache-Control: max-age=86400\r\n";
  CHECK(kit.fetched().standing == Standing::fresh);
  kit.pass(100ms);
  CHECK(kit.fetcher.known(*kit.from).standing == Standing::ask);
}

TEST_CASE("a_failing_endpoint_is_remembered_and_the_last_document_serves_on_for_a_bounded_time") {
  Kit kit({.least_age = 20ms, .usual_age = 20ms, .most_age = 20ms, .stale = 300ms, .failure_memory = 100ms});
  kit.broken = true;
  CHECK(kit.fetched().standing == Standing::unavailable);
  CHECK_EQ(kit.fetcher.error(*kit.from), "status 503");
  kit.pass(120ms);
  CHECK(kit.fetcher.known(*kit.from).standing == Standing::ask);
  kit.broken = false;
  CHECK(kit.fetched().standing == Standing::fresh);
  CHECK_EQ(kit.fetcher.error(*kit.from), "");
  kit.pass(30ms);
  kit.broken = true;
  const auto stale = kit.fetched();
  CHECK(stale.standing == Standing::stale);
  REQUIRE(stale.document != nullptr);
  CHECK_EQ(stale.document->body, "one");
  const size_t asked = kit.backend.requests.size();
  CHECK(kit.fetcher.known(*kit.from).standing == Standing::stale);
  CHECK_EQ(kit.backend.requests.size(), asked);
  kit.pass(400ms);
  CHECK(kit.fetched().standing == Standing::unavailable);
}

TEST_CASE("a_document_can_be_asked_for_that_is_newer_than_an_interval") {
  Kit kit;
  CHECK(kit.fetched().standing == Standing::fresh);
  CHECK(kit.fetcher.known(*kit.from, 60s).standing == Standing::fresh);
  kit.pass(30ms);
  CHECK(kit.fetcher.known(*kit.from, 10ms).standing == Standing::ask);
  kit.body = "two";
  const auto known = kit.fetched(60s);
  CHECK(known.standing == Standing::fresh);
  CHECK_EQ(known.document->body, "two");
}

TEST_CASE("redirects_and_answers_over_the_limit_are_failures") {
  Kit kit({.failure_memory = 0ms});
  kit.backend.script([&](const std::string&) { return Answer{.bytes = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"}; });
  CHECK(kit.fetched().standing != Standing::fresh);
  CHECK_EQ(kit.fetcher.error(*kit.from), "status 302");
  kit.backend.script([&](const std::string&) { return document(std::string(EndpointRules::kMaxAnswer + 1, 'x')); });
  CHECK(kit.fetched().standing != Standing::fresh);
  CHECK(kit.fetcher.error(*kit.from).starts_with("bad_response"));
  kit.backend.script([&](const std::string&) { return document(std::string(EndpointRules::kMaxAnswer, 'x')); });
  CHECK(kit.fetched().standing == Standing::fresh);
}

TEST_CASE("plain_http_is_for_addresses_nobody_outside_can_take") {
  for (const char* good : {"https://keys.example.com/a", "http://127.0.0.1:81/", "http://[::1]/", "http://10.1.2.3/a", "http://localhost/a", "unix:/run/a.sock"}) {
    INFO(good);
    CHECK(make_endpoint(good).ok());
  }
  for (const char* bad : {"http://keys.example.com/a", "http://8.8.8.8/a", "ftp://a", "https://user@a.test/", "keys"}) {
    INFO(bad);
    CHECK_FALSE(make_endpoint(bad).ok());
  }
}

TEST_CASE("https_endpoints_are_verified") {
  Certificates certificates;
  certificates.issue("keys", "IP:127.0.0.1");
  Kit kit({.failure_memory = 0ms});
  const auto server = *belay::event::ServerTls::create({{certificates.certificate("keys"), certificates.key("keys"), "", ""}});
  ScriptedBackend secure(kit.loop, [](const std::string&) { return document("s"); }, server.get());
  kit.from = *make_endpoint(secure.url("/keys"));
  CHECK(kit.fetched().standing != Standing::fresh);
  CHECK(kit.fetcher.error(*kit.from).starts_with("tls_failed"));
  kit.from = *make_endpoint(secure.url("/keys"), {.tls = *belay::event::ClientTls::create({.ca = certificates.ca()})});
  CHECK(kit.fetched().standing == Standing::fresh);
}

TEST_CASE("the_document_that_was_used_longest_ago_makes_room") {
  Kit kit({.documents = 2});
  const auto first = kit.from;
  CHECK(kit.fetched().standing == Standing::fresh);
  kit.pass(5ms);
  for (const char* path : {"/b", "/c"}) {
    kit.from = *make_endpoint(kit.backend.url(path));
    CHECK(kit.fetched().standing == Standing::fresh);
    kit.pass(5ms);
  }
  CHECK(kit.fetcher.known(*first).standing == Standing::ask);
  CHECK(kit.fetcher.known(*kit.from).standing == Standing::fresh);
}
