// Stats and the Prometheus text: sums over workers, escapes, what is shown when nothing waits.
#include <doctest/doctest.h>

#include "admin/counters.h"
#include "admin/metrics.h"
#include "admin/render.h"

using namespace belay;
using namespace belay::admin;

namespace {

const WallTime kNow = wall_from_ms(1'760'000'000'000);

std::vector<wire::Counters> two_workers() {
  const std::string acme = R"(source="acme",outcome="forwarded")";
  return {{.worker = 10, .counters = {{"belay_requests_total", acme, 5}, {"belay_events_dropped_total", "", 1}}},
          {.worker = 11, .counters = {{"belay_requests_total", acme, 7},
                                      {"belay_requests_total", R"(source="acme",outcome="rejected")", 2}}}};
}

spool::StoreStats one_destination() {
  spool::StoreStats stats;
  stats.commits = 42;
  stats.last_commit_us = 1500;
  stats.used_bytes = 4096;
  stats.destinations.push_back({.name = "crm", .spooled = 9, .waiting = 3, .delivered = 5, .dead = 1, .oldest = kNow - Duration(90'500)});
  stats.destinations.push_back({.name = "a\"b\\c"});
  return stats;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("counters_of_all_workers_are_added_up") {
  auto workers = two_workers();
  const Series series{"belay_requests_total", R"(source="acme",outcome="forwarded")"};
  CHECK(add_up(workers)[series] == 12);
  workers.push_back({.worker = 0, .counters = {{series.name, series.labels, 100}}});  // workers that ended
  CHECK(add_up(workers)[series] == 112);
}

TEST_CASE("what_every_worker_says_of_a_source_is_said_once") {
  auto workers = two_workers();
  for (auto& worker : workers) worker.counters.push_back({"belay_source_info", R"(source="acme",trust="signed")", 1});
  const std::string text = render_metrics(one_destination(), {}, workers, {}, kNow, Duration(1));
  CHECK(has_line(text, "# TYPE belay_source_info gauge"));
  CHECK(has_line(text, R"(belay_source_info{source="acme",trust="signed"} 1)"));
}

TEST_CASE("labels_are_read_back_as_they_were_written") {
  const std::string labels = label("source", "a\"b\\c\nd,e=f") + "," + label("outcome", "forwarded");
  CHECK(labels == "source=\"a\\\"b\\\\c\\nd,e=f\",outcome=\"forwarded\"");
  CHECK(label_value(labels, "source") == "a\"b\\c\nd,e=f");
  CHECK(label_value(labels, "outcome") == "forwarded");
  CHECK(label_value(labels, "other") == "");
  for (const char* broken : {"", "source", "source=", "source=\"", "source=\"a", "source=a", "=\"", "source=\"a\\"}) {
    CAPTURE(broken);
    CHECK(label_value(broken, "source") == "");
  }
}

TEST_CASE("metrics_carry_requests_backlog_and_store") {
  const std::string text = render_metrics(one_destination(), {}, two_workers(), {}, kNow, Duration(12'500));
  CHECK(has_line(text, "# TYPE belay_requests_total counter"));
  CHECK(has_line(text, R"(belay_requests_total{source="acme",outcome="forwarded"} 12)"));
  CHECK(has_line(text, R"(belay_requests_total{source="acme",outcome="rejected"} 2)"));
  CHECK(has_line(text, "belay_events_dropped_total 1"));
  CHECK(has_line(text, R"(belay_deliveries{destination="crm",state="waiting"} 3)"));
  CHECK(has_line(text, R"(belay_deliveries{destination="crm",state="dead"} 1)"));
  CHECK(has_line(text, R"(belay_deliveries{destination="a\"b\\c",state="waiting"} 0)"));
  CHECK(has_line(text, R"(belay_oldest_waiting_seconds{destination="crm"} 90.5)"));
  CHECK(has_line(text, "belay_accepting 1"));
  CHECK(has_line(text, "belay_store_commits_total 42"));
  CHECK(has_line(text, "belay_store_last_commit_seconds 0.0015"));
  CHECK(has_line(text, "belay_uptime_seconds 12.5"));
  CHECK(text.back() == '\n');
}

TEST_CASE("each_metric_is_described_once_before_its_samples") {
  const std::string text = render_metrics(one_destination(), {}, two_workers(), {}, kNow, Duration(1));
  std::string family;
  std::vector<std::string> families;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
    const std::string line = text.substr(begin, end - begin);
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK(std::find(families.begin(), families.end(), family) == families.end());
      families.push_back(family);
    } else if (!line.starts_with("# HELP ")) {
      const std::string name = line.substr(0, line.find_first_of(" {"));
      CHECK((name == family || name == family + "_bucket" || name == family + "_sum" || name == family + "_count"));
    }
  }
  CHECK(families.size() > 10);
}

TEST_CASE("a_counter_that_would_break_the_text_is_left_out") {
  const std::vector<wire::Counters> workers = {
      {.worker = 1, .counters = {{"bad name", "", 1}, {"", "", 1}, {"belay_x_total", "a=\"\n\"", 1}, {"belay_y_total", "", 3}}}};
  const std::string text = render_metrics({}, {}, workers, {}, kNow, Duration(1));
  CHECK(text.find("bad name") == std::string::npos);
  CHECK(text.find("belay_x_total") == std::string::npos);
  CHECK(has_line(text, "belay_y_total 3"));
}

TEST_CASE("stats_show_requests_by_source_and_the_age_of_what_waits") {
  const std::string body = render_stats(one_destination(), {}, two_workers(), kNow, Duration(60'000));
  CHECK(body.find(R"("requests":[{"source":"acme","forwarded":12,"rejected":2}])") != std::string::npos);
  CHECK(body.find(R"("oldest_waiting_s":90.500)") != std::string::npos);
  CHECK(body.find(R"("oldest_waiting_s":null)") != std::string::npos);
  CHECK(body.find(R"("spooled":9)") != std::string::npos);
  CHECK(body.find(R"("uptime_s":60.000)") != std::string::npos);
}

TEST_CASE("histograms_of_all_workers_are_added_up_and_each_bucket_holds_those_below") {
  std::vector<wire::Counters> workers;
  for (uint64_t worker : {1, 2}) {
    workers.push_back({.worker = worker,
                       .counters = {{"belay_request_duration_seconds_bucket", R"(source="a\"c",le="0.001")", 3},
                                    {"belay_request_duration_seconds_bucket", R"(source="a\"c",le="0.25")", worker},
                                    {"belay_request_duration_seconds_bucket", R"(source="a\"c",le="0.3")", 9},  // not one of ours
                                    {"belay_request_duration_seconds_bucket", "no bound", 9},
                                    {"belay_request_duration_seconds_sum_us", R"(source="a\"c")", 500'000}}});
  }
  const std::string text = render_metrics({}, {}, workers, {}, kNow, Duration(1));
  CHECK(has_line(text, "# TYPE belay_request_duration_seconds histogram"));
  CHECK(has_line(text, R"(belay_request_duration_seconds_bucket{source="a\"c",le="0.0005"} 0)"));
  CHECK(has_line(text, R"(belay_request_duration_seconds_bucket{source="a\"c",le="0.001"} 6)"));
  CHECK(has_line(text, R"(belay_request_duration_seconds_bucket{source="a\"c",le="0.1"} 6)"));
  CHECK(has_line(text, R"(belay_request_duration_seconds_bucket{source="a\"c",le="0.25"} 9)"));
  CHECK(has_line(text, R"(belay_request_duration_seconds_bucket{source="a\"c",le="+Inf"} 9)"));
  CHECK(has_line(text, R"(belay_request_duration_seconds_sum{source="a\"c"} 1)"));
  CHECK(has_line(text, R"(belay_request_duration_seconds_count{source="a\"c"} 9)"));
}

TEST_CASE("attempts_and_ages_are_shown_by_destination") {
  spool::StoreStats stats = one_destination();
  stats.destinations[0].older = {3, 2, 1, 0, 0, 0};
  std::vector<spool::AttemptTimes::Row> attempts(1);
  attempts[0].destination = "crm";
  attempts[0].times.add(20'000);
  attempts[0].failed = 1;
  const std::string text = render_metrics(stats, {}, {}, attempts, kNow, Duration(1));
  CHECK(has_line(text, R"(belay_waiting_older_than{destination="crm",seconds="60"} 3)"));
  CHECK(has_line(text, R"(belay_waiting_older_than{destination="crm",seconds="3600"} 1)"));
  CHECK(text.find(R"(belay_waiting_older_than{destination="a)") == std::string::npos);  // nothing waits there
  CHECK(has_line(text, R"(belay_attempts_total{destination="crm",result="failure"} 1)"));
  CHECK(has_line(text, R"(belay_attempt_duration_seconds_bucket{destination="crm",le="0.025"} 1)"));
  CHECK(has_line(text, R"(belay_attempt_duration_seconds_count{destination="crm"} 1)"));
}
