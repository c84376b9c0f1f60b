// What a search finds does not depend on the way it takes: every way against a look at all there is.
#include <algorithm>

#include "base/bytes.h"
#include "tests/store/engines.h"

namespace belay::spool::test {

namespace {

constexpr DeliveryState kStates[] = {DeliveryState::queued,    DeliveryState::scheduled, DeliveryState::sending,
                                     DeliveryState::delivered, DeliveryState::dead,      DeliveryState::cancelled};

std::vector<EventRow> all_pages(Store& store, const EventQuery& query, uint32_t page_size) {
  std::vector<EventRow> rows;
  std::optional<MessageId> before;
  do {
    auto page = events(store, query, before, page_size);
    REQUIRE(page.ok());
    rows.insert(rows.end(), page->rows.begin(), page->rows.end());
    before = page->next;
  } while (before);
  return rows;
}

std::vector<MessageId> ids_of(const std::vector<EventRow>& rows) {
  std::vector<MessageId> ids;
  for (const EventRow& row : rows) ids.push_back(row.event.id);
  return ids;
}

std::vector<MessageId> expected(const std::vector<EventRow>& all, const EventQuery& query) {
  std::vector<MessageId> ids;
  for (const EventRow& row : all) {
    if (!query.source.empty() && row.event.source != query.source) continue;
    if (query.since && row.event.id.time() < *query.since) continue;
    if (query.until && row.event.id.time() > *query.until) continue;
    const bool has = std::any_of(row.deliveries.begin(), row.deliveries.end(), [&](const Delivery& delivery) {
      return to_string(delivery.state) == *query.state &&
             (query.destination.empty() || delivery.destination_name == query.destination);
    });
    if (has) ids.push_back(row.event.id);
  }
  return ids;
}

template <typename Fixture>
void check_all_states(Fixture& f, WallTime since, WallTime until) {
  const std::vector<EventRow> all = all_pages(*f.store, {}, 100);
  for (const DeliveryState state : kStates) {
    const std::string word(to_string(state));
    for (const EventQuery& query : {EventQuery{.state = word}, EventQuery{.destination = "erp", .state = word},
                                    EventQuery{.source = "rare", .state = word}, EventQuery{.state = word, .since = since, .until = until},
                                    EventQuery{.source = "acme", .destination = "crm", .state = word, .since = since}}) {
      CAPTURE(word);
      CAPTURE(query.source);
      CAPTURE(query.destination);
      const std::vector<MessageId> wanted = expected(all, query);
      CHECK(ids_of(all_pages(*f.store, query, 7)) == wanted);
      CHECK(ids_of(all_pages(*f.store, query, 500)) == wanted);
    }
  }
}

TEST_CASE_TEMPLATE("each_state_is_found_whether_many_or_few_are_in_it", Engine, ENGINES) {
  Fixture<Engine> f;
  SeededRandom random(11);
  for (int i = 0; i < 30; ++i) {
    Batch batch;
    for (int k = 0; k < 10; ++k) batch.puts.push_back(f.maker.message({"crm", "erp"}, "{}", k == i % 10 ? "rare" : "acme"));
    REQUIRE(commit(*f.store, batch).ok());
    f.clock.advance(Duration(100));
  }
  const WallTime since = f.now() - Duration(2'000), until = f.now() - Duration(500);
  // Of twenty one stays leased, one is scheduled and most are delivered: first most of all wait, in the end few do.
  for (const uint32_t settled : {60U, 220U, 1'000U}) {
    f.clock.advance(Duration(7'200'000));
    for (const char* to : {"crm", "erp"}) {
      const auto leases = lease(*f.store, to, f.now(), settled);
      Batch batch;
      for (const Leased& leased : leases->leased) {
        const uint64_t end = random.next() % 20;
        if (end == 0) continue;
        const DeliveryState state = end == 1   ? DeliveryState::scheduled
                                    : end == 2 ? DeliveryState::dead
                                    : end == 3 ? DeliveryState::cancelled
                                               : DeliveryState::delivered;
        batch.settlements.push_back({with_state(leased.delivery, state, f.now() + Duration(3'600'000))});
      }
      REQUIRE(commit(*f.store, batch).ok());
    }
    check_all_states(f, since, until);
  }
}

TEST_CASE_TEMPLATE("a_rare_source_is_found_behind_thousands_in_the_same_state", Engine, ENGINES) {
  Fixture<Engine> f;
  Batch batch;
  for (int i = 0; i < 2'500; ++i) batch.puts.push_back(f.maker.message({"crm"}, "{}", i == 20 || i == 2'400 ? "rare" : "acme"));
  const std::vector<MessageId> wanted = {batch.puts[2'400].message->event.id, batch.puts[20].message->event.id};
  REQUIRE(commit(*f.store, batch).ok());
  CHECK(ids_of(all_pages(*f.store, {.source = "rare", .state = "queued"}, 50)) == wanted);
  CHECK(all_pages(*f.store, {.source = "rare", .state = "delivered"}, 50).empty());
}

TEST_CASE_TEMPLATE("text_is_found_in_any_part_of_a_line_and_across_none", Engine, ENGINES) {
  Fixture<Engine> f;
  wire::Event event = f.maker.event(wire::Outcome::rejected, "billing");
  event.reason = "verify: no signature";
  event.resource = "INV-77";
  REQUIRE(commit(*f.store, lines({f.maker.event(wire::Outcome::forwarded), event})).ok());
  for (const std::string& text : {std::string("billing"), std::string("no signature"), std::string("INV-77"), std::string("order.created"), event.id.to_string()}) {
    CAPTURE(text);
    const auto page = events(*f.store, {.text = text});
    REQUIRE(page.ok());
    CHECK(std::any_of(page->rows.begin(), page->rows.end(), [&](const EventRow& row) { return row.event.id == event.id; }));
  }
  CHECK(events(*f.store, {.text = "INV-78"})->rows.empty());
  CHECK(events(*f.store, {.text = "billingorder"})->rows.empty());
}

TEST_CASE_TEMPLATE("a_webhook_is_found_by_how_its_ids_begin", Engine, ENGINES) {
  Fixture<Engine> f;
  std::vector<MessageId> ids;
  for (int i = 0; i < 5; ++i) {
    wire::Event event = f.maker.event(wire::Outcome::forwarded);
    event.event_id = "evt-" + std::to_string(i) + "-cafe";
    ids.push_back(event.id);
    REQUIRE(commit(*f.store, lines({event})).ok());
    f.clock.advance(std::chrono::hours(24));
  }
  const NewMessage stored = f.maker.message({"crm"});
  REQUIRE(commit(*f.store, put(stored)).ok());
  const auto found = [&](const std::string& id, std::optional<std::string> state = {}) { return ids_of(events(*f.store, {.id = id, .state = std::move(state)})->rows); };
  CHECK(found(ids[2].to_string()) == std::vector<MessageId>{ids[2]});
  CHECK(found(ids[2].to_string().substr(0, 11)) == std::vector<MessageId>{ids[2]});
  CHECK(found(ascii_upper(ids[2].to_string().substr(0, 11))) == std::vector<MessageId>{ids[2]});
  CHECK(found("evt-3") == std::vector<MessageId>{ids[3]});
  CHECK(found("evt-").size() == 5);
  CHECK(found("cafe").empty());  // not how it begins
  CHECK(found("0").size() == 6);
  CHECK(found(stored.message->event.id.to_string().substr(0, 20), "queued").size() == 1);
  CHECK(found("evt-1", "queued").empty());
}

}  // namespace

}  // namespace belay::spool::test
