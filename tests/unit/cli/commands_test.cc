// The operator's commands from argument to output, against a real admin API with a fake spool behind it: what they print, what
// they ask, and which exit code they end with.
#include <doctest/doctest.h>
#include <algorithm>
#include <sstream>
#include <vector>

#include "admin/running_server.h"
#include "admin/samples.h"
#include "cli/canned_server.h"
#include "cli/run_belay.h"
#include "json/document.h"

using namespace belay;
using namespace belay::test;

namespace {

// The command with the address and token of the server.
Ran ask(const RunningServer& server, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--admin", server.address(), "--token", kToken});
  return run_belay(std::move(arguments));
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

spool::EventPage two_rows() {
  spool::EventPage page;
  page.rows.push_back({sample_event(), {sample_delivery(spool::DeliveryState::dead)}});
  wire::Event second = sample_event();
  second.id = *MessageId::parse("0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2a");
  second.outcome = wire::Outcome::rejected;
  second.status = 401;
  second.reason = "verify: signature does not match \x1b[2J";
  page.rows.push_back({second, {}});
  return page;
}

}  // namespace

TEST_CASE("events_prints_aligned_rows_without_colours_into_a_file") {
  RunningServer server;
  server.operations.held_events = two_rows();
  const Ran ran = ask(server, {"events", "--source", "acumatica", "--since", "2025-10-09", "--limit", "2"});
  CHECK(ran.code == 0);
  CHECK(ran.err == "");
  CHECK(says(ran.out, "RECEIVED"));
  CHECK(says(ran.out, "dead"));
  CHECK(says(ran.out, "no attempts left"));
  CHECK(says(ran.out, "signature does not match \\x1b[2J"));
  CHECK_FALSE(says(ran.out, "\x1b"));
  CHECK(server.operations.asked_query.source == "acumatica");
  CHECK(server.operations.asked_query.since == wall_from_ms(1'759'968'000'000));
  CHECK(server.operations.asked_max == 2);
}

TEST_CASE("events_as_json_is_one_object_a_line") {
  RunningServer server;
  server.operations.held_events = two_rows();
  const Ran ran = ask(server, {"events", "--json"});
  CHECK(ran.code == 0);
  std::istringstream lines(ran.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto document = json::Document::parse(line);
    REQUIRE(document.ok());
    CHECK((*document)->find((*document)->root(), "id") != json::kNone);
  }
  CHECK(count == 2);
}

TEST_CASE("events_asks_page_by_page_until_it_has_as_many_as_were_wanted") {
  RunningServer server;
  spool::EventPage page = two_rows();
  page.next = MessageId::parse(kId);
  server.operations.held_events = page;
  const Ran ran = ask(server, {"events", "--json", "--limit", "5"});
  CHECK(ran.code == 0);
  CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') == 6);  // the spool of this test gives two, whatever it is asked for
  CHECK(server.operations.asked_max == 1);
  CHECK(server.operations.asked_before == MessageId::parse(kId));
}

TEST_CASE("events_says_when_nothing_matches") {
  RunningServer server;
  Ran ran = ask(server, {"events"});
  CHECK(ran.code == 0);
  CHECK(says(ran.err, "No webhook matches."));
  ran = ask(server, {"events", "--json"});
  CHECK(ran.out == "");
  CHECK(ran.err == "");
}

TEST_CASE("show_prints_attempts_and_the_request") {
  RunningServer server;
  server.operations.held_message = sample_message();
  Ran ran = ask(server, {"show", kId});
  CHECK(ran.code == 0);
  CHECK(says(ran.out, "no answer: refused: 127.0.0.1:8081"));
  CHECK(says(ran.out, "503  busy"));
  CHECK(says(ran.out, "X-Acumatica-Event: Customer.Updated"));
  CHECK(says(ran.out, R"(  {"eventType": "Customer.Updated"})"));

  ran = ask(server, {"show", kId, "--raw"});
  CHECK(ran.out.starts_with("POST /webhooks/acumatica?tenant=7 HTTP/1.1\r\n"));
  CHECK(ran.out.ends_with("\r\n\r\n{\"eventType\": \"Customer.Updated\"}"));

  server.operations.held_message = invalid("no such message");
  ran = ask(server, {"show", kId});
  CHECK(ran.code == 1);
  CHECK(says(ran.err, std::string("belay show: no message ") + kId));
}

TEST_CASE("replay_by_id_says_what_was_left_out") {
  RunningServer server;
  server.operations.held_replay = spool::BulkResult{.outcome = "done", .messages = 1, .deliveries = 2, .ids = {kId}};
  Ran ran = ask(server, {"replay", kId});
  CHECK(ran.code == 0);
  CHECK(ran.out == "2 deliveries of 1 webhook queued again.\n");
  server.operations.held_replay = spool::BulkResult{.outcome = "done", .left_out = 1, .skipped = {{kId, "it still waits"}}};
  ran = ask(server, {"replay", kId});
  CHECK(ran.code == 2);
  CHECK(ran.err == std::string("belay replay: ") + kId + ": it still waits\n");
}

TEST_CASE("replay_of_all_needs_a_filter_and_an_agreement") {
  RunningServer server;
  server.operations.held_replay = spool::BulkResult{.outcome = "done", .messages = 3, .deliveries = 3};
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"replay"},
                                                                      {"replay", "--all"},
                                                                      {"replay", "--all", "--yes"},
                                                                      {"replay", "--status", "dead"},
                                                                      {"replay", kId, "--all", "--status", "dead"},
                                                                      {"replay", "--all", "--status", "dead"},
                                                                      {"replay", "not-an-id"}}) {
    const Ran ran = ask(server, arguments);
    CHECK(ran.code == 2);
    CHECK(ran.err.starts_with("belay replay: "));
  }
  CHECK(server.operations.replays == 0);

  Ran ran = ask(server, {"replay", "--all", "--status", "dead", "--dry-run"});
  CHECK(ran.code == 0);
  CHECK(ran.out == "3 deliveries of 3 webhooks would be queued again.\n");
  CHECK(server.operations.asked_replay.dry_run);
  ran = ask(server, {"replay", "--all", "--status", "dead", "--yes"});
  CHECK(ran.code == 0);
  CHECK_FALSE(server.operations.asked_replay.dry_run);
  CHECK(server.operations.replays == 1);
  CHECK(server.operations.begun == 1);
}

TEST_CASE("stop_beside_what_chooses_webhooks_is_refused_and_stops_nothing") {
  RunningServer server;
  server.operations.held_replay = spool::BulkResult{.outcome = "done", .messages = 3, .deliveries = 3};
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"replay", "--stop", kId, kId},
                                                                      {"replay", "--stop", kId, "--all", "--status", "dead"},
                                                                      {"replay", "--stop", kId, "--source", "acme"},
                                                                      {"replay", "--stop", kId, "--dry-run"},
                                                                      {"replay", "--stop", kId, "--reapply"},
                                                                      {"cancel", "--stop", kId, "--all"}}) {
    const Ran ran = ask(server, arguments);
    CHECK(ran.code == 2);
    CHECK(says(ran.err, ": --stop ID stands alone"));
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
  }
  CHECK(server.operations.halted_by == "");
}

TEST_CASE("stats_shows_requests_backlog_and_store") {
  RunningServer server;
  server.operations.held_stats.destinations.push_back({.name = "crm", .waiting = 1204, .delivered = 5, .dead = 1});
  server.operations.held_counters = {
      {.worker = 1, .counters = {{"belay_requests_total", R"(source="acme",outcome="forwarded")", 12}}}};
  const Ran ran = ask(server, {"stats"});
  CHECK(ran.code == 0);
  CHECK(says(ran.out, ", accepting\n"));
  CHECK(says(ran.out, "acme           12        0"));
  CHECK(says(ran.out, "1,204"));
}

TEST_CASE("a_spool_that_is_away_is_one_line_that_says_what_to_check") {
  std::string address;
  {
    const RunningServer gone;
    address = gone.address();
  }
  const Ran ran = run_belay({"stats", "--admin", address, "--token", "x"});
  CHECK(ran.code == 1);
  CHECK(ran.err.starts_with("belay stats: cannot reach the admin API at " + address));
  CHECK(says(ran.err, "is 'belay run' or 'belay spool' running there?"));
  CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
}

TEST_CASE("the_largest_body_is_shown_though_every_byte_of_it_is_escaped") {
  RunningServer server;
  spool::MessageDetail detail = sample_message();
  detail.message.request.body = std::string(size_t{12} << 20, '\x01');
  server.operations.held_message = detail;
  const Ran ran = ask(server, {"show", kId, "--json"});
  CHECK(ran.err == "");
  REQUIRE(ran.code == 0);
  CHECK(ran.out.size() > 6 * detail.message.request.body.size());
}

TEST_CASE("an_answer_that_is_too_large_is_called_so_and_a_rehearsal_goes_on_without_it") {
  const std::string id = kId;
  const CannedServer server([&](const std::string& line) {
    const std::string list = R"({"events":[{"id":")" + id + R"(","outcome":"spooled"}],"next":null})";
    const bool one = line.find("/v1/messages/") != std::string::npos;
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + (one ? "999999999999" : std::to_string(list.size())) + "\r\n\r\n" + (one ? "{" : list);
  });
  Ran ran = run_belay({"show", kId, "--admin", server.address(), "--token", "t"});
  CHECK(ran.code == 1);
  CHECK(says(ran.err, "is too large: more than 208.0 MB are not read"));
  CHECK_FALSE(says(ran.err, "cannot reach"));

  const TempFolder folder;
  folder.write("rules.yaml", "sources: { s: { match: { path: /s }, trust: open, routes: [{ to: d }] } }\ndestinations: { d: { url: \"http://127.0.0.1:1/\" } }\n");
  const std::string main = folder.write("belay.yaml", "admin: { token: t }\nrules: [rules.yaml]\n");
  ran = run_belay({"rehearse", "-c", main, "--admin", server.address(), "--token", "t"});
  CHECK(ran.err == "");
  CHECK(ran.code == 0);
  CHECK(says(ran.out, "Not rehearsed: 1 webhook that cannot be read any more"));
}

TEST_CASE("a_wrong_token_is_told_apart_from_a_missing_one") {
  RunningServer server;
  Ran ran = run_belay({"stats", "--admin", server.address(), "--token", "wrong"});
  CHECK(ran.code == 1);
  CHECK(says(ran.err, "refused the token"));
  ran = run_belay({"stats", "--admin", server.address()});
  CHECK(ran.code == 2);
  CHECK(says(ran.err, "BELAY_ADMIN_TOKEN"));
}

TEST_CASE("options_before_a_subcommand_count_for_it_and_what_it_cannot_use_is_refused") {
  RunningServer server;
  server.operations.held_acts = spool::ActPage{};
  const std::string address = server.address(), token = kToken;
  CHECK(run_belay({"audit", "--admin", address, "--token", token, "log"}).code == 0);
  CHECK(run_belay({"audit", "--admin", address, "log", "--token", token}).code == 0);
  CHECK(run_belay({"audit", "log", "--admin", address, "--token", token}).code == 0);
  const Ran json = run_belay({"audit", "--json", "log", "--admin", address, "--token", token});
  CHECK(json.code == 0);
  CHECK(json.out == "");  // without the flag it says that nobody has done anything

  Ran ran = run_belay({"audit", "--path", "somewhere", "log"});
  CHECK(ran.code == 2);
  CHECK(says(ran.err, "belay audit: --path means nothing to 'log'; leave it out\n"));
  ran = run_belay({"audit", "--token", "a", "log", "--token", "b"});
  CHECK(ran.code == 2);
  CHECK(says(ran.err, "--token stands before and behind 'log'; write it once\n"));

  const TempFolder folder;
  const std::string nowhere = folder / "store";
  const std::string main = folder.write("belay.yaml", "admin: { token: t }\nspool: { path: \"" + nowhere + "\" }\n");
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"spool", "-c", main, "check"}, {"spool", "check", "-c", main}}) {
    ran = run_belay(arguments);
    CHECK(ran.code == 2);
    CHECK(says(ran.err, nowhere));
  }
}

TEST_CASE("a_token_in_the_environment_stands_in_for_the_flag_and_never_before_it") {
  RunningServer server;
  setenv("BELAY_ADMIN_TOKEN", kToken, 1);
  CHECK(run_belay({"stats", "--admin", server.address()}).code == 0);
  CHECK(run_belay({"audit", "--token", "wrong", "log", "--admin", server.address()}).code == 1);
  unsetenv("BELAY_ADMIN_TOKEN");
}

TEST_CASE("address_and_token_come_from_the_main_file_even_with_broken_rules") {
  RunningServer server;
  const TempFolder folder;
  folder.write("rules.d/broken.yaml", "sources: [");
  folder.write("admin.token", std::string(kToken) + "\n");
  const std::string main = folder.write(
      "belay.yaml", "admin: { listen: \"" + server.address() + "\", token: \"${file:admin.token}\" }\n");
  CHECK(run_belay({"stats", "-c", main}).code == 0);

  const Ran ran = run_belay({"stats", "-c", folder / "other.yaml"});
  CHECK(ran.code == 2);
  CHECK(says(ran.err, "other.yaml"));
}

TEST_CASE("wrong_rules_are_a_no_and_not_a_wrong_use_whoever_reads_them") {
  const TempFolder folder;
  folder.write("rules.yaml", "sources: { broken: {} }\n");
  const std::string main = folder.write("belay.yaml", "admin: { token: t }\nrules: [rules.yaml]\n"), request = folder.write("a.http", "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"check", "-c", main}, {"explain", "-c", main, request}, {"rehearse", "-c", main}, {"openapi", "-c", main}}) {
    const Ran ran = run_belay(arguments);
    CAPTURE(arguments[0]);
    CHECK(ran.code == 1);
  }
}

TEST_CASE("wrong_flags_are_usage_errors") {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"events", "--status", "deliverd", "--admin", "x"},
                                                                      {"events", "--limit", "0"},
                                                                      {"events", "--follow", "--until", "1h"},
                                                                      {"events", "--follow", "--limit", "10001"},
                                                                      {"show"},
                                                                      {"show", "x"},
                                                                      {"show", kId, "--raw", "--json"},
                                                                      {"stats", "extra"},
                                                                      {"stats", "--admin", "http://a b/", "--token", "x"},
                                                                      {"listen"},
                                                                      {"listen", "0", "--status", "700"},
                                                                      {"listen", "0", "--delay", "soon"}}) {
    CAPTURE(arguments[0]);
    const Ran ran = run_belay(arguments);
    CHECK(ran.code == 2);
    CHECK(ran.err != "");
  }
}
