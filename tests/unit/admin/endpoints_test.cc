// What each call of the admin API asks of the spool and how its answer looks.
#include <doctest/doctest.h>

#include "admin/running_server.h"
#include "admin/samples.h"
#include "json/document.h"

using namespace belay;
using namespace belay::test;

namespace {

// The value at a path as written, "" when there is none; the whole body must be JSON.
std::string at(const std::string& body, std::string_view path) {
  const auto document = json::Document::parse(body);
  REQUIRE_MESSAGE(document.ok(), body);
  const json::Ref found = (*document)->find_path(path);
  return found == json::kNone ? "" : std::string((*document)->raw(found));
}

const std::string kMessage = std::string("/v1/messages/") + kId;

}  // namespace

TEST_CASE("events_asks_for_what_the_parameters_say") {
  RunningServer server;
  const Answer answer = server.get(std::string("/v1/events?source=acme&destination=crm&status=dead&type=a%2Bb&resource=r+1&since=1h") +
                                   "&until=2025-10-09T08:53:20Z&text=%C3%A4&limit=7&before=" + kId);
  CHECK(answer.status == 200);
  const spool::EventQuery& query = server.operations.asked_query;
  CHECK(query.source == "acme");
  CHECK(query.destination == "crm");
  CHECK(query.state == "dead");
  CHECK(query.type == "a+b");
  CHECK(query.resource == "r 1");
  CHECK(query.text == "ä");
  CHECK(query.since == server.clock.wall() - std::chrono::hours(1));
  CHECK(query.until == wall_from_ms(1'760'000'000'000));
  CHECK(server.operations.asked_max == 7);
  CHECK(server.operations.asked_before == MessageId::parse(kId));

  CHECK(server.get("/v1/events").status == 200);
  CHECK(server.operations.asked_max == admin::EventsCall::kDefaultLimit);
  CHECK_FALSE(server.operations.asked_before.has_value());
}

TEST_CASE("events_lists_rows_with_their_deliveries_and_the_next_page") {
  RunningServer server;
  spool::EventPage page;
  page.rows.push_back({sample_event(), {sample_delivery(spool::DeliveryState::scheduled)}});
  wire::Event forwarded = sample_event();
  forwarded.outcome = wire::Outcome::forwarded;
  forwarded.reason = "a \"quoted\"\nreason";
  page.rows.push_back({forwarded, {}});
  page.next = MessageId::parse(kId);
  server.operations.held_events = page;

  const std::string body = server.get("/v1/events").body;
  CHECK(at(body, "events[0].id") == std::string("\"") + kId + "\"");
  CHECK(at(body, "events[0].received") == "\"2025-10-09T08:53:20.123Z\"");
  CHECK(at(body, "events[0].outcome") == "\"spooled\"");
  CHECK(at(body, "events[0].status") == "202");
  CHECK(at(body, "events[0].deliveries[0].state") == "\"scheduled\"");
  CHECK(at(body, "events[0].deliveries[0].due") == "\"2025-10-09T08:54:20.000Z\"");
  CHECK(at(body, "events[0].deliveries[0].last_error") == "\"refused: 127.0.0.1:8081\"");
  CHECK(at(body, "events[0].deliveries[0].history") == "");
  CHECK(at(body, "events[1].reason") == R"("a \"quoted\"\u000areason")");
  CHECK(at(body, "events[1].deliveries") == "");
  CHECK(at(body, "next") == std::string("\"") + kId + "\"");
}

TEST_CASE("a_message_shows_its_attempts_and_its_request") {
  RunningServer server;
  server.operations.held_message = sample_message();
  const std::string body = server.get(kMessage).body;
  CHECK(server.operations.asked_id == MessageId::parse(kId));
  CHECK(at(body, "stored") == "true");
  CHECK(at(body, "deliveries[0].state") == "\"dead\"");
  CHECK(at(body, "deliveries[0].due") == "");
  CHECK(at(body, "deliveries[0].history[0].status") == "503");
  CHECK(at(body, "deliveries[0].history[0].answer") == "\"busy\"");
  CHECK(at(body, "deliveries[0].history[1].error") == "\"refused: 127.0.0.1:8081\"");
  CHECK(at(body, "request.target") == "\"/webhooks/acumatica?tenant=7\"");
  CHECK(at(body, "request.headers[1][0]") == "\"X-Acumatica-Event\"");
  CHECK(at(body, "request.body") == R"("{\"eventType\": \"Customer.Updated\"}")");
}

TEST_CASE("a_body_that_is_not_text_is_shown_as_base64") {
  RunningServer server;
  spool::MessageDetail detail = sample_message();
  detail.message.request.body = std::string("\x00\xFFz", 3);
  server.operations.held_message = detail;
  const std::string body = server.get(kMessage).body;
  CHECK(at(body, "request.body_base64") == "\"AP96\"");
  CHECK(at(body, "request.body") == "");
}

TEST_CASE("raw_gives_the_request_as_it_would_be_sent_again") {
  RunningServer server;
  spool::MessageDetail detail = sample_message();
  server.operations.held_message = detail;
  Answer answer = server.get(kMessage + "/raw");
  CHECK(answer.field("content-type") == "message/http");
  CHECK(answer.body ==
        "POST /webhooks/acumatica?tenant=7 HTTP/1.1\r\nHost: hooks.example.com\r\nX-Acumatica-Event: Customer.Updated\r\n"
        "Content-Length: 33\r\n\r\n{\"eventType\": \"Customer.Updated\"}");

  detail.message.request.fields = {{"host", "a"}, {"Transfer-Encoding", "chunked"}};
  detail.message.request.body = std::string("\x00\r\n\xFF", 4);
  server.operations.held_message = detail;
  answer = server.get(kMessage + "/raw");
  CHECK(answer.body == "POST /webhooks/acumatica?tenant=7 HTTP/1.1\r\nhost: a\r\nContent-Length: 4\r\n\r\n" +
                           std::string("\x00\r\n\xFF", 4));

  detail.message.request = {.method = "GET", .target = "/", .fields = {{"Host", "a"}}};
  server.operations.held_message = detail;
  CHECK(server.get(kMessage + "/raw").body == "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST_CASE("a_webhook_that_was_not_stored_shows_its_line_in_the_books") {
  RunningServer server;
  server.operations.held_message = invalid("no such message");
  spool::EventPage page;
  page.rows.push_back({sample_event(), {}});
  server.operations.held_events = page;
  Answer answer = server.get(kMessage);
  CHECK(answer.status == 200);
  CHECK(at(answer.body, "stored") == "false");
  CHECK(at(answer.body, "request") == "");
  // The cursor is exclusive, so the one above is asked for.
  CHECK(server.operations.asked_before == MessageId::parse("0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c"));
  CHECK(server.operations.asked_max == 1);
  answer = server.get(kMessage + "/raw");
  CHECK(answer.status == 404);

  page.rows[0].event.id = *MessageId::parse("0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2a");
  server.operations.held_events = page;
  CHECK(server.get(kMessage).status == 404);
  server.operations.held_events = spool::EventPage{};
  CHECK(server.get(kMessage).status == 404);
  CHECK(server.get("/v1/messages/ffffffff-ffff-ffff-ffff-ffffffffffff").status == 404);
  // Nothing is above the last id: all zeros, below which nothing is looked for.
  CHECK(server.operations.asked_before == MessageId{});
}

TEST_CASE("failures_of_the_spool_have_their_own_statuses") {
  RunningServer server;
  const std::pair<ErrorKind, int> table[] = {{ErrorKind::invalid, 400},     {ErrorKind::refused, 409},
                                             {ErrorKind::unavailable, 503}, {ErrorKind::timeout, 504},
                                             {ErrorKind::full, 503},        {ErrorKind::corrupt, 500},
                                             {ErrorKind::io, 500}};
  for (const auto& [kind, status] : table) {
    server.operations.held_events = Error{kind, "it broke"};
    const Answer answer = server.get("/v1/events");
    CHECK(answer.status == status);
    CHECK(at(answer.body, "error") == "\"it broke\"");
  }
  server.operations.held_message = Error{ErrorKind::corrupt, "quarantined"};
  CHECK(server.get(kMessage).status == 500);
  CHECK(server.get(kMessage + "/raw").status == 500);
}

TEST_CASE("replay_takes_ids_or_a_filter") {
  RunningServer server;
  server.operations.held_replay =
      spool::BulkResult{.messages = 1, .deliveries = 2, .ids = {kId}, .skipped = {{kId, "it waits"}}};
  Answer answer = server.ask("POST", "/v1/replay", std::string(R"({"ids": [")") + kId + R"("]})");
  CHECK(answer.status == 200);
  CHECK(server.operations.asked_replay.ids.size() == 1);
  CHECK_FALSE(server.operations.asked_replay.filter.has_value());
  CHECK_FALSE(server.operations.asked_replay.dry_run);
  CHECK(at(answer.body, "dry_run") == "false");
  CHECK(at(answer.body, "deliveries") == "2");
  CHECK(at(answer.body, "ids[0]") == std::string("\"") + kId + "\"");
  CHECK(at(answer.body, "skipped[0].reason") == "\"it waits\"");

  answer = server.ask("POST", "/v1/replay", R"({"dry_run": true, "filter": {"status": "dead", "source": "\u0061cme", "since": "1h"}})");
  CHECK(answer.status == 200);
  REQUIRE(server.operations.asked_replay.filter.has_value());
  CHECK(server.operations.asked_replay.filter->state == "dead");
  CHECK(server.operations.asked_replay.filter->source == "acme");
  CHECK(server.operations.asked_replay.filter->since == server.clock.wall() - std::chrono::hours(1));
  CHECK(server.operations.asked_replay.dry_run);
  CHECK(at(answer.body, "dry_run") == "true");
}

TEST_CASE("a_replay_that_is_not_clear_replays_nothing") {
  RunningServer server;
  const std::string id = std::string("\"") + kId + "\"";
  const std::pair<std::string, const char*> table[] = {
      {"", "the body is empty"},
      {"ids", "the body is not JSON"},
      {"{\"ids\": [" + id + "]} x", "the body is not JSON"},
      {"[]", "'body' is not an object"},
      {"{}", "neither 'ids' nor 'filter'"},
      {R"({"dry_run": true})", "neither 'ids' nor 'filter'"},
      {R"({"ids": []})", "'ids' is empty"},
      {R"({"ids": "x"})", "'ids' is not a list"},
      {R"({"ids": [1]})", "not a message id: 1"},
      {R"({"ids": ["x"]})", "not a message id"},
      {"{\"ids\": [" + id + "], \"filter\": {\"status\": \"dead\"}}", "both 'ids' and 'filter'"},
      {R"({"filter": {}})", "'filter' has no condition"},
      {R"({"filter": []})", "'filter' is not an object"},
      {R"({"filter": {"status": 1}})", "'filter.status' is not a string"},
      {R"({"filter": {"status": "died"}})", "unknown status 'died'"},
      {R"({"filter": {"stauts": "dead"}})", "did you mean 'status'?"},
      {R"({"filter": {"limit": "1"}})", "unknown condition 'limit'"},
      {R"({"filter": {"status": "dead"}, "dry_run": "true"})", "'dry_run' is not true or false"},
      {R"({"filter": {"status": "dead"}, "dryrun": true})", "did you mean 'dry_run'?"},
      {R"({"filter": {"since": "1h", "until": "2h"}})", "'since' is later than 'until'"},
      {R"({"filter": {"status": "dead"}, "filter": {"status": "dead"}})", "the body is not JSON"},
  };
  for (const auto& wrong : table) {
    CAPTURE(wrong.first);
    const Answer answer = server.ask("POST", "/v1/replay", wrong.first);
    CHECK(answer.status == 400);
    CHECK_MESSAGE(answer.body.find(wrong.second) != std::string::npos, answer.body);
  }
  CHECK(server.operations.replays == 0);
}

TEST_CASE("a_replay_is_bounded_in_ids_and_bytes") {
  RunningServer server;
  const auto ids = [](size_t count) {
    std::string body = "{\"ids\": [";
    for (size_t i = 0; i < count; ++i) body += std::string(i == 0 ? "" : ",") + "\"" + kId + "\"";
    return body + "]}";
  };
  CHECK(server.ask("POST", "/v1/replay", ids(spool::BulkRequest::kMaxIds)).status == 200);
  const Answer more = server.ask("POST", "/v1/replay", ids(spool::BulkRequest::kMaxIds + 1));
  CHECK(more.status == 400);
  const Answer large = server.ask("POST", "/v1/replay", std::string((size_t{256} << 10) + 1, ' '));
  CHECK(large.status == 413);
}

TEST_CASE("pause_resume_disable_and_enable_say_whom_by_whom_and_why") {
  RunningServer server;
  server.operations.held_stop = spool::StopResult{true, {1, "crm", {true, "admin", "update", server.clock.wall()}, {}}};
  const Answer answer = server.ask("POST", "/v1/destinations/crm/pause?reason=update");
  CHECK(answer.status == 200);
  CHECK(at(answer.body, "name") == "\"crm\"");
  CHECK(at(answer.body, "changed") == "true");
  CHECK(at(answer.body, "paused.by") == "\"admin\"");
  CHECK(at(answer.body, "paused.reason") == "\"update\"");
  CHECK(at(answer.body, "disabled") == "");
  CHECK(server.operations.asked_stop.destination == "crm");
  CHECK(server.operations.asked_stop.kind == spool::StopKind::paused);
  CHECK(server.operations.asked_stop.on);
  CHECK(server.operations.asked_stop.by == "admin");
  CHECK(server.operations.asked_stop.why == "update");

  CHECK(server.ask("POST", "/v1/destinations/erp/enable").status == 200);
  CHECK(server.operations.asked_stop.destination == "erp");
  CHECK(server.operations.asked_stop.kind == spool::StopKind::disabled);
  CHECK_FALSE(server.operations.asked_stop.on);
  CHECK(server.operations.asked_stop.why.empty());

  server.operations.held_stop = invalid("no destination 'cmr'; did you mean 'crm'?");
  CHECK(server.ask("POST", "/v1/destinations/cmr/disable").status == 400);
  CHECK(server.ask("POST", "/v1/destinations/crm/disable?why=x").status == 400);
  CHECK(server.ask("POST", "/v1/destinations/crm/enable?reason=x").status == 400);
  CHECK(server.ask("POST", "/v1/destinations/crm/stop").status == 404);
  CHECK(server.ask("POST", "/v1/destinations//pause").status == 404);
  CHECK(server.ask("POST", "/v1/destinations/%00/pause").status == 400);
  CHECK(server.ask("POST", "/v1/destinations/%zz/pause").status == 400);
  CHECK(server.ask("POST", "/v1/destinations/a%20b/pause").status == 400);  // as held: no such destination
  CHECK(server.operations.asked_stop.destination == "a b");
  CHECK(server.get("/v1/destinations/crm/pause").status == 405);
}

TEST_CASE("stats_show_every_destination_with_its_state_also_one_that_nothing_was_stored_for") {
  RunningServer server;
  server.operations.held_stats.destinations = {{.name = "crm", .waiting = 3}, {.name = "erp"}};
  spool::DestinationReport crm, shop;
  crm.name = "crm";
  crm.stop.disabled = {true, "on_dead", "delivery is dead", server.clock.wall()};
  crm.breaker = upstream::Breaker::State::half_open;
  shop.name = "shop";
  shop.breaker = upstream::Breaker::State::closed;
  server.operations.held_reports = {crm, shop};
  server.operations.held_counters = {{.worker = 1, .counters = {{"belay_forward_breaker_info", "destination=\"erp\",state=\"open\"", 1}}}};
  const std::string body = server.get("/v1/stats").body;
  CHECK(at(body, "destinations[0].name") == "\"crm\"");
  CHECK(at(body, "destinations[0].waiting") == "3");
  CHECK(at(body, "destinations[0].state") == "\"disabled\"");
  CHECK(at(body, "destinations[0].disabled.by") == "\"on_dead\"");
  CHECK(at(body, "destinations[0].breaker") == "\"half_open\"");
  CHECK(at(body, "destinations[1].state") == "\"ok\"");
  CHECK(at(body, "destinations[1].forward_breaker") == "\"open\"");
  CHECK(at(body, "destinations[2].name") == "\"shop\"");
  CHECK(at(body, "destinations[2].spooled") == "0");
  const std::string metrics = server.get("/metrics").body;
  CHECK(metrics.find("belay_destination_state{destination=\"crm\",state=\"disabled\"} 1") != std::string::npos);
  CHECK(metrics.find("belay_destination_state{destination=\"crm\",state=\"ok\"} 0") != std::string::npos);
  CHECK(metrics.find("belay_forward_breaker_info{destination=\"erp\",state=\"open\"} 1") != std::string::npos);
}
