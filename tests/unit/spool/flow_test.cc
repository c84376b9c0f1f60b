// The whole way on real sockets: a worker's client, the intake, the store, the dispatcher and a backend on loopback.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <set>

#include "event/simple_server.h"
#include "spool/dispatcher.h"
#include "spool/intake.h"
#include "spool/store_operations.h"
#include "tests/unit/wire/samples.h"
#include "wire/client.h"

namespace belay::spool {

namespace {

constexpr Duration kLimit{20'000};

struct Seen {
  std::string body, id, attempt;
};

// Everything on one loop: the order of things is the tests' own, and sanitizers see all of it.
struct Flow {
  Flow() {
    std::string name = (std::filesystem::temp_directory_path() / "belay-flow-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    folder = name;
    socket = folder + "/run/spool.sock";  // the intake makes the folder
    REQUIRE(backend.listen("127.0.0.1:0").ok());
    StoreOptions options;
    options.folder = folder + "/store";
    options.map_bytes = uint64_t{256} << 20;
    auto opened = open_lmdb_store(options, clock);
    REQUIRE(opened.ok());
    store = std::move(*opened);
    start_spool();
    client = wire::connect_spool(loop, {.socket_path = socket});
    REQUIRE(until([&] { return client->available(); }));
  }
  ~Flow() {
    client.reset();
    intake.reset();
    dispatcher.reset();
    store.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  void start_spool() {
    dispatcher = std::make_unique<Dispatcher>(loop, *store, clock);
    IntakeHooks hooks;
    hooks.wants = [this](DestinationId id) { return dispatcher->wants(id); };
    hooks.stored = [this](std::vector<Leased> leased) { dispatcher->take(std::move(leased)); };
    hooks.wake = [this](const std::vector<DestinationId>& to) { dispatcher->wake(to); };
    hooks.counters = [this](wire::Counters got) { counters.push_back(std::move(got)); };
    intake = std::make_unique<Intake>(loop, *store, clock, std::move(hooks));
    use({"crm"});
    REQUIRE(intake->listen(socket).ok());
  }
  void use(const std::vector<std::string>& names) {
    auto made = std::make_shared<upstream::Destinations>();
    for (const std::string& name : names) {
      upstream::Destination to;
      to.name = name;
      to.key = destination_id(name);
      to.urls = {*http::parse_url("http://127.0.0.1:" + std::to_string(backend.port()) + "/" + name)};
      to.timeout = Duration(5'000);
      to.connect_timeout = Duration(2'000);
      to.success = *upstream::StatusSet::parse({"2xx"});
      to.retry_on = *upstream::StatusSet::parse({"5xx"});
      to.retry.schedule = {Duration(0), Duration(30), Duration(30)};
      to.concurrency = 8;
      to.network_allow = {*Cidr::parse("127.0.0.0/8")};
      (*made)[name] = std::make_shared<const upstream::Destination>(std::move(to));
    }
    dispatcher->set_destinations(made);
    intake->set_destinations(made);
  }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, kLimit); }

  MessageId put(const std::string& body, const std::string& to = "crm") {
    wire::Put put;
    put.event.id = ids.next();
    put.event.received = clock.wall();
    put.event.outcome = wire::Outcome::spooled;
    put.event.source = "acme";
    put.event.destination = to;
    put.event.client = "127.0.0.1";
    put.request.method = "POST";
    put.request.target = "/in";
    put.request.fields = {{"Content-Type", "text/plain"}};
    put.request.body = body;
    put.request.has_body = true;
    put.deliveries = {{to, 0, 0, {}}};
    client->put(put, [this](Result<wire::PutResult> result) {
      if (result && result->state == wire::PutState::stored) ++stored;
      else ++refused;
    });
    return put.event.id;
  }
  std::optional<DestinationBacklog> backlog(const std::string& name) {
    for (const DestinationBacklog& one : store->stats().destinations) {
      if (one.name == name) return one;
    }
    return std::nullopt;
  }
  uint64_t count(const std::string& name, uint64_t DestinationBacklog::*what) {
    const auto found = backlog(name);
    return found ? (*found).*what : 0;
  }
  std::vector<Delivery> deliveries(const MessageId& id) {
    std::optional<std::vector<Delivery>> got;
    store->deliveries(id, [&](Result<std::vector<Delivery>> result) {
      loop.post([&got, result = std::move(result)]() mutable { got = std::move(*result); });
    });
    REQUIRE(until([&] { return got.has_value(); }));
    return *got;
  }

  SystemClock clock;
  SystemRandom random;
  IdGenerator ids{clock, random};
  std::string folder, socket;
  event::Loop loop;
  std::function<int(size_t)> status = [](size_t) { return 200; };  // by the number of the request
  std::vector<Seen> seen;
  event::SimpleServer backend{loop, [this](const event::SimpleRequest& request, event::SimpleServer::Respond respond) {
                                const auto value = [&](const char* name) {
                                  const std::string* found = request.header(name);
                                  return found == nullptr ? std::string() : *found;
                                };
                                seen.push_back({request.body, value("webhook-id"), value("webhook-attempt")});
                                respond({status(seen.size()), {}, "answer"});
                              }};
  std::unique_ptr<Store> store;
  std::unique_ptr<Dispatcher> dispatcher;
  std::unique_ptr<Intake> intake;
  std::unique_ptr<wire::SpoolClient> client;
  std::vector<wire::Counters> counters;
  int stored = 0, refused = 0;
};

TEST_CASE("what_is_put_is_stored_answered_and_delivered_byte_for_byte") {
  Flow flow;
  std::string body = "line\r\nwith\0zero";
  body.push_back('\0');
  const MessageId id = flow.put(body);
  REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::delivered) == 1; }));
  CHECK(flow.stored == 1);
  REQUIRE(flow.seen.size() == 1);
  CHECK(flow.seen[0].body == body);
  CHECK(flow.seen[0].id == id.to_string());
  CHECK(flow.seen[0].attempt == "1");
  const std::vector<Delivery> after = flow.deliveries(id);
  REQUIRE(after.size() == 1);
  CHECK(after[0].state == DeliveryState::delivered);
  CHECK(after[0].history.at(0).status == 200);
  CHECK(after[0].history.at(0).answer == "answer");
}

TEST_CASE("many_puts_of_one_turn_all_arrive_once") {
  Flow flow;
  for (int i = 0; i < 500; ++i) flow.put("body " + std::to_string(i));
  REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::delivered) == 500; }));
  CHECK(flow.stored == 500);
  CHECK(flow.seen.size() == 500);
  CHECK(flow.count("crm", &DestinationBacklog::waiting) == 0);
}

TEST_CASE("a_failed_delivery_is_repeated_with_the_same_id_and_bytes_until_it_succeeds") {
  Flow flow;
  flow.status = [](size_t number) { return number < 3 ? 503 : 200; };
  const MessageId id = flow.put("again");
  REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::delivered) == 1; }));
  REQUIRE(flow.seen.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(flow.seen[i].id == id.to_string());
    CHECK(flow.seen[i].body == "again");
    CHECK(flow.seen[i].attempt == std::to_string(i + 1));
  }
}

TEST_CASE("used_up_attempts_make_a_dead_letter_that_replay_sends_again") {
  Flow flow;
  flow.status = [](size_t) { return 500; };
  const MessageId id = flow.put("dead");
  REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::dead) == 1; }));
  CHECK(flow.seen.size() == 3);
  CHECK(flow.deliveries(id)[0].reason == "3 attempts used up; the last: status 500");

  flow.status = [](size_t) { return 200; };
  StoreOperations operations(*flow.store, flow.clock, [&](std::vector<DestinationId> ids) {
    flow.loop.post([&flow, ids = std::move(ids)] { flow.dispatcher->wake(ids); });
  });
  std::atomic<uint64_t> queued{0};
  operations.act({.filter = EventQuery{.state = "dead"}, .dry_run = false},
                    [&](Result<BulkResult> result) { queued = result ? result->deliveries : 99; });
  REQUIRE(flow.until([&] { return queued != 0 && flow.count("crm", &DestinationBacklog::delivered) == 1; }));
  CHECK(queued == 1);
  CHECK(flow.seen.back().body == "dead");
  CHECK(flow.seen.back().attempt == "4");
  CHECK(flow.deliveries(id)[0].history.size() == 4);
}

TEST_CASE("a_status_that_is_not_retried_is_dead_at_once") {
  Flow flow;
  flow.status = [](size_t) { return 404; };
  flow.put("no");
  REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::dead) == 1; }));
  CHECK(flow.seen.size() == 1);
}

TEST_CASE("messages_for_a_destination_that_is_gone_wait_until_it_is_back") {
  Flow flow;
  flow.put("orphan", "erp");
  flow.put("known", "crm");
  REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::delivered) == 1; }));
  CHECK(flow.count("erp", &DestinationBacklog::waiting) == 1);
  flow.use({"crm", "erp"});
  REQUIRE(flow.until([&] { return flow.count("erp", &DestinationBacklog::delivered) == 1; }));
}

TEST_CASE("nothing_is_lost_when_a_destination_goes_and_comes_back_while_it_is_sent_to") {
  Flow flow;
  std::set<std::string> arrived;
  flow.status = [&](size_t number) {  // some fail at first and are scheduled
    return arrived.insert(flow.seen[number - 1].id).second && number % 3 == 0 ? 503 : 200;
  };
  std::vector<MessageId> ids;
  for (int i = 0; i < 300; ++i) {
    ids.push_back(flow.put("body " + std::to_string(i)));
    if (i % 50 != 49) continue;
    const size_t before = flow.seen.size();
    REQUIRE(flow.until([&] { return flow.seen.size() >= before + 5; }));
    flow.use({});  // what is in flight ends by the old rules, what is in hand goes back
    REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::sending) == 0; }));
    CHECK(flow.count("crm", &DestinationBacklog::dead) == 0);
    flow.use({"crm"});
  }
  REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::delivered) == 300; }));
  CHECK(flow.count("crm", &DestinationBacklog::spooled) == 300);
  CHECK(flow.count("crm", &DestinationBacklog::waiting) == 0);
  CHECK(arrived.size() == 300);
}

TEST_CASE("a_put_that_is_stored_although_its_answer_was_lost_has_one_line_in_the_books") {
  Flow flow;
  wire::Event told;
  told.id = flow.put("stored all the same");
  flow.client->flush();
  REQUIRE(flow.until([&] { return flow.store->stats().messages == 1 || flow.refused == 1; }));
  flow.intake->stop();  // before the answer went out, or after
  flow.intake.reset();
  told.outcome = wire::Outcome::failed;
  told.source = "acme";
  flow.client->record(told);
  flow.dispatcher.reset();
  flow.start_spool();
  REQUIRE(flow.until([&] { return flow.client->waiting() == 0; }));
  CHECK(flow.store->stats().messages == 1);
  CHECK(flow.store->stats().events == 1);
}

TEST_CASE("lines_are_committed_once_also_when_the_connection_breaks_in_between") {
  Flow flow;
  for (int i = 0; i < 100; ++i) {
    wire::Event event = wire::test::event(flow.random);
    event.id = flow.ids.next();
    event.outcome = wire::Outcome::forwarded;
    flow.client->record(std::move(event));
  }
  flow.client->flush();
  CHECK(flow.client->waiting() == 100);
  flow.intake->stop();  // the lines may be committed, but nobody hears of it
  REQUIRE(flow.until([&] { return !flow.client->available(); }));
  flow.intake.reset();
  flow.dispatcher.reset();
  flow.start_spool();
  REQUIRE(flow.until([&] { return flow.client->waiting() == 0; }));
  CHECK(flow.store->stats().events == 100);
  CHECK(flow.client->events_dropped() == 0);
}

TEST_CASE("what_is_due_later_is_sent_when_it_is_due") {
  const auto began = std::chrono::steady_clock::now();
  Flow flow;
  const auto up = std::chrono::steady_clock::now();
  // The first tick is a full scan: behind it nothing but the intake's word tells of the delivery.
  REQUIRE(flow.until([&] { return std::chrono::steady_clock::now() - up >= 4 * Dispatcher::kTick; }));
  wire::Put put;
  put.event.id = flow.ids.next();
  put.event.received = flow.clock.wall();
  put.event.outcome = wire::Outcome::spooled;
  put.event.source = "acme";
  put.event.destination = "crm";
  put.request.method = "POST";
  put.request.target = "/in";
  put.deliveries = {{"crm", 0, 0, {}}};
  put.deliveries.front().delay_ms = 1'000;  // later than kSoon: found by the tick, not by a scan of its own
  const auto started = std::chrono::steady_clock::now();
  flow.client->put(put, [&](const Result<wire::PutResult>&) { ++flow.stored; });
  REQUIRE(flow.until([&] { return flow.seen.size() == 1; }));
  const auto arrived = std::chrono::steady_clock::now();
  CHECK(arrived - started >= std::chrono::milliseconds(990));  // it is due by the wall clock, in whole milliseconds
  CHECK(arrived - began < Dispatcher::kFullScan);  // not found by chance: the next full scan comes later
}

TEST_CASE("a_put_under_way_when_the_spool_goes_is_never_acknowledged") {
  Flow flow;
  flow.put("lost answer");
  flow.client->flush();
  flow.intake->stop();
  REQUIRE(flow.until([&] { return flow.stored + flow.refused == 1; }));
  CHECK(flow.refused == 1);
  flow.put("nobody there");
  REQUIRE(flow.until([&] { return flow.refused == 2; }));
  CHECK(flow.stored == 0);
}

TEST_CASE("a_stopped_dispatcher_leaves_nothing_leased_and_nothing_unsettled") {
  Flow flow;
  for (int i = 0; i < 50; ++i) flow.put("x");
  REQUIRE(flow.until([&] { return flow.stored == 50; }));
  bool stopped = false;
  flow.dispatcher->stop(Duration(5'000), Duration(5'000), [&](size_t unsettled) { stopped = unsettled == 0; });
  REQUIRE(flow.until([&] { return stopped; }));
  const auto now = flow.backlog("crm");
  REQUIRE(now.has_value());
  CHECK(now->sending == 0);
  CHECK(now->waiting + now->delivered == 50);
  CHECK(now->delivered == flow.seen.size());
}

TEST_CASE("a_replay_under_way_when_the_store_closes_is_answered_before_the_dispatcher_goes") {
  Flow flow;
  flow.status = [](size_t) { return 404; };
  for (int i = 0; i < 200; ++i) flow.put("no");
  REQUIRE(flow.until([&] { return flow.count("crm", &DestinationBacklog::dead) == 200; }));
  std::atomic<bool> gone{false};
  std::atomic<int> answers{0}, late{0};
  StoreOperations operations(*flow.store, flow.clock, [&](const std::vector<DestinationId>&) { late += gone ? 1 : 0; });
  for (int i = 0; i < 20; ++i) {
    operations.act({.filter = EventQuery{.state = "dead"}, .dry_run = false},
                      [&](Result<BulkResult>) { ++answers; });
  }
  flow.store->close();
  gone = true;
  flow.intake.reset();
  flow.dispatcher.reset();
  CHECK(answers == 20);
  flow.store.reset();
  CHECK(answers == 20);
  CHECK(late == 0);
}

TEST_CASE("counters_of_a_worker_arrive_as_they_were_sent") {
  Flow flow;
  flow.client->send_counters({77, {{"belay_requests_total", "source=\"a\"", 5}}});
  REQUIRE(flow.until([&] { return !flow.counters.empty(); }));
  CHECK(flow.counters[0].worker == 77);
  CHECK(flow.counters[0].counters.at(0).value == 5);
}

}  // namespace

}  // namespace belay::spool
