// One webhook as one line: which state it shows, which reason, how filters and addresses are read.
#include <doctest/doctest.h>

#include "cli/admin_client.h"
#include "cli/event_row.h"
#include "cli/filters.h"
#include "cli/received.h"
#include "json/document.h"

using namespace belay;
using namespace belay::cli;

namespace {

const WallTime kNow = wall_from_ms(1'760'000'000'000);

struct Parsed {
  explicit Parsed(const std::string& text) : document(*json::Document::parse_owned(text)), view(*document) {}
  std::unique_ptr<const json::Document> document;
  JsonView view;
};

std::string delivery(const std::string& state, const std::string& more = {}) {
  return R"({"destination":"crm","state":")" + state + "\"" + more + "}";
}

}  // namespace

TEST_CASE("a_row_shows_the_outcome_or_what_became_of_its_deliveries") {
  const std::pair<std::string, std::string> table[] = {
      {R"({"outcome":"forwarded"})", "forwarded"},
      {R"({"outcome":"spooled","deliveries":[)" + delivery("dead") + "]}", "dead"},
      {R"({"outcome":"spooled","deliveries":[)" + delivery("delivered") + "," + delivery("delivered") + "]}", "delivered"},
      {R"({"outcome":"spooled","deliveries":[)" + delivery("delivered") + "," + delivery("dead") + "]}", "1/2 dead"},
      {R"({"outcome":"spooled","deliveries":[)" + delivery("delivered") + "," + delivery("scheduled") + "]}", "1/2 scheduled"}};
  for (const auto& [row, state] : table) CHECK(state_of(Parsed(row).view) == state);
}

TEST_CASE("a_reason_is_shown_only_while_something_is_wrong") {
  const auto reason = [](const std::string& row) { return reason_of(Parsed(row).view, kNow); };
  CHECK(reason(R"({"reason":"verify: signature does not match"})") == "verify: signature does not match");
  CHECK(reason(R"({"reason":"refused","deliveries":[)" + delivery("delivered", R"(,"last_status":200)") + "]}") == "");
  CHECK(reason(R"({"deliveries":[)" + delivery("dead", R"(,"reason":"no attempts left")") + "]}") == "no attempts left");
  CHECK(reason(R"({"deliveries":[)" +
               delivery("scheduled", R"(,"last_status":503,"due":"2025-10-09T08:58:20.000Z")") + "]}") ==
        "answered 503; next attempt in 5m");
  CHECK(reason(R"({"deliveries":[)" +
               delivery("scheduled", R"(,"last_status":0,"last_error":"refused","due":"2025-10-09T08:53:19.000Z")") + "]}") ==
        "refused; next attempt is due");
}

TEST_CASE("a_row_of_an_unknown_shape_is_shown_as_far_as_it_goes") {
  EventTable table(EventTable::Time::age);
  for (const char* row : {"{}", R"({"deliveries":5,"status":"x","id":null})", R"({"deliveries":[1,{}]})", "[]", "1"}) {
    table.add(Parsed(row).view, kNow);
  }
  CHECK(table.print(true).find("RECEIVED") != std::string::npos);
}

TEST_CASE("filters_are_checked_before_anything_is_asked") {
  const auto good = read_filters({.source = "acme", .status = "dead", .since = "1h"}, kNow);
  REQUIRE(good.ok());
  CHECK(query_string(*good) == "?source=acme&status=dead&since=2025-10-09T07%3A53%3A20.000Z");
  CHECK(read_filters({}, kNow)->empty());

  const auto wrong = read_filters({.status = "deliverd"}, kNow);
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().message == "unknown status 'deliverd'; did you mean 'delivered'?");
  CHECK_FALSE(read_filters({.since = "yesterday"}, kNow).ok());
  CHECK_FALSE(read_filters({.since = "1h", .until = "2h"}, kNow).ok());
}

TEST_CASE("a_query_string_escapes_what_it_carries") {
  CHECK(query_string({}) == "");
  CHECK(query_string({{"text", "a b&c=d/é"}, {"type", ""}}) == "?text=a%20b%26c%3Dd%2F%C3%A9");
}

TEST_CASE("an_address_to_listen_on_becomes_one_to_ask") {
  const auto url = [](const std::string& listen) {
    const auto parsed = url_of_listen(listen);
    REQUIRE_MESSAGE(parsed.ok(), listen);
    return parsed->scheme + "|" + parsed->host + "|" + std::to_string(parsed->port);
  };
  CHECK(url("127.0.0.1:9180") == "http|127.0.0.1|9180");
  CHECK(url("0.0.0.0:9180") == "http|127.0.0.1|9180");
  CHECK(url("[::]:9180") == "http|::1|9180");
  CHECK(url("unix:/run/belay/admin.sock").starts_with("unix|/run/belay/admin.sock|"));
  CHECK_FALSE(url_of_listen("9180x").ok());
}

TEST_CASE("of_several_tokens_one_that_is_valid_now_is_used") {
  const std::vector<conf::AdminToken> tokens = {
      {"dashboard", {{.value = "reads"}}, false},
      {"ops", {{.value = "old", .valid_until = kNow}, {.value = "new", .valid_from = kNow, .valid_until = kNow + Duration(9)}}, true}};
  CHECK(token_of(tokens, kNow) == "new");
  CHECK(token_of(tokens, kNow - Duration(1)) == "old");
  CHECK(token_of(tokens, kNow + Duration(9)) == "reads");
  CHECK(token_of({}, kNow) == "");
}

TEST_CASE("what_listen_gets_is_one_line_for_people_and_one_of_json") {
  belay::event::SimpleRequest request{.method = "POST", .path = "/a", .query = "b=\x1b", .peer = "127.0.0.1", .headers = {}, .body = "{\n  \"x\": 1\x07\n}"};
  request.headers = {{"X-B", "1"}, {"webhook-id", "abc"}, {"Webhook-Attempt", "2"}, {"x-a", "\"q\""}};
  const Received received{.number = 3, .at = kNow, .request = &request, .answered = 503};
  const std::string line = received_line(received, false);
  CHECK(line.ends_with("  POST /a?b=\\x1b  503  id abc  attempt 2  13 B  { \"x\": 1\\x07 }"));
  const std::string json = received_json(received, true);
  CHECK(json ==
        R"({"n":3,"time":"2025-10-09T08:53:20.000Z","method":"POST","target":"/a?b=\u001b",)"
        R"("headers":[["X-B","1"],["webhook-id","abc"],["Webhook-Attempt","2"],["x-a","\"q\""]],"answered":503,"body_bytes":13,)"
        R"("body_sha256":"72f517905ff184336b3b6bdfb4032389c402b7c85ef55ff4a0d18bfb106ad63c","body_base64":"ewogICJ4IjogMQcKfQ=="})");
  CHECK(received_json(received, false).find("body_base64") == std::string::npos);
}
