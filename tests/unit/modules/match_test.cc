#include "kit.h"
#include "modules/match/paths.h"

using namespace belay;
using namespace belay::test;

namespace {

std::string sources(const std::string& list) {
  return "sources:\n" + list + "destinations:\n  d: { url: \"http://127.0.0.1:1/\" }\n";
}
std::string one(const std::string& name, const std::string& match) {
  return "  " + name + ": { match: " + match + ", routes: [{ to: d }] }\n";
}

std::string taken_by(Kit& kit, const std::string& path, const std::string& method = "POST",
                     const std::string& host = "a.test") {
  const auto walked = kit.send(method, path, {}, "", "192.0.2.1", host);
  return walked->exchange->source != nullptr ? walked->exchange->source->name : std::to_string(walked->status());
}

}  // namespace

TEST_CASE("the_most_specific_path_wins_exact_then_capture_then_longest_prefix") {
  Kit kit(
      sources(one("exact", "/a/b") + one("capture", "{ path: \"/a/{x}\" }") + one("deep", "{ path: \"/a/{x}/c\" }") +
              one("near", "{ path: \"/a/*\" }") + one("far", "{ path: \"/*\" }")),
      &modules::kMatch);
  CHECK_EQ(taken_by(kit, "/a/b"), "exact");
  CHECK_EQ(taken_by(kit, "/a/z"), "capture");
  CHECK_EQ(taken_by(kit, "/a/b/c"), "deep");
  CHECK_EQ(taken_by(kit, "/a/b/d"), "near");
  CHECK_EQ(taken_by(kit, "/a/"), "near");
  CHECK_EQ(taken_by(kit, "/b"), "far");
  CHECK_EQ(taken_by(kit, "/a/b?x=/z"), "exact");
}

TEST_CASE("captures_are_decoded_and_the_rest_behind_a_prefix_is_kept_as_received") {
  Kit kit(sources(one("c", "{ path: \"/t/{tenant}/in/{kind}\" }") + one("p", "{ path: \"/p/{tenant}/*\" }")),
          &modules::kMatch);
  const auto captured = kit.send("POST", "/t/acme%20co/in/x");
  REQUIRE_EQ(captured->exchange->captures.size(), 2);
  CHECK_EQ(captured->exchange->captures[0].first, "tenant");
  CHECK_EQ(captured->exchange->captures[0].second, "acme co");
  CHECK_EQ(captured->exchange->captures[1].second, "x");
  const auto rest = kit.send("POST", "/p/acme/a%20b/c/?q=1");
  CHECK_EQ(rest->exchange->path_rest, "/a%20b/c/");
  CHECK_EQ(rest->exchange->captures.at(0).second, "acme");
}

TEST_CASE("an_unknown_path_is_404_and_a_wrong_method_405_with_allow") {
  Kit kit(sources(one("a", "{ path: /a, methods: [POST, PUT] }") + one("b", "{ path: /b, methods: any }")),
          &modules::kMatch);
  CHECK_EQ(taken_by(kit, "/c"), "404");
  CHECK_EQ(taken_by(kit, "/A"), "404");
  const auto wrong = kit.send("GET", "/a");
  CHECK_EQ(wrong->status(), 405);
  CHECK(wrong->has_field("Allow: POST, PUT"));
  CHECK_EQ(taken_by(kit, "/b", "PURGE"), "b");
}

TEST_CASE("a_named_host_goes_before_any_and_falls_back_to_it") {
  Kit kit(sources(one("named", "{ path: /a, host: Hooks.Example.test }") + one("any", "{ path: /a }") +
                  one("other", "{ path: /b }")),
          &modules::kMatch);
  CHECK_EQ(taken_by(kit, "/a", "POST", "hooks.example.TEST:8443"), "named");
  CHECK_EQ(taken_by(kit, "/a", "POST", "b.test"), "any");
  CHECK_EQ(taken_by(kit, "/b", "POST", "hooks.example.test"), "other");
}

TEST_CASE("one_path_may_have_a_source_for_each_method") {
  Kit kit(sources(one("get", "{ path: /a, methods: [GET] }") + one("post", "{ path: /a }")), &modules::kMatch);
  CHECK_EQ(taken_by(kit, "/a", "GET"), "get");
  CHECK_EQ(taken_by(kit, "/a", "POST"), "post");
}

TEST_CASE("a_shadowed_source_is_a_problem_that_names_both_places") {
  Kit kit(sources(one("first", "{ path: \"/a/{x}\" }") + one("second", "{ path: \"/a/{y}\", methods: any }")),
          &modules::kMatch);
  CHECK_FALSE(kit.built());
  CHECK_NE(kit.problems().find("rules.yaml:3:"), std::string::npos);
  CHECK_NE(kit.problems().find("rules.yaml:2:"), std::string::npos);
}

TEST_CASE("a_path_that_could_climb_out_of_its_source_is_refused") {
  Kit kit(sources(one("open", "{ path: \"/*\" }") + one("strict", "{ path: /strict/in }") +
                  one("under", "{ path: \"/under/*\" }")),
          &modules::kMatch);
  for (const char* path :
       {"/under/../strict/in", "/under/%2e%2E/x", "/under/./x", "/under/..%2fx", "/under/a/..", "/under/%zz"}) {
    INFO(path);
    CHECK_EQ(kit.send("POST", path)->status(), 400);
  }
  // Another spelling of a path that has rules of its own.
  CHECK_EQ(kit.send("POST", "/strict%2Fin")->status(), 400);
  CHECK_EQ(kit.send("POST", "/%73trict/in")->status(), 400);
  CHECK_EQ(taken_by(kit, "/under/a%2Fb"), "under");
  CHECK_EQ(taken_by(kit, "/other%2Fx//y"), "open");
}

TEST_CASE("no_spelling_of_a_stronger_sources_path_reaches_a_weaker_one") {
  Kit kit(sources(one("open", "{ path: \"/webhooks/*\" }") + one("acme", "/webhooks/acme") +
                  one("tenant", "{ path: \"/webhooks/t/{x}/in\" }") + one("folder", "{ path: \"/webhooks/erp/*\" }")),
          &modules::kMatch);
  for (const char* path :
       {"/webhooks//acme", "/webhooks/./acme", "/webhooks/acme/", "/webhooks/acme//", "/webhooks%2Facme",
        "/webhooks%2facme", "/webhooks/%61cme", "/webhooks/acm%65", "/webhooks/%2561cme", "/webhooks/acme;x=1",
        "/webhooks/;/acme", "/webhooks/acme%3Bx", "/webhooks/ACME", "/webhooks/%41CME", "/webhooks/\\acme",
        "/webhooks/%5Cacme", "/webhooks/acme%00", "/webhooks/acme%0a", "/webhooks/t/a/in/", "/webhooks/t//a/in",
        "/webhooks/T/a/in", "/webhooks/erp", "/webhooks/erp;a", "/webhooks//erp/x", "/webhooks/%65rp/x",
        "/webhooks/x/%2e%2e/acme", "/webhooks/x/%252e%252e/acme", "/webhooks/..;/webhooks/acme"}) {
    INFO(path);
    const int status = kit.send("POST", path)->status();
    CHECK((status == 400 || status == 404));
  }
  CHECK_EQ(taken_by(kit, "/webhooks/acme"), "acme");
  for (const char* path : {"/webhooks/acme2", "/webhooks/x//y", "/webhooks/x;v=1", "/webhooks/x%20y%2Fz/", "/webhooks/Other",
                           "/webhooks/100%25", "/webhooks/a.b/.c"}) {
    INFO(path);
    CHECK_EQ(taken_by(kit, path), "open");
  }
  CHECK_EQ(taken_by(kit, "/webhooks/erp/"), "folder");
  CHECK_EQ(taken_by(kit, "/webhooks/erp/X"), "folder");
  CHECK_EQ(taken_by(kit, "/webhooks/t/A%20B/in"), "tenant");
}

TEST_CASE("rules_may_be_written_in_any_spelling_and_still_guard_the_plain_one") {
  Kit kit(sources(one("open", "{ path: \"/*\" }") + one("strict", "/Strict/In/") + one("coded", "/a%2Fb")), &modules::kMatch);
  CHECK_EQ(taken_by(kit, "/Strict/In/"), "strict");
  CHECK_EQ(taken_by(kit, "/a%2Fb"), "coded");
  for (const char* path : {"/strict/in", "/Strict/In", "/strict/in/", "/a/b", "/a%2fb"}) {
    INFO(path);
    CHECK_EQ(kit.send("POST", path)->status(), 400);
  }
  Kit both(sources(one("lower", "{ path: \"/a/{x}\" }") + one("upper", "{ path: \"/A/{x}\" }")), &modules::kMatch);
  CHECK_EQ(taken_by(both, "/a/1"), "lower");
  CHECK_EQ(taken_by(both, "/A/1"), "upper");
}

TEST_CASE("no_spelling_of_a_host_or_of_its_path_falls_through_to_a_source_without_a_host") {
  Kit kit(sources(one("named", "{ path: /in, host: hooks.example.com }") + one("any", "{ path: \"/*\" }")), &modules::kMatch);
  for (const char* host : {"hooks.example.com", "hooks.example.com.", "HOOKS.example.COM.:443", "hooks.example.com..", "hooks.example.com:8080"}) {
    INFO(host);
    CHECK_EQ(taken_by(kit, "/in", "POST", host), "named");
    CHECK_EQ(taken_by(kit, "/in/", "POST", host), "400");
    CHECK_EQ(taken_by(kit, "//in", "POST", host), "400");
    CHECK_EQ(taken_by(kit, "/other", "POST", host), "any");
  }
  CHECK_EQ(taken_by(kit, "/in/", "POST", "b.test"), "any");
}

TEST_CASE("a_host_that_no_request_can_have_is_refused_when_rules_load") {
  for (const char* host : {"*.example.com", "https://hooks.example.com", ":8080", ".", "..", "hooks.example.com/in", "hooks example", "[::1", "a@b.test"}) {
    INFO(host);
    const Kit kit(sources(one("named", std::string("{ path: /in, host: \"") + host + "\" }")), &modules::kMatch);
    CHECK_FALSE(kit.built());
    const std::string problems = kit.problems();
    INFO(problems);
    CHECK_NE(problems.find(":2:38"), std::string::npos);
    CHECK_NE(problems.find("names are exact"), std::string::npos);
    CHECK_NE(problems.find("write host: hooks.example.com"), std::string::npos);
  }
  Kit kit(sources(one("v6", "{ path: /in, host: \"[::1]\" }") + one("port", "{ path: /in, host: \"Hooks.example.com.:8080\" }")), &modules::kMatch);
  CHECK_EQ(taken_by(kit, "/in", "POST", "[0::1]:80"), "v6");
  CHECK_EQ(taken_by(kit, "/in", "POST", "hooks.example.com"), "port");
}

TEST_CASE("paths_that_cannot_be_matched_are_refused_when_rules_load") {
  for (const char* path : {"a", "/a?b", "/a/{x", "/{x}/{x}", "/a*", "/../a", "/a%zz", "/{x y}"}) {
    INFO(path);
    CHECK_FALSE(modules::PathPattern::parse(path).ok());
  }
  std::string deep;
  for (size_t i = 0; i < modules::PathPattern::kMaxSegments; ++i) deep += "/a";
  CHECK(modules::PathPattern::parse(deep).ok());
  CHECK_FALSE(modules::PathPattern::parse(deep + "/a").ok());
}

TEST_CASE("ten_thousand_patterns_answer_each_with_its_own_slot") {
  modules::PathTable table;
  for (uint32_t i = 0; i < 10'000; ++i) {
    const std::string n = std::to_string(i);
    table.add(*modules::PathPattern::parse(i % 3 == 0   ? "/in/" + n
                                           : i % 3 == 1 ? "/t/" + n + "/{x}"
                                                        : "/p/" + n + "/*"),
              i);
  }
  for (uint32_t i = 0; i < 10'000; ++i) {
    const std::string n = std::to_string(i);
    if (i % 3 == 0) CHECK_EQ(table.find_exact("/in/" + n), i);
    if (i % 3 == 1) CHECK_EQ(table.find_pattern("/t/" + n + "/y"), i);
    if (i % 3 == 2) CHECK_EQ(table.find_pattern("/p/" + n + "/y/z"), i);
  }
  CHECK_EQ(table.find_pattern("/t/3/y"), modules::PathTable::kNone);
}
