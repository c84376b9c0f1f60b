// The admin API over a real socket: who gets in, which path means what, how errors look, what happens to slow answers.
#include <doctest/doctest.h>

#include <set>

#include "admin/running_server.h"
#include "admin/samples.h"
#include "json/document.h"
#include "support/process.h"

using namespace belay;
using namespace belay::test;

namespace {

// Every error is {"error": "…"[, "hint": "…"]}; its text comes back for closer checks.
std::string error_of(const Answer& answer) {
  CHECK(answer.field("content-type") == "application/json");
  const auto document = json::Document::parse(answer.body);
  REQUIRE(document.ok());
  const json::Ref error = (*document)->find((*document)->root(), "error");
  REQUIRE(error != json::kNone);
  std::string scratch;
  return std::string((*document)->string(error, scratch));
}

}  // namespace

TEST_CASE("health_needs_no_token_and_says_503_while_the_spool_refuses") {
  RunningServer server;
  Answer answer = server.send({}, "GET", "/health");
  CHECK(answer.status == 200);
  CHECK(answer.body.find(R"("status":"ok")") != std::string::npos);
  CHECK(answer.body.find(R"("accepting":true)") != std::string::npos);

  server.operations.held_stats.accepting = false;
  server.operations.held_stats.refusing_because = "disk 85% full";
  answer = server.send({}, "GET", "/health");
  CHECK(answer.status == 503);
  CHECK(answer.body.find(R"("reason":"disk 85% full")") != std::string::npos);
}

TEST_CASE("everything_but_health_needs_a_token") {
  RunningServer server;
  for (const char* target : {"/metrics", "/v1/stats", "/v1/events", "/v1/replay", "/", "/no/such/path"}) {
    CAPTURE(target);
    const Answer answer = server.send({}, "GET", target);
    CHECK(answer.status == 401);
    CHECK(answer.field("www-authenticate") == "Bearer realm=\"belay\"");
    CHECK(error_of(answer) == "a token is needed");
  }
  for (const char* given : {"Bearer wrong", "Bearer ", "Bearer", "Basic correct-horse", "correct-horse",
                            "Bearer correct-hors", "Bearer correct-horse2"}) {
    CAPTURE(given);
    CHECK(server.send({{"Authorization", given}}, "GET", "/v1/stats").status == 401);
  }
  CHECK(server.send({{"authorization", "bearer correct-horse"}}, "GET", "/v1/stats").status == 200);
}

TEST_CASE("without_a_configured_token_nobody_gets_in") {
  RunningServer server(std::vector<conf::AdminToken>{});
  CHECK(server.get("/v1/stats").status == 401);
  CHECK(server.send({{"Authorization", "Bearer "}}, "GET", "/v1/stats").status == 401);
  RunningServer empty({{"admin", {{.value = ""}}, true}});
  CHECK(empty.send({{"Authorization", "Bearer "}}, "GET", "/v1/stats").status == 401);
}

TEST_CASE("several_tokens_are_valid_inside_their_periods") {
  const WallTime now = wall_from_ms(1'000'000);
  const admin::Tokens tokens(
      {{"admin", {{.value = "old", .valid_until = now}, {.value = "new", .valid_from = now}, {.value = "always"}}, true}});
  const auto allowed = [&](const std::string& token, WallTime at) {
    const std::string header = "Bearer " + token;
    return tokens.caller(&header, at).has_value();
  };
  CHECK(allowed("old", now - Duration(1)));
  CHECK_FALSE(allowed("old", now));
  CHECK_FALSE(allowed("new", now - Duration(1)));
  CHECK(allowed("new", now));
  CHECK(allowed("always", now));
  CHECK_FALSE(allowed("never", now));
  CHECK_FALSE(tokens.caller(nullptr, now));
}

TEST_CASE("a_caller_is_known_by_the_name_of_the_token_and_its_role") {
  const admin::Tokens tokens({{"dashboard", {{.value = "a"}}, false}, {"ops", {{.value = "b"}, {.value = "c"}}, true}});
  const auto caller = [&](const std::string& header) { return tokens.caller(&header, wall_from_ms(0)); };
  REQUIRE(caller("Bearer a"));
  CHECK(caller("Bearer a")->name == "dashboard");
  CHECK(caller("Bearer a")->role == admin::Role::read);
  CHECK(caller("bearer  c ")->name == "ops");
  CHECK(caller("Bearer b")->role == admin::Role::operate);
  CHECK_FALSE(caller("Bearer d"));
}

// Every row of the table: a path that fits it, and the method it takes.
std::vector<std::pair<std::string, std::string>> every_call() {
  std::vector<std::pair<std::string, std::string>> all;
  for (const admin::Route* route : admin::routes()) {
    std::string path(route->path);
    const std::pair<const char*, const char*> places[] = {{"{id}", kId}, {"{name}", "crm"}, {"{number}", "1"}};
    for (const auto& [place, value] : places) {
      if (const size_t at = path.find(place); at != std::string::npos) path.replace(at, std::string(place).size(), value);
    }
    all.emplace_back(route->method, path);
  }
  return all;
}

TEST_CASE("every_call_of_the_table_needs_a_token_of_its_role") {
  RunningServer server;
  const auto calls = every_call();
  for (size_t i = 0; i < calls.size(); ++i) {
    const std::string method(calls[i].first), path(calls[i].second);
    CAPTURE(path);
    const admin::Role role = admin::routes()[i]->role;
    const auto with = [&](const Headers& headers) { return server.send(headers, method, path).status; };
    CHECK((with({}) == 401) == (role != admin::Role::nobody));
    CHECK((with({{"Authorization", "Bearer wrong"}}) == 401) == (role != admin::Role::nobody));
    CHECK((with({{"Authorization", std::string("Bearer ") + kReadToken}}) == 403) == (role == admin::Role::operate));
    const int own = with({{"Authorization", std::string("Bearer ") + kToken}});
    CHECK(own != 401);
    CHECK(own != 403);
    CHECK(own != 405);
  }
  CHECK(server.operations.replays == 0);
}

TEST_CASE("what_a_token_may_not_do_is_told_with_its_name_and_the_role_it_takes") {
  RunningServer server;
  const Answer answer = server.send({{"Authorization", std::string("Bearer ") + kReadToken}}, "POST", "/v1/replay", "{}");
  CHECK(answer.status == 403);
  CHECK(error_of(answer) == "the token 'dashboard' may only read");
  CHECK(answer.body.find("POST /v1/replay needs one with role: operate") != std::string::npos);
}

TEST_CASE("every_row_of_the_table_is_complete") {
  std::set<std::string_view> operations;
  for (const admin::Route* route : admin::routes()) {
    CAPTURE(route->path);
    CHECK_FALSE(route->operation.empty());
    CHECK(operations.insert(route->operation).second);
    CHECK_FALSE(route->help.empty());
    CHECK((route->handle != nullptr));
    CHECK((route->type != "application/json") == route->answer.empty());
    CHECK(route->body.empty() == (route->body_max == 0));
    CHECK((route->method == "GET") != (route->role == admin::Role::operate));
    for (const admin::Parameter& parameter : route->parameters) {
      CHECK_FALSE(parameter.help.empty());
      CHECK((parameter.type == admin::Parameter::Type::word) == (parameter.words != nullptr));
      if (parameter.type == admin::Parameter::Type::integer) CHECK(parameter.min <= parameter.max);
    }
  }
}

TEST_CASE("a_body_where_none_is_taken_is_refused") {
  RunningServer server;
  CHECK(server.ask("POST", "/v1/destinations/crm/pause", "{}").status == 400);
  CHECK(error_of(server.ask("GET", "/v1/stats", "x")) == "GET /v1/stats takes no body");
}

TEST_CASE("unknown_paths_methods_and_ids_are_told_apart") {
  RunningServer server;
  Answer answer = server.get("/v1/event");
  CHECK(answer.status == 404);
  CHECK(answer.body.find("did you mean '/v1/events'?") != std::string::npos);
  answer = server.get("/something/else");
  CHECK(answer.status == 404);
  CHECK(answer.body.find("POST /v1/replay") != std::string::npos);

  answer = server.ask("POST", "/v1/events", "{}");
  CHECK(answer.status == 405);
  CHECK(answer.field("allow") == "GET, HEAD");
  answer = server.get("/v1/replay");
  CHECK(answer.status == 405);
  CHECK(answer.field("allow") == "POST");

  CHECK(server.get("/v1/messages//raw").status == 404);
  for (const char* id : {"1", "0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2", "0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2g", "%00"}) {
    CAPTURE(id);
    answer = server.get(std::string("/v1/messages/") + id);
    CHECK(answer.status == 400);
    CHECK(error_of(answer).starts_with("not a message id"));
  }
  CHECK(server.get(std::string("/v1/messages/") + kId + "/raw/").status == 404);
  CHECK(server.get(std::string("/v1/messages/") + kId + "/x").status == 404);
  CHECK(server.get("/v1/messages/").status == 404);
  CHECK(server.get("/v1/messages//raw").status == 404);
}

TEST_CASE("head_answers_like_get_without_a_body") {
  RunningServer server;
  const Answer answer = server.ask("HEAD", "/v1/stats");
  CHECK(answer.status == 200);
  CHECK(answer.body.empty());
}

TEST_CASE("answers_are_not_cached_and_not_guessed_to_be_pages") {
  RunningServer server;
  const Answer answer = server.get("/v1/stats");
  CHECK(answer.field("cache-control") == "no-store");
  CHECK(answer.field("x-content-type-options") == "nosniff");
}

TEST_CASE("wrong_parameters_are_refused_with_what_was_meant") {
  RunningServer server;
  struct Wrong {
    const char* query;
    const char* says;
  };
  const Wrong table[] = {
      {"sorce=acme", "did you mean 'source'?"},
      {"SOURCE=acme", "unknown parameter 'SOURCE'"},
      {"dry_run=true", "unknown parameter 'dry_run'"},
      {"source", "'source' is empty"},
      {"source=", "'source' is empty"},
      {"source=a&source=b", "'source' is given twice"},
      {"source=%FF%FE", "'source' is not text"},
      {"text=%00", "'text' is not text"},
      {"limit=0", "'limit' is not in 1..1000"},
      {"limit=1001", "'limit' is not in 1..1000"},
      {"limit=-1", "'limit' is not in 1..1000"},
      {"limit=1e3", "'limit' is not in 1..1000"},
      {"limit=99999999999999999999", "'limit' is not in 1..1000"},
      {"limit=%20", "'limit' is not in 1..1000"},
      {"before=1", "'before' is not a message id"},
      {"status=died", "unknown status 'died'"},
      {"status=deliverd", "did you mean 'delivered'?"},
      {"status=200", "unknown status '200'"},
      {"since=yesterday", "'since' is not a time"},
      {"since=24", "'since' is not a time"},
      {"since=2026-13-01", "'since' is not a time"},
      {"until=2026-01-31T25:00:00Z", "'until' is not a time"},
      {"since=2026-01-02&until=2026-01-01", "'since' is later than 'until'"},
  };
  for (const Wrong& wrong : table) {
    CAPTURE(wrong.query);
    const Answer answer = server.get(std::string("/v1/events?") + wrong.query);
    CHECK(answer.status == 400);
    CHECK(answer.body.find(wrong.says) != std::string::npos);
    CHECK(error_of(answer).size() < 200);
  }
  const Answer longer = server.get("/v1/events?text=" + std::string(admin::kMaxParameterBytes + 1, 'x'));
  CHECK(longer.status == 400);
  CHECK(server.get("/v1/events?text=" + std::string(admin::kMaxParameterBytes, 'x')).status == 200);
  CHECK(server.get("/v1/stats?source=acme").status == 400);
  CHECK(server.get("/health?x=1").status == 400);
}

TEST_CASE("an_answer_may_come_from_another_thread") {
  RunningServer server;
  server.operations.other_thread = true;
  server.operations.held_message = sample_message();
  for (int i = 0; i < 20; ++i) CHECK(server.get(std::string("/v1/messages/") + kId).status == 200);
}

TEST_CASE("calls_beyond_the_limit_are_refused_and_the_others_answered") {
  RunningServer server;
  server.operations.hold_back = true;
  std::vector<Connection> connections;
  const std::string ask = request("GET", "/v1/events", {{"Authorization", std::string("Bearer ") + kToken}}, "");
  for (size_t i = 0; i < admin::Api::kMaxPending; ++i) {
    connections.emplace_back(server.address());
    REQUIRE(connections.back().send(ask));
  }
  REQUIRE(wait_for([&] { return server.operations.held_back() == admin::Api::kMaxPending; }));
  const Answer refused = server.get("/v1/events");
  CHECK(refused.status == 503);
  CHECK(refused.field("retry-after") == "1");
  CHECK(server.get("/v1/stats").status == 200);

  server.operations.release();
  for (Connection& connection : connections) {
    const auto answer = connection.read_answer();
    REQUIRE(answer);
    CHECK(answer->status == 200);
  }
}

TEST_CASE("answers_after_the_server_is_gone_are_dropped") {
  auto server = std::make_unique<RunningServer>();
  server->operations.hold_back = true;
  Connection connection(server->address());
  REQUIRE(connection.send(request("GET", "/v1/events", {{"Authorization", std::string("Bearer ") + kToken}}, "")));
  REQUIRE(wait_for([&] { return server->operations.held_back() == 1; }));

  event::Loop loop;
  FakeOperations operations;
  operations.hold_back = true;
  const ManualClock clock;
  bool ran = false;
  {
    const admin::LoopGate gate(loop);
    operations.events({}, std::nullopt, 1, gate.pass<spool::EventPage>([&](Result<spool::EventPage>) { ran = true; }));
  }
  operations.release();
  CHECK_FALSE(loop.run_until([&] { return ran; }, Duration(50)));
  server.reset();  // with an answer under way
}
