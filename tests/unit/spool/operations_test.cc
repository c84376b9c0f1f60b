// What the admin API asks of the spool besides the log: words of Belay's own, and the counters of workers that come and go.
#include <doctest/doctest.h>

#include <optional>

#include "spool/store_operations.h"

using namespace belay;
using namespace belay::spool;

namespace {

struct Spool {
  ManualClock clock;
  std::unique_ptr<Store> store = open_memory_store(clock);
  std::vector<DestinationId> woken;
  StoreOperations operations{*store, clock, [this](std::vector<DestinationId> ids) { woken = std::move(ids); }};

  std::map<std::string, uint64_t> totals() const {
    std::map<std::string, uint64_t> all;
    for (const wire::Counters& worker : operations.counters()) {
      for (const wire::Counter& counter : worker.counters) all[counter.name] += counter.value;
    }
    return all;
  }
};

}  // namespace

TEST_CASE("a_word_of_belays_own_is_a_webhook_for_its_destination") {
  Spool spool;
  std::optional<Result<MessageId>> stored;
  spool.operations.announce({.to = "ops", .source = "belay.alerts", .type = "alert.raised", .resource = "disk/spool", .body = "{\"a\":1}"},
                            [&](const Result<MessageId>& id) { stored = id; });
  REQUIRE(stored);
  REQUIRE(stored->ok());
  CHECK(spool.woken == std::vector<DestinationId>{destination_id("ops")});
  std::optional<MessageDetail> detail;
  spool.operations.message(**stored, [&](const Result<MessageDetail>& found) {
    if (found) detail = *found;
  });
  REQUIRE(detail);
  CHECK(detail->message.request.body == "{\"a\":1}");
  CHECK(detail->message.event.resource == "disk/spool");
  CHECK(detail->message.event.outcome == wire::Outcome::spooled);
  REQUIRE(detail->deliveries.size() == 1);
  CHECK(detail->deliveries[0].destination_name == "ops");
  CHECK(detail->deliveries[0].state == DeliveryState::queued);
}

TEST_CASE("counters_of_a_worker_that_went_stay_and_its_gauges_and_facts_do_not") {
  Spool spool;
  const auto report = [&](uint64_t worker, uint64_t requests) {
    spool.operations.set_counters({.worker = worker,
                                   .counters = {{"belay_requests_total", "", requests},
                                                {"belay_x_seconds_bucket", "le=\"1\"", requests},
                                                {"belay_connections", "", 5},
                                                {"belay_source_info", "", 1}}});
  };
  report(1, 10);
  report(2, 1);
  CHECK(spool.totals()["belay_connections"] == 10);
  spool.clock.advance(StoreOperations::kSilent);
  report(2, 2);
  CHECK(spool.totals()["belay_connections"] == 10);
  spool.clock.advance(Duration(1));
  const auto totals = spool.totals();
  CHECK(totals.at("belay_connections") == 5);
  CHECK(totals.at("belay_source_info") == 1);
  CHECK(totals.at("belay_requests_total") == 12);
  CHECK(totals.at("belay_x_seconds_bucket") == 12);
}

TEST_CASE("attempts_are_kept_by_destination_and_beyond_the_limit_together") {
  AttemptTimes times;
  for (size_t i = 0; i < AttemptTimes::kDestinations + 10; ++i) times.add("d" + std::to_string(i), 1'000, i % 2 == 0);
  times.add("d0", 1'000, false);
  const auto rows = times.rows();
  CHECK(rows.size() == AttemptTimes::kDestinations + 1);
  for (const AttemptTimes::Row& row : rows) {
    if (row.destination == "d0") CHECK((row.succeeded == 1 && row.failed == 1));
    if (row.destination == "other") CHECK(row.succeeded + row.failed == 10);
  }
}
