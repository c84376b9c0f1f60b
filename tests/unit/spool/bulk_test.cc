// Acts on many: what they choose, what they leave out and why, what the audit log says, how they are stopped and asked for.
#include <doctest/doctest.h>

#include <algorithm>

#include "spool/store_operations.h"
#include "tests/store/harness.h"

using namespace belay;
using namespace belay::spool;
using namespace belay::spool::test;

namespace {

struct Desk {
  ManualClock clock;
  std::unique_ptr<Store> store = open_memory_store(clock);
  Maker maker{clock};
  std::vector<DestinationId> woken;
  StoreOperations operations{*store, clock, [this](const std::vector<DestinationId>& ids) { woken.insert(woken.end(), ids.begin(), ids.end()); }};

  // One that ended for each of its destinations, or waits for all.
  MessageId put(const std::vector<std::string>& destinations, DeliveryState end = DeliveryState::queued, const std::string& source = "acme") {
    const NewMessage message = maker.message(destinations, "{}", source);
    const MessageId id = message.message->event.id;
    REQUIRE(commit(*store, spool::test::put(message)).ok());
    if (end != DeliveryState::queued) {
      const auto all = deliveries(*store, id);
      for (Delivery delivery : *all) {
        delivery.attempts = 1;  // of whoever had it in hand
        REQUIRE(commit(*store, settle(with_state(delivery, end))).ok());
      }
    }
    clock.advance(Duration(1));
    return id;
  }
  BulkResult act(BulkRequest request) {
    request.who = "alice";
    auto result = wait_for<BulkResult>([&](Done<BulkResult> done) { operations.act(request, std::move(done)); });
    REQUIRE(result.ok());
    return *result;
  }
  DeliveryState state(const MessageId& id) { return deliveries(*store, id)->front().state; }
  ActPage log() { return *wait_for<ActPage>([&](Done<ActPage> done) { operations.acts({}, 50, std::move(done)); }); }
};

BulkRequest by_ids(Deed deed, std::vector<MessageId> ids) {
  BulkRequest request;
  request.deed = deed;
  request.ids = std::move(ids);
  request.what = "some";
  return request;
}

BulkRequest by_filter(Deed deed, EventQuery filter) {
  BulkRequest request;
  request.deed = deed;
  request.filter = std::move(filter);
  request.what = "a filter";
  return request;
}

// Rules that send all to `to`, under the new id.
Rerun sends_to(Desk& desk, const std::vector<std::string>& to) {
  return [&desk, to](const std::shared_ptr<const Message>& stored, MessageId as, const std::string& why, const Done<NewMessage>& done) {
    NewMessage made = desk.maker.message(to, stored->request.body);
    Message message = *made.message;
    message.event.id = as;
    message.event.reason = why;
    for (Delivery& delivery : made.deliveries) delivery.message = as;
    made.message = std::make_shared<const Message>(std::move(message));
    done(std::move(made));
  };
}

}  // namespace

TEST_CASE("a_replay_by_ids_says_of_each_that_it_leaves_out_why") {
  Desk desk;
  const MessageId dead = desk.put({"crm"}, DeliveryState::dead), waiting = desk.put({"crm"});
  wire::Event forwarded = desk.maker.event(wire::Outcome::forwarded), pruned = desk.maker.event(wire::Outcome::spooled);
  REQUIRE(commit(*desk.store, lines({forwarded, pruned})).ok());
  const MessageId unknown = desk.maker.id();
  const BulkResult result = desk.act(by_ids(Deed::replay, {dead, waiting, forwarded.id, pruned.id, unknown}));
  CHECK(result.deliveries == 1);
  CHECK(result.left_out == 4);
  REQUIRE(result.skipped.size() == 4);
  const auto why = [&](const MessageId& id) {
    for (const auto& [key, reason] : result.skipped) {
      if (key == id.to_string()) return reason;
    }
    return std::string();
  };
  CHECK(why(waiting) == "it is still waiting to be delivered");
  CHECK(why(forwarded.id) == "it was forwarded at once and is not stored");
  CHECK(why(pruned.id) == "its request is gone: it is kept for spool.retention only");
  CHECK(why(unknown) == "no webhook of this id is known");
  CHECK(desk.state(dead) == DeliveryState::queued);
  CHECK(desk.woken == std::vector<DestinationId>{destination_id("crm")});
}

TEST_CASE("a_filter_chooses_single_deliveries_over_many_pages_and_a_dry_run_changes_and_logs_nothing") {
  Desk desk;
  std::vector<MessageId> all;
  for (int i = 0; i < 1200; ++i) all.push_back(desk.put({"crm", "erp"}, i % 2 == 0 ? DeliveryState::dead : DeliveryState::queued));
  BulkRequest request = by_filter(Deed::replay, {.destination = "crm", .state = "dead"});
  request.dry_run = true;
  BulkResult result = desk.act(request);
  CHECK(result.messages == 600);
  CHECK(result.deliveries == 600);
  CHECK(result.id.empty());
  CHECK(desk.log().rows.empty());
  request.dry_run = false;
  result = desk.act(request);
  CHECK(result.deliveries == 600);
  CHECK(result.outcome == "done");
  CHECK(backlog(*desk.store, "crm").waiting == 1200);
  CHECK(backlog(*desk.store, "erp").dead == 600);
  const ActPage log = desk.log();
  REQUIRE(log.rows.size() == 1);
  CHECK(log.rows[0].who == "alice");
  CHECK(log.rows[0].action == "replay");
  CHECK(log.rows[0].target == "a filter");
  CHECK(log.rows[0].outcome == "done");
  CHECK(log.rows[0].deliveries == 600);
  CHECK(wait_for<BulkResult>([&](Done<BulkResult> done) { desk.operations.bulk(result.id, std::move(done)); })->deliveries == 600);
  CHECK_FALSE(wait_for<BulkResult>([&](Done<BulkResult> done) { desk.operations.bulk(all[0], std::move(done)); }).ok());
}

TEST_CASE("a_replay_by_filter_queues_the_oldest_first_over_all_pages") {
  Desk desk;
  std::vector<MessageId> all, sent;
  for (int i = 0; i < 1200; ++i) all.push_back(desk.put({"crm"}, DeliveryState::dead));
  StoreOperations operations(*desk.store, desk.clock, [&](const std::vector<DestinationId>&) {  // a backend that takes each at once
    const auto leases = lease(*desk.store, "crm", desk.clock.wall(), 1000);
    for (const Leased& one : leases->leased) sent.push_back(one.delivery.message);
  });
  BulkRequest request = by_filter(Deed::replay, {.state = "dead"});
  request.who = "alice";
  REQUIRE(wait_for<BulkResult>([&](Done<BulkResult> done) { operations.act(request, std::move(done)); }).ok());
  CHECK(sent == all);
}

TEST_CASE("a_cancellation_takes_what_waits_and_what_is_dead_and_nothing_else") {
  Desk desk;
  const MessageId dead = desk.put({"crm"}, DeliveryState::dead), waiting = desk.put({"crm"}), delivered = desk.put({"crm"}, DeliveryState::delivered);
  const MessageId sending = desk.put({"erp"});
  REQUIRE(lease(*desk.store, "erp", desk.clock.wall())->leased.size() == 1);
  const BulkResult result = desk.act(by_ids(Deed::cancel, {dead, waiting, delivered, sending}));
  CHECK(result.deliveries == 2);
  CHECK(desk.state(dead) == DeliveryState::cancelled);
  CHECK(desk.state(waiting) == DeliveryState::cancelled);
  CHECK(desk.state(delivered) == DeliveryState::delivered);
  CHECK(deliveries(*desk.store, dead)->front().reason == "by alice");
  REQUIRE(result.skipped.size() == 2);
  CHECK(result.skipped[1].second == "it is being sent at this moment");
  CHECK(desk.act(by_ids(Deed::replay, {waiting})).deliveries == 1);
  CHECK(wait_for<BooksReport>([&](Done<BooksReport> done) { desk.store->recount(std::move(done)); })->balanced());
}

TEST_CASE("one_that_was_stopped_keeps_what_it_did_and_says_who_stopped_it") {
  Desk desk;
  for (int i = 0; i < 1100; ++i) desk.put({"crm"}, DeliveryState::dead);
  MessageId id;
  BulkRequest request = by_filter(Deed::replay, {.state = "dead"});
  request.who = "alice";
  // The memory store answers before it returns: what runs is stopped from inside its first step.
  StoreOperations operations(*desk.store, desk.clock, [&](const std::vector<DestinationId>&) { operations.halt(id, "bob", [](const Result<BulkResult>&) {}); });
  operations.begin(request, [&](Result<BulkResult> begun) {
    REQUIRE(begun.ok());
    CHECK(begun->running());
    id = begun->id;
  });
  const auto result = wait_for<BulkResult>([&](Done<BulkResult> done) { operations.bulk(id, std::move(done)); });
  CHECK(result->outcome == "stopped by bob");
  CHECK(result->deliveries == Bulk::kPage);
  CHECK(backlog(*desk.store, "crm").waiting == Bulk::kPage);
  CHECK(desk.log().rows[0].outcome == "stopped by bob");
  // A log that says `running` of what nobody runs tells of a process that ended. Of two ids of one millisecond either may be the later.
  desk.clock.advance(Duration(1));
  Batch batch;
  batch.acts.push_back({desk.maker.id(), "carol", "cancel", "x", std::string(Act::kRunning), 1, 1, 0});
  REQUIRE(commit(*desk.store, batch).ok());
  CHECK(desk.log().rows[0].outcome == "interrupted: the spool ended meanwhile");
}

TEST_CASE("reapplied_ones_go_out_under_a_new_id_and_only_to_those_who_have_not_got_them") {
  Desk desk;
  const MessageId old = desk.put({"crm"}, DeliveryState::dead);
  NewMessage two = desk.maker.message({"crm", "erp"});
  const MessageId mixed = two.message->event.id;
  REQUIRE(commit(*desk.store, put(two)).ok());
  const auto crm = lease(*desk.store, "crm", desk.clock.wall());
  REQUIRE(commit(*desk.store, settle(with_state(crm->leased[0].delivery, DeliveryState::delivered))).ok());
  const auto erp = lease(*desk.store, "erp", desk.clock.wall());
  REQUIRE(commit(*desk.store, settle(with_state(erp->leased[0].delivery, DeliveryState::dead))).ok());
  CHECK_FALSE(wait_for<BulkResult>([&](Done<BulkResult> done) { desk.operations.act(by_ids(Deed::reapply, {old}), std::move(done)); }).ok());

  desk.operations.set_rerun(sends_to(desk, {"crm", "erp", "new"}));
  BulkRequest request = by_filter(Deed::reapply, {.state = "dead"});
  request.dry_run = true;
  CHECK(desk.act(request).deliveries == 5);  // of `old` three, of `mixed` all but the delivered one
  request.dry_run = false;
  const BulkResult result = desk.act(request);
  CHECK(result.messages == 2);
  CHECK(result.deliveries == 5);
  CHECK(backlog(*desk.store, "new").waiting == 2);
  CHECK(backlog(*desk.store, "erp").waiting == 2);
  CHECK(backlog(*desk.store, "crm").waiting == 1);
  CHECK(desk.state(old) == DeliveryState::cancelled);
  CHECK(deliveries(*desk.store, old)->front().reason.starts_with("went out anew as "));
  CHECK(backlog(*desk.store, "crm").delivered == 1);
  CHECK(wait_for<BooksReport>([&](Done<BooksReport> done) { desk.store->recount(std::move(done)); })->balanced());
  const EventPage newest = *events(*desk.store, {}, {}, 1);
  CHECK(newest.rows[0].event.reason.starts_with("reapplied: "));
  CHECK(mixed != newest.rows[0].event.id);
}

TEST_CASE("a_release_keeps_what_the_present_rules_still_refuse") {
  Desk desk;
  NewMessage refused = desk.maker.message({"crm"});
  Message message = *refused.message;
  message.event.outcome = wire::Outcome::rejected;
  refused.message = std::make_shared<const Message>(std::move(message));
  refused.deliveries.clear();
  const std::string id = refused.message->event.id.to_string();
  REQUIRE(commit(*desk.store, put(refused)).ok());
  BulkRequest request;
  request.deed = Deed::release;
  request.keys = {id, desk.maker.id().to_string(), "m-00"};
  desk.operations.set_rerun([](const auto&, MessageId, const auto&, const Done<NewMessage>& done) { done(Error{ErrorKind::refused, "the present rules: rejected: verify"}); });
  BulkResult result = desk.act(request);
  CHECK(result.messages == 0);
  REQUIRE(result.skipped.size() == 3);
  const auto skipped = [&](const std::string& of) {
    return std::find_if(result.skipped.begin(), result.skipped.end(), [&](const auto& one) { return one.first == of; })->second;
  };
  CHECK(skipped(id) == "the present rules: rejected: verify");
  CHECK(skipped("m-00") == "its record is damaged: nothing can be sent from it");
  desk.operations.set_rerun(sends_to(desk, {"crm"}));
  request.keys = {id};
  result = desk.act(request);
  CHECK(result.messages == 1);
  CHECK(result.deliveries == 1);
  CHECK(backlog(*desk.store, "crm").waiting == 1);
  const KeptPage left = *wait_for<KeptPage>([&](Done<KeptPage> done) { desk.operations.kept({}, {}, 10, std::move(done)); });
  CHECK(left.rows.empty());
  request.deed = Deed::drop;
  CHECK(desk.act(request).messages == 0);
}

TEST_CASE("pause_and_its_kin_stand_in_the_audit_log") {
  Desk desk;
  desk.put({"crm"});
  const auto stop = [&](StopKind kind, bool on) {
    return wait_for<StopResult>([&](Done<StopResult> done) { desk.operations.stop({"crm", kind, on, "alice", "maintenance"}, std::move(done)); });
  };
  REQUIRE(stop(StopKind::paused, true).ok());
  REQUIRE(stop(StopKind::disabled, false).ok());
  const ActPage log = desk.log();
  REQUIRE(log.rows.size() == 2);
  CHECK(log.rows[0].action == "enable");
  CHECK(log.rows[1].action == "pause");
  CHECK(log.rows[1].target == "crm: maintenance");
  CHECK_FALSE(wait_for<BulkResult>([&](Done<BulkResult> done) { desk.operations.bulk(log.rows[1].id, std::move(done)); }).ok());  // no act on many
  CHECK(log.rows[1].who == "alice");
}
