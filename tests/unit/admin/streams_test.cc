// The streaming tail over a real socket: what comes, from where it goes on, and whom it drops.
#include <doctest/doctest.h>

#include <thread>
#include <poll.h>
#include <sys/socket.h>

#include "admin/running_server.h"
#include "admin/samples.h"
#include "support/process.h"

using namespace belay;
using namespace belay::test;

namespace {

// One open stream, read as it comes.
class Follower {
 public:
  explicit Follower(const RunningServer& server, const std::string& target = "/v1/events/stream", const std::string& last_id = {})
      : connection_(server.address()) {
    Headers headers = {{"Authorization", std::string("Bearer ") + kReadToken}};
    if (!last_id.empty()) headers.emplace_back("Last-Event-ID", last_id);
    REQUIRE(connection_.send(request("GET", target, headers, "")));
  }
  // Until the text stands in what came.
  bool reads(const std::string& text) {
    return wait_for([&] {
      take();
      return received.find(text) != std::string::npos;
    });
  }
  bool ends() {
    return wait_for([&] { return take(); });
  }
  // Of the last event that came.
  std::string last_id() const {
    const size_t at = received.rfind("\nid: ");
    REQUIRE(at != std::string::npos);
    return received.substr(at + 5, received.find('\n', at + 1) - at - 5);
  }
  std::string received;

 private:
  bool take() {
    char bytes[4096];
    for (ssize_t n = 0; (n = ::recv(connection_.fd(), bytes, sizeof bytes, MSG_DONTWAIT)) >= 0;) {
      if (n == 0) return true;
      received.append(bytes, static_cast<size_t>(n));
    }
    return false;
  }
  Connection connection_;
};

MessageId numbered(int number) {
  MessageId id = *MessageId::parse(kId);
  id.bytes[14] = static_cast<uint8_t>(number >> 8);
  id.bytes[15] = static_cast<uint8_t>(number);
  return id;
}

// Row number N as it now is, and the word of it to everybody who follows.
void change(RunningServer& server, int number, spool::DeliveryState state = spool::DeliveryState::queued, const std::string& reason = {}) {
  spool::EventRow row{sample_event(), {sample_delivery(state)}};
  row.event.id = numbered(number);
  row.event.reason = reason;
  server.operations.held_rows[row.event.id] = row;
  server.operations.held_feed.add({row.event.id});
}

std::string place(const std::string& id) { return id.substr(0, id.rfind('-')); }

}  // namespace

TEST_CASE("what_arrives_and_what_changes_comes_as_events") {
  RunningServer server;
  Follower follower(server);
  REQUIRE(follower.reads("retry: 1000"));
  CHECK(follower.received.find("Content-Type: text/event-stream") != std::string::npos);
  change(server, 1);
  REQUIRE(follower.reads("event: webhook"));
  REQUIRE(follower.reads("\"state\":\"queued\""));
  CHECK(follower.received.find(numbered(1).to_string()) != std::string::npos);
  change(server, 1, spool::DeliveryState::delivered);
  CHECK(follower.reads("\"state\":\"delivered\""));
}

TEST_CASE("a_stream_goes_on_behind_the_last_event_that_came") {
  RunningServer server;
  std::string last;
  {
    Follower first(server);
    REQUIRE(first.reads("retry: 1000"));
    change(server, 1);
    REQUIRE(first.reads(numbered(1).to_string()));
    last = first.last_id();
  }
  change(server, 2);
  Follower second(server, "/v1/events/stream", last);
  REQUIRE(second.reads(numbered(2).to_string()));
  CHECK(second.received.find(numbered(1).to_string()) == std::string::npos);
  CHECK(place(second.last_id()) != place(last));
}

TEST_CASE("after_a_restart_what_came_since_then_is_shown_first") {
  RunningServer server;
  change(server, 7);
  server.operations.held_events = spool::EventPage{{{sample_event(), {}}}, std::nullopt};
  Follower follower(server, "/v1/events/stream?source=acumatica", "1-900-1760000000000");
  REQUIRE(follower.reads(kId));                       // of the list
  REQUIRE(follower.reads(numbered(7).to_string()));   // and all that has changed since the start
  CHECK(follower.received.find("event: gap") == std::string::npos);
}

TEST_CASE("a_place_that_is_forgotten_is_a_gap_and_goes_on_by_time") {
  RunningServer server;
  std::string last;
  {
    Follower first(server);
    REQUIRE(first.reads("retry: 1000"));
    change(server, 1);
    REQUIRE(first.reads(numbered(1).to_string()));
    last = first.last_id();
  }
  server.operations.held_feed.add(std::vector<MessageId>(spool::Feed::kKept + 1, numbered(2)));
  Follower second(server, "/v1/events/stream", last);
  CHECK(second.reads("event: gap"));
}

TEST_CASE("a_reader_that_is_too_slow_is_dropped_with_the_reason") {
  RunningServer server;
  Follower slow(server), quick(server);
  REQUIRE(slow.reads("retry: 1000"));
  REQUIRE(quick.reads("retry: 1000"));
  for (int i = 0; i < 400; ++i) change(server, i, spool::DeliveryState::queued, std::string(50'000, 'x'));
  REQUIRE(quick.reads(numbered(399).to_string()));
  change(server, 400);
  CHECK(quick.reads(numbered(400).to_string()));
  CHECK(quick.received.find("event: end") == std::string::npos);
  std::this_thread::sleep_for(admin::Streams::kEvery * (admin::Streams::kPatience + 20));  // it takes nothing for so long
  CHECK(slow.ends());
  CHECK(slow.received.find("event: end") != std::string::npos);
  CHECK(slow.received.find("too slow") != std::string::npos);
}

TEST_CASE("streams_are_bounded_and_one_that_closes_makes_room") {
  RunningServer server;
  std::vector<std::unique_ptr<Follower>> open;
  for (size_t i = 0; i < admin::Streams::kMaxStreams; ++i) {
    open.push_back(std::make_unique<Follower>(server));
    REQUIRE(open.back()->reads("retry: 1000"));
  }
  CHECK(server.get("/v1/events/stream").status == 503);
  open.pop_back();
  CHECK(wait_for([&] {
    Follower again(server);
    return again.reads("\r\n\r\n") && again.received.starts_with("HTTP/1.1 200");
  }));
}

TEST_CASE("what_makes_no_sense_for_a_stream_is_refused") {
  RunningServer server;
  CHECK(server.get("/v1/events/stream?until=1h").status == 400);
  CHECK(server.get("/v1/events/stream?limit=5").status == 400);
  CHECK(server.get("/v1/events/stream?status=died").status == 400);
  CHECK(server.ask("HEAD", "/v1/events/stream").status == 200);
  for (const char* wrong : {"x", "1-2", "1-2-3-4", "1-2-x", "-1-2-3", "1-2-99999999999999999999"}) {
    CAPTURE(wrong);
    Follower follower(server, "/v1/events/stream", wrong);
    CHECK(follower.reads("HTTP/1.1 400"));
  }
}
