#include "event/resolver.h"
#include "event/simple_server.h"
#include "kit.h"
#include "modules/reply.h"

using namespace belay;
using namespace belay::test;
using pipeline::Runner;

namespace {

// A backend and the real upstream client on one loop.
struct Backend {
  event::Loop loop;
  event::Resolver resolver{loop};
  upstream::Client client{loop, resolver};
  std::vector<event::SimpleRequest> seen;
  event::SimpleResponse answer{.status = 200, .headers = {{"X-From", "backend"}}, .body = "done"};
  event::SimpleServer server{loop,
                             [this](const event::SimpleRequest& request, const event::SimpleServer::Respond& respond) {
                               seen.push_back(request);
                               respond(answer);
                             }};

  Backend() { REQUIRE(server.listen("127.0.0.1:0").ok()); }
  std::string url() const { return "\"http://127.0.0.1:" + std::to_string(server.port()) + "/in\""; }
};

std::string rules_with(const std::string& url, const std::string& source_keys = "",
                       const std::string& routes = "[{ to: d }]", const std::string& destination_keys = "") {
  return "sources:\n  s: { match: { path: /s }, trust: open, routes: " + routes + source_keys +
         " }\ndestinations:\n  d: { url: " + url + destination_keys + " }\n  e: { url: \"http://127.0.0.1:1/\" }\n";
}
const std::string kBoth = "[{ to: d }, { to: e }]";
// The second destination must be used, or the load says so.
const std::string kNever = "[{ to: d }, { when: \"false\", to: e }]";

std::vector<std::string> destinations(const wire::Put& put) {
  std::vector<std::string> names;
  for (const wire::PutDelivery& delivery : put.deliveries) names.push_back(delivery.destination);
  return names;
}

bool settled(Backend& backend, Walked& walked) {
  return walked.state != Runner::State::parked ||  // answered within the walk
         backend.loop.run_until([&] { return walked.finished || walked.exchange->services.spool->waiting() > 0; }, Duration(5'000));
}

}  // namespace

TEST_CASE("the_backends_answer_goes_back_as_it_came") {
  Backend backend;
  backend.answer.status = 404;
  Kit kit(rules_with(backend.url(), "", kNever));
  kit.services.upstream = &backend.client;
  const auto walked = kit.post({{"X-Sender", "1"}}, "{\"a\":1}");
  CHECK_EQ(walked->state, Runner::State::parked);
  REQUIRE(settled(backend, *walked));
  CHECK_EQ(walked->status(), 404);
  CHECK_EQ(walked->exchange->outcome, wire::Outcome::forwarded);
  CHECK_EQ(walked->exchange->reply.body, "done");
  CHECK(walked->has_field("X-From: backend"));
  CHECK_EQ(walked->exchange->reply.head.find("Content-Length"), std::string::npos);
  CHECK_EQ(walked->exchange->reply.head.find("Connection"), std::string::npos);
  REQUIRE_EQ(backend.seen.size(), 1);
  CHECK_EQ(backend.seen[0].body, "{\"a\":1}");
  CHECK_EQ(kit.spool.puts.size(), 0);
}

TEST_CASE("a_backend_that_fails_leaves_the_webhook_to_the_spool_and_the_sender_gets_202_after_stored") {
  Backend backend;
  backend.answer.status = 502;
  Kit kit(rules_with(backend.url(), "", kNever));
  kit.services.upstream = &backend.client;
  const auto walked = kit.post({{"X-Sender", "1"}}, "{\"a\":1}");
  REQUIRE(settled(backend, *walked));
  REQUIRE_EQ(kit.spool.puts.size(), 1);
  CHECK_FALSE(walked->finished);
  const wire::Put& put = kit.spool.puts[0];
  CHECK_EQ(destinations(put), std::vector<std::string>{"d"});
  CHECK(put.first_attempt_failed);
  CHECK_EQ(put.attempt_status, 502);
  CHECK_EQ(put.request.body, "{\"a\":1}");
  CHECK_EQ(put.request.target, "/s");
  CHECK_EQ(put.event.id, walked->exchange->id);
  CHECK_EQ(put.event.outcome, wire::Outcome::spooled);
  CHECK_EQ(put.event.status, 202);
  kit.spool.answer(wire::PutState::stored);
  CHECK(walked->finished);
  CHECK_EQ(walked->status(), 202);
  CHECK_EQ(walked->exchange->outcome, wire::Outcome::spooled);
}

TEST_CASE("a_backend_that_is_not_there_is_tried_once_and_counted_as_the_first_attempt") {
  Backend backend;
  Kit kit(rules_with("\"http://127.0.0.1:1/\"", ", reply: { status: 200, body: '{\"received\": true}' }", kNever));
  kit.services.upstream = &backend.client;
  const auto walked = kit.post();
  REQUIRE(settled(backend, *walked));
  REQUIRE_EQ(kit.spool.puts.size(), 1);
  CHECK(kit.spool.puts[0].first_attempt_failed);
  CHECK_EQ(kit.spool.puts[0].attempt_status, 0);
  CHECK_FALSE(kit.spool.puts[0].attempt_error.empty());
  CHECK_EQ(kit.spool.puts[0].event.status, 200);
  kit.spool.answer(wire::PutState::repeated);  // of our own: an answer was lost
  CHECK_EQ(walked->status(), 200);
  CHECK_EQ(walked->exchange->reply.body, "{\"received\": true}");
}

TEST_CASE("a_5xx_that_the_rules_do_not_retry_goes_back_to_the_sender") {
  Backend backend;
  backend.answer.status = 501;
  Kit kit(rules_with(backend.url(), "", kNever, ", retry_on: [network, \"5xx\", \"!501\"]"));
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  kit.services.upstream = &backend.client;
  const auto walked = kit.post();
  REQUIRE(settled(backend, *walked));
  CHECK_EQ(walked->status(), 501);
  CHECK_EQ(kit.spool.puts.size(), 0);
}

TEST_CASE("further_destinations_are_stored_before_the_sender_gets_the_backends_2xx") {
  Backend backend;
  Kit kit(rules_with(backend.url(), "", kBoth));
  kit.services.upstream = &backend.client;
  const auto walked = kit.post();
  REQUIRE(settled(backend, *walked));
  CHECK_FALSE(walked->finished);
  REQUIRE_EQ(kit.spool.puts.size(), 1);
  CHECK_EQ(destinations(kit.spool.puts[0]), std::vector<std::string>{"e"});
  CHECK_FALSE(kit.spool.puts[0].first_attempt_failed);
  kit.spool.answer(wire::PutState::stored);
  CHECK_EQ(walked->status(), 200);
  CHECK_EQ(walked->exchange->reply.body, "done");
  CHECK_EQ(walked->exchange->outcome, wire::Outcome::spooled);

  const auto doubted = kit.post();
  REQUIRE(settled(backend, *doubted));
  kit.spool.answer(Error{ErrorKind::unavailable, "connection lost"});
  CHECK_EQ(doubted->status(), 503);
  CHECK(doubted->has_field("Retry-After: 5"));
}

TEST_CASE("a_failed_forward_and_further_destinations_are_one_put") {
  Backend backend;
  backend.answer.status = 500;
  Kit kit(rules_with(backend.url(), "", kBoth));
  kit.services.upstream = &backend.client;
  const auto walked = kit.post();
  REQUIRE(settled(backend, *walked));
  REQUIRE_EQ(kit.spool.puts.size(), 1);
  CHECK_EQ(destinations(kit.spool.puts[0]), std::vector<std::string>{"d", "e"});
  CHECK(kit.spool.puts[0].first_attempt_failed);
  kit.spool.answer(wire::PutState::stored);
  CHECK_EQ(walked->status(), 202);
}

TEST_CASE("mode_spool_answers_only_after_the_spool_has_stored") {
  Kit kit(rules_with("\"http://127.0.0.1:1/\"", ", mode: spool", kBoth));
  const auto walked = kit.post();
  CHECK_EQ(walked->state, Runner::State::parked);
  CHECK_EQ(walked->status(), 0);
  REQUIRE_EQ(kit.spool.puts.size(), 1);
  CHECK_EQ(destinations(kit.spool.puts[0]), std::vector<std::string>{"d", "e"});
  CHECK_FALSE(kit.spool.puts[0].first_attempt_failed);
  kit.spool.answer(wire::PutState::stored);
  CHECK_EQ(walked->status(), 202);
  CHECK_NE(walked->exchange->reply.body.find(walked->exchange->id.to_string()), std::string::npos);
}

TEST_CASE("a_put_behind_one_past_what_is_kept_holds_nothing_of_it") {
  Kit kit(rules_with("\"http://127.0.0.1:1/\"", ", mode: spool", R"([{ transform: { body: { all: "{{ a }}" } }, to: d }, { when: "false", to: e }])"));
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  const std::string large(pipeline::Exchange::kKeep + 1, 'x');
  for (const std::string& a : {large, std::string("small")}) {
    const auto walked = kit.post({{"Content-Type", "application/json"}, {"X-Sender", a.substr(0, 5)}}, R"({"a":")" + a + "\"}");
    CHECK_EQ(walked->state, Runner::State::parked);
    const wire::Put& put = kit.spool.puts.back();
    CHECK_EQ(put.request.body, R"({"a":")" + a + "\"}");
    CHECK_EQ(put.request.fields.back().second, a.substr(0, 5));
    REQUIRE_EQ(put.shapes.size(), 1);
    CHECK_EQ(put.shapes[0].body, R"({"all":")" + a + "\"}");
    CHECK_EQ(destinations(put), std::vector<std::string>{"d"});
    kit.spool.answer(wire::PutState::stored);
  }
}

TEST_CASE("of_a_put_that_was_sent_no_made_body_is_kept_and_little_room_for_what_came") {
  const auto room = [](const wire::Put& put) {
    size_t bytes = put.request.body.capacity();
    for (const auto& [name, value] : put.request.fields) bytes += name.capacity() + value.capacity();
    for (const wire::StoredRequest& made : put.shapes) bytes += made.body.capacity();
    return bytes;
  };
  constexpr size_t kKeep = pipeline::Exchange::kKeep;
  wire::Put put;
  put.request.body.assign(kKeep / 2, 'b');
  put.request.fields.assign(10, {"X-Field", std::string(100, 'v')});
  put.shapes.resize(2);
  put.shapes[1].body.assign(8 * kKeep, 's');
  modules::let_go(put);
  CHECK_GE(room(put), kKeep / 2);  // it will be used again
  CHECK_LE(room(put), kKeep);
  put.request.body.assign(kKeep, 'b');
  modules::let_go(put);
  CHECK_LT(room(put), kKeep / 2);
  put.request.fields.assign(3, {"X-Field", std::string(kKeep / 2, 'v')});  // as many requests left them, one large field each
  modules::let_go(put);
  CHECK_LT(room(put), kKeep / 2);
}

TEST_CASE("what_an_untrusted_sender_says_about_itself_is_not_stored") {
  Kit kit(rules_with("\"http://127.0.0.1:1/\"", ", mode: spool", kNever));
  const auto walked = kit.post({{"X-Real-IP", "6.6.6.6"}, {"X-Forwarded-Host", "shop.test"}, {"X-Sender", "1"}}, "{}");
  CHECK_EQ(walked->state, Runner::State::parked);
  REQUIRE_EQ(kit.spool.puts.size(), 1);
  std::string names;
  for (const auto& [name, value] : kit.spool.puts[0].request.fields) names += name + " ";
  CHECK_EQ(names.find("X-Real-IP"), std::string::npos);
  CHECK_EQ(names.find("X-Forwarded-Host"), std::string::npos);
  CHECK_NE(names.find("X-Sender"), std::string::npos);
}

TEST_CASE("any_doubt_about_the_spool_is_503_with_retry_after_never_a_2xx_or_4xx") {
  Kit kit(rules_with("\"http://127.0.0.1:1/\"", ", mode: spool, reply: { status: 200 }", kBoth));
  const auto full = kit.post();
  kit.spool.answer(wire::PutState::refused, "disk full");
  CHECK_EQ(full->status(), 503);
  CHECK(full->has_field("Retry-After: 5"));
  CHECK_EQ(full->exchange->outcome, wire::Outcome::failed);
  const auto silent = kit.post();
  kit.spool.answer(Error{ErrorKind::timeout, "no answer"});
  CHECK_EQ(silent->status(), 503);
  kit.spool.up = false;
  const auto away = kit.post();
  CHECK_EQ(away->state, Runner::State::done);
  CHECK_EQ(away->status(), 503);
  kit.services.spool = nullptr;
  CHECK_EQ(kit.post()->status(), 503);
}

TEST_CASE("a_failed_forward_with_the_spool_away_is_503_and_says_why") {
  Backend backend;
  Kit kit(rules_with("\"http://127.0.0.1:1/\"", "", kNever));
  kit.services.upstream = &backend.client;
  kit.spool.up = false;
  const auto walked = kit.post();
  REQUIRE(settled(backend, *walked));
  CHECK_EQ(walked->status(), 503);
  CHECK_NE(walked->reason().find("refused"), std::string::npos);
  CHECK_NE(walked->reason().find("the spool is away"), std::string::npos);
}

TEST_CASE("senders_are_not_told_where_the_backend_is_or_what_the_spool_says") {
  Backend backend;
  Kit kit(rules_with("\"http://127.0.0.1:1/\"", "", kNever));
  kit.services.upstream = &backend.client;
  const auto told = [](const Walked& walked) {
    const size_t at = walked.exchange->reply.body.find("\"reason\"");
    return walked.exchange->reply.body.substr(at, walked.exchange->reply.body.size() - at);
  };
  const auto stored = kit.post();
  REQUIRE(settled(backend, *stored));
  kit.spool.answer(wire::PutState::stored);
  CHECK_EQ(stored->status(), 202);
  CHECK_EQ(told(*stored), "\"reason\": \"deliver: the backend is unavailable\"}\n");
  CHECK(stored->reason().starts_with("deliver: d: "));
  kit.spool.up = false;
  const auto lost = kit.post();
  REQUIRE(settled(backend, *lost));
  CHECK_EQ(told(*lost), "\"reason\": \"deliver: the backend is unavailable\"}\n");

  Kit spooled(rules_with("\"http://127.0.0.1:1/\"", ", mode: spool", kBoth));
  const auto full = spooled.post();
  spooled.spool.answer(wire::PutState::refused, "disk full on /var/spool");
  CHECK_EQ(told(*full), "\"reason\": \"deliver: the spool is away\"}\n");
  CHECK_NE(full->reason().find("disk full"), std::string::npos);
}

TEST_CASE("an_answer_of_the_spool_after_the_sender_went_away_is_ignored") {
  Kit kit(rules_with("\"http://127.0.0.1:1/\"", ", mode: spool", kBoth));
  auto walked = kit.post();
  walked->exchange.reset();
  kit.spool.answer(wire::PutState::stored);
  CHECK_FALSE(walked->finished);
}

TEST_CASE("over_the_rate_with_over_spool_the_backend_is_not_called") {
  Backend backend;
  Kit kit(rules_with(backend.url(), ", limit: { rate: 1/h, over: spool }", kNever));
  kit.services.upstream = &backend.client;
  const auto first = kit.post();
  REQUIRE(settled(backend, *first));
  CHECK_EQ(first->exchange->outcome, wire::Outcome::forwarded);
  const auto second = kit.post();
  CHECK_EQ(kit.spool.puts.size(), 1);
  CHECK_EQ(backend.seen.size(), 1);
  kit.spool.answer(wire::PutState::stored);
  CHECK_EQ(second->status(), 202);
}

TEST_CASE("what_is_over_concurrency_or_rate_of_all_workers_goes_to_the_spool_as_not_yet_tried") {
  struct Case {
    std::string keys, reason;
    int at_once;
  };
  for (const Case& limit : {Case{", concurrency: 2", "deliver: d: over its concurrency", 2}, Case{", rate: 3/s", "deliver: d: over its rate", 3}}) {
    Backend backend;
    Kit kit(rules_with(backend.url(), "", kNever, limit.keys));
    REQUIRE_MESSAGE(kit.built(), kit.problems());
    kit.services.upstream = &backend.client;
    std::vector<std::unique_ptr<Walked>> forwarded;
    for (int i = 0; i < limit.at_once; ++i) {
      kit.services.slot = static_cast<size_t>(i % 2);  // another worker each time
      forwarded.push_back(kit.post());
      CHECK_EQ(kit.spool.puts.size(), 0);
    }
    const auto over = kit.post();
    REQUIRE_EQ(kit.spool.puts.size(), 1);
    CHECK_FALSE(kit.spool.puts[0].first_attempt_failed);
    CHECK_EQ(over->reason(), limit.reason);
    kit.spool.answer(wire::PutState::stored);
    CHECK_EQ(over->status(), 202);
    CHECK_EQ(over->exchange->reply.body.find("over its"), std::string::npos);  // destinations are not for senders
    for (const auto& walked : forwarded) {
      REQUIRE(settled(backend, *walked));
      CHECK_EQ(walked->status(), 200);
    }
    kit.clock.advance(Duration(1'000));
    const auto later = kit.post();
    CHECK_EQ(kit.spool.puts.size(), 1);
    REQUIRE(settled(backend, *later));
    CHECK_EQ(later->status(), 200);
  }
}

TEST_CASE("a_sender_that_goes_away_and_a_worker_that_dies_give_their_places_back") {
  Backend backend;
  Kit kit(rules_with(backend.url(), "", kNever, ", concurrency: 2"));
  kit.services.upstream = &backend.client;
  auto gone = kit.post();
  gone->exchange->reset();
  kit.services.slot = 1;
  const auto one = kit.post(), two = kit.post();
  CHECK_EQ(kit.spool.puts.size(), 0);
  const auto over = kit.post();
  CHECK_EQ(kit.spool.puts.size(), 1);
  kit.shared.forwards.forget(1);  // its exchanges give back nothing more: the worker is dead
  kit.services.slot = 2;
  const auto three = kit.post();
  CHECK_EQ(kit.spool.puts.size(), 1);
}

TEST_CASE("over_its_limit_and_without_a_spool_the_sender_gets_503_and_not_a_4xx") {
  Backend backend;
  Kit kit(rules_with(backend.url(), "", kNever, ", concurrency: 1"));
  kit.services.upstream = &backend.client;
  kit.spool.up = false;
  const auto first = kit.post(), second = kit.post();
  CHECK_EQ(second->status(), 503);
  CHECK(second->has_field("Retry-After: 5"));
  CHECK_EQ(second->reason(), "deliver: d: over its concurrency: the spool is away");
}

TEST_CASE("a_parked_exchange_holds_no_parsed_payload") {
  Backend backend;
  Kit kit(rules_with(backend.url(), "", "[{ when: a == 1, to: d }, { to: e }]"));
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  kit.services.upstream = &backend.client;
  const auto walked = kit.post({}, "{\"a\": 1}");
  CHECK_EQ(walked->state, Runner::State::parked);
  CHECK_FALSE(walked->exchange->has_context());
  REQUIRE(settled(backend, *walked));
}

TEST_CASE("a_backends_answer_is_counted_until_the_exchange_is_empty_again_and_one_over_the_budget_loses_its_body") {
  Backend backend;
  backend.answer.body.assign(1 << 20, 'x');
  Kit kit(rules_with(backend.url(), "", kNever));
  MemoryBudget budget(kit.shared.buffered_bytes, kit.shared.workers[0].buffered_bytes, 8 << 20);
  upstream::Client client(backend.loop, backend.resolver, {.memory = &budget});
  kit.services.upstream = &client;
  kit.services.memory = &budget;
  const auto walked = kit.post();
  REQUIRE(settled(backend, *walked));
  CHECK_EQ(walked->exchange->reply.body, backend.answer.body);
  CHECK(kit.shared.buffered_bytes >= 1 << 20);
  walked->exchange->reset();
  CHECK(kit.shared.buffered_bytes < 200'000);
  kit.shared.buffered_bytes += 8 << 20;
  const auto over = kit.post();
  REQUIRE(settled(backend, *over));
  CHECK(kit.spool.puts.empty());  // the backend has taken it: once more would be a duplicate
  CHECK_EQ(over->exchange->reply.status, 200);
  CHECK(over->exchange->outcome == wire::Outcome::forwarded);
  CHECK(over->exchange->reply.body.find("too large") != std::string::npos);
  CHECK(over->exchange->reason.find("limits.memory is reached") != std::string::npos);
}

TEST_CASE("a_backend_that_refuses_a_webhook_takes_none_of_its_keys_also_when_other_routes_are_stored") {
  Backend backend;
  for (const int status : {200, 429}) {
    INFO(status);
    backend.answer.status = status;
    Kit kit(rules_with(backend.url(), ", dedupe: {}", kBoth));
    kit.services.upstream = &backend.client;
    const auto walked = kit.post();
    REQUIRE_EQ(kit.spool.claims.size(), 1);
    kit.spool.answer_claim(wire::ClaimResult{walked->exchange->id, wire::ClaimState::fresh, {}});
    REQUIRE(settled(backend, *walked));
    REQUIRE_EQ(kit.spool.puts.size(), 1);
    CHECK_EQ(destinations(kit.spool.puts[0]), std::vector<std::string>{"e"});
    CHECK_EQ(kit.spool.puts[0].claims.size(), status == 200 ? 1 : 0);
  }
}

TEST_CASE("while_the_breaker_is_open_webhooks_go_to_the_spool_at_once_and_one_probe_finds_the_backend_back") {
  Backend backend;
  backend.answer.status = 500;
  Kit kit(rules_with(backend.url(), "", kNever, ", breaker: { failures: 50%, of_last: 4, open_for: 30s }"));
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  kit.services.upstream = &backend.client;
  for (int i = 0; i < 2; ++i) {
    const auto failed = kit.post();
    REQUIRE(settled(backend, *failed));
    CHECK(kit.spool.puts.back().first_attempt_failed);
    kit.spool.answer(wire::PutState::stored);
  }
  const auto at_once = kit.post();
  REQUIRE(settled(backend, *at_once));
  CHECK_EQ(backend.seen.size(), 2);
  REQUIRE_EQ(kit.spool.puts.size(), 3);
  CHECK_FALSE(kit.spool.puts.back().first_attempt_failed);  // nothing was sent: not an attempt
  kit.spool.answer(wire::PutState::stored);
  CHECK_EQ(at_once->status(), 202);
  CHECK_EQ(at_once->reason(), "deliver: d: its breaker is open");

  backend.answer.status = 200;
  kit.clock.advance(Duration(30'000));
  const auto probe = kit.post();
  const auto beside = kit.post();  // while the probe is under way
  REQUIRE(settled(backend, *beside));
  CHECK_EQ(kit.spool.puts.size(), 4);
  kit.spool.answer(wire::PutState::stored);
  REQUIRE(settled(backend, *probe));
  CHECK_EQ(probe->status(), 200);
  CHECK_EQ(backend.seen.size(), 3);
}

TEST_CASE("a_destination_that_somebody_paused_gets_nothing_forwarded_and_without_a_spool_the_sender_hears_503") {
  Backend backend;
  Kit kit(rules_with(backend.url(), "", kNever));
  kit.services.upstream = &backend.client;
  kit.shared.states.tell({{kit.ruleset->destinations.at("d")->key, wire::DestinationState::kPaused, 0}});
  const auto walked = kit.post();
  REQUIRE(settled(backend, *walked));
  CHECK_EQ(backend.seen.size(), 0);
  kit.spool.answer(wire::PutState::stored);
  CHECK_EQ(walked->status(), 202);
  CHECK_EQ(walked->reason(), "deliver: d: paused");
  kit.spool.up = false;
  const auto refused = kit.post();
  REQUIRE(settled(backend, *refused));
  CHECK_EQ(refused->status(), 503);
  CHECK_EQ(backend.seen.size(), 0);
}

TEST_CASE("a_path_that_its_sender_made_unfit_says_nothing_about_the_backend") {
  Backend backend;
  Kit kit("sources:\n  s: { match: { path: \"/s/*\" }, trust: open, routes: [{ to: d }] }\ndestinations:\n  d: { url: " + backend.url() +
          ", append_path: true, breaker: { failures: 50%, of_last: 2 } }\n");
  REQUIRE_MESSAGE(kit.built(), kit.problems());
  kit.services.upstream = &backend.client;
  for (int i = 0; i < 4; ++i) {
    const auto walked = kit.send("POST", "/s/a%2f..%2fb/%2e%2e/c");
    REQUIRE(settled(backend, *walked));
    if (kit.spool.waiting() > 0) kit.spool.answer(wire::PutState::stored);
  }
  const auto sound = kit.send("POST", "/s/a");
  REQUIRE(settled(backend, *sound));
  CHECK_EQ(sound->status(), 200);
}
