// Backends that refuse, reset, hang, drip, close in the middle, lie about their length, are full, or come back after a long
// outage: each attempt is written down as what it was, tried again by the policy, and other destinations do not feel it.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "faults/fault.h"

using namespace belay::test;

namespace {

struct Fault {
  std::string name;
  std::string mode;     // of the backend; empty: it is stopped
  std::string recorded; // in the history of the delivery
};

std::vector<Fault> faults(const TempFolder& folder) {
  const auto raw = [&](const std::string& name, const std::string& bytes) { return "raw " + folder.write(name, bytes); };
  return {
      {"refuses", "", "refused"},
      {"resets", "reset", "reset"},
      {"hangs", "hang", "timeout"},
      {"drips", "drip 300", "timeout"},
      {"closes at once", "close", "closed"},
      {"closes mid-answer", raw("mid", "HTTP/1.1 200 OK\r\nContent-Le"), "closed"},
      {"lies about its length: longer", raw("long", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"), "closed"},
      {"lies about its length: twice", raw("twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "bad_response"},
      {"speaks something else", raw("smtp", "220 mail.example.test ESMTP\r\n"), "bad_response"},
      {"is full", raw("full", "HTTP/1.1 503 Full\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), "status 503"},
      {"is too busy", raw("busy", "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), "status 429"},
      {"fails", "status 500", "status 500"},
  };
}

// Of the delivery in what `belay show --json` prints.
size_t attempts_in(const std::string& shown) {
  const std::string key = "\"attempts\":";
  const size_t at = shown.find(key);
  return at == std::string::npos ? 0 : std::stoul(shown.substr(at + key.size()));
}

// A faulty destination and a healthy one, each stored first.
std::string rules(const Backend& faulty, const Backend& healthy) {
  const auto destination = [](const std::string& name, const Backend& backend) {
    return "  " + name + ": { url: \"http://" + backend.address() + "\", timeout: 700ms, connect_timeout: 500ms, retry: { first: 200ms, max: 400ms, attempts: 1000 } }\n";
  };
  return "sources:\n  bad: { match: { path: /bad }, trust: open, mode: spool, routes: [{ to: faulty }] }\n"
         "  later: { match: { path: /later }, trust: open, mode: spool, routes: [{ to: healthy }] }\n"
         "destinations:\n" + destination("faulty", faulty) + destination("healthy", healthy);
}

std::string id_of(const Answer& answer) {
  const size_t at = answer.body.find("\"id\": \"");
  REQUIRE_MESSAGE(at != std::string::npos, answer.body);
  return answer.body.substr(at + 7, 36);
}

}  // namespace

TEST_CASE("every_fault_of_a_backend_is_written_down_and_tried_again_and_the_others_do_not_feel_it") {
  const TempFolder folder;
  Backend faulty(folder, "faulty"), healthy(folder, "healthy");
  Gateway gateway(folder, {.rules = rules(faulty, healthy)});
  Senders others(gateway.address(), 1, {.paths = {"/later"}, .pace = Milliseconds(20)});
  for (const Fault& fault : faults(folder)) {
    CAPTURE(fault.name);
    if (fault.mode.empty()) faulty.stop();
    else faulty.mode(fault.mode);
    const auto answer = send_once(gateway.address(), request("POST", "/bad", {}, "{\"fault\":\"" + fault.name + "\"}"));
    REQUIRE(answer.has_value());
    REQUIRE_EQ(answer->status, 202);
    const std::string id = id_of(*answer);
    Finished shown;
    const bool recorded = wait_for([&] {
      shown = gateway.belay({"show", id, "--json"});
      return shown.out.find(fault.recorded) != std::string::npos && attempts_in(shown.out) >= 2;  // and tried again
    }, Milliseconds(5'000));
    CHECK_MESSAGE(recorded, shown.out, shown.err);
    // The healthy one goes on meanwhile.
    const size_t before = healthy.seen_count();
    CHECK(wait_for([&] { return healthy.seen_count() > before + 5; }, Milliseconds(3'000)));
    if (fault.mode.empty()) faulty.start();
    faulty.mode("ok");
    CHECK(wait_for([&] { return gateway.belay({"show", id, "--json"}).out.find("\"delivered\"") != std::string::npos; }));
  }
  others.finish();
  check_promises(gateway, healthy, others);
}

TEST_CASE("a_backend_that_comes_back_after_an_outage_is_not_run_over") {
  const TempFolder folder;
  Backend faulty(folder, "faulty"), healthy(folder, "healthy");
  faulty.stop();
  Gateway gateway(folder, {.rules = rules(faulty, healthy)});
  Senders senders(gateway.address(), 4, {.paths = {"/bad"}, .pace = Milliseconds(1)});
  REQUIRE(wait_for([&] { return senders.acknowledged_count() > 400; }));
  senders.finish();
  REQUIRE(wait_for([&] { return totals(gateway)->waiting > 400; }));
  // It comes back and hangs: whoever it lets in first is all that it gets until an answer came. `timeout` frees a place, so
  // that the slow start shows in how many came in before the first timeout.
  faulty.mode("hang");
  const size_t before = faulty.seen_count();
  faulty.start();
  REQUIRE(wait_for([&] { return faulty.seen_count() > before; }));
  CHECK_FALSE(wait_for([&] { return faulty.seen_count() > before + 3; }, Milliseconds(500)));
  faulty.mode("ok");
  check_promises(gateway, faulty, senders);
}
