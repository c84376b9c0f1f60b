// Exports and imports of whole stores: what goes in comes out, twice is once, and nothing that was sent is sent again.
#include "tests/store/groups_kit.h"
#include "tests/store/transfer_kit.h"

namespace belay::spool::test {

namespace {

using State = DeliveryState;

NewMessage refused(Maker& maker, std::string body = "{}") {
  Message message;
  message.event = maker.event(wire::Outcome::rejected);
  message.event.reason = "verify: signature does not match";
  message.request.method = "POST";
  message.request.target = "/webhooks/acme";
  message.request.body = std::move(body);
  message.request.has_body = true;
  return {std::make_shared<const Message>(std::move(message)), {}, {}, {}};
}

// As transforms make them: one with a body of its own, one with that of the request; nothing could be made for the last destination.
NewMessage shaped(Maker& maker) {
  NewMessage put = maker.message({"crm", "erp", "shop"}, maker.bytes(150'000));
  Message message = *put.message;
  message.request.fields.emplace_back("X-Raw", "caf\xe9");
  message.request.forwarded_for = "10.0.0.1, 10.0.0.2";
  message.request.tls = true;
  message.request.path_rest = "/rest";
  message.event.trust = wire::Trust::signed_fresh;
  message.event.event_id = "evt-1";
  message.event.path = "/odd\xff";
  wire::StoredRequest own = message.request, same = message.request;
  own.body = "{\"made\": \"\\u00e9\"}\n";
  own.path = "/v2";
  same.body.clear();
  same.received_body = true;
  message.shapes = {own, same};
  put.message = std::make_shared<const Message>(std::move(message));
  put.deliveries[0].shape = 1;
  put.deliveries[1].shape = 2;
  put.deliveries[1].route = 3;
  put.deliveries[2].state = State::dead;
  put.deliveries[2].unmade = true;
  put.deliveries[2].reason = "transform: route 1: no such key: total";
  return put;
}

MessageId put_one(Fixture<Lmdb>& f, NewMessage message) {
  const MessageId id = message.message->event.id;
  REQUIRE(commit(*f.store, put(std::move(message))).ok());
  f.clock.advance(Duration(7));
  return id;
}

NewMessage with_claim(Maker& maker, uint8_t key) {
  NewMessage message = maker.message({"erp"});
  wire::Claim claim{.window_ms = 3'600'000};
  claim.key.fill(key);
  message.claims.push_back(claim);
  return message;
}

// The others are given back.
Leased lease_of(Fixture<Lmdb>& f, GroupKind kind) {
  std::optional<Leased> found;
  const auto leases = lease(*f.store, "crm", f.now());
  for (const Leased& leased : leases->leased) {
    if (leased.delivery.grouping.kind == kind) found = leased;
    else f.store->release(leased.delivery.message, leased.delivery.destination);
  }
  REQUIRE(found.has_value());
  return *found;
}

// Some of everything: each state, each kind of group, lines of each outcome, stops, acts, a part that retention took.
void fill(Fixture<Lmdb>& f) {
  using enum wire::Outcome;
  put_one(f, f.maker.message({"old"}));
  REQUIRE(commit(*f.store, settle(with_state(lease(*f.store, "old", f.now())->leased.at(0).delivery, State::delivered))).ok());
  REQUIRE(commit(*f.store, lines({f.maker.event(forwarded, "past")})).ok());
  f.clock.advance(std::chrono::hours(24));
  prune(*f.store, f.now() - std::chrono::hours(1), f.now() - std::chrono::hours(1));

  for (const State state : {State::delivered, State::dead, State::cancelled, State::scheduled, State::queued}) {
    NewMessage one = f.maker.message({"states"});
    if (state == State::queued) one.deliveries[0].expires = f.now() + std::chrono::hours(1);
    put_one(f, one);
    if (state == State::queued) continue;
    Delivery delivery = lease(*f.store, "states", f.now())->leased.at(0).delivery;
    add_attempt(delivery, {f.now(), 12, 503, "status 503", std::string("no\0\xff", 4)});
    delivery.reason = state == State::dead ? "status 503" : "";
    if (state == State::scheduled) delivery.due = f.now() + std::chrono::hours(2);
    REQUIRE(commit(*f.store, settle(with_state(delivery, state == State::cancelled ? State::dead : state))).ok());
    if (state == State::cancelled) REQUIRE(commit(*f.store, settle(with_state(delivery, state))).ok());
  }
  put_one(f, shaped(f.maker));
  put_one(f, refused(f.maker));
  put_one(f, with_claim(f.maker, 9));
  put_one(f, f.maker.message({"erp"}, ""));
  // order: a dead one keeps its key, two wait behind it.
  for (int i = 0; i < 3; ++i) put_in(f, grouping(GroupKind::order_wait, 1));
  REQUIRE(sent(f, lease_of(f, GroupKind::order_wait).delivery, State::dead));
  for (int i = 0; i < 2; ++i) put_in(f, grouping(GroupKind::order_skip, 2));
  // debounce: the first one is superseded.
  for (int i = 0; i < 2; ++i) put_in(f, grouping(GroupKind::debounce, 3));
  // batch: one that was tried and is to be again, one that is still open.
  for (int i = 0; i < 3; ++i) put_in(f, grouping(GroupKind::batch_array, 4));
  REQUIRE(sent(f, lease_of(f, GroupKind::batch_array).delivery, State::scheduled));
  for (int i = 0; i < 2; ++i) put_in(f, grouping(GroupKind::batch_lines, 5));
  Batch batch = lines({f.maker.event(forwarded), f.maker.event(filtered, "globex"), f.maker.event(duplicate), f.maker.event(rejected), f.maker.event(failed)});
  batch.events[0].client.fill(7);
  batch.events[0].number = 3;
  batch.stops.push_back({destination_id("erp"), "erp", StopKind::paused, true, "alice", "maintenance", f.now()});
  batch.acts.push_back({f.maker.id(), "alice", "replay", "status=dead", std::string(Act::kDone), 1, 1, 0});
  REQUIRE(commit(*f.store, std::move(batch)).ok());
}

Folder& folder_of(Fixture<Lmdb>& f) { return f.engine.folder; }

TEST_CASE("what_is_exported_and_imported_is_exported_the_same_again") {
  Fixture<Lmdb> f;
  fill(f);
  const Exported running = export_of(folder_of(f), f.clock);  // beside the store in use
  f.store.reset();
  const Exported exported = export_of(folder_of(f), f.clock);
  CHECK(running.lines == exported.lines);
  CHECK(exported.report.trailer.damaged == 0);
  check_whole(folder_of(f));

  Folder other;
  const ImportReport report = import_into(other, f.clock, exported.lines);
  CHECK(report.imported == exported.report.trailer.counts);
  CHECK(report.known == 0);
  CHECK_FALSE(report.forgotten_left_out);
  check_whole(other);
  CHECK(export_of(other, f.clock).lines == exported.lines);
  const BooksReport before = audited(folder_of(f)), after = audited(other);
  REQUIRE(before.destinations.size() == after.destinations.size());
  for (size_t i = 0; i < before.destinations.size(); ++i) {
    CHECK(before.destinations[i].name == after.destinations[i].name);
    for (size_t n = 0; n < before.destinations[i].figures.size(); ++n) CHECK(before.destinations[i].figures[n].counted == after.destinations[i].figures[n].counted);
  }
  REQUIRE(before.sources.size() == after.sources.size());
  for (size_t i = 0; i < before.sources.size(); ++i) {
    for (size_t n = 0; n < before.sources[i].figures.size(); ++n) CHECK(before.sources[i].figures[n].counted == after.sources[i].figures[n].counted);
  }

  // Twice is once.
  const ImportReport again = import_into(other, f.clock, exported.lines);
  CHECK(again.imported == TransferCounts{});
  CHECK(again.known == report.imported.messages + report.imported.lines);
  CHECK(again.forgotten_left_out);
  CHECK(export_of(other, f.clock).lines == exported.lines);
  check_whole(other);
}

TEST_CASE("deliveries_go_on_where_they_were") {
  Fixture<Lmdb> f;
  fill(f);
  f.clock.advance(std::chrono::minutes(10));
  const auto sends = [&](Store& store) {
    std::vector<std::string> sent;
    for (const char* to : {"crm", "erp", "states", "shop", "old"}) {
      for (int round = 0; round < 4; ++round) {
        const size_t before = sent.size();
        const auto leases = lease(store, to, f.now());
        for (const Leased& leased : leases->leased) {
          sent.push_back(std::string(to) + " " + leased.delivery.message.to_string() + " " + std::to_string(leased.delivery.attempts) + " " +
                         leased.message->body(leased.delivery.shape));
          Delivery done = leased.delivery;
          add_attempt(done, {f.now(), 5, 200, "", ""});
          REQUIRE(commit(store, settle(with_state(done, State::delivered))).ok());
        }
        std::sort(sent.begin() + static_cast<ptrdiff_t>(before), sent.end());
      }
    }
    return sent;
  };
  const MessageId dead = events(*f.store, {.destination = "crm", .state = "dead"})->rows.at(0).event.id;
  f.store.reset();
  Folder other;
  import_into(other, f.clock, export_of(folder_of(f), f.clock).lines);
  f.store = open(folder_of(f), f.clock, uint64_t{1} << 30);
  const auto there = open(other, f.clock);
  const auto first = sends(*f.store);
  CHECK(first.size() > 5);
  CHECK(sends(*there) == first);
  // The dead one kept its key there, too: when it is given up, those behind it go, in their order.
  for (Store* store : {f.store.get(), there.get()}) {
    CHECK(lease(*store, "crm", f.now())->leased.empty());
    REQUIRE(commit(*store, settle(with_state(deliveries(*store, dead)->at(0), State::cancelled))).ok());
  }
  const auto then = sends(*f.store);
  CHECK(then.size() == 2);
  CHECK(sends(*there) == then);
  CHECK(there->stops()->size() == 1);
  // A key that is taken stays taken.
  NewMessage twin = with_claim(f.maker, 9);
  CHECK(commit(*there, put(std::move(twin)))->claimed[0].has_value());
}

TEST_CASE("an_import_that_was_interrupted_is_no_spool_until_it_is_repeated") {
  Fixture<Lmdb> f;
  fill(f);
  for (int i = 0; i < 2'500; ++i) {
    Batch batch = put(f.maker.message({"many"}));
    if (i % 100 == 0) f.clock.advance(Duration(500));
    REQUIRE(commit(*f.store, std::move(batch)).ok());
  }
  f.store.reset();
  const Exported exported = export_of(folder_of(f), f.clock);
  for (const size_t until : {size_t{0}, size_t{900}, size_t{1'100}, size_t{2'300}, exported.lines.size()}) {
    CAPTURE(until);
    Folder other;
    const Lines part(exported.lines.begin(), exported.lines.begin() + static_cast<ptrdiff_t>(until));
    feed(*importer_of(other, f.clock, exported.lines), part);  // and ends as kill -9 would end it: without finish()
    const auto refused = open_lmdb_store(options_of(other), f.clock);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message.find("belay spool import FILE") != std::string::npos);
    CHECK(audited(other).balanced());
    const ImportReport report = import_into(other, f.clock, exported.lines);
    CHECK_FALSE(report.forgotten_left_out);
    check_whole(other);
    CHECK(without_frame(export_of(other, f.clock).lines) == without_frame(exported.lines));
    CHECK(open_lmdb_store(options_of(other), f.clock).ok());
  }
}

TEST_CASE("what_the_store_knows_stays_as_it_is") {
  Fixture<Lmdb> f;
  const MessageId delivered = put_one(f, f.maker.message({"crm"})), forgotten = put_one(f, f.maker.message({"crm"}));
  f.store.reset();
  const Exported waiting = export_of(folder_of(f), f.clock);
  f.store = open(folder_of(f), f.clock);
  const auto leases = lease(*f.store, "crm", f.now());
  for (const Leased& one : leases->leased) REQUIRE(sent(f, one.delivery, State::delivered));
  // Retention takes the second one; its line stays.
  f.store.reset();
  behind(folder_of(f), "messages", [&](MDB_txn* txn, MDB_dbi dbi) {
    MDB_val at{forgotten.view().size(), const_cast<char*>(forgotten.view().data())};
    REQUIRE(mdb_del(txn, dbi, &at, nullptr) == 0);
  });
  const ImportReport report = import_into(folder_of(f), f.clock, waiting.lines);
  CHECK(report.imported.messages == 0);
  CHECK(report.known == 2);
  f.store = open(folder_of(f), f.clock);
  CHECK(lease(*f.store, "crm", f.now())->leased.empty());
  CHECK(deliveries(*f.store, delivered)->at(0).state == State::delivered);
}

TEST_CASE("refused_requests_that_the_quarantine_has_no_room_for_become_lines") {
  Fixture<Lmdb> f;  // with a larger map than the other
  constexpr size_t kRefused = 12;
  for (size_t i = 0; i < kRefused; ++i) put_one(f, refused(f.maker, f.maker.bytes(1'000'000)));
  f.store.reset();
  const Exported exported = export_of(folder_of(f), f.clock);
  const Folder other;
  const ImportReport report = import_into(other, f.clock, exported.lines);
  CHECK(report.imported.messages > 0);
  CHECK(report.line_only > 0);
  CHECK(report.imported.lines == report.line_only);
  CHECK(report.imported.messages + report.line_only == kRefused);
  CHECK(report.known == 0);
  check_whole(other);
  CHECK(import_into(other, f.clock, exported.lines).known == kRefused);
  check_whole(other);
}

TEST_CASE("two_spools_become_one") {
  Fixture<Lmdb> a, b;
  b.clock.advance(Duration(3));
  b.maker.bytes(100);  // other ids
  for (int i = 0; i < 3; ++i) {
    put_in(a, grouping(GroupKind::order_wait, 1));
    b.clock.advance(Duration(10));
    put_in(b, grouping(GroupKind::order_wait, 1));
    b.clock.advance(Duration(10));
    a.clock.advance(Duration(20));
  }
  put_in(a, grouping(GroupKind::debounce, 2));
  put_in(b, grouping(GroupKind::debounce, 2));
  a.store.reset();
  b.store.reset();
  const ImportReport report = import_into(folder_of(b), b.clock, export_of(folder_of(a), a.clock).lines);
  CHECK(report.imported.messages == 4);
  check_whole(folder_of(b));
  b.store = open(folder_of(b), b.clock);
  b.clock.advance(std::chrono::hours(1));
  // One after the other of a key, and of the debounced ones one.
  std::vector<size_t> sizes;
  for (int i = 0; i < 6; ++i) {
    const auto leases = lease(*b.store, "crm", b.now());
    sizes.push_back(leases->leased.size());
    for (const Leased& one : leases->leased) REQUIRE(sent(b, one.delivery, State::delivered));
  }
  CHECK(sizes == std::vector<size_t>{2, 1, 1, 1, 1, 1});
  CHECK(backlog(*b.store, "crm").superseded == 1);
  check_books(b);
}

TEST_CASE("a_batch_is_imported_as_it_was_and_a_member_without_its_first_goes_alone") {
  Fixture<Lmdb> f;
  Ids ids;
  for (int i = 0; i < 3; ++i) ids.push_back(put_in(f, grouping(GroupKind::batch_array), std::to_string(i)));
  f.store.reset();
  Lines lines = export_of(folder_of(f), f.clock).lines;
  Folder whole, part;
  std::reverse(lines.begin() + 1, lines.end() - 1);  // members before their first
  import_into(whole, f.clock, lines);
  check_whole(whole);
  const auto together = open(whole, f.clock);
  REQUIRE(lease(*together, "crm", f.now())->leased.size() == 1);
  std::erase_if(lines, [&](const std::string& line) { return line.starts_with(R"({"kind":"message","id":")" + ids[0].to_string()); });
  import_into(part, f.clock, lines);
  check_whole(part);
  const auto alone = open(part, f.clock);
  f.clock.advance(Duration(5'000));  // what the batch would have waited
  CHECK(lease(*alone, "crm", f.now())->leased.size() == 2);
}

TEST_CASE("damaged_records_are_left_out_and_counted") {
  Fixture<Lmdb> f;
  const MessageId message = put_one(f, f.maker.message({"crm"})), delivery = put_one(f, f.maker.message({"crm", "erp"}));
  const MessageId whole = put_one(f, f.maker.message({"crm"}));
  f.store.reset();
  damage_record(folder_of(f), "messages", std::string(message.view()));
  damage_record(folder_of(f), "deliveries", delivery_key(delivery, destination_id("crm")));
  const Exported exported = export_of(folder_of(f), f.clock);
  CHECK(exported.report.trailer.damaged == 3);  // the message, its delivery, the other delivery
  CHECK(exported.report.problems.size() == 3);
  CHECK(exported.report.trailer.counts.messages == 2);
  CHECK(exported.report.trailer.counts.lines == 1);  // of the damaged message
  Folder other;
  import_into(other, f.clock, exported.lines);
  check_whole(other);
  const auto store = open(other, f.clock);
  CHECK(events(*store, {})->rows.size() == 3);
  CHECK(lease(*store, "crm", f.now())->leased.at(0).delivery.message == whole);
  const auto of = deliveries(*store, delivery);
  for (const Delivery& one : *of) {
    if (one.destination_name == "crm") CHECK(one.reason == StoreReader::kDamaged);
    CHECK(one.state == (one.destination_name == "crm" ? State::dead : State::queued));
  }
}

TEST_CASE("a_filter_takes_whole_webhooks_and_their_claims") {
  Fixture<Lmdb> f;
  fill(f);
  f.store.reset();
  const auto count = [&](const EventQuery& query) { return export_of(folder_of(f), f.clock, {.filter = query, .filtered = true}).report.trailer.counts; };
  CHECK(count({.destination = "states"}).messages == 5);
  CHECK(count({.state = "dead"}).messages == 3);
  const TransferCounts erp = count({.destination = "erp"});
  CHECK(erp.messages == 3);
  CHECK(erp.deliveries == 5);
  CHECK(erp.claims == 1);
  CHECK(erp.others == 0);
  CHECK(count({.source = "globex"}) == TransferCounts{.lines = 1});
  CHECK(count({.id = "evt-"}).messages == 1);
  CHECK(count({.since = f.now() + std::chrono::hours(1)}) == TransferCounts{});
  const Exported some = export_of(folder_of(f), f.clock, {.filter = {.state = "scheduled"}, .filtered = true});
  Folder other;
  import_into(other, f.clock, some.lines);
  check_whole(other);
}

TEST_CASE("without_bodies_it_is_a_list") {
  Fixture<Lmdb> f;
  put_one(f, f.maker.message({"crm"}, "{\"secret\": 1}"));
  f.store.reset();
  const Exported list = export_of(folder_of(f), f.clock, {.bodies = false});
  REQUIRE(list.lines.size() == 3);
  CHECK(list.lines[0].find(R"("bodies":false)") != std::string::npos);
  CHECK(list.lines[1].find("secret") == std::string::npos);
  CHECK_FALSE(cli::read_transfer_line(list.lines[1]).ok());
}

}  // namespace

}  // namespace belay::spool::test
