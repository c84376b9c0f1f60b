// When an alert is raised, when it is over, and what is never said.
#include <doctest/doctest.h>

#include "admin/alert_watch.h"
#include "admin/fake_operations.h"
#include "admin/samples.h"
#include "json/document.h"

using namespace belay;
using namespace belay::admin;
using namespace std::chrono_literals;

namespace {

struct Gateway {
  WallTime now = wall_from_ms(1'760'000'000'000);
  spool::StoreStats stats;
  spool::DestinationReports reports;
  std::vector<spool::AttemptTimes::Row> attempts;
  std::map<std::string, uint64_t> refused;
  Alerts alerts;

  Gateway() {
    alerts.use({.to = "ops",
                .destination_down = 5min,
                .dead_letters = {10, 1h},
                .signature_failures = {100, 1h},
                .disk = 0.85,
                .suppress = 15min});
    stats.destinations = {{.name = "crm", .waiting = 1}, {.name = "ops", .waiting = 1}};
    attempts = {{.destination = "crm", .times = {}, .succeeded = 0, .failed = 0}, {.destination = "ops", .times = {}, .succeeded = 0, .failed = 0}};
  }
  std::vector<Alert> look(Duration later = 0ms) {
    now += later;
    return alerts.look({now, stats, reports, attempts, refused});
  }
};

void check_only(const std::vector<Alert>& alerts, std::string_view kind, const std::string& subject, bool raised) {
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == kind);
  CHECK(alerts[0].subject == subject);
  CHECK(alerts[0].raised == raised);
}

}  // namespace

TEST_CASE("a_destination_whose_attempts_fail_is_down_after_a_while_and_back_with_the_first_success") {
  Gateway gateway;
  CHECK(gateway.look().empty());
  gateway.attempts[0].failed = 3;
  CHECK(gateway.look().empty());
  CHECK(gateway.look(5min - 1ms).empty());
  check_only(gateway.look(1ms), kDestinationDown, "crm", true);
  CHECK(gateway.look(1h).empty());  // said once
  gateway.attempts[0].succeeded = 1;
  const auto back = gateway.look(2s);
  check_only(back, kDestinationDown, "crm", false);
  CHECK(back[0].since < gateway.now - 1h);
}

TEST_CASE("what_fails_now_and_then_is_not_down") {
  Gateway gateway;
  for (uint64_t i = 1; i < 100; ++i) {
    ++gateway.attempts[0].failed;
    if (i % 4 == 0) ++gateway.attempts[0].succeeded;
    CHECK(gateway.look(1min).empty());
  }
  gateway.attempts[0].failed += 1;
  gateway.look(1min);
  gateway.stats.destinations[0].waiting = 0;  // it was cancelled: nothing wants to go there
  CHECK(gateway.look(1h).empty());
}

TEST_CASE("a_breaker_a_health_check_and_on_dead_hold_a_destination_back_and_an_operator_does_not_count") {
  Gateway gateway;
  spool::DestinationReport report;
  report.name = "crm";
  report.breaker = upstream::Breaker::State::open;
  gateway.reports = {report};
  CHECK(gateway.look().empty());
  const auto raised = gateway.look(5min);
  check_only(raised, kDestinationDown, "crm", true);
  CHECK(raised[0].message == "nothing was delivered to crm for 300 s: its breaker is open");
  gateway.reports.clear();
  check_only(gateway.look(2s), kDestinationDown, "crm", false);

  report.breaker.reset();
  report.stop.paused = {true, "admin", "update", gateway.now};
  gateway.reports = {report};
  gateway.look(1h);
  CHECK(gateway.look(1h).empty());
  report.stop = {};
  report.stop.disabled = {true, "on_dead", "12 attempts used up", gateway.now};
  gateway.reports = {report};
  gateway.look();
  check_only(gateway.look(5min), kDestinationDown, "crm", true);
}

TEST_CASE("nothing_is_said_about_the_destination_that_alerts_go_to") {
  Gateway gateway;
  gateway.look();
  gateway.attempts[1].failed = 9;
  gateway.stats.destinations[1].dead = 5'000;
  gateway.look();
  CHECK(gateway.look(1h).empty());
}

TEST_CASE("dead_letters_count_when_they_grow_not_when_they_are_there") {
  Gateway gateway;
  gateway.stats.destinations[0].dead = 5'000;
  CHECK(gateway.look().empty());
  gateway.stats.destinations[0].dead += 10;
  CHECK(gateway.look(2s).empty());
  gateway.stats.destinations[0].dead += 1;
  check_only(gateway.look(2s), kDeadLetters, "crm", true);
  gateway.stats.destinations[0].dead -= 4'000;  // replayed
  CHECK(gateway.look(50min).empty());
  check_only(gateway.look(20min), kDeadLetters, "crm", false);
}

TEST_CASE("refused_signatures_are_said_by_source") {
  Gateway gateway;
  gateway.refused = {{"acme", 7}, {"other", 7}};
  gateway.look();
  gateway.refused["acme"] += 101;
  gateway.refused["other"] += 100;
  check_only(gateway.look(2s), kSignatureFailures, "acme", true);
}

TEST_CASE("a_disk_that_fills_is_said_once_and_is_over_a_little_below_the_mark") {
  Gateway gateway;
  gateway.stats.disk_used = 0.849;
  CHECK(gateway.look().empty());
  gateway.stats.disk_used = 0.85;
  check_only(gateway.look(), kDisk, "spool", true);
  gateway.stats.disk_used = 0.84;
  CHECK(gateway.look(2s).empty());
  gateway.stats.disk_used = 0.81;
  check_only(gateway.look(2s), kDisk, "spool", false);
}

TEST_CASE("what_comes_and_goes_is_said_once_within_the_window") {
  Gateway gateway;
  int raised = 0;
  for (int i = 0; i < 60; ++i) {  // an hour of flapping
    gateway.stats.disk_used = i % 2 == 0 ? 0.9 : 0.5;
    for (const Alert& alert : gateway.look(1min)) raised += alert.raised ? 1 : 0;
  }
  CHECK(raised == 4);
}

TEST_CASE("what_was_said_before_a_restart_is_neither_said_again_nor_over_because_of_it") {
  Gateway gateway;
  gateway.alerts.remember(std::string(kDestinationDown), "crm", true, gateway.now - 2min);
  gateway.alerts.remember(std::string(kDestinationDown), "crm", false, gateway.now - 9min);
  gateway.alerts.remember(std::string(kDeadLetters), "crm", true, gateway.now - 2min);
  gateway.alerts.remember(std::string(kDisk), "spool", false, gateway.now - 1min);
  gateway.alerts.remember(std::string(kDisk), "spool", true, gateway.now - 2min);
  gateway.stats.disk_used = 0.9;
  CHECK(gateway.look().empty());
  check_only(gateway.look(13min), kDisk, "spool", true);  // the window is over
  gateway.attempts[0].succeeded = 1;
  check_only(gateway.look(2s), kDestinationDown, "crm", false);
  check_only(gateway.look(1h), kDeadLetters, "crm", false);
}

TEST_CASE("an_alert_that_could_not_be_stored_is_said_again") {
  Gateway gateway;
  gateway.stats.disk_used = 0.9;
  const auto raised = gateway.look();
  check_only(raised, kDisk, "spool", true);
  gateway.alerts.take_back(raised[0]);
  check_only(gateway.look(2s), kDisk, "spool", true);
  gateway.stats.disk_used = 0.1;
  const auto over = gateway.look(2s);
  check_only(over, kDisk, "spool", false);
  gateway.alerts.take_back(over[0]);
  check_only(gateway.look(2s), kDisk, "spool", false);
}

TEST_CASE("kinds_that_are_off_are_never_said") {
  Gateway gateway;
  gateway.alerts.use({.to = "ops", .suppress = 15min});
  gateway.stats.disk_used = 0.99;
  gateway.attempts[0].failed = 3;
  gateway.look();
  gateway.stats.destinations[0].dead = 5'000;
  gateway.refused["acme"] = 100'000;
  CHECK(gateway.look(1h).empty());
}

TEST_CASE("alerts_are_stored_for_their_destination_in_the_form_of_standard_webhooks") {
  event::Loop loop;
  test::FakeOperations operations;
  ManualClock clock;
  operations.held_stats.disk_used = 0.9;
  operations.held_announced = Error{ErrorKind::full, "no room"};
  AlertWatch watch(loop, operations, clock, {.to = "ops", .disk = 0.85, .suppress = 15min});
  REQUIRE(loop.run_until([&] { return operations.announced.size() == 1; }, 30s));
  operations.held_announced = MessageId{};
  REQUIRE(loop.run_until([&] { return operations.announced.size() == 2; }, 30s));  // it was not taken
  const spool::Announcement& said = operations.announced.back();
  CHECK(said.to == "ops");
  CHECK(said.source == kAlertSource);
  CHECK(said.type == "alert.raised");
  CHECK(said.resource == "disk/spool");
  const auto body = json::Document::parse(said.body);
  REQUIRE(body.ok());
  CHECK(said.body.starts_with(R"({"type":"alert.raised","timestamp":"2025-10-09T08:53:20.000Z","data":{"alert":"disk","subject":"spool","message":"90% of the disk)"));
  watch.use({});
}
