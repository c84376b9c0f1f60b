// Out of descriptors, out of memory: accepting pauses without spinning, what is under way finishes, and all goes on when there is room again.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "support/backend.h"
#include "support/gateway.h"

using namespace belay::test;

namespace {

std::string rules(const Backend& backend) {
  return "sources:\n  all: { match: { path: \"/*\" }, trust: open, routes: [{ to: backend }] }\n"
         "  stored: { match: { path: /stored }, trust: open, mode: spool, routes: [{ to: backend }] }\n"
         "destinations:\n  backend: { url: \"http://" +
         backend.address() + "\", timeout: 10s, retry: { first: 100ms, factor: 1, attempts: 100 } }\n";
}

// From now on the process can open only `more` descriptors beyond those it has.
void allow_descriptors(pid_t pid, int more) {
  rlim_t limit = 0;
  for (int unused = 0; unused < more; ++limit) unused += access(("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(limit)).c_str(), F_OK) == 0 ? 0 : 1;
  const rlimit low{.rlim_cur = limit, .rlim_max = limit};
  REQUIRE_EQ(prlimit(pid, RLIMIT_NOFILE, &low, nullptr), 0);
}

// What a process has spent on the processor.
int64_t milliseconds_of(pid_t pid) { return std::stoll(read_text("/proc/" + std::to_string(pid) + "/schedstat")) / 1'000'000; }

size_t count_of(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

const std::string kHook = request("POST", "/x", {}, "{}");

}  // namespace

TEST_CASE("out_of_descriptors_a_worker_pauses_without_spinning_finishes_what_it_has_and_goes_on") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 1\n"});
  const pid_t worker = gateway.workers().at(0);
  backend.mode("slow 1500");
  Connection busy(gateway.address());
  busy.send(kHook);
  REQUIRE(wait_for([&] { return backend.seen_count() == 1; }));
  backend.mode("ok");
  allow_descriptors(worker, 10);
  std::vector<std::optional<Connection>> senders;
  for (int i = 0; i < 40; ++i) senders.emplace_back(gateway.address());  // three quarters of them stay with the kernel
  CHECK(wait_for([&] { return gateway.log().find("accepting pauses") != std::string::npos; }));
  const int64_t before = milliseconds_of(worker);
  wait_for([] { return false; }, Milliseconds(1'000));
  const int64_t spent = milliseconds_of(worker) - before;
  MESSAGE("a second out of descriptors costs ", spent, " ms of the processor");
  CHECK_LT(spent, 150);
  const auto finished = busy.read_answer();
  REQUIRE(finished.has_value());
  CHECK_EQ(finished->status, 200);
  for (auto& sender : senders) {  // each is accepted when those before it have gone
    REQUIRE(sender->send(kHook));
    const auto answer = sender->read_answer();
    REQUIRE(answer.has_value());
    CHECK_EQ(answer->status / 100, 2);
    sender.reset();
  }
  CHECK_EQ(send_once(gateway.address(), kHook)->status, 200);
  CHECK_LE(count_of(gateway.log(), "accepting pauses"), 40);  // once each time, not once for each attempt
}

TEST_CASE("with_few_descriptors_everywhere_every_sender_gets_an_answer_and_what_was_stored_is_delivered") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 1\n"});
  for (const pid_t pid : {gateway.process().pid(), gateway.master(), gateway.spool(), gateway.workers().at(0)}) allow_descriptors(pid, 8);
  size_t stored = 0, forwarded = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::optional<Connection>> senders;
    for (int i = 0; i < 30; ++i) senders.emplace_back(gateway.address());
    for (size_t i = 0; i < senders.size(); ++i) {
      REQUIRE(senders[i]->send(request("POST", i % 2 == 0 ? "/stored" : "/x", {}, "{}")));
      const auto answer = senders[i]->read_answer();
      REQUIRE(answer.has_value());
      if (answer->status == 200) ++forwarded;
      if (answer->status == 202) ++stored;
      senders[i].reset();
    }
  }
  CHECK_EQ(forwarded + stored, 150);
  CHECK(wait_for([&] { return backend.seen_count() >= 150; }, Milliseconds(30'000)));
}

TEST_CASE("over_limits_memory_a_body_is_503_those_under_way_finish_and_there_is_room_again") {
  const TempFolder folder;
  Backend backend(folder);
  Gateway gateway(folder, {.rules = rules(backend), .proxy = "  workers: 1\n  limits: { memory: 16MB }\n"});
  constexpr size_t kBody = 1'000'000;
  const std::string whole = request("POST", "/x", {}, std::string(kBody, 'b'));
  std::vector<Connection> senders;
  for (int i = 0; i < 40; ++i) {
    senders.emplace_back(gateway.address());
    senders.back().send(std::string_view(whole).substr(0, whole.size() - 1));
  }
  size_t refused = 0, finished = 0;
  for (Connection& sender : senders) {
    sender.send("b");
    const auto answer = sender.read_answer();
    REQUIRE(answer.has_value());
    if (answer->status == 200) ++finished;
    if (answer->status != 503) continue;
    ++refused;
    CHECK_GT(std::stoi(answer->field("Retry-After")), 0);
  }
  MESSAGE(refused, " refused, ", finished, " finished");
  CHECK_EQ(refused + finished, senders.size());
  CHECK_GE(refused, 10);
  CHECK_GE(finished, 5);
  CHECK_EQ(backend.seen_count(), finished);
  CHECK_EQ(send_once(gateway.address(), whole)->status, 200);
}
