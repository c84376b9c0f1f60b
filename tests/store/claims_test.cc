// Claims, shapes and quarantine: what every engine must do with the keys, bodies and refusals that rules make.
#include "tests/store/engines.h"

namespace belay::spool::test {

namespace {

wire::Claim claim(uint8_t name, Duration window = Duration(60'000)) {
  wire::Claim made;
  made.key.fill(name);
  made.window_ms = window.count();
  return made;
}

NewMessage with_claim(NewMessage message, wire::Claim wanted) {
  message.claims = {wanted};
  return message;
}

std::optional<wire::ClaimedBy> find(Store& store, uint8_t name, WallTime now) {
  auto found = wait_for<std::vector<std::optional<wire::ClaimedBy>>>(
      [&](Done<std::vector<std::optional<wire::ClaimedBy>>> done) { store.find_claims({claim(name).key}, now, std::move(done)); });
  REQUIRE(found.ok());
  return found->front();
}

TEST_CASE_TEMPLATE("of_two_messages_with_one_claim_the_first_is_stored_and_the_second_is_told_who", Engine, ENGINES) {
  Fixture<Engine> f;
  const NewMessage first = with_claim(f.maker.message({"crm"}), claim(1)), second = with_claim(f.maker.message({"crm"}), claim(1));
  Batch twins = put(second);
  twins.puts.push_back(first);
  auto done = commit(*f.store, std::move(twins));
  REQUIRE(done.ok());
  CHECK_FALSE(done->claimed[1]);  // the smaller id came first, wherever it stands in the batch
  REQUIRE(done->claimed[0]);
  CHECK(done->claimed[0]->first == first.message->event.id);
  CHECK(done->claimed[0]->status == first.message->event.status);
  CHECK_FALSE(load(*f.store, second.message->event.id).ok());
  CHECK(backlog(*f.store, "crm").spooled == 1);
  CHECK(find(*f.store, 1, f.now())->first == first.message->event.id);
  // The same put again is no twin of itself.
  auto again = commit(*f.store, put(first));
  CHECK(again->duplicate == std::vector<bool>{true});
  CHECK_FALSE(again->claimed[0]);
}

TEST_CASE_TEMPLATE("a_claim_ends_with_its_window_and_can_be_taken_again", Engine, ENGINES) {
  Fixture<Engine> f;
  REQUIRE(commit(*f.store, put(with_claim(f.maker.message({"crm"}), claim(1, Duration(1000))))).ok());
  f.clock.advance(Duration(999));
  CHECK(commit(*f.store, put(with_claim(f.maker.message({"crm"}), claim(1, Duration(1000)))))->claimed[0]);
  f.clock.advance(Duration(1));
  CHECK_FALSE(find(*f.store, 1, f.now()));
  const NewMessage later = with_claim(f.maker.message({"crm"}), claim(1, Duration(1000)));
  CHECK_FALSE(commit(*f.store, put(later))->claimed[0]);
  CHECK(find(*f.store, 1, f.now())->first == later.message->event.id);
  // Forgetting what has ended leaves the newer claim of the same key alone.
  prune(*f.store, WallTime{}, WallTime{});
  CHECK(find(*f.store, 1, f.now()));
  f.clock.advance(Duration(1000));
  prune(*f.store, WallTime{}, WallTime{});
  CHECK_FALSE(find(*f.store, 1, WallTime{}));
}

TEST_CASE_TEMPLATE("a_claim_holds_for_its_window_although_the_clock_of_the_worker_is_wrong", Engine, ENGINES) {
  for (const Duration off : {Duration(-3'600'000), Duration(3'600'000)}) {
    Fixture<Engine> f;
    ManualClock of_worker;
    of_worker.set_wall(f.now() + off);
    Maker worker(of_worker, 2);
    REQUIRE(commit(*f.store, put(with_claim(worker.message({"crm"}), claim(1)))).ok());
    const wire::Event forwarded = worker.event(wire::Outcome::forwarded);
    Batch batch = lines({forwarded});
    batch.events[0].confirmed = {{forwarded.id, 200, {claim(2)}}};
    REQUIRE(commit(*f.store, std::move(batch)).ok());
    f.clock.advance(Duration(59'999));
    CHECK(find(*f.store, 1, f.now()));
    CHECK(find(*f.store, 2, f.now()));
    f.clock.advance(Duration(1));
    CHECK_FALSE(find(*f.store, 1, f.now()));
    CHECK_FALSE(find(*f.store, 2, f.now()));
  }
}

TEST_CASE_TEMPLATE("a_confirmed_forward_holds_its_claim_unless_another_message_has_it", Engine, ENGINES) {
  Fixture<Engine> f;
  const wire::Event forwarded = f.maker.event(wire::Outcome::forwarded);
  Batch batch = lines({forwarded});
  batch.events[0].confirmed = {{forwarded.id, 201, {claim(7)}}};
  REQUIRE(commit(*f.store, std::move(batch)).ok());
  CHECK(find(*f.store, 7, f.now())->status == 201);
  auto twin = commit(*f.store, put(with_claim(f.maker.message({"crm"}), claim(7))));
  REQUIRE(twin->claimed[0]);
  CHECK(twin->claimed[0]->first == forwarded.id);

  const wire::Event late = f.maker.event(wire::Outcome::forwarded);
  batch = lines({late});
  batch.events[0].confirmed = {{late.id, 200, {claim(7)}}};
  REQUIRE(commit(*f.store, std::move(batch)).ok());
  CHECK(find(*f.store, 7, f.now())->first == forwarded.id);
}

TEST_CASE_TEMPLATE("each_delivery_finds_the_shape_it_sends_whatever_the_sizes", Engine, ENGINES) {
  Fixture<Engine> f;
  NewMessage sent = f.maker.message({"crm", "erp", "log"}, f.maker.bytes(3 * StoreOptions::kBodyChunk));
  Message message = *sent.message;
  message.shapes.resize(2);
  message.shapes[0].body = f.maker.bytes(100);
  message.shapes[0].path = "/legacy/customer";
  message.shapes[1].body = f.maker.bytes(2 * StoreOptions::kBodyChunk + 7);
  sent.message = std::make_shared<const Message>(message);
  for (uint16_t i = 0; i < 3; ++i) sent.deliveries[i].shape = i;
  REQUIRE(commit(*f.store, put(sent)).ok());
  const char* const names[] = {"crm", "erp", "log"};
  for (uint16_t i = 0; i < 3; ++i) {
    auto leases = lease(*f.store, names[i], f.now());
    REQUIRE(leases->leased.size() == 1);
    const Leased& leased = leases->leased[0];
    CHECK(leased.delivery.shape == i);
    CHECK(leased.message->shape(i).body == message.shape(i).body);
    CHECK(leased.message->shape(i).path == message.shape(i).path);
  }
}

TEST_CASE_TEMPLATE("a_delivery_that_can_never_be_sent_is_dead_from_the_start_and_knows_that_nothing_was_made", Engine, ENGINES) {
  Fixture<Engine> f;
  NewMessage sent = f.maker.message({"crm"});
  sent.deliveries[0].state = DeliveryState::dead;
  sent.deliveries[0].unmade = true;
  sent.deliveries[0].reason = "transform: no such key: total";
  REQUIRE(commit(*f.store, put(sent)).ok());
  CHECK(lease(*f.store, "crm", f.now())->leased.empty());
  CHECK(backlog(*f.store, "crm").dead == 1);
  CHECK(backlog(*f.store, "crm").waiting == 0);
  EventQuery dead;
  dead.state = "dead";
  CHECK(events(*f.store, dead)->rows.size() == 1);
  CHECK(deliveries(*f.store, sent.message->event.id)->front().unmade);
}

TEST_CASE_TEMPLATE("what_was_rejected_is_kept_without_deliveries_up_to_a_limit_and_goes_with_retention", Engine, ENGINES) {
  Fixture<Engine> f;
  Batch batch;
  for (uint64_t i = 0; i <= StoreOptions::kMaxQuarantined; ++i) {
    NewMessage kept = f.maker.message({"crm"});
    kept.deliveries.clear();
    Message message = *kept.message;
    message.event.outcome = wire::Outcome::rejected;
    kept.message = std::make_shared<const Message>(std::move(message));
    batch.puts.push_back(std::move(kept));
  }
  const MessageId first = batch.puts.front().message->event.id, last = batch.puts.back().message->event.id;
  REQUIRE(commit(*f.store, std::move(batch)).ok());
  CHECK(load(*f.store, first).ok());
  CHECK_FALSE(load(*f.store, last).ok());  // one past the limit: only its line is there
  CHECK(f.store->stats().messages == StoreOptions::kMaxQuarantined);
  CHECK(f.store->stats().events == StoreOptions::kMaxQuarantined + 1);
  // A worker that never heard the answer sends the line by itself.
  wire::Event again;
  again.id = last;
  again.outcome = wire::Outcome::rejected;
  Batch lines;
  lines.events.emplace_back();
  lines.events.back().lines.add(again);
  REQUIRE(commit(*f.store, std::move(lines)).ok());
  CHECK(f.store->stats().events == StoreOptions::kMaxQuarantined + 1);
  CHECK(backlog(*f.store, "crm").spooled == 0);
  CHECK(prune(*f.store, f.now() + Duration(1), WallTime{}, 10).messages == 10);
  NewMessage kept = f.maker.message({"crm"});
  kept.deliveries.clear();
  REQUIRE(commit(*f.store, put(kept)).ok());
  CHECK(load(*f.store, kept.message->event.id).ok());
}

}  // namespace

}  // namespace belay::spool::test
