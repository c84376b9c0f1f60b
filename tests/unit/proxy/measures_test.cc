// What a worker measures: in which row and bucket a request is counted, and what is reported.
#include <doctest/doctest.h>

#include <map>

#include "proxy/measures.h"

using namespace belay;
using namespace belay::proxy;

namespace {

struct Worker {
  pipeline::Ruleset ruleset;
  ManualClock clock;
  SystemRandom random;
  pipeline::SharedMemory& shared = **pipeline::SharedMemory::create();
  pipeline::Services services{.clock = clock, .random = random, .shared = shared};

  explicit Worker(size_t sources) {
    for (size_t i = 0; i < sources; ++i) {
      ruleset.sources.push_back(std::make_unique<pipeline::Source>());
      ruleset.sources.back()->name = "s\"" + std::to_string(i);
      ruleset.sources.back()->index = static_cast<uint32_t>(i);
    }
    ruleset.destinations.emplace("crm", std::make_shared<upstream::Destination>());
  }
};

std::map<std::string, uint64_t> reported(const Measures& measures) {
  std::vector<wire::Counter> counters;
  measures.report(counters);
  std::map<std::string, uint64_t> all;
  for (const wire::Counter& counter : counters) all[counter.name + "{" + counter.labels + "}"] = counter.value;
  return all;
}

}  // namespace

TEST_CASE("a_request_is_counted_by_source_in_the_bucket_of_its_time") {
  Worker worker(2);
  Measures measures(worker.ruleset);
  CHECK(reported(measures).empty());
  pipeline::Exchange exchange(worker.services);
  exchange.source = worker.ruleset.sources[1].get();
  exchange.outcome = wire::Outcome::forwarded;
  exchange.started = MonotonicTime(std::chrono::microseconds(1'000'000));
  const auto after = [&](int64_t us) { measures.add(exchange, exchange.started + std::chrono::microseconds(us)); };
  after(500);
  after(501);
  after(30'000'001);
  after(-5);  // no clock goes back, and no table is left
  exchange.source = nullptr;
  after(1);
  const auto all = reported(measures);
  CHECK(all.at(R"(belay_request_duration_seconds_bucket{source="s\"1",le="0.0005"})") == 2);
  CHECK(all.at(R"(belay_request_duration_seconds_bucket{source="s\"1",le="0.001"})") == 1);
  CHECK(all.at(R"(belay_request_duration_seconds_bucket{source="s\"1",le="+Inf"})") == 1);
  CHECK(all.at(R"(belay_request_duration_seconds_sum_us{source="s\"1"})") == 30'001'002);
  CHECK(all.at(R"(belay_request_duration_seconds_bucket{source="none",le="0.0005"})") == 1);
}

TEST_CASE("backends_are_counted_by_destination_and_refusals_by_the_check_that_refused") {
  Worker worker(1);
  Measures measures(worker.ruleset);
  pipeline::Exchange exchange(worker.services);
  exchange.source = worker.ruleset.sources[0].get();
  exchange.outcome = wire::Outcome::forwarded;
  exchange.destination = "crm";
  exchange.backend_us = 2'000;
  measures.add(exchange, exchange.started);
  exchange.destination = "gone with a reload";
  measures.add(exchange, exchange.started);
  exchange.backend_us = 0;  // nobody was asked
  exchange.outcome = wire::Outcome::rejected;
  for (const char* reason : {"verify: signature does not match", "verify: no signature", "limit: over the rate", "other: x", "", "filter"}) {
    exchange.reason = reason;
    measures.add(exchange, exchange.started);
  }
  const auto all = reported(measures);
  CHECK(all.at(R"(belay_forward_duration_seconds_bucket{destination="crm",le="0.0025"})") == 1);
  CHECK(all.at(R"(belay_forward_duration_seconds_bucket{destination="other",le="0.0025"})") == 1);
  CHECK(all.at(R"(belay_rejected_total{source="s\"0",by="verify"})") == 2);
  CHECK(all.at(R"(belay_rejected_total{source="s\"0",by="limit"})") == 1);
  CHECK(all.at(R"(belay_rejected_total{source="s\"0",by="other"})") == 3);
}

TEST_CASE("sources_beyond_the_limit_share_a_row") {
  Worker worker(Measures::kSources + 5);
  Measures measures(worker.ruleset);
  pipeline::Exchange exchange(worker.services);
  for (const size_t i : {Measures::kSources - 1, Measures::kSources, Measures::kSources + 4}) {
    exchange.source = worker.ruleset.sources[i].get();
    measures.add(exchange, exchange.started);
  }
  const auto all = reported(measures);
  CHECK(all.at("belay_request_duration_seconds_bucket{source=\"s\\\"" + std::to_string(Measures::kSources - 1) + "\",le=\"0.0005\"}") == 1);
  CHECK(all.at(R"(belay_request_duration_seconds_bucket{source="other",le="0.0005"})") == 2);
}
