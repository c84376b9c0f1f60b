#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "pipeline/module.h"
#include "wire/frame.h"

using namespace belay;
using namespace belay::pipeline;

namespace {

struct Named : Handler {
  explicit Named(std::string text_in) : text(std::move(text_in)) {}
  Verdict handle(Exchange&) const override { return Verdict::next; }
  std::string text;
};

std::unique_ptr<Handler> keep(const conf::Node& settings, BuildContext&) { return std::make_unique<Named>(settings.text()); }
std::unique_ptr<Handler> prove(const conf::Node& settings, BuildContext& context) {
  context.source->trust = Trust::signed_body;
  return std::make_unique<Named>(settings.text());
}

constexpr conf::Setting kMatchSettings[] = {{.key = "path", .help = "path"}};
constexpr Module kModules[] = {
    {.key = "match", .scope = Scope::gateway, .settings = kMatchSettings, .build = keep},
    {.key = "allow", .build = keep},
    {.key = "verify", .stage = Stage::on_body, .build = prove},
    {.key = "deliver", .stage = Stage::on_body, .always = true, .build = keep},
    {.key = "log", .stage = Stage::on_body, .scope = Scope::gateway, .build = keep},
};

struct Built {
  conf::Problems problems;
  std::shared_ptr<const Ruleset> ruleset;
  std::string first_problem() const { return problems.empty() ? "" : problems.to_string(); }
  const Source& source() const { return *ruleset->sources.at(0); }
};

Built build(const std::string& source, const std::string& listen = "127.0.0.1:8080", bool proxy_protocol = false,
            const std::vector<std::string>& trusted_proxies = {}) {
  Built built;
  auto configuration = std::make_shared<conf::Configuration>();
  configuration->main_file = "belay.yaml";
  configuration->proxy.limits.body = 1 << 20;
  configuration->proxy.listen.push_back(
      {.address = listen, .tls = {}, .proxy_protocol = proxy_protocol, .position = {"belay.yaml", 1, 1}});
  configuration->proxy.trusted_proxies = trusted_proxies;
  const auto rules = conf::Document::parse(source, "rules.yaml", built.problems);
  const auto preset = conf::Document::parse("verify: from-preset\nidentify: {}\n", "acme.yaml", built.problems);
  REQUIRE(rules);
  configuration->documents = {rules, preset};
  configuration->sources.push_back({"acme", {"rules.yaml", 1, 1}, rules->root(), {}});
  configuration->presets.push_back({"acme", {"acme.yaml", 1, 1}, preset->root(), {}});
  built.ruleset = build_ruleset(configuration, kModules, built.problems);
  CHECK((built.ruleset == nullptr) == !built.problems.empty());
  return built;
}

std::string text_of(const Source::Step& step) { return static_cast<const Named&>(*step.handler).text; }

}  // namespace

TEST_CASE("a_chain_has_what_the_source_writes_and_what_every_source_has_in_module_order") {
  const Built built = build("deliver: d\nallow: a\nmatch: /x\n");
  REQUIRE(built.ruleset);
  REQUIRE(built.source().steps.size() == 2);
  CHECK(built.source().steps[0].module->key == "allow");
  CHECK(built.source().steps[1].module->key == "deliver");
  REQUIRE(built.ruleset->before.size() == 1);
  CHECK(built.ruleset->before[0].module->key == "match");
  REQUIRE(built.ruleset->after.size() == 1);
  CHECK(built.ruleset->after[0].module->key == "log");
}

TEST_CASE("what_a_source_writes_wins_over_its_preset") {
  CHECK(text_of(build("preset: acme\n").source().steps[0]) == "from-preset");
  CHECK(text_of(build("preset: acme\nverify: own\n").source().steps[0]) == "own");
}

TEST_CASE("an_unknown_key_is_refused_with_the_one_that_was_probably_meant") {
  CHECK(build("alow: [10.0.0.1]\n").first_problem() == "rules.yaml:1:1: unknown key 'alow' in source 'acme'; did you mean 'allow'?\n");
  CHECK(build("mods: spool\n").first_problem().find("'mode'") != std::string::npos);
  CHECK(build("log: x\n").first_problem().find("unknown key 'log'") != std::string::npos);
}

TEST_CASE("an_unknown_preset_is_refused_with_the_one_that_was_probably_meant") {
  CHECK(build("preset: acmee\n").first_problem().find("did you mean 'acme'?") != std::string::npos);
}

TEST_CASE("a_source_that_proves_nothing_must_say_so_when_strangers_can_reach_it") {
  CHECK(build("match: /x\n").problems.empty());
  CHECK(build("match: /x\n", "unix:/run/x.sock").problems.empty());
  CHECK(build("match: /x\n", "[::1]:80").problems.empty());
  CHECK(build("match: /x\n", "0.0.0.0:80").first_problem().find("trust: open") != std::string::npos);
  CHECK(build("match: /x\n", "[::]:80").first_problem().find("trust: open") != std::string::npos);
  CHECK(build("trust: open\n", "0.0.0.0:80").problems.empty());
  CHECK(build("verify: x\n", "0.0.0.0:80").problems.empty());
}

TEST_CASE("behind_a_trusted_proxy_strangers_reach_sockets_and_loopback_too") {
  const std::string behind = "listens on 127.0.0.1:8080 behind a trusted proxy; add verify or auth, or write trust: open";
  CHECK(build("match: /x\n", "127.0.0.1:8080", false, {"127.0.0.0/8"}).first_problem().find(behind) != std::string::npos);
  CHECK(build("match: /x\n", "127.0.0.1:8080", true).first_problem().find(behind) != std::string::npos);
  CHECK_FALSE(build("match: /x\n", "unix:/run/x.sock", false, {"unix:"}).problems.empty());
  CHECK(build("match: /x\n", "0.0.0.0:80", false, {"127.0.0.0/8"}).first_problem().find("behind a") == std::string::npos);
  CHECK(build("trust: open\n", "127.0.0.1:8080", true).problems.empty());
  CHECK(build("verify: x\n", "unix:/run/x.sock", false, {"unix:"}).problems.empty());
}

TEST_CASE("trust_asks_for_the_least_that_the_rules_must_prove") {
  CHECK(build("trust: signed\nverify: x\n").problems.empty());
  CHECK(build("trust: token\nverify: x\n").problems.empty());
  CHECK(build("trust: signed+fresh\nverify: x\n").first_problem().find("prove only 'signed'") != std::string::npos);
  CHECK(build("trust: full\n").first_problem().find("trust must be") != std::string::npos);
}

TEST_CASE("reply_becomes_status_head_and_body") {
  const Built built = build("reply: { status: 201, headers: { X-A: b }, body: '{\"received\": true}' }\n");
  REQUIRE(built.ruleset);
  CHECK(built.source().reply_status == 201);
  CHECK(built.source().reply_head == "X-A: b\r\nContent-Type: application/json\r\n");
  CHECK(built.source().reply_body == "{\"received\": true}");
  CHECK(build("reply: { body: ok }\n").source().reply_head == "Content-Type: text/plain; charset=utf-8\r\n");
  CHECK(build("reply: { body: ok }\n").source().reply_status == 200);
}

TEST_CASE("a_reply_that_cannot_be_sent_is_refused") {
  for (const char* wrong : {"reply: { status: 500 }\n", "reply: { headers: { \"X A\": b } }\n", "reply: { headers: { X-A: \"b\\nc\" } }\n",
                            "reply: { headers: { Content-Length: 5 } }\n", "reply: { headers: { Connection: close } }\n",
                            "reply: { headers: x }\n", "reply: { bodi: x }\n"}) {
    CAPTURE(wrong);
    CHECK(!build(wrong).problems.empty());
  }
}

TEST_CASE("body_limits_stay_below_the_gateways") {
  CHECK(build("match: /x\n").source().body_max == 1 << 20);
  const Built built = build("body: { max: 10KB, types: [Application/JSON] }\n");
  CHECK(built.source().body_max == 10 << 10);
  CHECK(built.source().body_types == std::vector<std::string>{"application/json"});
  CHECK(build("body: { max: 2MB }\n").first_problem().find("proxy.limits.body") != std::string::npos);
  CHECK(!build("body: { types: json }\n").problems.empty());
}

TEST_CASE("every_problem_of_a_source_is_told_in_one_run") {
  CHECK(build("alow: x\nmode: fast\nreply: { status: 99 }\n").problems.all().size() == 3);
}

TEST_CASE("the_largest_webhook_that_limits_let_in_fits_into_one_frame_to_the_spool") {
  const std::string target(conf::kMaxHeader, 'a');
  wire::Put put;
  put.event.path = put.request.target = put.request.path_rest = target;
  for (int i = 0; i < 10'000; ++i) put.request.fields.emplace_back("a", "");  // the most that limits.headers allows
  put.request.body.assign(conf::kMaxBody, 'b');
  put.deliveries.assign(100, {std::string(100, 'd'), 0, 0, {}});
  CHECK(wire::encode(put).size() <= wire::kMaxPayload);
}
