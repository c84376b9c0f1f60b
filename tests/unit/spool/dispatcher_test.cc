// The dispatcher alone, on a store in memory whose commits a test can hold back or refuse: leases, stopping.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "event/simple_server.h"
#include "spool/dispatcher.h"
#include "spool/lane.h"
#include "spool/settlements.h"
#include "tests/store/harness.h"

namespace belay::spool::test {

namespace {

constexpr Duration kLimit{20'000};

// The store with a fault in front of its commits.
class FaultyStore final : public Store {
 public:
  enum class Fault : uint8_t { none, refuses, hangs, little_room };
  static constexpr size_t kRoom = 2;  // settlements of a commit that fit into little_room
  explicit FaultyStore(const Clock& clock) : store_(open_memory_store(clock)) {}
  Fault fault = Fault::none;
  bool scans_fail = false, scans_wait = false;
  size_t most_settlements = 0;  // of one commit
  size_t ordered_stops = 0, stops_without_cause = 0;
  size_t failed_scans = 0;
  std::vector<std::function<void()>> waiting_scans;  // their answers, found before they wait

  void close() override { store_->close(); }
  void commit(Batch batch, Done<Committed> done) override {
    most_settlements = std::max(most_settlements, batch.settlements.size());
    const auto is_dead = [](const Settlement& one) { return one.delivery.state == DeliveryState::dead; };
    ordered_stops += batch.stops.size();
    if (!batch.stops.empty() && std::none_of(batch.settlements.begin(), batch.settlements.end(), is_dead)) ++stops_without_cause;
    const bool fits = fault == Fault::little_room && batch.settlements.size() <= kRoom;
    if (fault == Fault::none || fits) return store_->commit(std::move(batch), std::move(done));
    if (fault != Fault::hangs) done(Error{ErrorKind::full, "no room"});
    else held_.push_back([this, batch = std::move(batch), done = std::move(done)]() mutable { store_->commit(std::move(batch), std::move(done)); });
  }
  void go_on() {
    fault = Fault::none;
    for (const auto& held : std::exchange(held_, {})) held();
  }
  bool accepting(std::string* because) const override { return store_->accepting(because); }
  void lease_due(DestinationId to, WallTime now, uint32_t max, Duration lease, Done<Leases> done) override {
    if (scans_fail) {
      ++failed_scans;
      return done(Error{ErrorKind::unavailable, "the disk is asleep"});
    }
    if (!scans_wait) return store_->lease_due(to, now, max, lease, std::move(done));
    store_->lease_due(to, now, max, lease, [this, done = std::move(done)](const Result<Leases>& found) {
      waiting_scans.push_back([done, found] { done(found); });
    });
  }
  bool extend(MessageId message, DestinationId destination, WallTime until) override {
    return store_->extend(message, destination, until);
  }
  void release(MessageId message, DestinationId destination) override { store_->release(message, destination); }
  std::vector<DestinationId> waiting_destinations() const override { return store_->waiting_destinations(); }
  Result<std::vector<Stop>> stops() const override { return store_->stops(); }
  void find_claims(std::vector<wire::ClaimKey> keys, WallTime now, Done<std::vector<std::optional<wire::ClaimedBy>>> done) override {
    store_->find_claims(std::move(keys), now, std::move(done));
  }
  void load(MessageId id, Done<Message> done) override { store_->load(id, std::move(done)); }
  void deliveries(MessageId id, Done<std::vector<Delivery>> done) override { store_->deliveries(id, std::move(done)); }
  void events(const EventQuery& query, std::optional<MessageId> before, uint32_t max, Done<EventPage> done) override {
    store_->events(query, before, max, std::move(done));
  }
  StoreStats stats() const override { return store_->stats(); }
  std::optional<WallTime> newest() const override { return store_->newest(); }
  void prune(WallTime messages, WallTime history, uint32_t max, Done<Pruned> done) override {
    store_->prune(messages, history, max, std::move(done));
  }

 private:
  std::unique_ptr<Store> store_;
  std::vector<std::function<void()>> held_;  // of a store that hangs: answered when it goes on, if ever
};

// A backend that answers when it is told to.
struct Sending {
  explicit Sending(Duration timeout = Duration(5'000), int concurrency = 8) : timeout_(timeout), concurrency_(concurrency) {
    REQUIRE(backend.listen("127.0.0.1:0").ok());
    start();
  }
  void start() {
    dispatcher = std::make_unique<Dispatcher>(loop, store, clock);
    use_destination();
  }
  void use_destination() {
    auto made = std::make_shared<upstream::Destinations>();
    upstream::Destination to;
    to.name = "crm";
    to.key = destination_id("crm");
    to.urls = {*http::parse_url("http://127.0.0.1:" + std::to_string(backend.port()) + "/")};
    to.timeout = timeout_;
    to.connect_timeout = Duration(2'000);
    to.success = *upstream::StatusSet::parse({"2xx"});
    to.retry_on = *upstream::StatusSet::parse({"5xx"});
    to.retry.schedule = {Duration(0), Duration(30)};
    to.concurrency = concurrency_;
    to.disable_on_dead = disable_on_dead;
    if (secret) to.authorization = upstream::FieldValue(*secret);
    to.network_allow = {*Cidr::parse("127.0.0.0/8")};
    (*made)["crm"] = std::make_shared<const upstream::Destination>(std::move(to));
    dispatcher->set_destinations(made);
  }
  void put_messages(size_t count) {
    for (size_t i = 0; i < count; ++i) REQUIRE(commit(store, put(maker.message({"crm"}))).ok());
    dispatcher->wake({destination_id("crm")});
  }
  void answer_all(int status) {
    for (auto& respond : std::exchange(held, {})) respond({status, {}, ""});
  }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, kLimit); }

  Duration timeout_;
  int concurrency_;
  ManualClock clock;
  FaultyStore store{clock};
  Maker maker{clock};
  event::Loop loop;
  bool at_once = false, disable_on_dead = false;
  std::optional<conf::Secret> secret;
  std::vector<std::string> seen;  // ids
  std::vector<event::SimpleServer::Respond> held;
  event::SimpleServer backend{loop, [this](const event::SimpleRequest& request, event::SimpleServer::Respond respond) {
                                seen.push_back(*request.header("webhook-id"));
                                if (at_once) respond({200, {}, ""});
                                else held.push_back(std::move(respond));
                              }};
  std::unique_ptr<Dispatcher> dispatcher;
};

TEST_CASE("a_delivery_that_takes_longer_than_a_lease_keeps_it_until_its_own_timeout_and_settles_once") {
  constexpr Duration kTimeout = 2 * Dispatcher::kLease;
  Sending sending(kTimeout);
  sending.put_messages(1);
  REQUIRE(sending.until([&] { return sending.held.size() == 1; }));
  const WallTime sent = sending.clock.wall();
  sending.clock.advance(kTimeout);
  CHECK(lease(sending.store, "crm", sending.clock.wall())->leased.empty());
  CHECK(lease(sending.store, "crm", sent + kTimeout + Dispatcher::kLeaseMargin - Duration(1))->leased.empty());
  sending.dispatcher->wake({destination_id("crm")});
  sending.answer_all(200);
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == 1; }));
  CHECK(sending.seen.size() == 1);
  CHECK(backlog(sending.store, "crm").sending == 0);
}

TEST_CASE("what_is_in_flight_longer_than_its_lease_with_all_margin_is_given_to_somebody_else") {
  Sending sending;
  sending.put_messages(1);
  REQUIRE(sending.until([&] { return sending.held.size() == 1; }));
  const Duration longest = std::max(Dispatcher::kLease, sending.timeout_ + Dispatcher::kLeaseMargin);
  CHECK(lease(sending.store, "crm", sending.clock.wall() + longest)->leased.size() == 1);
}

TEST_CASE("the_next_of_an_ordered_key_is_sent_as_soon_as_the_one_before_has_ended") {
  Sending sending;
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) {
    NewMessage message = sending.maker.message({"crm"});
    message.deliveries[0].grouping.kind = wire::GroupKind::order_wait;
    ids.push_back(message.message->event.id.to_string());
    REQUIRE(commit(sending.store, put(message)).ok());
  }
  sending.dispatcher->wake({destination_id("crm")});
  const MonotonicTime began = sending.loop.now();
  for (size_t i = 0; i < ids.size(); ++i) {
    REQUIRE(sending.until([&] { return sending.held.size() == 1; }));
    CHECK(sending.seen.size() == i + 1);
    sending.answer_all(200);
  }
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == 4; }));
  CHECK(sending.seen == ids);
  CHECK(sending.loop.now() - began < Dispatcher::kFullScan);  // not found by chance
}

TEST_CASE("what_became_too_old_while_it_waited_in_hand_is_dead_and_not_sent") {
  Sending sending;
  sending.put_messages(8);  // all slots are taken
  REQUIRE(sending.until([&] { return sending.held.size() == 8; }));
  NewMessage message = sending.maker.message({"crm"});
  message.deliveries[0].expires = sending.clock.wall() + Duration(1'000);
  REQUIRE(commit(sending.store, put(message)).ok());
  sending.dispatcher->wake({destination_id("crm")});
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").sending == 9; }));
  sending.clock.advance(Duration(1'000));
  sending.answer_all(200);
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").dead == 1; }));
  CHECK(sending.seen.size() == 8);
  CHECK(deliveries(sending.store, message.message->event.id)->front().reason == "expired");
}

TEST_CASE("what_an_operator_cancels_while_it_waits_in_hand_is_not_sent") {
  Sending sending;
  sending.put_messages(8);  // all slots are taken
  REQUIRE(sending.until([&] { return sending.held.size() == 8; }));
  NewMessage message = sending.maker.message({"crm"});
  REQUIRE(commit(sending.store, put(message)).ok());
  sending.dispatcher->wake({destination_id("crm")});
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").sending == 9; }));
  REQUIRE(commit(sending.store, settle(with_state(message.deliveries[0], DeliveryState::cancelled)))->refused == std::vector<bool>{false});
  sending.at_once = true;
  sending.answer_all(200);
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == 8 && sending.dispatcher->in_flight() == 0; }));
  sending.put_messages(1);  // it would have had its turn before this one
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == 9; }));
  CHECK(sending.seen.size() == 9);
  CHECK(std::count(sending.seen.begin(), sending.seen.end(), message.message->event.id.to_string()) == 0);
  CHECK(backlog(sending.store, "crm").cancelled == 1);
}

TEST_CASE("without_a_valid_credential_nothing_is_sent_no_attempt_is_counted_and_the_wait_grows_to_a_minute") {
  Sending sending;
  sending.secret = conf::Secret{{.value = "Bearer t", .valid_from = {}, .valid_until = sending.loop.wall() - Duration(1'000)}};
  sending.start();
  sending.put_messages(3);
  const MonotonicTime until = sending.loop.now() + Duration(300);
  REQUIRE(sending.until([&] { return sending.loop.now() >= until && sending.dispatcher->in_flight() == 0; }));
  CHECK(sending.seen.empty());
  CHECK(backlog(sending.store, "crm").dead == 0);
  CHECK(backlog(sending.store, "crm").delivered == 0);
  sending.at_once = true;
  sending.secret.reset();
  sending.use_destination();  // new rules
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == 3; }));
}

TEST_CASE("a_lane_without_a_credential_says_so_once_and_waits_longer_each_time_but_never_more_than_a_minute") {
  Lane lane;
  MonotonicTime now{};
  CHECK(lane.lacks_credential(now));
  CHECK(lane.paused_until == now + Lane::kCredentialWait);
  static_cast<void>(lane.lacks_credential(now));  // sent together with the first
  CHECK(lane.paused_until == now + Lane::kCredentialWait);
  for (int i = 0; i < 10; ++i) {
    now = lane.paused_until;
    CHECK_FALSE(lane.lacks_credential(now));
  }
  CHECK(lane.paused_until == now + Lane::kCredentialWaitMax);
}

TEST_CASE("a_stop_under_load_settles_what_is_answered_gives_back_the_rest_and_the_next_start_sends_it") {
  Sending sending;
  sending.put_messages(100);
  REQUIRE(sending.until([&] { return sending.held.size() == 8; }));
  std::optional<size_t> unsettled;
  sending.dispatcher->stop(Duration(200), kLimit, [&](size_t left) { unsettled = left; });
  for (size_t i = 0; i < 4; ++i) {
    sending.held.back()({200, {}, ""});
    sending.held.pop_back();
  }
  REQUIRE(sending.until([&] { return unsettled.has_value(); }));
  CHECK(unsettled == 0);
  CHECK(sending.seen.size() == 8);  // nothing new was sent
  DestinationBacklog now = backlog(sending.store, "crm");
  CHECK(now.delivered == 4);
  CHECK(now.waiting == 96);
  CHECK(now.sending == 0);

  sending.dispatcher.reset();
  sending.answer_all(200);  // to nobody
  sending.at_once = true;
  sending.start();
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == 100; }));
  CHECK(std::set<std::string>(sending.seen.begin(), sending.seen.end()).size() == 100);
  CHECK(sending.seen.size() == 104);  // the four without an answer went out twice
}

TEST_CASE("a_stop_ends_also_when_the_store_never_takes_what_became_of_deliveries") {
  for (const auto fault : {FaultyStore::Fault::refuses, FaultyStore::Fault::hangs}) {
    Sending sending;
    sending.put_messages(3);
    REQUIRE(sending.until([&] { return sending.held.size() == 3; }));
    sending.store.fault = fault;
    sending.answer_all(200);
    REQUIRE(sending.until([&] { return sending.dispatcher->in_flight() == 0; }));
    std::optional<size_t> unsettled;
    sending.dispatcher->stop(Duration(50), Duration(50), [&](size_t left) { unsettled = left; });
    REQUIRE(sending.until([&] { return unsettled.has_value(); }));
    CHECK(unsettled == 3);
  }
}

TEST_CASE("what_does_not_fit_into_a_full_store_is_settled_in_smaller_commits") {
  Sending sending;
  sending.put_messages(8);
  REQUIRE(sending.until([&] { return sending.held.size() == 8; }));
  sending.store.fault = FaultyStore::Fault::little_room;
  sending.answer_all(200);
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == 8; }));
  CHECK(sending.seen.size() == 8);
}

TEST_CASE("few_settlements_are_with_a_fast_store_at_once_so_that_webhooks_need_not_wait_more_with_a_slow_one") {
  constexpr int kMany = 3 * static_cast<int>(Settlements::kFew);
  for (const bool slow : {false, true}) {
    CAPTURE(slow);
    Sending sending(Duration(5'000), kMany);
    sending.put_messages(kMany);
    REQUIRE(sending.until([&] { return sending.held.size() == kMany; }));
    if (slow) sending.store.fault = FaultyStore::Fault::hangs;
    sending.answer_all(200);
    REQUIRE(sending.until([&] { return sending.dispatcher->in_flight() == 0; }));
    if (slow) sending.clock.advance(Duration(20));
    CHECK(sending.store.most_settlements <= Settlements::kFew);
    sending.store.go_on();
    REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == kMany; }));
    CHECK((sending.store.most_settlements > Settlements::kFew) == slow);
  }
}

TEST_CASE("what_cannot_be_settled_keeps_its_lease_until_it_can") {
  for (const size_t count : {size_t{1}, size_t{8}}) {  // of many, also those that are left out while the store is tried with ever fewer
    CAPTURE(count);
    Sending sending;
    sending.put_messages(count);
    REQUIRE(sending.until([&] { return sending.held.size() == count; }));
    sending.store.fault = FaultyStore::Fault::refuses;
    sending.answer_all(200);
    REQUIRE(sending.until([&] { return sending.dispatcher->in_flight() == 0; }));
    for (int i = 0; i < 3; ++i) {
      sending.clock.advance(Settlements::kHeld - Duration(1));
      sending.loop.run_until([] { return false; }, Settlements::kAgain * 2);
      CHECK(lease(sending.store, "crm", sending.clock.wall())->leased.empty());
    }
    sending.store.fault = FaultyStore::Fault::none;
    REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == count; }));
    CHECK(sending.seen.size() == count);
  }
}

TEST_CASE("a_dead_letter_stops_its_destination_in_its_own_commit_however_many_are_settled_before_it") {
  for (const auto fault : {FaultyStore::Fault::none, FaultyStore::Fault::little_room}) {
    CAPTURE(fault);
    const size_t many = fault == FaultyStore::Fault::none ? 3 * Settlements::kFew : 5 * FaultyStore::kRoom;
    Sending sending(Duration(5'000), static_cast<int>(many));
    sending.disable_on_dead = true;
    sending.use_destination();
    sending.put_messages(many);
    REQUIRE(sending.until([&] { return sending.held.size() == many; }));
    sending.store.fault = fault;
    auto last = std::move(sending.held.back());
    sending.held.pop_back();
    sending.answer_all(200);
    last({404, {}, ""});  // is not retried
    REQUIRE(sending.until([&] { return backlog(sending.store, "crm").dead == 1; }));
    CHECK(sending.store.ordered_stops >= 1);
    CHECK(sending.store.stops_without_cause == 0);
    CHECK(sending.store.stops()->size() == 1);
    REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == many - 1; }));
  }
}

constexpr Duration kRetryComes{100};

// One that was answered 503, with its retry in the store.
void fail_one(Sending& sending) {
  sending.answer_all(503);
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").sending == 0 && sending.dispatcher->in_flight() == 0; }));
}

TEST_CASE("a_retry_that_is_settled_while_a_scan_is_under_way_is_sent_when_it_is_due") {
  Sending sending;
  const MonotonicTime began = sending.loop.now();
  sending.put_messages(1);
  REQUIRE(sending.until([&] { return sending.held.size() == 1; }));
  sending.store.scans_wait = true;
  sending.dispatcher->wake({destination_id("crm")});
  REQUIRE(sending.until([&] { return sending.store.waiting_scans.size() == 1; }));
  fail_one(sending);
  sending.store.scans_wait = false;
  sending.store.waiting_scans.front()();
  sending.clock.advance(kRetryComes);
  REQUIRE(sending.until([&] { return sending.held.size() == 1; }));
  CHECK(sending.loop.now() - began < Dispatcher::kFullScan);  // not found by chance
}

TEST_CASE("a_scan_that_fails_forgets_no_due_time") {
  Sending sending;
  const MonotonicTime began = sending.loop.now();
  sending.put_messages(1);
  REQUIRE(sending.until([&] { return sending.held.size() == 1; }));
  fail_one(sending);
  sending.loop.run_until([] { return false; }, Dispatcher::kTick * 2);  // the first full scan is over
  sending.store.scans_fail = true;
  sending.dispatcher->wake({destination_id("crm")});
  REQUIRE(sending.until([&] { return sending.store.failed_scans > 0; }));
  sending.loop.run_until([] { return false; }, Dispatcher::kTick * 4);
  CHECK(sending.store.failed_scans == 1);
  sending.store.scans_fail = false;
  sending.clock.advance(kRetryComes);
  REQUIRE(sending.until([&] { return sending.held.size() == 1; }));
  CHECK(sending.loop.now() - began < Dispatcher::kFullScan);  // not found by chance
}

TEST_CASE("while_the_store_takes_no_settlements_no_more_is_sent_than_may_be_in_flight") {
  constexpr size_t kAbove = 300;
  Sending sending;
  sending.at_once = true;
  for (size_t i = 0; i < Dispatcher::kMaxInFlight + kAbove; ++i) REQUIRE(commit(sending.store, put(sending.maker.message({"crm"}))).ok());
  sending.store.fault = FaultyStore::Fault::refuses;
  sending.dispatcher->wake({destination_id("crm")});
  REQUIRE(sending.until([&] { return sending.seen.size() >= Dispatcher::kMaxInFlight; }));
  sending.loop.run_until([&] { return sending.seen.size() > Dispatcher::kMaxInFlight; }, Dispatcher::kTick * 10);
  CHECK(sending.seen.size() == Dispatcher::kMaxInFlight);
  sending.store.fault = FaultyStore::Fault::none;
  REQUIRE(sending.until([&] { return backlog(sending.store, "crm").delivered == Dispatcher::kMaxInFlight + kAbove; }));
  CHECK(sending.seen.size() == Dispatcher::kMaxInFlight + kAbove);
}

TEST_CASE("a_stop_waits_for_a_store_that_takes_them_late") {
  Sending sending;
  sending.put_messages(3);
  REQUIRE(sending.until([&] { return sending.held.size() == 3; }));
  sending.store.fault = FaultyStore::Fault::refuses;
  sending.answer_all(200);
  REQUIRE(sending.until([&] { return sending.dispatcher->in_flight() == 0; }));
  std::optional<size_t> unsettled;
  sending.dispatcher->stop(Duration(50), kLimit, [&](size_t left) { unsettled = left; });
  sending.loop.run_until([] { return false; }, Duration(100));
  CHECK_FALSE(unsettled.has_value());
  sending.store.fault = FaultyStore::Fault::none;
  REQUIRE(sending.until([&] { return unsettled.has_value(); }));
  CHECK(unsettled == 0);
  CHECK(backlog(sending.store, "crm").delivered == 3);
}

}  // namespace

}  // namespace belay::spool::test
