// Damaged records of deliveries: what is sent from them all the same, what is not, and who may settle them.
#include <thread>

#include "spool/store_operations.h"
#include "tests/store/lmdb_files.h"

namespace belay::spool::test {

namespace {

// One message, stored, its first delivery damaged behind the closed store's back.
struct Damaged {
  explicit Damaged(NewMessage message, DeliveryState end = DeliveryState::queued) : id(message.message->event.id) {
    store = open(folder, clock);
    REQUIRE(commit(*store, put(message)).ok());
    if (end != DeliveryState::queued) {
      Delivery sent = lease(*store, "crm", clock.wall())->leased.at(0).delivery;
      add_attempt(sent, {clock.wall(), 1, 200, "", ""});
      REQUIRE(commit(*store, settle(with_state(sent, end))).ok());
    }
    store.reset();
    damage_record(folder, "deliveries", delivery_key(id, destination_id("crm")));
    store = open(folder, clock);
  }
  // Scans until the writer has mended what a scan found; what was leased by then.
  std::vector<Leased> scan() {
    for (int i = 0; i < 500; ++i) {
      auto leases = lease(*store, "crm", clock.wall());
      if (!leases->leased.empty() || backlog(*store, "crm").waiting == 0) return std::move(leases->leased);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return {};
  }
  bool balanced() {
    return wait_for<BooksReport>([&](Done<BooksReport> done) { store->recount(std::move(done)); })->balanced();
  }

  ManualClock clock;
  Folder folder;
  MessageId id;
  std::unique_ptr<Store> store;
};

NewMessage transformed() {
  ManualClock clock;
  Maker maker(clock);
  NewMessage made = maker.message({"crm"});
  Message message = *made.message;
  message.shapes.push_back(message.request);
  message.shapes[0].body = "transformed";
  made.message = std::make_shared<const Message>(std::move(message));
  made.deliveries[0].shape = 1;
  return made;
}

NewMessage plain() {
  ManualClock clock;
  Maker maker(clock);
  return maker.message({"crm"});
}

TEST_CASE("a_damaged_delivery_of_a_transformed_webhook_is_dead_for_a_reapply_and_nothing_else_goes_out_under_its_id") {
  Damaged one(transformed());
  CHECK(one.scan().empty());
  const auto found = deliveries(*one.store, one.id);
  REQUIRE(found->size() == 1);
  CHECK(found->front().state == DeliveryState::dead);
  CHECK(found->front().unmade);
  CHECK(found->front().reason.find("--reapply") != std::string::npos);
  CHECK(found->front().destination_name == "crm");
  CHECK(backlog(*one.store, "crm").dead == 1);
  StoreOperations operations(*one.store, one.clock, [](const std::vector<DestinationId>&) {});
  BulkRequest request;
  request.ids = {one.id};
  const auto replayed = wait_for<BulkResult>([&](Done<BulkResult> done) { operations.act(request, std::move(done)); });
  CHECK(replayed->deliveries == 0);
  CHECK(replayed->left_out == 1);
  CHECK(replayed->skipped.at(0).second == found->front().reason);
  const auto kept = wait_for<KeptPage>([&](Done<KeptPage> done) { one.store->kept({.filter = {}, .kind = KeptKind::unmade}, {}, 10, std::move(done)); });
  CHECK(kept->rows.size() == 1);
  CHECK(one.balanced());
  one.store->close();
}

TEST_CASE("a_damaged_delivery_of_a_webhook_as_received_is_sent_and_still_expires") {
  NewMessage message = plain();
  message.deliveries[0].expires = message.deliveries[0].due + Duration(60'000);
  Damaged one(message);
  const auto leased = one.scan();
  REQUIRE(leased.size() == 1);
  CHECK(leased[0].message->request.body == message.message->request.body);
  one.store->release(one.id, destination_id("crm"));
  one.clock.advance(Duration(60'000));
  CHECK(prune(*one.store, WallTime{}, WallTime{}).expired == 1);
  CHECK(deliveries(*one.store, one.id)->front().reason == "expired");
  CHECK(one.balanced());
  one.store->close();
}

TEST_CASE("one_that_was_damaged_and_ended_leaves_no_expiry_for_its_replay") {
  NewMessage message = plain();
  message.deliveries[0].expires = message.deliveries[0].due + Duration(60'000);
  Damaged one(message);
  const auto leased = one.scan();
  REQUIRE(leased.size() == 1);
  CHECK(leased[0].delivery.expires == message.deliveries[0].expires);
  Delivery ended = leased[0].delivery;
  add_attempt(ended, {one.clock.wall(), 1, 404, "", ""});
  REQUIRE(commit(*one.store, settle(with_state(ended, DeliveryState::dead)))->refused == std::vector<bool>{false});
  ended = deliveries(*one.store, one.id)->front();
  ended.attempts_before = ended.attempts;
  REQUIRE(commit(*one.store, settle(with_state(ended, DeliveryState::queued, one.clock.wall())))->refused == std::vector<bool>{false});
  one.clock.advance(Duration(60'000));
  CHECK(prune(*one.store, WallTime{}, WallTime{}).expired == 0);
  CHECK(one.scan().size() == 1);
  CHECK(one.balanced());
  one.store->close();
}

TEST_CASE("one_that_cannot_be_sent_any_more_leaves_no_expiry_either") {
  NewMessage message = transformed();
  message.deliveries[0].expires = message.deliveries[0].due + Duration(60'000);
  Damaged one(message);
  CHECK(one.scan().empty());
  CHECK(deliveries(*one.store, one.id)->front().state == DeliveryState::dead);
  one.store.reset();
  CHECK(entries(one.folder, "expiries") == 0);
}

TEST_CASE("what_expires_before_its_retry_is_due_is_not_sent_although_its_record_is_damaged") {
  NewMessage message = plain();
  message.deliveries[0].expires = message.deliveries[0].due + Duration(30'000);
  message.deliveries[0].due += Duration(60'000);
  Damaged one(message);
  one.clock.advance(Duration(30'000));
  prune(*one.store, WallTime{}, WallTime{});
  one.clock.advance(Duration(30'000));
  CHECK(one.scan().empty());
  CHECK(deliveries(*one.store, one.id)->front().reason == "expired");
  CHECK(one.balanced());
  one.store->close();
}

TEST_CASE("a_damaged_record_is_told_as_such_and_no_operators_step_is_made_from_it") {
  Damaged one(plain(), DeliveryState::delivered);
  const auto found = deliveries(*one.store, one.id);
  REQUIRE(found->size() == 1);
  CHECK(found->front().damaged);
  for (const DeliveryState state : {DeliveryState::queued, DeliveryState::cancelled}) {
    CHECK(commit(*one.store, settle(with_state(found->front(), state)))->refused == std::vector<bool>{true});
  }
  StoreOperations operations(*one.store, one.clock, [](const std::vector<DestinationId>&) {});
  for (const Deed deed : {Deed::replay, Deed::cancel}) {
    BulkRequest request;
    request.deed = deed;
    request.ids = {one.id};
    const auto done = wait_for<BulkResult>([&](Done<BulkResult> told) { operations.act(request, std::move(told)); });
    CHECK(done->deliveries == 0);
    REQUIRE(done->skipped.size() == 1);
    CHECK(done->skipped[0].second == "the record of its delivery is damaged");
  }
  CHECK(one.store->stats().quarantined == 0);
  const DestinationBacklog books = backlog(*one.store, "crm");
  CHECK(books.delivered == 1);
  CHECK(books.spooled == books.delivered + books.waiting);
  one.store->close();
}

TEST_CASE("whoever_has_a_delivery_in_hand_settles_it_although_its_record_is_damaged_meanwhile") {
  Damaged one(plain());
  REQUIRE(one.scan().size() == 1);  // queued anew
  one.store.reset();
  damage_record(one.folder, "deliveries", delivery_key(one.id, destination_id("crm")));
  one.store = open(one.folder, one.clock);
  Delivery sent = deliveries(*one.store, one.id)->front();
  sent.destination_name = "crm";
  sent.damaged = false;
  sent.due = one.clock.wall();
  add_attempt(sent, {one.clock.wall(), 1, 200, "", ""});
  REQUIRE(commit(*one.store, settle(with_state(sent, DeliveryState::delivered)))->refused == std::vector<bool>{false});
  CHECK(backlog(*one.store, "crm").delivered == 1);
  CHECK(backlog(*one.store, "crm").waiting == 0);
  one.store->close();
}

}  // namespace

}  // namespace belay::spool::test
